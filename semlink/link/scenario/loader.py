"""YAML to a typed scenario; every complaint names file and line.

The YAML 1.2 spelling of floats (`1e-3`) is understood, a key that stands
twice is an error, and `--set a.b.0.c=value` changes the tree before it is
checked.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from semlink.errors import ScenarioError, SemlinkError
from semlink.link.scenario.scenario import Scenario
from semlink.spec import JOINTS, offered

Loc = tuple[int | str, ...]


class _Loader(yaml.SafeLoader):
    """Safe YAML with 1.2 floats."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^[-+]?(?:\d[\d_]*(?:\.[\d_]*)?(?:[eE][-+]?\d+)|\d[\d_]*\.[\d_]*|\.\d+(?:[eE][-+]?\d+)?|\.(?:inf|nan))$"
    ),
    list("-+0123456789."),
)


def load_scenario(path: str | Path, overrides: Sequence[str] = ()) -> Scenario:
    """Read, change by `overrides` (`key=value`) and check a scenario file.

    Raises:
        ScenarioError: one line for each thing that is wrong, with file and line.
    """
    path = Path(path)
    tree, node = read_yaml(path)
    for override in overrides:
        apply_override(tree, override)
    try:
        return Scenario.model_validate(tree)
    except ValidationError as fault:
        raise ScenarioError("\n".join(_explain(_Text(path, tree, node, tuple(overrides)), fault))) from fault


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a scenario came from, so that a block that cannot be built is named by file and line."""

    path: Path
    overrides: tuple[str, ...] = ()

    @contextmanager
    def blamed(self, *loc: int | str) -> Iterator[None]:
        """Put the place of `loc` in front of any error meant for the user."""
        try:
            yield
        except SemlinkError as fault:
            raise type(fault)(f"{self.place(loc)}: {fault}") from fault

    def place(self, loc: Loc) -> str:
        """`file:line` of a location, or the file alone where it can no longer be read."""
        try:
            tree, node = read_yaml(self.path)
            for override in self.overrides:
                apply_override(tree, override)
        except ScenarioError:
            return str(self.path)
        place, dotted = _locate(_Text(self.path, tree, node, self.overrides), loc, names_key=False)
        below = any(override.startswith(f"{dotted}.") for override in self.overrides)
        return f"{place} with --set" if below else place


def read_yaml(path: Path) -> tuple[dict[str, Any], yaml.Node]:
    """The mapping in a YAML file, and its node tree for line numbers.

    Raises:
        ScenarioError: no such file, not YAML, not a mapping, or a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*.y*ml")], 1)
        hint = f"; did you mean {path.parent / near[0]}?" if near else ""
        raise ScenarioError(f"{path}: no such file{hint}") from None
    except (OSError, UnicodeDecodeError) as fault:
        raise ScenarioError(f"{path}: cannot be read: {fault}") from fault
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        tree = loader.construct_document(node) if node is not None else None
    except yaml.reader.ReaderError as fault:
        place = f"{path}:{text[: fault.position].count(chr(10)) + 1}"
        raise ScenarioError(f"{place}: not valid YAML: character {text[fault.position]!r}") from fault
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ScenarioError(f"{path}{line}: not valid YAML: {getattr(fault, 'problem', None) or fault}") from fault
    if node is None or not isinstance(tree, dict):
        raise ScenarioError(f"{path}:1: expected a mapping of keys such as name, source, channel, sweep, schemes")
    _refuse_twice(path, node)
    return tree, node


def apply_override(tree: dict[str, Any], override: str) -> None:
    """Set one value in the tree: `sweep.snr_db=[4, 8]`, `schemes.0.codec.preset=slow`.

    Raises:
        ScenarioError: no `=`, or a path that leads nowhere.
    """
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ScenarioError(f"--set {override}: expected key=value, such as sweep.snr_db=[4,8]")
    try:
        value = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as fault:
        raise ScenarioError(f"--set {override}: the value is not valid YAML") from fault
    *parents, last = key.split(".")
    here: Any = tree
    for part in parents:
        here = _step(here, part, override)
    if isinstance(here, list):
        here[_index(here, last, override)] = value
    elif isinstance(here, dict):
        here[last] = value
    else:
        raise ScenarioError(f"--set {override}: nothing can be set below {'.'.join(parents)!r}")


