"""One point of the grid, from its clips to its record.

A record is what `points/<hash>.json` holds: the row of `curves.csv` and every
clip's values in every trial, so that differences can be paired later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from semlink import __version__
from semlink.caching import Memo, StreamStore, digest_of
from semlink.errors import Infeasible, SourceError
from semlink.ledger import PURPOSES
from semlink.link.chain.rehearsal import ClipRehearsal, rehearsal_root
from semlink.link.chain.transmit import Link, Outcome, run_clip, sense_clips
from semlink.link.metrics.psnr_ssim import METRICS, psnr_db, ssim_by_frame
from semlink.link.results.clip_record import clip_record
from semlink.link.results.rows import Row, to_json
from semlink.link.scenario.build import build_link
from semlink.link.scenario.scenario import Scenario, build_block, scheme_name
from semlink.link.sweep.grid import GridPoint, channel_name
from semlink.link.sweep.trials import ClipTrial, StopRule, repeat, t_halfwidth, wilson
from semlink.payload import Agreement, Frames
from semlink.seeds import Seeds

SCORES_KEPT = 4096
SHOWN_KEPT = 64


@dataclass(frozen=True, slots=True)
class Clips:
    """The scenario's clips, loaded once in a process."""

    names: tuple[str, ...]
    motion: tuple[str, ...]
    frames: tuple[Frames, ...]
    digest: str


def load_clips(scenario: Scenario, folder: Path | None) -> Clips:
    """Read every clip of the source.

    Raises:
        SourceError: the source cannot be read or holds no clip.
    """
    import torch

    from semlink.sensing.sources.clips import motion_class

    source = build_block(scenario.source, "source", folder)
    if len(source) == 0:
        raise SourceError(f"source {scenario.source.kind}: holds no clip")
    names, motion, frames = [], [], []
    for index in range(len(source)):
        clip = check_clip(source.clip(index), scenario.source.kind)
        names.append(source.name(index))
        motion.append(motion_class(clip))
        frames.append(Frames(torch.from_numpy(clip[None])))
    digest = digest_of(*names, *(f.pixels.numpy() for f in frames))
    return Clips(tuple(names), tuple(motion), tuple(frames), digest)


def check_clip(clip: Any, kind: str) -> np.ndarray:
    """A source's clip as contiguous float32 (t, h, w).

    Raises:
        SourceError: it is something else, or leaves [0, 1].
    """
    clip = np.ascontiguousarray(clip, np.float32)
    if clip.ndim != 3 or 0 in clip.shape:
        raise SourceError(f"source {kind}: gave a clip of shape {clip.shape}; need (t, h, w)")
    if not np.isfinite(clip).all() or clip.min() < 0 or clip.max() > 1:
        raise SourceError(f"source {kind}: gave pixels outside [0, 1]")
    return clip


@dataclass(frozen=True, slots=True)
class Bench:
    """A process's place of work: clips, links and what it remembers.

    `tell` hears how much of a long fit is done, and how much there is.
    """

    scenario: Scenario
    clips: Clips
    streams: StreamStore
    folder: Path | None
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
        rehearsal = ClipRehearsal(
            link, self.clips.frames, rehearsal_root(self.scenario.seed), snr_db, self.deliveries, (point.channel,)
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
            key, lambda: {name: METRICS[name](reference, received) for name in {"psnr", *self.scenario.metrics}}
        )
        by_frame = self.over_time.get(key, lambda: self._by_frame(reference, received))
        uses = {str(purpose): float(amount) for purpose, amount in outcome.ledger.by_purpose().items()}
        return ClipTrial(
            metrics,
            uses,
            outcome.blocks,
            outcome.lost,
            by_frame["psnr"],
            by_frame.get("ssim", ()),
            outcome.feedback,
            outcome.told,
        )

    def _by_frame(self, reference: np.ndarray, received: np.ndarray) -> dict[str, tuple[float, ...]]:
        found = {"psnr": tuple(psnr_db(*pair) for pair in zip(reference, received))}
        if "ssim" in self.scenario.metrics:
            found["ssim"] = tuple(map(float, ssim_by_frame(reference, received)))
        return found


def run_point(bench: Bench, point: GridPoint) -> dict[str, Any]:
    """The record of one point: trials until the stop rule is met, or the reason why not."""
    scenario = bench.scenario
    rule = scenario.trials
    link = bench.link(point)
    bound = link.is_bound
    sensed: float | None = None
    genie: set[str] = set()
    try:
        agreed, budget = bench.agree(point)
        sensed = link.measurements_per_pixel(agreed)

        def one_trial(trial: int) -> list[ClipTrial]:
            values, used = bench.trial(point, agreed, budget, trial)
            genie.update(used)
            return values

        stop = StopRule(1, 1, 1.0) if link.is_certain(agreed) else StopRule(rule.min, rule.max, rule.ci_halfwidth_db)
        trials = repeat(one_trial, stop)
    except Infeasible as reason:
        return _record(bench, point, [], (), sensed, note=f"infeasible: {reason}")
    note = "" if bound else _note(agreed, trials)
    return _record(bench, point, trials, tuple(sorted(genie)), sensed, note=note)


