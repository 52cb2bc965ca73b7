"""YAML to a typed scenario; every complaint names file and line.

The YAML 1.2 spelling of floats (`1e-3`) is understood, a key that stands
twice is an error, and `--set a.b.0.c=value` changes the tree before it is
checked.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import ValidationError

from semlink.errors import ScenarioError, SemlinkError
from semlink.files import JsonDict
from semlink.link.scenario.diagnostics import Loc, ScenarioText, explain, locate
from semlink.link.scenario.scenario import Scenario


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
        raise ScenarioError("\n".join(explain(ScenarioText(path, tree, node, tuple(overrides)), fault))) from fault


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a scenario came from, so that a block that cannot be built is named by file and line."""

    path: Path
    overrides: tuple[str, ...] = ()

    @contextmanager
    def error_context(self, *loc: int | str) -> Iterator[None]:
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
        place, dotted = locate(ScenarioText(self.path, tree, node, self.overrides), loc, names_key=False)
        below = any(override.startswith(f"{dotted}.") for override in self.overrides)
        return f"{place} with --set" if below else place


def read_yaml(path: Path) -> tuple[JsonDict, yaml.Node]:
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
        marked = fault if isinstance(fault, yaml.MarkedYAMLError) else yaml.MarkedYAMLError()
        line = f":{marked.problem_mark.line + 1}" if marked.problem_mark else ""
        raise ScenarioError(f"{path}{line}: not valid YAML: {marked.problem or fault}") from fault
    if node is None or not isinstance(tree, dict):
        raise ScenarioError(f"{path}:1: expected a mapping of keys such as name, source, channel, sweep, schemes")
    _refuse_twice(path, node)
    return tree, node


def apply_override(tree: JsonDict, override: str) -> None:
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
    set_value(tree, key, value, f"--set {override}")


def set_value(tree: JsonDict, key: str, value: object, said: str) -> None:
    """Set the value at a dotted key such as `schemes.0.codec.preset`; `said` is what errors call it.

    Raises:
        ScenarioError: a path that leads nowhere.
    """
    *parents, last = key.split(".")
    here: object = tree
    for part in parents:
        here = _step(here, part, said)
    if isinstance(here, list):
        here[_index(here, last, said)] = value
    elif isinstance(here, dict):
        here[last] = value
    else:
        raise ScenarioError(f"{said}: nothing can be set below {'.'.join(parents)!r}")


def _step(here: object, part: str, said: str) -> object:
    if isinstance(here, list):
        return here[_index(here, part, said)]
    if isinstance(here, dict):
        return here.setdefault(part, {})
    raise ScenarioError(f"{said}: {part!r} leads nowhere")


def _index(here: list, part: str, said: str) -> int:
    if not part.isdigit() or int(part) >= len(here):
        raise ScenarioError(f"{said}: {part!r} is not a position in a list of {len(here)} (0 is the first)")
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
