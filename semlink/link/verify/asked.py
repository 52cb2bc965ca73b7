"""Verify somebody's results."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from semlink.errors import ScenarioError
from semlink.link.scenario.scenario import Scenario

if TYPE_CHECKING:
    from semlink.link.sweep.time_left import TimeLeft
    from semlink.link.verify.verify import Verification

__all__ = ["verify"]

ALL = "all"
SEED_BITS = 32
MOST = 1 << 62
"""More points than any folder has."""


def verify(
    folder: str | Path,
    points: int | str | None = None,
    *,
    seed: int | None = None,
    workers: int = 1,
    scenario: Scenario | None = None,
    plugins: bool = False,
    commands: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
    left: TimeLeft | None = None,
) -> Verification:
    """Look over a results folder and compute points of it again: do its numbers hold on this machine?

    Nothing in the folder is trusted, written or run. Print `semlink.link.verify.told.as_text` of what comes back; its
    `code` is 0 where all that was looked at holds, 1 where something does not, 2 where something cannot be computed.

    Args:
        points: how many, drawn so that each scheme is among them; `"all"`; by default one of each, and three at least.
        seed: draws the same points again; by default nobody can know which points it will be.
        workers: processes, each with one thread.
        scenario: your own copy, where the folder's manifest does not lead to the clips, or names code.
        plugins: True if the classes of a user that the manifest names may be imported; they may do whatever you may.
        commands: True if the programs that a codec of kind `command` names may be started; they may do so too.
        progress: called with a point's name, how many are done and how many there are to do.
        left: follows the work, as in `run`.
    Raises:
        ResultsError: there is no such folder, or it holds no table of results.
    """
    from semlink.link.sweep.time_left import TimeLeft
    from semlink.link.verify.verify import verified

    whole = isinstance(points, int) and not isinstance(points, bool) and points > 0
    if not (points is None or points == ALL or whole):
        raise ScenarioError(f"points: got {points!r}; need a number above 0, or {ALL!r}")
    if workers < 1:
        raise ScenarioError(f"workers: got {workers}; need 1 or more")
    if seed is not None and seed < 0:
        raise ScenarioError(f"seed: got {seed}; need 0 or more")
    return verified(
        Path(folder),
        scenario,
        points=MOST if isinstance(points, str) else points,
        seed=secrets.randbits(SEED_BITS) if seed is None else seed,
        workers=workers,
        plugins=plugins,
        commands=commands,
        tell=progress or (lambda name, done, total: None),
        left=left or TimeLeft(),
    )
