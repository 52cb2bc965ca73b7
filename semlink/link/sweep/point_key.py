"""The key under which a point is kept: a digest of everything its numbers depend on.

Other schemes, the order of work and the machine do not change it. Weights count
with what is in them, so a network trained again is computed again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from semlink import __version__
from semlink.link.metrics.registry import metric_key
from semlink.link.scenario.scenario import Scenario
from semlink.link.sweep.grid import GridPoint
from semlink.plugins import fingerprint
from semlink.plugins.specs import PluginSpec
from semlink.weights.cards import RANDOM, find_weights, read_card

FORMAT = 1


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
        "metrics": [metric_key(name, folder) for name in scenario.metrics],
        "point": [point.snr_db, point.budget, point.rate],
        "code": [fingerprint(spec.kind, folder=folder) for spec in _plugins(scheme, channel, scenario.waveform)],
    }
    weights = dict(_weights(content["scheme"]))
    if weights:
        content["weights"] = weights
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:24]


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
