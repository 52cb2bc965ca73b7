"""YAML to a typed scenario; every complaint names file and line.

Files and the values of `--set` are YAML 1.2 (`semlink.yaml12`); `--set
a.b.0.c=value` changes the tree before it is checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import ValidationError

from semlink.errors import ScenarioError, SemlinkError, placed
from semlink.files import JsonDict, told_of_file
from semlink.link.scenario.diagnostics import Loc, ScenarioText, explain, locate
from semlink.link.scenario.scenario import Scenario
from semlink.yaml12.read import read_mapping, read_value
from semlink.yaml12.scalars import shortened


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
        """Put the place of `loc` in front of any error meant for the user, and of what a named file does wrong."""
        try:
            yield
        except SemlinkError as fault:
            raise placed(fault, self.place(loc)) from fault
        except OSError as fault:
            if fault.filename is None:
                raise
            raise placed(ScenarioError(told_of_file(fault)), self.place(loc)) from fault

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
    return read_mapping(path, "a mapping of keys such as name, source, channel, sweep, schemes")


def apply_override(tree: JsonDict, override: str, such_as: str = "sweep.snr_db=[4,8]") -> None:
    """Set one value in the tree: `sweep.snr_db=[4, 8]`, `schemes.0.codec.preset=slow`.

    Args:
        such_as: what an error gives as an example.
    Raises:
        ScenarioError: no `=`, or a path that leads nowhere.
    """
    key, equals, text = override.partition("=")
    said = f"--set {shortened(override if override.isprintable() else ascii(override))}"
    if not equals or not key:
        raise ScenarioError(f"{said}: expected key=value, such as {such_as}")
    set_value(tree, key, read_value(text, said), said)


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
    if not (part.isascii() and part.isdigit() and len(part) < 10) or int(part) >= len(here):
        raise ScenarioError(f"{said}: {part!r} is not a position in a list of {len(here)} (0 is the first)")
    return int(part)
