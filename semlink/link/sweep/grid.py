"""The points of a sweep, and the keys under which they are kept.

A key covers all that a point's numbers depend on and nothing else: other
schemes, the order of work and the machine do not change it. Weights count
with what is in them, so a network trained again is computed again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from semlink.link.scenario.scenario import Scenario, rates_of, scheme_name


@dataclass(frozen=True, slots=True)
class GridPoint:
    """Indices of scheme and channel, and where on the grid they meet."""

    scheme: int
    channel: int | None
    snr_db: float | None
    budget: float | None
    rate: float | None


def grid(scenario: Scenario) -> tuple[GridPoint, ...]:
    """All points in the order of `curves.csv`: scheme, channel, SNR, budget or rate."""
    return tuple(_points(scenario))


def _points(scenario: Scenario) -> Iterator[GridPoint]:
    for number, scheme in enumerate(scenario.schemes):
        rates = rates_of(scheme)
        if scheme.kind == "sensing":
            yield from (GridPoint(number, None, None, None, rate) for rate in rates or [None])
            continue
        assert scenario.sweep is not None
        for channel in range(len(scenario.channel)):
            for snr_db in scenario.sweep.snr_db:
                if rates is not None:
                    yield from (GridPoint(number, channel, snr_db, None, float(rate)) for rate in rates)
                else:
                    budgets = scenario.sweep.budget or ()
                    yield from (GridPoint(number, channel, snr_db, budget, None) for budget in budgets)


def channel_name(spec: Any) -> str:
    """A channel as it stands in tables: its kind and what was set, such as `rayleigh(coherence=64)`."""
    options = {k: v for k, v in spec.model_dump(exclude_unset=True).items() if k != "kind"}
    inner = ", ".join(f"{k}={v}" for k, v in options.items())
    kind = spec.kind.rsplit("/", 1)[-1]
    return f"{kind}({inner})" if inner else kind


def point_name(scenario: Scenario, point: GridPoint) -> str:
    """A point in words, for progress and errors."""
    parts = [
        scheme_name(scenario.schemes[point.scheme]),
        None if point.snr_db is None else f"{point.snr_db:g} dB",
        None if point.budget is None else f"budget {point.budget:g}",
        None if point.rate is None else f"rate {point.rate:g}",
    ]
    return ", ".join(part for part in parts if part)
