"""The key under which a point is kept: a digest of everything its numbers depend on, and of nothing else.

Other schemes, the order of work, the machine and the version of the package do
not change it. Options count where they are not at their default, so that a new
option invalidates nothing; blocks count with their `revision`, weights and a
user's files with what is in them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from pydantic import BaseModel

from semlink.files import JsonDict
from semlink.link.metrics.registry import metric_key
from semlink.link.scenario.scenario import Scenario
from semlink.link.sweep.grid import GridPoint
from semlink.phy.specs.channels import ChannelSpec
from semlink.plugins.contents import chosen, contents, specs_inside
from semlink.plugins.specs import ChannelPlugin
from semlink.spec import BuildContext, Spec

SHARED_REVISION = 1
"""Raised by whoever changes numbers of all points: the chain, the metrics, the streams of chance, the stop rule."""
FORMAT = 2
NOT_OF_A_POINT = frozenset(
    {"name", "description", "source", "channel", "sweep", "schemes", "metrics", "table", "calibration"}
)
"""What a scenario says beside a point's own numbers, or what its key names in another way."""


def point_key(
    scenario: Scenario,
    point: GridPoint,
    source_digest: str,
    folder: Path | None,
    declared: Iterable[tuple[str, Path]] = (),
) -> str:
    """The name of a point's record.

    Args:
        source_digest: of the names and pixels of the clips, those for calibration included.
        folder: where a user's files are looked up first.
        declared: files that users' classes say they read, by what they are called.
    """
    return _digest(_rests_on(scenario, point, folder, declared), source_digest, point)


def point_keys(
    scenario: Scenario,
    points: Iterable[GridPoint],
    source_digest: str,
    folder: Path | None,
    declared: Callable[[GridPoint], Iterable[tuple[str, Path]]],
    error_context: Callable[..., AbstractContextManager[None]],
) -> dict[GridPoint, str]:
    """The keys of many points; what those of one scheme and channel share is looked at once.

    Args:
        error_context: puts errors down to a place of the scenario.
    """
    shared: dict[tuple[int, int | None], JsonDict] = {}
    keys = {}
    for point in points:
        ends = (point.scheme, point.channel)
        if ends not in shared:
            with error_context("schemes", point.scheme):
                shared[ends] = _rests_on(scenario, point, folder, declared(point))
        keys[point] = _digest(shared[ends], source_digest, point)
    return keys


def _rests_on(
    scenario: Scenario, point: GridPoint, folder: Path | None, declared: Iterable[tuple[str, Path]]
) -> JsonDict:
    """What the numbers of all points of a scheme and a channel depend on."""
    used = specs_of(scenario, point)
    return {
        "format": [FORMAT, SHARED_REVISION],
        "scenario": chosen(scenario, without=NOT_OF_A_POINT),
        "scheme": chosen(used["scheme"], without={"rates"}),
        "channel": None if point.channel is None else _of_channel(scenario.channel[point.channel], folder),
        "metrics": [metric_key(name, folder) for name in scenario.metrics],
        **contents(used, folder, declared),
        "revisions": {place: number for place, number in revisions(used).items() if number != 1},
    }


def _of_channel(spec: ChannelSpec | ChannelPlugin, folder: Path | None) -> JsonDict:
    """The options of a channel; its name is for readers, unless a user's constructor takes one."""
    is_option = spec.name_is_option(BuildContext(folder=folder))
    return chosen(spec, without=() if is_option else {"name"})


def _digest(shared: JsonDict, source_digest: str, point: GridPoint) -> str:
    content = {**shared, "source": source_digest, "point": [point.snr_db, point.budget, point.rate]}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:24]


def specs_of(scenario: Scenario, point: GridPoint) -> dict[str, BaseModel]:
    """The specs that a point is built from; the waveform is the channel's own where the scenario names none."""
    channel = None if point.channel is None else scenario.channel[point.channel]
    waveform = scenario.waveform or (None if channel is None else channel.default_waveform())
    used = {"scheme": scenario.schemes[point.scheme], "channel": channel, "waveform": waveform}
    return {place: spec for place, spec in used.items() if spec is not None}


def revisions(used: Mapping[str, BaseModel]) -> dict[str, int]:
    """The revision of every block in specs, by its place, such as `scheme.codec`."""
    kind = used["channel"].model_dump().get("kind") if "channel" in used else None
    return {place: spec.revision_over(kind) for place, spec in specs_inside(used) if isinstance(spec, Spec)}
