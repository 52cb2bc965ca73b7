"""What of a run is drawn, and how: the options of `semlink plot` and `Results.plot`, checked against the run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from math import isclose

from semlink.errors import ScenarioError
from semlink.link.metrics.registry import PSNR, Metric
from semlink.link.plots.style import PLAIN, Look
from semlink.link.results.finished import FinishedPoint, FinishedRun

__all__ = ["Choice", "View", "chosen"]

Names = str | Sequence[str]
Numbers = float | str | Sequence[float | str]
PLACES = ("snr", "budget", "rate", "channel")
"""What `--point` may say."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is drawn; nothing given: everything.

    Attributes:
        schemes, channel: names, or patterns with `*` and `?`.
        snr, budget: in dB, and in channel uses per pixel.
        reference: the scheme that differences are taken to.
        clip, point, at: of pictures: the clip's name, the operating point, and the middle (x, y) of the detail.
        kinds: of figures, by name.
    """

    schemes: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()
    snr: tuple[float, ...] = ()
    budget: tuple[float, ...] = ()
    reference: str | None = None
    clip: str | None = None
    point: tuple[tuple[str, str], ...] = ()
    at: tuple[int, int] | None = None
    kinds: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        *,
        schemes: Names = (),
        channel: Names = (),
        snr: Numbers = (),
        budget: Numbers = (),
        reference: str | None = None,
        clip: str | None = None,
        point: str | None = None,
        at: str | Sequence[int] | None = None,
        kinds: Sequence[str] = (),
    ) -> Choice:
        """From what a user gives: one or several of each; numbers may stand in one text with commas between.

        Raises:
            ScenarioError: what is no number, no point or no place.
        """
        return cls(
            schemes=_names(schemes),
            channel=_names(channel),
            snr=_numbers("snr", snr),
            budget=_numbers("budget", budget),
            reference=reference,
            clip=clip,
            point=_point(point),
            at=_place(at),
            kinds=tuple(kinds),
        )


EVERYTHING = Choice()


@dataclass(frozen=True, slots=True)
class View:
    """How a run is looked at: the quality, the style, and what is chosen."""

    metric: Metric = PSNR
    look: Look = PLAIN
    choice: Choice = field(default=EVERYTHING)


def chosen(run: FinishedRun, choice: Choice) -> FinishedRun:
    """The run with the chosen points alone.

    Raises:
        ScenarioError: a name or number leads to no point; says which there are.
    """
    points = run.points
    schemes = _matching("schemes", choice.schemes, [p.scheme for p in points], [p.row.scheme for p in points])
    channels = _matching("channel", choice.channel, [p.row.channel for p in points if p.row.channel])
    snrs = _near("snr", choice.snr, [p.row.snr_db for p in points], " dB")
    budgets = _near("budget", choice.budget, [p.row.budget for p in points])
    kept = tuple(
        p
        for p in points
        if (schemes is None or p.scheme in schemes or p.row.scheme in schemes)
        and (channels is None or not p.row.channel or p.row.channel in channels)
        and (snrs is None or p.row.snr_db is None or p.row.snr_db in snrs)
        and (budgets is None or p.row.budget is None or p.row.budget in budgets)
    )
    return replace(run, points=kept)


def is_at(point: FinishedPoint, place: Iterable[tuple[str, str]]) -> bool:
    """Whether a point stands where `--point` says."""
    row = point.row
    found = {"snr": row.snr_db, "budget": row.budget, "rate": row.rate}
    for name, told in place:
        if name == "channel":
            if row.channel and not fnmatchcase(row.channel.casefold(), told.casefold()) and row.channel != told:
                return False
        elif (number := found[name]) is not None and not isclose(number, float(told), rel_tol=1e-6, abs_tol=1e-9):
            return False
    return True


def said(names: Iterable[object], most: int = 12) -> str:
    """Names in a line, the first ones where they are many."""
    told = [str(name) for name in names]
    return ", ".join(told[:most]) + (f" and {len(told) - most} more" if len(told) > most else "")


def _matching(option: str, patterns: Sequence[str], *there: Sequence[str]) -> set[str] | None:
    """What the patterns stand for; None where all is meant. A comma may stand in a name, or between two."""
    if not patterns:
        return None
    known = [name for names in there for name in dict.fromkeys(names)]
    found: set[str] = set()
    for pattern in patterns:
        parts = [pattern] if _like(pattern, known) else [part.strip() for part in pattern.split(",")]
        for part in parts:
            like = _like(part, known)
            if not like:
                names = said(map(repr, dict.fromkeys(there[0])))
                raise ScenarioError(f"{option}: no {part!r} in these results; there are {names or 'none'}")
            found |= like
    return found


def _like(pattern: str, known: Iterable[str]) -> set[str]:
    exact = {name for name in known if name == pattern}
    return exact or {name for name in known if fnmatchcase(name.casefold(), pattern.casefold())}


def _near(option: str, wanted: Sequence[float], there: Iterable[float | None], unit: str = "") -> set[float] | None:
    if not wanted:
        return None
    known = sorted({number for number in there if number is not None})
    found = set()
    for number in wanted:
        like = {k for k in known if isclose(k, number, rel_tol=1e-6, abs_tol=1e-9)}
        if not like:
            names = said(f"{k:g}" for k in known)
            raise ScenarioError(f"{option}: no {number:g}{unit} in these results; there are {names or 'none'}{unit}")
        found |= like
    return found


def _names(given: Names) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _numbers(option: str, given: Numbers) -> tuple[float, ...]:
    several = [given] if isinstance(given, str | float | int) else list(given)
    parts = [part for one in several for part in (one.split(",") if isinstance(one, str) else [one])]
    try:
        return tuple(float(part) for part in parts)
    except ValueError:
        raise ScenarioError(f"{option}: got {said(several)!r}, expected numbers, such as 6 or 6,9,12") from None


def _point(given: str | None) -> tuple[tuple[str, str], ...]:
    """`snr=9,budget=0.024` as pairs."""
    if given is None:
        return ()
    pairs = []
    for part in given.split(","):
        name, equals, told = (word.strip() for word in part.partition("="))
        try:
            if not equals or name not in PLACES or not told:
                raise ValueError
            pairs.append((name, told if name == "channel" else str(float(told))))
        except ValueError:
            wanted = "snr, budget, rate and channel with their values, such as snr=9,budget=0.024"
            raise ScenarioError(f"point: got {given!r}, expected {wanted}") from None
    return tuple(pairs)


def _place(given: str | Sequence[int] | None) -> tuple[int, int] | None:
    if given is None:
        return None
    try:
        x, y = (int(part) for part in (given.split(",") if isinstance(given, str) else given))
    except (TypeError, ValueError):
        raise ScenarioError(f"at: got {given!r}, expected a pixel X,Y from the left and from the top") from None
    return x, y
