"""What is wrong with a scenario, in one line: where it stands, what was found, what is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from semlink.errors import nearest
from semlink.files import Json
from semlink.plugins.entry_points import INTERFACES, offered
from semlink.spec import BrokenRule
from semlink.yaml12.scalars import shortened
from semlink.yaml12.words import SEEN, shown

Loc = tuple[int | str, ...]
PATTERNS = {
    r"^[A-Za-z0-9][A-Za-z0-9_.-]*$": "letters, digits and . _ -, a letter or a digit first",
    SEEN: "signs that are seen",
    rf"^$|{SEEN}": "signs that are seen",
    ":": "module:name or path/to/file.py:name",
}
"""Forms of text in words."""
WORDS = (
    ("a valid number", "a number"),
    ("a valid integer", "a whole number"),
    ("a valid string", "text"),
    ("a valid boolean", "true or false"),
    ("a valid list", "a list"),
    ("a valid tuple", "a list"),
    ("a valid dictionary", "a mapping"),
    ("a valid dictionary or object to extract fields from", "a mapping"),
)
"""How the checker calls what is allowed, and how a scenario does."""
BOUNDS = {
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "less_than": "less than {lt:g}",
    "less_than_equal": "{le:g} or less",
}
MOST_TOLD = 20
"""Mistakes that are said one by one."""


@dataclass(frozen=True, slots=True)
class ScenarioText:
    """A scenario as written: its values after `--set`, and the nodes that know their lines."""

    path: Path
    tree: object
    node: yaml.Node
    overrides: tuple[str, ...]


def explain(text: ScenarioText, fault: ValidationError) -> Iterable[str]:
    """A line for each thing that is wrong, the first twenty of them."""
    found = fault.errors(include_url=False)
    errors = found[:MOST_TOLD]
    meant = {(e["loc"][:-1], nearest(str(e["loc"][-1]), _neighbours(e["loc"]))) for e in errors if _is_stray(e)}
    lines: dict[str, list[ErrorDetails]] = {}
    for error in errors:
        if error["type"] == "missing" and (error["loc"][:-1], error["loc"][-1]) in meant:
            continue  # said once, where it is misspelt
        if error["type"] == "too_short" and any(e["loc"][:-1] == error["loc"] for e in errors):
            continue  # the entries are there, and each is said to be wrong
        place, dotted = locate(text, _loc(error), names_key=error["type"] in ("missing", "extra_forbidden"))
        lines.setdefault(f"{place}: {shown(shortened(dotted)) or 'scenario'}: ", []).append(error)
    for where, faults in lines.items():
        yield from (where + words for words in _together(faults))
    if len(found) > len(errors):
        place, _ = locate(text, found[MOST_TOLD]["loc"], names_key=False)
        yield f"{place}: and {len(found) - len(errors)} more mistakes"


def _loc(error: ErrorDetails) -> Loc:
    """Where a mistake stands: a rule of several parts says which of them breaks it."""
    fault = error.get("ctx", {}).get("error")
    return (*error["loc"], *fault.below) if isinstance(fault, BrokenRule) else error["loc"]


def _together(faults: Sequence[ErrorDetails]) -> Iterable[str]:
    """What is wrong at one place; of a value that is none of several things, all that it may be in one line."""
    single = [f for f in faults if f["type"] == "literal_error" or "should be" in f["msg"]]
    if len(single) < 2 or len(single) < len(faults) or len({repr(f.get("input")) for f in single}) > 1:
        return dict.fromkeys(map(say, faults))
    wanted = [f["ctx"]["expected"] if f["type"] == "literal_error" else _wanted(f) for f in single]
    return [f"got {_shown(single[0].get('input'))}, expected {', or '.join(dict.fromkeys(wanted))}"]


def _wanted(fault: ErrorDetails) -> str:
    """What a value should be, of a message that says so."""
    if fault["type"] in BOUNDS:
        return BOUNDS[fault["type"]].format(**fault["ctx"])
    if fault["type"] == "int_from_float":
        return "a whole number"
    said = fault["msg"].split("should be ")[1].partition(", unable to parse")[0].partition(" or instance of ")[0]
    return next((ours for theirs, ours in WORDS if said == theirs), said)


def locate(text: ScenarioText, loc: Loc, *, names_key: bool) -> tuple[str, str]:
    """Place and dotted name of a location; union tags are passed over, a missing key stays at its parent."""
    here: Any = text.tree
    node, names = text.node, []
    line = node.start_mark.line + 1
    written = True
    for position, part in enumerate(loc):
        inside = _inside(here, part)
        if not inside and not (names_key and position == len(loc) - 1 and isinstance(here, dict)):
            continue
        names.append(str(part))
        here = here[part] if inside else None
        found = _child(node, part) if written else None
        if found is not None:
            line, node = found
        elif inside:
            written = False
    dotted = ".".join(names)
    changed = any(_covers(override.partition("=")[0], dotted, written) for override in text.overrides)
    return f"{text.path} with --set" if changed else f"{text.path}:{line}", dotted


def _inside(here: object, part: int | str) -> bool:
    if isinstance(here, dict):
        return part in here
    return isinstance(here, list) and isinstance(part, int) and part < len(here)


def _child(node: yaml.Node, part: int | str) -> tuple[int, yaml.Node] | None:
    """Line and node of a key's value or a list's entry, as written; None if it is not in the file."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark.line + 1, node.value[part]
    return None


