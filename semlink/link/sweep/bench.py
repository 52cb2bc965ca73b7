"""What a process needs to compute points: clips, links and what it remembers of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from semlink.caching import Memo, digest_of
from semlink.errors import Infeasible
from semlink.link.chain.link import Link, Outcome
from semlink.link.chain.rehearsal import LinkCalibration, calibration_root
from semlink.link.chain.transmit import run_clip, sense_clips
from semlink.link.metrics.registry import Metric
from semlink.link.results.clip_trial import ClipTrial
from semlink.link.scenario.build import build_link
from semlink.link.scenario.scenario import Scenario
from semlink.link.schemes.digital.packet_store import StreamStore
from semlink.link.sweep.clips import Clips
from semlink.link.sweep.grid import GridPoint
from semlink.payload import Agreement
from semlink.seeds import Seeds

SCORES_KEPT = 4096


SHOWN_KEPT = 64


@dataclass(frozen=True, slots=True)
class PointRunner:
    """A process's place of work: clips, links and what it remembers.

    `tell` hears how much of a long fit is done, and how much there is.
    """

    scenario: Scenario
    clips: Clips
    streams: StreamStore
    folder: Path | None
    metrics: tuple[Metric, ...]
    tell: Callable[[int, int], None] | None = None
    links: Memo[Link] = field(default_factory=lambda: Memo(8))
    deliveries: Memo[float] = field(default_factory=lambda: Memo(SCORES_KEPT))
    scores: Memo[dict[str, float]] = field(default_factory=lambda: Memo(SCORES_KEPT))
    over_time: Memo[dict[str, tuple[float, ...]]] = field(default_factory=lambda: Memo(SCORES_KEPT))
    shown: Memo[Outcome] = field(default_factory=lambda: Memo(SHOWN_KEPT))

    def link(self, point: GridPoint) -> Link:
        scenario = self.scenario
        return self.links.get(
            (point.scheme, point.channel),
            lambda: build_link(
                scenario.schemes[point.scheme],
                None if point.channel is None else scenario.channel[point.channel],
                scenario.waveform,
                streams=self.streams,
                folder=self.folder,
                frames=self.clips.frames[0].shape.t,
            ),
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
        rehearsal = LinkCalibration(
            link, self.clips.frames, calibration_root(self.scenario.seed), snr_db, self.deliveries, (point.channel,)
        )
        agreed = link.transmitter.agree(shape, link.point(snr_db, budget, point.rate), rehearsal)
        return agreed, budget

    def trial(
        self, point: GridPoint, agreed: Agreement, budget: int | None, trial: int
    ) -> tuple[list[ClipTrial], set[str]]:
        """Every clip sent once."""
        link, out, genie = self.link(point), [], set()
        if link.is_sensing:
            return self._sensing_trial(point, agreed, trial), genie
        for number, clip in enumerate(self.clips.frames):
            seeds = Seeds(self.scenario.seed, (number,), trial)
            audit = trial == 0 and number == 0
            try:
                outcome = run_clip(link, clip, agreed, seeds, budget=budget, audit=audit)
            except Infeasible as reason:
                raise Infeasible(f"{self.clips.names[number]}: {reason}") from reason
            if audit:
                self.shown.get((point, number), lambda: outcome)  # noqa: B023
            out.append(self.score(number, outcome))
            genie.update(outcome.genie)
        return out, genie

    def _sensing_trial(self, point: GridPoint, agreed: Agreement, trial: int) -> list[ClipTrial]:
        """Every clip sensed once, all in one go."""
        frames = self.clips.frames
        seeds = [Seeds(self.scenario.seed, (number,), trial) for number in range(len(frames))]
        outcomes = sense_clips(self.link(point), frames, agreed, seeds, self.tell)
        if trial == 0:
            self.shown.get((point, 0), lambda: outcomes[0])
        return [self.score(number, outcome) for number, outcome in enumerate(outcomes)]

    def first_outcome(self, point: GridPoint, agreed: Agreement, budget: int | None, number: int) -> Outcome:
        """What one clip became in the first trial, for pictures; not computed again where the trial kept it."""
        clip, seeds = self.clips.frames[number], Seeds(self.scenario.seed, (number,), 0)
        return self.shown.get((point, number), lambda: run_clip(self.link(point), clip, agreed, seeds, budget=budget))

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
            outcome.told,
        )

    def _by_frame(self, reference: np.ndarray, received: np.ndarray) -> dict[str, tuple[float, ...]]:
        functions = {metric.name: metric.by_frame for metric in self.metrics if metric.by_frame is not None}
        return {name: tuple(map(float, of(reference, received))) for name, of in functions.items()}