def _note(agreed: Agreement, trials: Sequence[Sequence[ClipTrial]]) -> str:
    """What was agreed on, and what is not in the ledger."""
    coding = agreed.terms.get("coding", "only")
    notes = [] if coding == "only" else [f"mcs {coding}"]
    notes += [agreed.terms["note"]] if "note" in agreed.terms else []
    said = [sum(answer.bits for answer in clip.feedback) for trial in trials for clip in trial if clip.feedback]
    if any(said):
        notes.append(f"feedback without error or charge: {np.mean(said):.1f} bits a clip")
    return "; ".join(notes)


def _record(
    bench: Bench,
    point: GridPoint,
    trials: Sequence[Sequence[ClipTrial]],
    genie: tuple[str, ...],
    sensed: float | None,
    note: str,
) -> dict[str, Any]:
    scenario, clips = bench.scenario, bench.clips
    by_clip = [[trial[n] for trial in trials] for n in range(len(clips.names))] if trials else []
    record_clips = [
        clip_record(name, motion, values) for name, motion, values in zip(clips.names, clips.motion, by_clip)
    ]
    row = Row(
        scheme=scheme_name(scenario.schemes[point.scheme]),
        channel="" if point.channel is None else channel_name(scenario.channel[point.channel]),
        snr_db=point.snr_db,
        budget=point.budget,
        rate=point.rate,
        seed=scenario.seed,
        clips=len(clips.names),
        bound=bench.link(point).is_bound,
        genie=", ".join(genie),
        note=note,
        measurements_per_pixel=sensed,
        **_costs(trials, clips.frames[0].shape.num_pixels, sends=not bench.link(point).is_sensing),
        **_qualities(trials),
    )
    head = {k: getattr(row, k) for k in ("scheme", "channel", "snr_db", "budget", "rate", "bound")}
    return {
        **head,
        "row": to_json(row),
        "group_frames": bench.link(point).group_frames(clips.frames[0].shape),
        "frame_kinds": bench.link(point).frame_kinds(clips.frames[0].shape, point.rate),
        "clips": record_clips,
        "genie": list(genie),
        "versions": {"semlink": __version__},
    }


def _column(metric: str) -> str:
    return "psnr_db" if metric == "psnr" else metric


def _costs(trials: Sequence[Sequence[ClipTrial]], num_pixels: int, *, sends: bool) -> dict[str, Any]:
    if not trials or not sends:
        return {}
    flat = [clip for trial in trials for clip in trial]
    uses = float(np.mean([c.channel_uses for c in flat]))
    purposes = {p: float(np.mean([c.uses[p] for c in flat])) for p in PURPOSES}
    return {"channel_uses": uses, "channel_uses_per_pixel": uses / num_pixels, **purposes}


def _qualities(trials: Sequence[Sequence[ClipTrial]]) -> dict[str, Any]:
    if not trials:
        return {}
    flat = [clip for trial in trials for clip in trial]
    out: dict[str, Any] = {"trials": len(trials)}
    for metric in ("psnr", "ssim"):
        if metric in flat[0].metrics:
            values = np.array([[c.metrics[metric] for c in trial] for trial in trials])
            out[_column(metric)] = float(values.mean())
            out[f"{metric}_ci95"] = t_halfwidth(values.mean(axis=1)) if len(trials) > 1 else 0.0
    if "ms_ssim" in flat[0].metrics:
        values = np.array([[c.metrics["ms_ssim"] for c in trial] for trial in trials])
        half = t_halfwidth(values.mean(axis=1)) if len(trials) > 1 else 0.0
        out["extra"] = {"ms_ssim": float(values.mean()), "ms_ssim_ci95": half}
    out["psnr_clips_ci95"] = t_halfwidth([float(np.mean(c)) for c in _by_clip(trials)])
    blocks, lost = sum(c.blocks for c in flat), sum(c.lost for c in flat)
    if blocks:
        low, high = wilson(lost, blocks)
        out |= {"bler": lost / blocks, "bler_ci95_low": low, "bler_ci95_high": high}
        out["outage"] = float(np.mean([c.lost > 0 for c in flat]))
    return out


def _by_clip(trials: Sequence[Sequence[ClipTrial]]) -> list[list[float]]:
    """PSNR of each clip in every trial."""
    return [[trial[n].metrics["psnr"] for trial in trials] for n in range(len(trials[0]))]