def _covers(key: str, dotted: str, written: bool) -> bool:
    """Whether `--set key=...` made what stands at `dotted`."""
    return f"{dotted}.".startswith(f"{key}.") or not written and key.startswith(f"{dotted}.")


def say(error: ErrorDetails) -> str:
    """One validation error in the words of the scenario."""
    kind, context, got = error["type"], error.get("ctx", {}), error.get("input")
    if kind == "extra_forbidden":
        return _unknown_key(error["loc"])
    if kind == "missing":
        entry = error["loc"][-1]
        return f"needs {entry + 1} entries, got {entry}" if isinstance(entry, int) else "is needed and not given"
    if kind == "union_tag_invalid":
        return _unknown_kind(context, got)
    if kind == "union_tag_not_found":
        return "needs a `kind`" if isinstance(got, dict) else f"got {_shown(got)}, expected a mapping with a `kind`"
    if kind == "literal_error":
        return _none_of(context["expected"], got)
    if kind == "invalid_key":
        return "is a number as a key; allowed here: words"
    if kind in ("value_error", "assertion_error"):
        return str(context.get("error", error["msg"]))
    if kind in ("tuple_type", "list_type"):
        return f"got {_shown(got)}, expected a list{_form(error['loc'])}"
    if kind == "string_pattern_mismatch":
        return f"got {_shown(got)}; allowed: {PATTERNS.get(context['pattern'], context['pattern'])}"
    if kind == "too_short":
        return f"needs {context['min_length']} entry or more, got {context['actual_length']}"
    if kind == "too_long" and isinstance(got, list | tuple):
        return f"takes {context['max_length']} entries, got {len(got)}"
    if "should be " in error["msg"]:
        return f"got {_shown(got)}, expected {_wanted(error)}"
    return f"{error['msg']}, got {_shown(got)}"


def _none_of(expected: str, got: object) -> str:
    """That a value is none of some words; a near one is proposed where it is a word."""
    allowed = expected.replace("'", "").replace(" or ", ", ").split(", ")
    if not isinstance(got, str):
        return f"got {_shown(got)}, expected one of {expected}"
    if got in allowed:
        return f"got the text {_shown(got)}, expected one of {expected}"
    return f"got {_shown(got)}, expected one of {expected}{hint(got, allowed)}"


def _shown(value: object) -> str:
    """A value as it stands in an error; what is long is cut."""
    if value is None:
        return "no value"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return shortened(repr(value))


def _unknown_key(loc: Loc) -> str:
    """What it may have meant: a key like it, one of another kind, or any that is allowed."""
    key, allowed = str(loc[-1]), _neighbours(loc)
    if near := hint(key, allowed):
        return f"unknown key{near}"
    kind = str(loc[-2]) if len(loc) > 1 else ""
    if elsewhere := _kinds_with(key, kind):
        return f"unknown key of kind {kind}; {', '.join(elsewhere)} {'has' if len(elsewhere) == 1 else 'have'} it"
    return f"unknown key; allowed: {', '.join(allowed)}" if allowed else "unknown key"


def _kinds_with(key: str, kind: str) -> list[str]:
    """Kinds of the same interface as `kind` that have an option `key`."""
    from semlink.link.scenario.schema import CATALOGUE
    from semlink.spec import kinds_of

    mine = [specs for specs in CATALOGUE.values() if any(kind in kinds_of(spec) for spec in specs)]
    return [k for specs in mine for spec in specs if key in spec.model_fields for k in kinds_of(spec)]


def _form(loc: Loc) -> str:
    """How a list is to be written, where its description says it."""
    from semlink.link.scenario.schema import description_at

    form = re.match(r"\[[^\]]*\]", description_at(loc))
    return f" {form[0]}" if form else ""


def _unknown_kind(context: Json, got: object) -> str:
    kinds = [k.strip("' ") for k in context["expected_tags"].split(",")]
    kinds = [k for k in kinds if k != "plug-in"]
    kinds += [k for interface in INTERFACES for k in offered(interface) if context["tag"] == k]
    return (
        f"unknown kind {_shown(context['tag'])}, expected one of {', '.join(kinds)}, or module:Class or file.py:Class"
        + hint(context["tag"], kinds)
    )


def _is_stray(error: ErrorDetails) -> bool:
    return bool(error["type"] == "extra_forbidden")


def hint(word: str, allowed: Iterable[str]) -> str:
    """What a wrong word may have meant, to be put behind an error; '' if nothing is like it."""
    near = nearest(word, allowed)
    return f"; did you mean {near!r}?" if near else ""


def _neighbours(loc: Loc) -> list[str]:
    """The keys allowed where an unknown one stood: walked along the model's fields."""
    from semlink.link.scenario.schema import fields_at

    return fields_at(loc[:-1])