def _step(here: Any, part: str, override: str) -> Any:
    if isinstance(here, list):
        return here[_index(here, part, override)]
    if isinstance(here, dict):
        return here.setdefault(part, {})
    raise ScenarioError(f"--set {override}: {part!r} leads nowhere")


def _index(here: list[Any], part: str, override: str) -> int:
    if not part.isdigit() or int(part) >= len(here):
        raise ScenarioError(f"--set {override}: {part!r} is not a position in a list of {len(here)} (0 is the first)")
    return int(part)


def _refuse_twice(path: Path, node: yaml.Node) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                raise ScenarioError(f"{path}:{line}: {key.value}: stands twice, first in line {seen[key.value]}")
            seen[key.value] = line
            _refuse_twice(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_twice(path, value)


@dataclass(frozen=True, slots=True)
class _Text:
    """A scenario as written: its values after `--set`, and the nodes that know their lines."""

    path: Path
    tree: Any
    node: yaml.Node
    overrides: tuple[str, ...]


def _explain(text: _Text, fault: ValidationError) -> Iterable[str]:
    errors = fault.errors()
    meant = {(e["loc"][:-1], _nearest(str(e["loc"][-1]), _neighbours(e["loc"]))) for e in errors if _is_stray(e)}
    for error in errors:
        if error["type"] == "missing" and (error["loc"][:-1], error["loc"][-1]) in meant:
            continue  # said once, where it is misspelt
        place, dotted = _locate(text, error["loc"], names_key=error["type"] in ("missing", "extra_forbidden"))
        yield f"{place}: {dotted or 'scenario'}: {say(error)}"


def _locate(text: _Text, loc: Loc, *, names_key: bool) -> tuple[str, str]:
    """Place and dotted name of a location; union tags are passed over, a missing key stays at its parent."""
    here, node, names = text.tree, text.node, []
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


def _inside(here: Any, part: int | str) -> bool:
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


def say(error: Any) -> str:
    """One validation error in the words of the scenario."""
    kind, context, got = error["type"], error.get("ctx", {}), error.get("input")
    if kind == "extra_forbidden":
        return "unknown key" + _hint(str(error["loc"][-1]), _neighbours(error["loc"]))
    if kind == "missing":
        return "is needed and not given"
    if kind == "union_tag_invalid":
        return _unknown_kind(context, got)
    if kind == "union_tag_not_found":
        return "needs a `kind`" if isinstance(got, dict) else f"got {got!r}, expected a mapping with a `kind`"
    if kind == "literal_error":
        allowed = context["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return f"got {got!r}, expected one of {context['expected']}" + _hint(str(got), allowed)
    if kind in ("value_error", "assertion_error"):
        return str(context.get("error", error["msg"]))
    if kind == "too_short":
        return f"needs {context['min_length']} entry or more, got {context['actual_length']}"
    message = error["msg"].replace("Input should be", "should be").split(", unable to parse")[0]
    return f"{message}, got {got!r}" if not isinstance(got, dict | list) else message


def _unknown_kind(context: Any, got: Any) -> str:
    kinds = [k.strip("' ") for k in context["expected_tags"].split(",")]
    kinds = [k for k in kinds if k != "plug-in"]
    kinds += [k for joint in JOINTS for k in offered(joint) if context["tag"] == k]
    return (
        f"unknown kind {context['tag']!r}, expected one of {', '.join(kinds)}, or module:Class or file.py:Class"
        + _hint(context["tag"], kinds)
    )


def _is_stray(error: Any) -> bool:
    return bool(error["type"] == "extra_forbidden")


def _hint(word: str, allowed: Iterable[str]) -> str:
    near = _nearest(word, allowed)
    return f"; did you mean {near!r}?" if near else ""


def _nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The allowed word that looks most like `word`, None if none does."""
    allowed = list(allowed)
    near = difflib.get_close_matches(word, allowed, 1, cutoff=0.55)
    return near[0] if near else next((a for a in allowed if a.lower() == word.lower()), None)


def _neighbours(loc: Loc) -> list[str]:
    """The keys allowed where an unknown one stood: walked along the model's fields."""
    from semlink.link.scenario.schema import fields_at

    return fields_at(loc[:-1])
