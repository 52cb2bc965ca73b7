"""The key under which a point is kept: a digest of everything its numbers depend on, and of nothing else.

Other schemes, the order of work, the machine and the version of the package do
not change it. Options count where they are not at their default, so that a new
option invalidates nothing; blocks count with their `revision`, weights and a
user's files with what is in them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from semlink.files import Json, JsonDict
from semlink.link.metrics.registry import metric_key
from semlink.link.scenario.scenario import Scenario
from semlink.link.sweep.grid import GridPoint
from semlink.plugins import fingerprint
from semlink.plugins.specs import PluginSpec
from semlink.spec import Spec
from semlink.weights.cards import RANDOM, find_weights, read_card

SHARED_REVISION = 1
"""Raised by whoever changes numbers of all points: the chain, the metrics, the streams of chance, the stop rule."""
FORMAT = 2
NOT_OF_A_POINT = frozenset({"name", "description", "source", "channel", "sweep", "schemes", "metrics", "table"})
"""What a scenario says beside a point's own numbers, or what its key names in another way."""


def point_key(scenario: Scenario, point: GridPoint, source_digest: str, folder: Path | None) -> str:
    """The name of a point's record.

    Args:
        source_digest: of the names and pixels of the clips.
        folder: where a user's files are looked up first.
    """
    used = specs_of(scenario, point)
    content = {
        "format": [FORMAT, SHARED_REVISION],
        "source": source_digest,
        "scenario": chosen(scenario, without=NOT_OF_A_POINT),
        "scheme": chosen(used["scheme"], without={"rates"}),
        "channel": chosen(used["channel"]) if "channel" in used else None,
        "metrics": [metric_key(name, folder) for name in scenario.metrics],
        "point": [point.snr_db, point.budget, point.rate],
        "code": [fingerprint(spec.kind, interface=spec.interface, folder=folder) for spec in _plugins(used)],
        "weights": dict(_weights(used["scheme"].model_dump(mode="json"))),
        "revisions": {place: number for place, number in revisions(used).items() if number != 1},
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:24]


def specs_of(scenario: Scenario, point: GridPoint) -> dict[str, BaseModel]:
    """The specs that a point is built from; the waveform is the channel's own where the scenario names none."""
    channel = None if point.channel is None else scenario.channel[point.channel]
    waveform = scenario.waveform or (None if channel is None else channel.default_waveform())
    used = {"scheme": scenario.schemes[point.scheme], "channel": channel, "waveform": waveform}
    return {place: spec for place, spec in used.items() if spec is not None}


def revisions(used: Mapping[str, BaseModel]) -> dict[str, int]:
    """The revision of every block in specs, by its place, such as `scheme.codec`."""
    return {place: spec.revision for place, spec in _inside(used) if isinstance(spec, Spec)}


def chosen(spec: BaseModel, *, without: Collection[str] = ()) -> JsonDict:
    """The options of a spec that are not at their default, as plain values; `kind` is always told."""
    told = {}
    for name, field in type(spec).model_fields.items():
        value = getattr(spec, name)
        is_default = not field.is_required() and value == field.get_default(call_default_factory=True)
        if name not in without and not field.exclude and (name == "kind" or not is_default):
            told[name] = _plain(value)
    extra = {name: _plain(value) for name, value in (spec.model_extra or {}).items() if name not in without}
    return told | extra


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return chosen(value)
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return to_jsonable_python(value)


def _inside(specs: Json) -> Iterator[tuple[str, BaseModel]]:
    """All specs with those inside them, by place."""
    for place, spec in specs.items():
        if isinstance(spec, BaseModel):
            yield place, spec
            yield from _inside({f"{place}.{name}": value for name, value in dict(spec).items()})
        elif isinstance(spec, list | tuple):
            yield from _inside({f"{place}.{number}": part for number, part in enumerate(spec)})


def _plugins(used: Mapping[str, BaseModel]) -> Iterator[PluginSpec]:
    yield from (spec for _, spec in _inside(used) if isinstance(spec, PluginSpec))


def _weights(plain: object) -> Iterator[tuple[str, str]]:
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
