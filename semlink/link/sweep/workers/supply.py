"""What is to be done next: the tasks of a run, handed out one at a time to whoever is free."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from semlink.link.sweep.grid import Task

__all__ = ["Supply"]


@dataclass(slots=True)
class Supply:
    """The tasks that nobody has begun, in the order of work."""

    waiting: deque[Task] = field(default_factory=deque)

    @classmethod
    def of(cls, tasks: Sequence[Task]) -> Supply:
        return cls(deque(tasks))

    def take(self) -> Task | None:
        """The next task, which is then begun; None where there is none to begin now."""
        return self.waiting.popleft() if self.waiting else None
