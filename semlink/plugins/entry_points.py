"""Kinds that installed packages offer, through the entry-point group `semlink.blocks`, named `<interface>.<kind>`."""

from __future__ import annotations

import sys
from collections.abc import Collection
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points

from semlink.errors import ScenarioError

GROUP = "semlink.blocks"
INTERFACES = ("source", "sensor", "reconstruction", "channel", "waveform", "codec", "coding", "scheme")


def offered(interface: str) -> dict[str, EntryPoint]:
    """Entry points of installed plug-ins for an interface, by kind; of several that claim one, the first."""
    return {kind: entries[0] for kind, entries in _claims(interface).items()}


def entry_point(interface: str, kind: str) -> EntryPoint | None:
    """The one that offers `kind`, None where nobody does.

    Raises:
        ScenarioError: two packages do.
    """
    entries = _claims(interface).get(kind, [])
    if len(entries) > 1:
        both = " and ".join(f"{_package(e)} ({e.value})" for e in entries)
        raise ScenarioError(
            f"{interface}: kind {kind!r} is offered by {both}; uninstall one, or name the class: "
            f"kind: {entries[0].value}"
        )
    return entries[0] if entries else None


def refuse_claims(interface: str, kind: str, known: Collection[str]) -> None:
    """Refuse a kind of our own that an installed package claims as well.

    Raises:
        ScenarioError: names the package.
    """
    if kind in known and kind in _claims(interface):
        entry = _claims(interface)[kind][0]
        raise ScenarioError(
            f"{interface}: kind {kind!r} is semlink's own, and package {_package(entry)} claims it for {entry.value}; "
            f"the package must rename its entry point; its class can be named as kind: {entry.value}"
        )


@lru_cache(maxsize=1)
def _all(search_path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """All entries of the group; looking through every installed package takes a while."""
    return tuple(entry_points(group=GROUP))


def _claims(interface: str) -> dict[str, list[EntryPoint]]:
    """Every kind that is claimed, and by whom; an entry found twice on the path counts once."""
    prefix = f"{interface}."
    claims: dict[str, list[EntryPoint]] = {}
    for entry in _all(tuple(sys.path)):
        if entry.name.startswith(prefix):
            others = claims.setdefault(entry.name.removeprefix(prefix), [])
            if (entry.value, _package(entry)) not in [(e.value, _package(e)) for e in others]:
                others.append(entry)
    return claims


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else "an unknown package"
