"""BibTeX of what a run rests on.

    cite(scenario.schemes, folder)      specs, blocks, classes, functions, modules
    cite(["semlink.phy.channels.awgn:Awgn"])     or their names

Only files are read; nothing is imported and nothing is built.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from semlink import __version__
from semlink.errors import ResultsError
from semlink.link.citations.docstring_sources import ROOT, Citation, Place, citations, locate
from semlink.link.metrics.intervals import halfwidth, share_interval
from semlink.link.metrics.registry import METRICS
from semlink.phy.specs.codings import CodingSpec
from semlink.plugins.contents import specs_inside
from semlink.plugins.specs import CodingPlugin, PluginSpec
from semlink.spec import BuildContext, Spec

__all__ = ["REFERENCES", "cite", "cite_scenario", "read_bib"]

REFERENCES = ROOT / "references.bib"
OUR_OWN = ("semlink.yaml12", "semlink.plugins", "semlink.blocks")
"""What reads scenarios and looks after blocks; no number comes from there."""
CAPACITIES = ("semlink.phy.capacity", "semlink.phy.bounds")
"""What channels can carry, which only bounds ask."""
SHARED = ("semlink.seeds:Seeds", "semlink.payload:Frames")
"""What every run computes with."""
ALL: frozenset[str] = frozenset()
"""Nothing is passed over."""


def cite(targets: Iterable[object], folder: Path | None = None) -> str:
    """The BibTeX entries of all references behind `targets`, each with where it is used.

    Args:
        targets: blocks and specs (with the blocks inside them), classes,
            functions, modules, or names such as `semlink.phy.channels.awgn:Awgn` and `my_channel.py:Mine`.
        folder: where file names are looked up first.
    Raises:
        UnknownBlock: a name that leads to no file.
    """
    return _written(_behind(targets, folder, OUR_OWN))


def cite_scenario(scenario: Any, folder: Path | None = None) -> str:
    """The BibTeX of a scenario's source, channels, waveform, schemes and scores.

    Args:
        scenario: a loaded `Scenario`.
        folder: the scenario file's folder, where plug-in files are looked up.
    """
    return _written(used_by(scenario, folder))


def used_by(scenario: Any, folder: Path | None = None) -> Sequence[Citation]:
    """What a run of a scenario rests on. Arguments as of `cite_scenario`."""
    shipped = {metric.name: metric.function for metric in METRICS}
    scores = [shipped.get(name, _plugin_name(name)) for name in scenario.metrics]
    codings = [spec for _, spec in specs_inside(dict(scenario)) if isinstance(spec, CodingSpec | CodingPlugin)]
    has_bounds = any(coding.is_bound is not False for coding in codings)
    passed_over = OUR_OWN if has_bounds else (*OUR_OWN, *CAPACITIES)
    return _behind([scenario, *scores, *SHARED, halfwidth, share_interval], folder, passed_over)


def _behind(targets: Iterable[object], folder: Path | None, passed_over: Iterable[str]) -> Sequence[Citation]:
    """What stands behind all `targets`, each with its own code that is passed over."""
    starts: dict[frozenset[str], list[Place]] = {}
    for place, passed in (found for target in targets for found in _places(target, folder)):
        starts.setdefault(passed, []).append(place)
    return sorted({c for passed, places in starts.items() for c in citations(places, {*passed, *passed_over})})


def _written(found: Sequence[Citation]) -> str:
    """As BibTeX, with comments that say where each is used."""
    entries = read_bib(REFERENCES)
    for path in {c.file.parent / "references.bib" for c in found if not c.file.is_relative_to(ROOT)}:
        if path.is_file():
            entries = read_bib(path) | entries
    keys = dict.fromkeys(c.key for c in found)
    parts = [f"% semlink {__version__}; sources of what is used, and what computed it", entries["semlink"]]
    parts += [f"{_used(key, found)}\n{entries[key]}" for key in keys if key in entries]
    missing = [f"% no entry for this key is known:\n{_used(key, found)}" for key in keys if key not in entries]
    return "\n\n".join([*parts, *missing]) + "\n"


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
    """A comment that says where in the source and for which file a key is cited; of a tool, how many files call it."""
    uses: dict[str, list[str]] = {}
    cited = [c for c in found if c.key == key]
    if all(c.is_tool for c in cited):
        return f"% {key} computes in {len(cited)} file{'s' if len(cited) > 1 else ''} of what is used"
    for c in cited:
        name = c.file.relative_to(ROOT.parent).as_posix() if c.file.is_relative_to(ROOT) else c.file.name
        uses.setdefault(name, []).append(c.where)
    places = (": ".join([name, "; ".join(w for w in wheres if w)]).removesuffix(": ") for name, wheres in uses.items())
    return "\n".join(f"% {key} in {place}" for place in places)


def _places(target: object, folder: Path | None) -> Iterator[tuple[Place, frozenset[str]]]:
    """Files and names behind one target, with what is not to be followed from there, and those of blocks it holds."""
    if isinstance(target, str):
        yield locate(target, folder), ALL
    elif isinstance(target, ModuleType):
        yield (Path(inspect.getfile(target)).resolve(), None), ALL
    elif isinstance(target, type) or inspect.isroutine(target):
        yield from ((place, ALL) for place in _defined(target))
    elif isinstance(target, Mapping):
        yield from _each(target.values(), folder)
    elif isinstance(target, list | tuple | set | frozenset):
        yield from _each(target, folder)
    else:
        if isinstance(target, PluginSpec) and target.live is not None:
            live = target.live if isinstance(target.live, type) else type(target.live)
            yield from ((place, ALL) for place in _defined(live))
        elif isinstance(target, PluginSpec):
            yield locate(_plugin_name(target.kind), folder), ALL
        else:
            passed = frozenset(target.passed_over(BuildContext(folder=folder))) if isinstance(target, Spec) else ALL
            yield from ((place, passed) for place in _defined(type(target)))
            yield from _each(_held(target), folder)
            if isinstance(target, Spec):
                yield from ((locate(code, folder), ALL) for code in target.rests_on())


def _each(targets: Iterable[object], folder: Path | None) -> Iterator[tuple[Place, frozenset[str]]]:
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
