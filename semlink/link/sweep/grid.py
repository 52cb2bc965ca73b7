"""The points of a sweep, and the keys under which they are kept.

A key covers all that a point's numbers depend on and nothing else: other
schemes, the order of work and the machine do not change it. Weights count
with what is in them, so a network trained again is computed again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from semlink import __version__
from semlink.link.scenario.scenario import Scenario, rates_of, scheme_name
from semlink.plugins import fingerprint
from semlink.spec import PluginSpec
from semlink.weights.tensors import RANDOM, find_weights, read_card

FORMAT = 1


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


def point_key(scenario: Scenario, point: GridPoint, source_digest: str, folder: Path | None) -> str:
    """The name of a point's file: a digest of everything its numbers depend on."""
    scheme = scenario.schemes[point.scheme]
    channel = None if point.channel is None else scenario.channel[point.channel]
    content = {
        "format": FORMAT,
        "version": __version__,
        "source": source_digest,
        "seed": scenario.seed,
        "scheme": _plain(scheme, drop=("rates",)),
        "channel": _plain(channel),
        "waveform": _plain(scenario.waveform),
        "trials": _plain(scenario.trials),
        "metrics": list(scenario.metrics),
        "point": [point.snr_db, point.budget, point.rate],
        "code": [fingerprint(spec.kind, folder=folder) for spec in _plugins(scheme, channel, scenario.waveform)],
    }
    weights = dict(_weights(content["scheme"]))
    if weights:
        content["weights"] = weights
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:24]


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


def _plain(spec: Any, drop: tuple[str, ...] = ()) -> Any:
    return None if spec is None else {k: v for k, v in spec.model_dump(mode="json").items() if k not in drop}


def _weights(plain: Any) -> Iterator[tuple[str, str]]:
    """Names of the weights in a scheme, each with the SHA-256 of its card; untrained ones (`random`) have none."""
    if isinstance(plain, list):
        for part in plain:
            yield from _weights(part)
    elif isinstance(plain, dict):
        for key, value in plain.items():
            if key != "weights" or not isinstance(value, str):
                yield from _weights(value)
            elif value != RANDOM:
                yield value, read_card(find_weights(value))["weights_sha256"]


def _plugins(*specs: Any) -> Iterator[PluginSpec]:
    for spec in specs:
        if isinstance(spec, PluginSpec):
            yield spec
        elif spec is not None:
            yield from _plugins(*(v for v in dict(spec).values() if isinstance(v, BaseModel)))
