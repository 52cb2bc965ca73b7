"""Shards: the points of a scenario dealt out to runs that know nothing of each other.

Who gets a point follows from the scenario alone: from all points of the grid with their keys, and from what each is
thought to cost. What is finished already, the machine and the order in which schemes and values stand change nothing.
Each scheme is dealt out evenly, so that one that takes a hundred times as long does so in every shard alike.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping

from semlink.link.sweep.grid import GridPoint
from semlink.link.sweep.sharing.shard import Shard

__all__ = ["among", "cost", "dealt"]

BESIDE_USES = 0.3
"""Channel uses a pixel that take as long as all that does not follow from them: sensing, source coding, scoring.

Measured on the fixed MCS of `scenarios/quickstart.yaml`: 0.56 s of processor time a point at 0.024, 0.65 s at 0.096.
"""


def among(shard: Shard, keys: Mapping[GridPoint, str]) -> frozenset[str]:
    """The keys of the points of a shard."""
    return frozenset(key for key, number in dealt(keys, shard.count).items() if number == shard.number)


def cost(point: GridPoint) -> float:
    """What a point is thought to cost, beside others of its scheme; clips, pixels and trials are the same for all."""
    return 1.0 if point.budget is None else 1.0 + point.budget / BESIDE_USES


def dealt(keys: Mapping[GridPoint, str], count: int) -> dict[str, int]:
    """The number of the shard, from 1, that each point is in.

    Scheme by scheme, the most costly point first, each to the one that has fewest points of that scheme, and of these
    to the one that has least to do.
    """
    of_scheme: dict[int, list[tuple[float, str]]] = defaultdict(list)
    for point, key in keys.items():
        of_scheme[point.scheme].append((-cost(point), key))
    found: dict[str, int] = {}
    load = dict.fromkeys(range(1, count + 1), 0.0)
    schemes = [sorted(points) for points in of_scheme.values()]
    for points in sorted(schemes, key=lambda points: min(key for _, key in points)):
        least = [(0, round(told, 9), number) for number, told in load.items()]
        heapq.heapify(least)
        for negative, key in points:
            have, told, number = least[0]
            heapq.heapreplace(least, (have + 1, round(told - negative, 9), number))
            found[key] = number
            load[number] -= negative
    return found
