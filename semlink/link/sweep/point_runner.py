"""What a process computes points with: clips, links and what it remembers of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from semlink.caching import Memo, digest_of
from semlink.errors import Infeasible
from semlink.link.chain.calibration import LinkCalibration, calibration_root
from semlink.link.chain.link import Link, Outcome
from semlink.link.chain.transmit import run_clip, sense_clips
from semlink.link.metrics.registry import Metric
from semlink.link.results.clip_trial import ClipTrial
from semlink.link.results.qualities import scored
from semlink.link.scenario.build import build_link
from semlink.link.scenario.scenario import Scenario
from semlink.link.schemes.digital.packet_store import StreamStore
from semlink.link.sweep.clips import Clips
from semlink.link.sweep.grid import GridPoint
from semlink.payload import Agreement
from semlink.seeds import Seeds

SCORES_KEPT = 4096


@dataclass(frozen=True, slots=True)
class PointRunner:
    """What computes points in one process: clips, links, and what it remembers of them.

    `tell` hears how much of a long fit is done, and how much there is.
    """

    scenario: Scenario
    clips: Clips
    streams: StreamStore
    folder: Path | None
    metrics: tuple[Metric, ...]
    tell: Callable[[int, int], None] | None = None
    links: dict[tuple[int, int | None], Link] = field(default_factory=dict)
    deliveries: Memo[float] = field(default_factory=lambda: Memo(SCORES_KEPT))
    scores: Memo[dict[str, float]] = field(default_factory=lambda: Memo(SCORES_KEPT))
    over_time: Memo[dict[str, tuple[float, ...]]] = field(default_factory=lambda: Memo(SCORES_KEPT))

    @classmethod
    def of(cls, scenario: Scenario, clips: Clips, cache: Path, folder: Path | None) -> PointRunner:
        """One for a scenario.

        Args:
            cache: a folder for coded clips, shared by all processes.
            folder: where a user's files are looked up first.
        """
        return cls(scenario, clips, StreamStore(cache), folder, scored(scenario.metrics, folder))

    def link(self, point: GridPoint) -> Link:
        """The scheme's two ends and the air between them, built once."""
        ends = (point.scheme, point.channel)
        if ends not in self.links:
            self.links[ends] = self._build_link(*ends)
        return self.links[ends]

    def _build_link(self, scheme: int, channel: int | None) -> Link:
        scenario = self.scenario
        return build_link(
            scenario.schemes[scheme],
            None if channel is None else scenario.channel[channel],
            scenario.waveform,
            streams=self.streams,
            folder=self.folder,
            frames=self.clips.frames[0].shape.t,
        )

    def agree(self, point: GridPoint) -> tuple[Agreement, int | None]:
        """The agreement at a point, and the antenna's budget in channel uses.

        Raises:
            Infeasible: the scheme finds no room there.
        """
        link, shape = self.link(point), self.clips.frames[0].shape
        budget = None if point.budget is None else int(point.budget * shape.num_pixels + 1e-9)
        if budget == 0:
            raise Infeasible(f"a budget of {point.budget:g} is less than one channel use a clip")
        snr_db = float("nan") if point.snr_db is None else point.snr_db
        calibration = LinkCalibration(
            link, self.clips.frames, calibration_root(self.scenario.seed), snr_db, self.deliveries, (point.channel,)
        )
        agreed = link.transmitter.agree(shape, link.point(snr_db, budget, point.rate), calibration)
        return agreed, budget

    def trial(self, point: GridPoint, agreed: Agreement, budget: int | None, trial: int) -> Iterator[Outcome]:
        """Every clip sent once, in their order.

        Raises:
            Infeasible: a clip finds no room.
        """
        link, frames = self.link(point), self.clips.frames
        seeds = [Seeds(self.scenario.seed, (number,), trial) for number in range(len(frames))]
        if link.is_sensing:
            yield from sense_clips(link, frames, agreed, seeds, self.tell)
            return
        for number, clip in enumerate(frames):
            audit = trial == 0 and number == 0
            try:
                outcome = run_clip(link, clip, agreed, seeds[number], budget=budget, audit=audit)
            except Infeasible as reason:
                raise Infeasible(f"{self.clips.names[number]}: {reason}") from reason
            yield outcome

    def score(self, number: int, outcome: Outcome) -> ClipTrial:
        """Qualities and costs of one transmission."""
        received = outcome.frames.pixels[0].numpy()
        reference = self.clips.frames[number].pixels[0].numpy()
        key = (number, digest_of(received))
        metrics = self.scores.get(
            key, lambda: {metric.name: metric.score(reference, received) for metric in self.metrics}
        )
        by_frame = self.over_time.get(key, lambda: self._by_frame(reference, received))
        uses = {str(purpose): float(amount) for purpose, amount in outcome.ledger.by_purpose().items()}
        return ClipTrial(
            metrics,
            uses,
            outcome.blocks,
            outcome.lost,
            by_frame,
            outcome.feedback,
            outcome.diagnostics,
        )

    def _by_frame(self, reference: np.ndarray, received: np.ndarray) -> dict[str, tuple[float, ...]]:
        functions = {metric.name: metric.by_frame for metric in self.metrics if metric.by_frame is not None}
        return {name: tuple(map(float, of(reference, received))) for name, of in functions.items()}
