"""What is to be done next: the tasks of a run, handed out one at a time to whoever is free."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from semlink.link.sweep.grid import Task
from semlink.link.sweep.time_left import TimeLeft

__all__ = ["Claims", "Supply"]

LOOKS_EVERY_S = 0.5
"""How long whoever is free waits, before he looks again whether others have left something."""


class Claims(Protocol):
    """Which points others work on, where several runs share a folder."""

    def take(self, task: Task) -> bool | None:
        """Claim a task: True if it is now ours, False if others are at it, None if it is done."""

    def give_up(self, task: Task) -> None:
        """End a claim, of what is done or not."""


@dataclass(slots=True)
class Supply:
    """The tasks that nobody has begun, in the order of work.

    Attributes:
        until: when the run ends at the latest, by `time.monotonic`; None for no such limit.
        claims: None where this run alone is in the folder.
        done: how many are, by this run or by others.
        total: how many there were.
    """

    waiting: deque[Task]
    left: TimeLeft
    until: float | None = None
    claims: Claims | None = None
    done: int = 0
    total: int = field(init=False)
    _are_others_at_it: bool = field(default=False, init=False)

    @classmethod
    def of(
        cls, tasks: Sequence[Task], left: TimeLeft, until: float | None = None, claims: Claims | None = None
    ) -> Supply:
        return cls(deque(tasks), left, until, claims)

    def __post_init__(self) -> None:
        self.total = len(self.waiting)

    @property
    def is_late(self) -> bool:
        """Whether the time is over."""
        return self.until is not None and time.monotonic() >= self.until

    @property
    def may_come(self) -> bool:
        """Whether there may be something to begin later, though there is nothing now: others may fail to end theirs."""
        return self._are_others_at_it and not self.is_late

    def patience(self, *, is_free: bool) -> float | None:
        """Seconds to wait for what is under way, before it is time to look again; None for as long as it takes."""
        rest = None if self.until is None else max(self.until - time.monotonic(), 0.0)
        looks = LOOKS_EVERY_S if is_free and self.may_come else None
        return min((s for s in (rest, looks) if s is not None), default=None)

    def take(self) -> Task | None:
        """The next task, which is then begun; None where there is none to begin now.

        With a limit, the next one that is thought to end in time.
        """
        self._are_others_at_it = False
        expected = None if self.until is None else self.left.expected()
        rest = None if self.until is None else self.until - time.monotonic()
        for _ in range(len(self.waiting)):
            task = self.waiting.popleft()
            if rest is not None and (rest <= 0 or expected is not None and expected(task) > rest):
                self.waiting.append(task)
            elif self._is_ours(task):
                return task
        return None

    def finish(self, task: Task) -> None:
        """A task is done, and what came of it kept."""
        self.done += 1
        if self.claims is not None:
            self.claims.give_up(task)

    def _is_ours(self, task: Task) -> bool:
        """Whether the task, just taken off, is to be begun here; where others are at it, it waits at the end."""
        found = True if self.claims is None else self.claims.take(task)
        if found is None:
            self.done += 1
            self.left.dropped(task)
        elif not found:
            self._are_others_at_it = True
            self.waiting.append(task)
        return bool(found)
