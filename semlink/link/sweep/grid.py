"""The points of a sweep, and what they are called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from semlink.link.results.rows import SIGNIFICANT
from semlink.link.scenario.scenario import Scenario, rates_of, scheme_name
from semlink.phy.specs.channels import ChannelSpec
from semlink.plugins.specs import ChannelPlugin

NO_RATE: tuple[None] = (None,)


@dataclass(frozen=True, slots=True)
class GridPoint:
    """Indices of scheme and channel, and where on the grid they meet."""

    scheme: int
    channel: int | None
    snr_db: float | None
    budget: float | None
    rate: float | None


@dataclass(frozen=True, slots=True)
class Task:
    """A point to work on.

    Attributes:
        key: the name of its record.
        name: in words, for progress.
        channel: in words, for errors; '' without one.
        is_shown: pictures show it.
        only_picture: its record is there; only its picture is missing.
    """

    key: str
    point: GridPoint
    name: str
    channel: str = ""
    is_shown: bool = False
    only_picture: bool = False


def grid(scenario: Scenario) -> tuple[GridPoint, ...]:
    """All points in the order of `curves.csv`: scheme, channel, SNR, budget or rate. A value given twice is one."""
    return tuple(dict.fromkeys(_points(scenario)))


def doubled(scenario: Scenario) -> list[str]:
    """What stands twice and is one point, a line for each value."""
    sweep = scenario.sweep
    lists: dict[str, Sequence[float]] = {
        "sweep.snr_db": () if sweep is None else sweep.snr_db,
        "sweep.budget": () if sweep is None else sweep.budget or (),
        "sweep.budget_per_sample": () if sweep is None else sweep.budget_per_sample or (),
        **{f"schemes.{n}.rates": rates_of(scheme) or () for n, scheme in enumerate(scenario.schemes)},
    }
    said = [(where, f"{value:g}") for where, values in lists.items() for value in _again(values)]
    said += [("channel", channel_name(channel)) for channel in _again(scenario.channel)]
    return [f"{where}: {value} stands there more than once and is computed once" for where, value in said]


def _again(values: Sequence[Any]) -> list[Any]:
    """The values of which an equal one stands before, each once."""
    return [value for at, value in enumerate(values) if values[:at].count(value) == 1]


def middle_points(points: Sequence[GridPoint]) -> tuple[GridPoint, ...]:
    """For each scheme, what pictures show: the middle SNR with the middle budget or rate, on the first channel."""
    points = [p for p in points if p.channel in (0, None)]
    schemes = dict.fromkeys(p.scheme for p in points)
    return tuple(_middle([p for p in points if p.scheme == scheme]) for scheme in schemes)


def _middle(points: Sequence[GridPoint]) -> GridPoint:
    snrs = sorted({p.snr_db for p in points if p.snr_db is not None})
    at_snr = [p for p in points if p.snr_db == snrs[len(snrs) // 2]] if snrs else points
    return at_snr[len(at_snr) // 2]


def _points(scenario: Scenario) -> Iterator[GridPoint]:
    for number, scheme in enumerate(scenario.schemes):
        rates = rates_of(scheme)
        if not scheme.sends or scenario.sweep is None:
            yield from (GridPoint(number, None, None, None, rate) for rate in rates or NO_RATE)
            continue
        for channel in _channels(scenario):
            for snr_db in scenario.sweep.snr_db:
                if rates is not None:
                    yield from (GridPoint(number, channel, snr_db, None, float(rate)) for rate in rates)
                else:
                    budgets = scenario.sweep.budgets(scenario.source.frame_colour)
                    yield from (GridPoint(number, channel, snr_db, budget, None) for budget in budgets)


def _channels(scenario: Scenario) -> Iterator[int]:
    """Numbers of the channels; one that stands twice with the same options is one."""
    for number, channel in enumerate(scenario.channel):
        if scenario.channel.index(channel) == number:
            yield number


def channel_name(spec: ChannelSpec | ChannelPlugin) -> str:
    """A channel as it stands in tables: its name, or its kind and what was set, such as `rayleigh(coherence=64)`."""
    if spec.name:
        return spec.name
    inner = ", ".join(_options(spec, exclude_unset=True).values())
    return f"{_kind(spec)}({inner})" if inner else _kind(spec)


def may_be_called(spec: ChannelSpec | ChannelPlugin, name: str) -> bool:
    """Whether tables may call a channel so: which options were set at their default, only the file that ran tells."""
    if spec.name:
        return name == spec.name
    has_moved = _options(spec, exclude_defaults=True)
    if not name.startswith(_kind(spec)):
        return False
    rest = name.removeprefix(_kind(spec)).removeprefix("(").removesuffix(")")
    for option, words in _options(spec).items():
        if rest == words or rest.startswith(f"{words}, "):
            rest = rest[len(words) + 2 :]
        elif option in has_moved:
            return False
    return not rest


def _kind(spec: ChannelSpec | ChannelPlugin) -> str:
    return spec.kind.rsplit("/", 1)[-1]


def _options(
    spec: ChannelSpec | ChannelPlugin, *, exclude_unset: bool = False, exclude_defaults: bool = False
) -> dict[str, str]:
    """What a channel's options stand for in its name, by option."""
    options = spec.model_dump(exclude={"kind", "name"}, exclude_unset=exclude_unset, exclude_defaults=exclude_defaults)
    return {option: f"{option}={value}" for option, value in options.items()}


def place_in_rows(
    scenario: Scenario, point: GridPoint, channels: Iterable[str]
) -> tuple[str, str, float | None, float | None, float | None]:
    """Scheme, channel, SNR, budget and rate of a point as rows of a run have them.

    Args:
        channels: names that the rows have; a manifest holds options that the scenario left out, too.
    """
    channel = ""
    if point.channel is not None:
        spec, names = scenario.channel[point.channel], dict.fromkeys(channels)
        channel = channel_name(spec)
        if channel not in names:
            channel = next((one for one in names if may_be_called(spec, one)), channel)
    scheme = scheme_name(scenario.schemes[point.scheme])
    return scheme, channel, in_rows(point.snr_db), in_rows(point.budget), in_rows(point.rate)


def in_rows(number: float | None) -> float | None:
    """A number as rows have it, which keep so many digits."""
    return None if number is None else float(f"{number:.{SIGNIFICANT}g}")


def point_name(scenario: Scenario, point: GridPoint) -> str:
    """A point in words, for progress and errors."""
    parts = [
        scheme_name(scenario.schemes[point.scheme]),
        None if point.snr_db is None else f"{point.snr_db:g} dB",
        None if point.budget is None else f"budget {point.budget:g}",
        None if point.rate is None else f"rate {point.rate:g}",
    ]
    return ", ".join(part for part in parts if part)
