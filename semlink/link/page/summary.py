"""The sentences at the top: who leads where, by how much, how sure. They rest on paired differences alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from semlink.link.compare.gaps import Comparison
from semlink.link.compare.paired import Gap
from semlink.link.metrics.registry import Metric
from semlink.link.results.finished import FinishedRun
from semlink.link.results.labels import SNR_NAME
from semlink.link.results.rows import Row, by_cost, value

__all__ = ["summary"]

MOST_LEADERS = 3
MOST_NAMES = 3
MOST_PARTS = 4
MINUS = "\N{MINUS SIGN}"


class Words(str):
    """A part of a sentence; names of schemes are shown as such, since they may hold commas."""

    is_name = False


class Name(Words):
    is_name = True


Sentence = list[Words]
Condition = tuple[str, float | None, float | None]
"""Channel, SNR, budget."""


@dataclass(frozen=True, slots=True)
class Lead:
    """The scheme with the best mean at one condition, and its paired differences to the others there, by their name."""

    condition: Condition
    scheme: str
    gaps: Mapping[str, Gap]


def summary(run: FinishedRun, metric: Metric, comparisons: Mapping[str, Comparison]) -> list[Sentence]:
    """A few sentences; none where there is nothing to compare.

    Args:
        run: folders of the same clips, as one.
        comparisons: by their reference; some may be missing.
    """
    leads = [lead for lead in _leads(run, metric, comparisons) if lead.gaps]
    if not leads:
        return list(_against(metric, comparisons))
    leaders = sorted({lead.scheme for lead in leads}, key=lambda name: -sum(lead.scheme == name for lead in leads))
    lines = [
        _sentence([each for each in leads if each.scheme == name], leads, metric) for name in leaders[:MOST_LEADERS]
    ]
    more = sum(lead.scheme not in leaders[:MOST_LEADERS] for lead in leads)
    return lines + ([[Words(f"Others have it at {_counted(more, 'more operating point')}.")]] if more else [])


def _leads(run: FinishedRun, metric: Metric, comparisons: Mapping[str, Comparison]) -> Iterator[Lead]:
    """Among schemes that a receiver could run: no bounds, no genies."""
    places: dict[Condition, list[Row]] = {}
    for _, rows in by_cost(run.rows):
        for row in rows:
            if row.budget is not None and value(row, metric.column) is not None and not row.bound and not row.genie:
                places.setdefault((row.channel, row.snr_db, row.budget), []).append(row)
    found = {
        (reference, point.row.scheme, *point.row.point): point
        for reference, made in comparisons.items()
        for point in made.points
    }
    sign = 1 if metric.higher_is_better else -1
    for condition, rows in places.items():
        best = max(rows, key=lambda row: sign * (value(row, metric.column) or 0.0))
        pairs = {row.scheme: found.get((row.scheme, best.scheme, *best.point)) for row in rows if row is not best}
        yield Lead(condition, best.scheme, {name: p.gap for name, p in pairs.items() if p is not None and p.gap})


def _sentence(mine: Sequence[Lead], leads: Sequence[Lead], metric: Metric) -> Sentence:
    rivals: dict[str, list[Gap]] = {}
    for lead in mine:
        for name, gap in lead.gaps.items():
            rivals.setdefault(name, []).append(gap)
    sure = {name: gaps for name, gaps in rivals.items() if all(_is_sure(gap) for gap in gaps)}
    level = {name: gaps for name, gaps in rivals.items() if all(_is_level(gap, metric) for gap in gaps)}
    open_ = {name: gaps for name, gaps in rivals.items() if name not in sure and name not in level}
    best = "highest" if metric.higher_is_better else "lowest"
    beyond = "above" if metric.higher_is_better else "below"
    whole = "everywhere" if len(mine) == len(leads) else _where(mine, leads)
    said = [Name(mine[0].scheme), Words(f" has the {best} mean {metric.title} {whole}")]
    said += [Words(f", surely {beyond} "), *_named(sure, metric)] if sure else []
    said += [Words(f", not surely {beyond} "), *_named(open_, metric)] if open_ else []
    said += [Words(", level with "), *_named(level, metric, sizes=False)] if level else []
    return [*said, Words(".")]


def _is_sure(gap: Gap) -> bool:
    """Whether neither other clips nor other noise would turn it round, at 95 %; one clip never tells."""
    return abs(gap.mean) > gap.clips_ci95


def _is_level(gap: Gap, metric: Metric) -> bool:
    """Whether a difference is none in the decimals that are printed."""
    return abs(gap.mean) < 0.5 * 10**-metric.decimals and not _is_sure(gap)


def _named(rivals: Mapping[str, Sequence[Gap]], metric: Metric, sizes: bool = True) -> Sentence:
    """The nearest rivals, each with how far it is unless `sizes` is off."""
    order = sorted(rivals, key=lambda name: min(abs(gap.mean) for gap in rivals[name]))
    size = {name: f" ({_size([abs(gap.mean) for gap in rivals[name]], metric)})" if sizes else "" for name in order}
    parts = [[Name(name), Words(size[name])] for name in order]
    shown = parts[:MOST_NAMES] + ([[Words(f"{len(order) - MOST_NAMES} more")]] if len(order) > MOST_NAMES else [])
    said: Sentence = []
    for place, words in enumerate(shown):
        between = "" if place == 0 else " and " if place == len(shown) - 1 else ", "
        said += [Words(between), *words]
    return said


def _size(found: Iterable[float], metric: Metric, signed: str = "") -> str:
    """The range of numbers, as metrics are printed."""
    ends = [f"{end:{signed}.{metric.decimals}f}".replace("-", MINUS) for end in _ends(found)]
    unit = f" {metric.unit}" if metric.unit else ""
    return (ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}") + unit


def _ends(found: Iterable[float]) -> tuple[float, float]:
    numbers = sorted(found)
    return numbers[0], numbers[-1]


def _where(mine: Sequence[Lead], leads: Sequence[Lead]) -> str:
    """Where a scheme leads: by value where one or two things vary, else, or where that gets long, by number."""
    axes = [list(dict.fromkeys(lead.condition[axis] for lead in leads)) for axis in range(3)]
    varied = sorted((axis for axis, values in enumerate(axes) if len(values) > 1), key=lambda axis: len(axes[axis]))
    if len(varied) == 1:
        return "at " + _told_on(varied[0], [lead.condition[varied[0]] for lead in mine], axes[varied[0]])
    counted = f"at {len(mine)} of {_counted(len(leads), 'operating point')}"
    if len(varied) != 2:
        return counted
    few, many = varied
    parts = [
        f"{_told_on(few, [first], axes[few])} at "
        + _told_on(many, [lead.condition[many] for lead in mine if lead.condition[few] == first], axes[many])
        for first in dict.fromkeys(lead.condition[few] for lead in mine)
    ]
    return f"{counted} ({'; '.join(parts)})" if len(parts) <= MOST_PARTS else counted


def _told_on(axis: int, values: Sequence[object], known: Sequence[object]) -> str:
    """Values of an axis of `Condition`, among those that were run."""
    if axis == 0:
        return ", ".join(map(str, values))
    numbers, every = (sorted(n for n in found if isinstance(n, float)) for found in (values, known))
    return f"{', '.join(_ranges(numbers, every))} {f'dB {SNR_NAME}' if axis == 1 else 'channel uses per pixel'}"


def _ranges(numbers: Sequence[float], known: Sequence[float]) -> Iterator[str]:
    """Neighbours among what was run as ranges."""
    start = 0
    for place in range(1, len(numbers) + 1):
        if place == len(numbers) or known.index(numbers[place]) != known.index(numbers[place - 1]) + 1:
            first, last = numbers[start], numbers[place - 1]
            yield f"{first:g}" if first == last else f"{first:g} to {last:g}"
            start = place


def _against(metric: Metric, comparisons: Mapping[str, Comparison]) -> Iterator[Sentence]:
    """Without common budgets: each scheme against the first reference, on its curve at equal cost."""
    for made in list(comparisons.values())[:1]:
        points = [point for point in made.points if not point.row.bound and not point.row.genie]
        for scheme in dict.fromkeys(point.row.scheme for point in points):
            gaps = [point.gap for point in points if point.row.scheme == scheme and point.gap is not None]
            if gaps:
                yield _told(scheme, made.reference, gaps, metric)


def _told(scheme: str, reference: str, gaps: Sequence[Gap], metric: Metric) -> Sentence:
    sign = 1 if metric.higher_is_better else -1
    sure = [sign * gap.mean for gap in gaps if _is_sure(gap)]
    better, worse = sum(mean > 0 for mean in sure), sum(mean < 0 for mean in sure)
    size = _size([gap.mean for gap in gaps], metric, "+")
    place = _counted(len(gaps), "operating point")
    told = f"{better or 'none'} surely better and {worse or 'none'} surely worse"
    return [Name(scheme), Words(" less "), Name(reference), Words(f" at equal cost: {size} at {place}, {told}.")]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
