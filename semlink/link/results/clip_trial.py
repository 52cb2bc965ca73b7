"""One clip in one trial: its qualities and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from semlink.files import Json

if TYPE_CHECKING:
    from semlink.feedback import Feedback


@dataclass(frozen=True, slots=True)
class ClipTrial:
    """One clip in one trial: its qualities, its cost by purpose, its blocks, what its receiver said.

    `metrics` and `by_frame` are by the name of a metric.
    """

    metrics: Mapping[str, float]
    uses: Mapping[str, float]
    blocks: int
    lost: int
    by_frame: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    feedback: tuple[Feedback, ...] = ()
    diagnostics: Json = field(default_factory=dict)

    @property
    def channel_uses(self) -> float:
        return sum(self.uses.values())
