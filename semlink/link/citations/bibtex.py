"""BibTeX of what a run rests on.

    cite(scenario.schemes, folder)      specs, blocks, classes, functions, modules
    cite(["semlink.phy.channels.awgn:Awgn"])     or their names

Only files are read; nothing is imported and nothing is built.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from semlink import __version__
from semlink.errors import ResultsError
from semlink.link.citations.docstring_sources import ROOT, Citation, citations, locate
from semlink.link.metrics.intervals import halfwidth, share_interval
from semlink.link.metrics.registry import METRICS
from semlink.plugins.specs import PluginSpec

__all__ = ["REFERENCES", "cite", "cite_scenario", "read_bib"]

REFERENCES = ROOT / "references.bib"
ALWAYS = "semlink"


def cite(targets: Iterable[object], folder: Path | None = None) -> str:
    """The BibTeX entries of all references behind `targets`, each with where it is used.

    Args:
        targets: blocks and specs (with the blocks inside them), classes,
            functions, modules, or names such as `semlink.phy.channels.awgn:Awgn` and `my_channel.py:Mine`.
        folder: where file names are looked up first.
    Raises:
        UnknownBlock: a name that leads to no file.
    """
    found = citations([place for target in targets for place in _places(target, folder)])
    entries = read_bib(REFERENCES)
    for path in {c.file.parent / "references.bib" for c in found if not c.file.is_relative_to(ROOT)}:
        if path.is_file():
            entries = read_bib(path) | entries
    keys = dict.fromkeys(c.key for c in found)
    parts = [f"% semlink {__version__}; sources of what is used, from its docstrings", entries[ALWAYS]]
    parts += [f"{_used(key, found)}\n{entries[key]}" for key in keys if key in entries]
    missing = [f"% no entry for this key is known:\n{_used(key, found)}" for key in keys if key not in entries]
    return "\n\n".join([*parts, *missing]) + "\n"


def cite_scenario(scenario: Any, folder: Path | None = None) -> str:
    """The BibTeX of a scenario's source, channels, waveform, schemes and scores.

    Args:
        scenario: a loaded `Scenario`.
        folder: the scenario file's folder, where plug-in files are looked up.
    """
    shipped = {metric.name: metric.function for metric in METRICS}
    scores = [shipped.get(name, _plugin_name(name)) for name in scenario.metrics]
    return cite([scenario, *scores, halfwidth, share_interval], folder)


def read_bib(path: Path) -> dict[str, str]:
    """The entries of a BibTeX file by key, each as it is written.

    Raises:
        ResultsError: the file is missing, an entry does not end, or a key comes twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as fault:
        raise ResultsError(f"{path}: cannot be read ({fault.strerror})") from fault
    entries: dict[str, str] = {}
    for head in re.finditer(r"^@(\w+)\{\s*([^,\s]+)\s*,", text, re.MULTILINE):
        key = head.group(2)
        if key in entries:
            raise ResultsError(f"{path}: key {key!r} comes twice")
        entries[key] = _entry(text, head.start(), f"{path}: {key}")
    return entries


def _entry(text: str, start: int, where: str) -> str:
    """The entry that begins at `start`, up to the brace that closes it."""
    depth = 0
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0 and text[place] == "}":
            return text[start : place + 1]
    raise ResultsError(f"{where}: the entry does not end; a closing brace is missing")


def _used(key: str, found: Iterable[Citation]) -> str:
    """A comment that says where in the source and for which file a key is cited."""
    uses: dict[str, list[str]] = {}
    for c in (c for c in found if c.key == key):
        name = c.file.relative_to(ROOT.parent).as_posix() if c.file.is_relative_to(ROOT) else c.file.name
        uses.setdefault(name, []).append(c.where)
    places = (": ".join([name, "; ".join(w for w in wheres if w)]).removesuffix(": ") for name, wheres in uses.items())
    return "\n".join(f"% {key} in {place}" for place in places)


def _places(target: object, folder: Path | None) -> Iterator[tuple[Path, str | None]]:
    """Files and names behind one target, and behind the blocks it holds."""
    if isinstance(target, str):
        yield locate(target, folder)
    elif isinstance(target, ModuleType):
        yield Path(inspect.getfile(target)).resolve(), None
    elif isinstance(target, type) or inspect.isroutine(target):
        yield from _defined(target)
    elif isinstance(target, Mapping):
        yield from _each(target.values(), folder)
    elif isinstance(target, list | tuple | set | frozenset):
        yield from _each(target, folder)
    else:
        if isinstance(target, PluginSpec) and target.live is not None:
            yield from _defined(target.live if isinstance(target.live, type) else type(target.live))
        elif isinstance(target, PluginSpec):
            yield locate(_plugin_name(target.kind), folder)
        else:
            yield from _defined(type(target))
            yield from _each(_held(target), folder)


def _each(targets: Iterable[object], folder: Path | None) -> Iterator[tuple[Path, str | None]]:
    """Places behind what is held; plain values stand for nothing."""
    for held in targets:
        if held is not None and not isinstance(held, str | bytes | int | float | complex | Path):
            yield from _places(held, folder)


def _held(target: object) -> Iterable[object]:
    """The field values of a spec or a block."""
    if dataclasses.is_dataclass(target):
        return [getattr(target, f.name, None) for f in dataclasses.fields(target)]
    if isinstance(target, BaseModel):
        return dict(target).values()
    return ()


def _defined(target: type | Callable) -> Iterator[tuple[Path, str]]:
    """The file and top-level name of a class or function, if it has a file."""
    module = inspect.getmodule(target)
    path = None if module is None else vars(module).get("__file__")
    if path and path.endswith(".py"):
        yield Path(path).resolve(), target.__qualname__.split(".")[0]


def _plugin_name(kind: str) -> str:
    """`module:Class` of a plug-in, looked up among the installed ones where `kind` is a plain name."""
    if ":" in kind:
        return kind
    from semlink.plugins.entry_points import INTERFACES, offered

    found = (offered(interface).get(kind) for interface in (*INTERFACES, "metric"))
    return next((entry.value for entry in found if entry is not None), kind)
