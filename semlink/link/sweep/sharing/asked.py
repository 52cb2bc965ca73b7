"""What a run is asked for beside its scenario, looked at before anything heavy is imported or any folder is made."""

from __future__ import annotations

import math

from semlink.errors import ScenarioError
from semlink.link.sweep.sharing.shard import Shard
from semlink.link.sweep.workers.address import ray_address, refuse_nobody

__all__ = ["refuse_wrong"]


def refuse_wrong(
    *,
    shard: str | None = None,
    max_minutes: float | None = None,
    on: str | None = None,
    fresh: bool = False,
    share: bool = False,
    options: bool = False,
) -> None:
    """Refuse what no scenario allows; all as `semlink.run` has it.

    Args:
        options: speak of `--max-minutes`, not of `max_minutes`.
    Raises:
        SemlinkError: says what is wrong, and what is allowed.
    """
    dashes, minutes = ("--", "max-minutes") if options else ("", "max_minutes")
    if shard is not None:
        Shard.of(shard, f"{dashes}shard")
    if max_minutes is not None and not 0 < max_minutes < math.inf:
        raise ScenarioError(f"{dashes}{minutes}: got {max_minutes:g}; need more than 0")
    if share and fresh:
        raise ScenarioError(f"{dashes}fresh: would take away what others compute; not together with {dashes}share")
    if on is not None:
        refuse_nobody(ray_address(on, f"{dashes}on"), f"{dashes}on")
