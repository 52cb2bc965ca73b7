"""All published points. A new one is an entry in the file of its subject; a new subject is a file and a line here."""

from __future__ import annotations

from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path

from semlink.errors import ScenarioError
from semlink.link.validate.entries import (
    analogue,
    channels,
    coding,
    imaging,
    ldpc,
    modulation,
    papers,
    quality,
    standard,
)
from semlink.link.validate.entry import Cost, Entry

__all__ = ["chosen", "entries", "home"]

_SUBJECTS = (channels, modulation, standard, ldpc, coding, quality, analogue, imaging)


def home() -> Path | None:
    """The checkout that this package is in, where scenarios and committed results lie; None for an installed one."""
    root = Path(__file__).resolve().parents[4]
    return root if (root / "scenarios").is_dir() and (root / "results").is_dir() else None


@lru_cache(maxsize=2)
def entries(repository: Path | None = None) -> tuple[Entry, ...]:
    """Every entry, in the order in which tables show them."""
    return (*(entry for subject in _SUBJECTS for entry in subject.ENTRIES), *papers.entries_of(repository))


def chosen(every: tuple[Entry, ...], cost: Cost, only: tuple[str, ...] = ()) -> tuple[Entry, ...]:
    """The entries of a cost (`full` has all), and of these what a pattern names: a whole name, its beginning, or `*`.

    Raises:
        ScenarioError: a pattern that names none.
    """
    affordable = [entry for entry in every if cost == "full" or entry.cost == "quick"]
    for pattern in only:
        if not any(_named(entry, pattern) for entry in affordable):
            dearer = any(_named(entry, pattern) for entry in every)
            subjects = ", ".join(dict.fromkeys(entry.name.partition("/")[0] for entry in affordable))
            allowed = "it takes longer: add --full" if dearer else f"allowed: names that --list shows, of {subjects}"
            raise ScenarioError(f"--only {pattern}: no entry is called so; {allowed}")
    return tuple(entry for entry in affordable if not only or any(_named(entry, pattern) for pattern in only))


def _named(entry: Entry, pattern: str) -> bool:
    begins = f"{pattern.rstrip('/')}/"
    return entry.name == pattern or entry.name.startswith(begins) or fnmatch(entry.name, pattern)
