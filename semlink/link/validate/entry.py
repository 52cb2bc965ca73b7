"""A published point as data: who says what, how ours is measured, and how far the two may be apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

__all__ = [
    "Bench",
    "CannotRun",
    "Cost",
    "Entry",
    "Found",
    "Measure",
    "Rule",
    "Shortfall",
    "exactly",
    "found_exactly",
    "through",
]

Cost = Literal["quick", "full"]


class CannotRun(Exception):
    """What a measurement needs is not on this machine; the words say what."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What measurements are given: the root of all chance, and where data and the repository lie, if they do."""

    seed: int = 1
    data: Path | None = None
    repository: Path | None = None

    def file(self, path: str) -> Path:
        """A file or folder of the data.

        Raises:
            CannotRun: it is not there.
        """
        if self.data is None or not (self.data / path).exists():
            raise CannotRun(f"needs {path} in a folder of data (--data DIR)")
        return self.data / path


@dataclass(frozen=True, slots=True)
class Found:
    """A number of ours, where the truth lies.

    Attributes:
        low, high: with 95 %.
        least, most: with all but a chance of 1e-6, which is what verdicts go by.
        words: what it rests on.
    """

    value: float
    low: float
    high: float
    least: float
    most: float
    words: str = ""


def through(found: Found, function: Callable[[float], float]) -> Found:
    """What becomes of a number and its limits by a function that rises."""
    numbers = (found.value, found.low, found.high, found.least, found.most)
    value, low, high, least, most = map(function, numbers)
    return Found(value, low, high, least, most, found.words)


def found_exactly(value: float, words: str = "") -> Found:
    """A number without chance."""
    return Found(value, value, value, value, value, words)


class Measure(Protocol):
    """A named measurement: a frozen dataclass, so that entries with equal ones share one run."""

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        """Measure.

        Raises:
            CannotRun: something is missing here.
        """


@dataclass(frozen=True, slots=True)
class Rule:
    """How far ours may be from theirs, in the unit of the number, and why.

    Attributes:
        below, above: how far; infinite on the side where ours is simply better.
        why: where the tolerance comes from.
    """

    below: float
    above: float
    why: str

    def allowed(self, theirs: float) -> tuple[float, float]:
        return theirs - self.below, theirs + self.above

    @property
    def one_sided(self) -> bool:
        return math.isinf(self.below) or math.isinf(self.above)


def exactly(why: str, slack: float = 0.0) -> Rule:
    """The same number, but for rounding."""
    return Rule(slack, slack, why)


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A published number that ours is known not to reach.

    Attributes:
        committed: what ours was when it was last looked at: less than that by `slack` is news.
        why: the reason.
    """

    committed: float
    slack: float
    why: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One published point.

    Attributes:
        name: subject/point, unlike all others.
        what: what is measured, in words.
        theirs: the published number.
        unit: of it, or ''.
        rule: what of ours agrees with it.
        source: `[key, where]` of the bibliography.
        measure: how ours is found.
        part: which of the numbers that the measurement finds.
        cost: `quick` ones take a second or so together with their like.
        short: that ours is known to fall short, and by how much.
    """

    name: str
    what: str
    theirs: float
    unit: str
    rule: Rule
    source: str
    measure: Measure
    part: str = ""
    cost: Cost = "quick"
    short: Shortfall | None = None
    needs: str = field(default="", kw_only=True)
