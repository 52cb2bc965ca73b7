"""The tasks of runs that share a results folder, claimed one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from semlink.link.results.course.claims import Claims, drop_claims
from semlink.link.results.course.holders import Presence
from semlink.link.sweep.grid import Task
from semlink.link.sweep.plan import Job

__all__ = ["Leases", "forget", "leases"]


@dataclass(frozen=True, slots=True)
class Leases:
    """Claims of tasks: a point is done when its record is kept, a picture alone when that is."""

    job: Job
    claims: Claims

    def take(self, task: Task) -> bool | None:
        """Claim a task: True if it is now ours, False if others are at it, None if it is done."""
        return self.claims.take(task.key, lambda: self._is_done(task))

    def give_up(self, task: Task) -> None:
        """End a claim."""
        self.claims.give_up(task.key)

    def _is_done(self, task: Task) -> bool:
        if task.only_picture:
            return self.job.pictures.read(task.key) is not None
        return self.job.results.point_path(task.key).exists()


@contextmanager
def leases(job: Job) -> Iterator[Leases]:
    """Leases for as long as this run is at work; at its end, however that comes, all are given up."""
    presence = Presence(job.out)
    held = Claims(job.results.points.folder, presence)
    held.points.mkdir(parents=True, exist_ok=True)
    presence.begin()
    try:
        yield Leases(job, held)
    finally:
        held.give_up_all()
        presence.end()


def forget(job: Job) -> None:
    """Remove what runs left that were killed; nobody else is at work here."""
    drop_claims(job.results.points.folder)
    for path in (job.notes.folder / "runs").glob("*.json"):
        path.unlink(missing_ok=True)
