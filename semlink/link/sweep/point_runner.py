"""One point of the grid computed, with clips and links that a process has once."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch

from semlink import memory
from semlink.blocks import ChannelBase, WaveformBase
from semlink.caching import Memo, digest_of
from semlink.errors import Infeasible, SemlinkError, placed, told_at
from semlink.files import JsonDict
from semlink.link.chain.boundary.settle import Deal, Question, settled
from semlink.link.chain.calibration import SENT_KEPT, LinkCalibration, calibration_root
from semlink.link.chain.draws import SharedDraws
from semlink.link.chain.link import Link, Outcome
from semlink.link.chain.reception import reception_of
from semlink.link.chain.transmission import Observe, Transmission
from semlink.link.chain.transmit import run_clip, sense_clips
from semlink.link.films.film import Film
from semlink.link.metrics.registry import PSNR, Metric, extremes_of
from semlink.link.results.clip_trial import ClipTrial
from semlink.link.results.media.reception import Reception
from semlink.link.results.pictures import Picture
from semlink.link.results.qualities import Doubt, scored
from semlink.link.scenario.build import build_waveform, join
from semlink.link.scenario.scenario import Scenario
from semlink.link.schemes.digital.packet_store import StreamStore
from semlink.link.sweep.clips import Clips
from semlink.link.sweep.grid import GridPoint, Task
from semlink.link.sweep.record import interval_notes, note_of, record_of, sensed_by
from semlink.link.sweep.shown import film_at, picture_of, source_shown
from semlink.link.sweep.trials import StopRule, repeat, stop_rule
from semlink.payload import Frames, FrameShape
from semlink.seeds import Seeds
from semlink.spec import BuildContext

SCORES_KEPT = 4096
MOST_LATEST = 1 << 24
"""Pixels of all clips as they were received last, 4 bytes each."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A point computed: its record, what pictures show of it, how its first clip was received, and that in motion.

    There is no record where it is kept already, and only the picture was asked for.
    """

    record: JsonDict | None
    picture: Picture
    reception: Reception | None = None
    film: Film | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial of a point: every clip's values, and the genie's words."""

    scores: list[ClipTrial]
    genie: frozenset[str]


@dataclass(frozen=True, slots=True)
class Again:
    """A clip that was sent once more: its film, how it was received, and the film of the source."""

    film: Film | None
    reception: Reception | None
    source: Film | None


@dataclass(frozen=True, slots=True)
class Sent:
    """All trials of a point: for each its clips' values; the genie's words; the first clip in the first trial.

    `doubt` is what intervals of these trials stand for, `notes` what is missing in them; `reception` is that of the
    first clip in the first trial, None where nothing met the air.
    """

    trials: list[Sequence[ClipTrial]]
    genie: set[str]
    first: Outcome
    doubt: Doubt
    notes: Sequence[str]
    reception: Reception | None


@dataclass(frozen=True, slots=True)
class PointRunner:
    """What computes points in one process: clips, links, and what it remembers of them.

    `tell` hears how much of a long fit is done, and how much there is; `doing`, what a calibration is at. `secret`
    draws the trials in which the boundary is put to the proof: no number depends on them, and a scheme that knew them
    would behave in them.
    """

    scenario: Scenario
    clips: Clips
    streams: StreamStore
    folder: Path | None
    metrics: tuple[Metric, ...]
    tell: Callable[[int, int], None] | None = None
    doing: Callable[[str], None] = field(default=lambda said: None, repr=False)
    channels: dict[int, ChannelBase] = field(default_factory=dict)
    waveforms: dict[int, WaveformBase] = field(default_factory=dict)
    links: dict[tuple[int, int | None], Link] = field(default_factory=dict)
    declared: dict[str, set[tuple[str, Path]]] = field(default_factory=lambda: defaultdict(set))
    deliveries: Memo[float] = field(default_factory=lambda: Memo(SCORES_KEPT))
    tried: Memo[torch.Tensor] = field(default_factory=lambda: Memo(SENT_KEPT), repr=False)
    draws: SharedDraws = field(default_factory=SharedDraws, repr=False)
    scores: Memo[dict[str, float]] = field(default_factory=lambda: Memo(SCORES_KEPT))
    over_time: Memo[dict[str, tuple[float, ...]]] = field(default_factory=lambda: Memo(SCORES_KEPT))
    extremes: Memo[dict[str, tuple[float, float]]] = field(default_factory=lambda: Memo(SCORES_KEPT))
    latest: dict[int, tuple[torch.Tensor, str]] = field(default_factory=dict, repr=False)
    secret: int = field(default_factory=partial(secrets.randbits, 62), repr=False)

    @classmethod
    def of(cls, scenario: Scenario, clips: Clips, cache: Path, folder: Path | None) -> PointRunner:
        """One for a scenario.

        Args:
            cache: a folder for coded clips, shared by all processes.
            folder: where a user's files are looked up first.
        """
        return cls(scenario, clips, StreamStore(cache), folder, scored(scenario.metrics, folder))

    def channel(self, number: int) -> ChannelBase:
        """A channel of the scenario, built once."""
        if number not in self.channels:
            context = BuildContext(folder=self.folder, files=self.declared[f"channel {number}"])
            self.channels[number] = self.scenario.channel[number].build(context)
        return self.channels[number]

    def waveform(self, number: int) -> WaveformBase:
        """The waveform on a channel, built once."""
        if number not in self.waveforms:
            spec = self.scenario.channel[number]
            context = BuildContext(folder=self.folder, files=self.declared[f"waveform {number}"])
            self.waveforms[number] = build_waveform(self.scenario.waveform, spec, context)
        return self.waveforms[number]

    def link(self, point: GridPoint) -> Link:
        """The scheme's two ends and the air between them, built once."""
        ends = (point.scheme, point.channel)
        if ends not in self.links:
            self.links[ends] = self._build_link(*ends)
        return self.links[ends]

    def _build_link(self, scheme: int, channel: int | None) -> Link:
        context = BuildContext(
            frames=self.clips.frames[0].shape.t,
            colour=self.clips.look.colour,
            folder=self.folder,
            streams=self.streams,
            files=self.declared[f"scheme {scheme}"],
        )
        spec = self.scenario.schemes[scheme]
        if channel is None:
            return join(spec, None, context)
        return join(spec, self.scenario.channel[channel], context, self.waveform(channel), self.channel(channel))

    def files(self, point: GridPoint) -> set[tuple[str, Path]]:
        """Files that the users' classes of a point say they read, by what they are called; known once all is built."""
        blocks = [f"scheme {point.scheme}", f"channel {point.channel}", f"waveform {point.channel}"]
        return set().union(*(self.declared.get(block, set()) for block in blocks))

    def run(self, task: Task, known: Mapping[int, Trial] = MappingProxyType({})) -> Finished:
        """A point computed: trials until the stop rule is met, or the reason why not.

        Args:
            known: trials by number that were computed before, elsewhere; the first, which is shown, is made anew.
        Raises:
            SemlinkError: names the point.
        """
        where = f"{task.name}, {task.channel}" if task.channel else task.name
        try:
            with memory.said("a point"):
                return self._run(task, known)
        except SemlinkError as fault:
            raise placed(fault, where) from fault

    def trials(self, task: Task, numbers: Iterable[int]) -> dict[int, Trial]:
        """Trials of a point by number, as `run` would make them; none where all would be the same, or none fits.

        Raises:
            SemlinkError: a block is at fault.
        """
        link = self.link(task.point)
        try:
            deals = self.deals(link, task.point)
            if _is_certain(link, deals):
                return {}
            audited = partial(self._is_audited, deals, stop_rule(self.scenario).min)
            return {number: self._trial(link, deals, number, audited) for number in numbers}
        except Infeasible:
            return {}

    def _run(self, task: Task, known: Mapping[int, Trial]) -> Finished:
        link = self.link(task.point)
        about = (self.scenario, self.clips, self.metrics, link, task.point)
        sensed: float | None = None
        deals: Sequence[Deal] = ()
        try:
            deals = self.deals(link, task.point)
            sensed = sensed_by(link, deals)
            sent = self._sent(link, deals, known)
        except Infeasible as reason:
            note = f"infeasible: {reason}"
            return Finished(record_of(*about, [], sensed=sensed, note=note, deals=deals), self._shown(task))
        notes = [] if link.is_bound else [note_of(link, deals, sent.trials)]
        note = "; ".join(part for part in [*notes, *sent.notes] if part)
        genie, doubt = sorted(sent.genie), sent.doubt
        record = record_of(*about, sent.trials, genie=genie, sensed=sensed, note=note, deals=deals, doubt=doubt)
        picture = self._shown(task, deals, sent.first)
        film = self._film(task, sent.first, sent.trials[0][0], picture)
        return Finished(record, picture, sent.reception, film)

    def _sent(self, link: Link, deals: Sequence[Deal], known: Mapping[int, Trial]) -> Sent:
        """Trials until the stop rule is met; one where all would be the same.

        Raises:
            Infeasible: a clip finds no room.
        """
        genie: set[str] = set()
        first: list[Outcome] = []
        kept: list[Reception] = []

        def watch(seen: Transmission) -> None:
            kept.append(reception_of(link, seen, self.clips.names[0]))

        def one_trial(number: int) -> list[ClipTrial]:
            if number == 0:
                made = self._trial(link, deals, 0, audited, watch, first)
            else:
                made = known.get(number) or self._trial(link, deals, number, audited)
            genie.update(made.genie)
            return made.scores

        certain = _is_certain(link, deals)
        rule = StopRule(1, 1, 1.0) if certain else stop_rule(self.scenario)
        audited = partial(self._is_audited, deals, rule.min)
        trials = repeat(one_trial, rule)
        reception = kept[0] if kept else None
        if certain:
            return Sent(trials, genie, first[0], Doubt(is_certain=True), (), reception)
        doubt = Doubt(rule.error(len(trials)))
        notes = interval_notes(rule, len(trials), doubt, is_met=rule.is_met(trials))
        return Sent(trials, genie, first[0], doubt, notes, reception)

    def _trial(
        self,
        link: Link,
        deals: Sequence[Deal],
        number: int,
        audited: Callable[[int, int], bool],
        observe: Observe | None = None,
        first: list[Outcome] | None = None,
    ) -> Trial:
        """A trial sent and scored; `first` gets what became of the first clip."""
        scores, genie = [], set[str]()
        for clip, outcome in enumerate(self.trial(link, deals, number, audited, observe)):
            if clip == 0 and first is not None:
                first.append(outcome)
            genie.update(outcome.genie)
            with told_at(f"{self.clips.names[clip]}, trial {number}"):
                scores.append(self.score(clip, outcome))
        return Trial(scores, frozenset(genie))

    def picture(self, task: Task) -> Picture:
        """What a point shows whose record is kept and whose picture is not: the first clip is sent once more."""
        link, seeds = self.link(task.point), Seeds(self.scenario.seed, (0,), 0)
        try:
            deals = self.deals(link, task.point)
            first = run_clip(link, self.clips.frames[0], deals[0].agreement, seeds, budget=deals[0].budget)
        except Infeasible:
            return self._shown(task)
        return self._shown(task, deals, first)

    def _shown(self, task: Task, deals: Sequence[Deal] = (), first: Outcome | None = None) -> Picture:
        return picture_of(self.link(task.point), self.clips, task, self.scenario.seed, deals, first)

    def again(self, point: GridPoint) -> Again:
        """The first clip of the first trial sent once more, with the noise of the run.

        Raises:
            Infeasible: nothing fits there.
        """
        link, seen = self.link(point), list[Transmission]()
        deals = self.deals(link, point)
        first = next(self.trial(link, deals, 0, observe=seen.append))
        seeds = Seeds(self.scenario.seed, (0,), 0)
        uses = link.transmitter.uses_of_blocks(self.clips.frames[0], deals[0].agreement, seeds)
        if uses is not None and uses.max() - uses.min() <= 1:  # all alike, but for what does not divide
            uses = None
        film = film_at(link, self.clips, Task("", point, "", is_shown=True), first, self.score(0, first), uses)
        name = self.clips.names[0]
        return Again(film, reception_of(link, seen[0], name) if seen else None, source_shown(self.clips))

    def _film(self, task: Task, first: Outcome, scored: ClipTrial, picture: Picture) -> Film | None:
        uses = next((found.uses for found in picture.rate_maps if found.clip == self.clips.names[0]), None)
        return film_at(self.link(task.point), self.clips, task, first, scored, uses)

    def deals(self, link: Link, point: GridPoint) -> tuple[Deal, ...]:
        """For each clip, the agreement at a point and the antenna's budget; settled once for clips of one shape.

        Raises:
            Infeasible: the scheme finds no room there.
            BoundaryError, InterfaceError: it holds what an agreement may not hold.
        """
        shapes = [frames.shape for frames in self.clips.frames]
        found = {shape: self._deal(link, point, shape) for shape in dict.fromkeys(shapes)}
        return tuple(found[shape] for shape in shapes)

    def _deal(self, link: Link, point: GridPoint, shape: FrameShape) -> Deal:
        budget = None if point.budget is None else int(point.budget * shape.num_pixels + 1e-9)
        if budget == 0:
            raise Infeasible(f"a budget of {point.budget:g} is less than one channel use a clip")
        snr_db = float("nan") if point.snr_db is None else point.snr_db
        root, ends = calibration_root(self.scenario.seed), ((point.channel,), point.scheme)
        shared = self.deliveries, *ends, self.tried, self.draws
        calibration = LinkCalibration(link, self.clips.tried_as(shape), root, snr_db, *shared, doing=self.doing)
        made = settled(link, Question(shape, link.point(snr_db, budget, point.rate)), calibration)
        if self.clips.calibration:
            made = replace(made, choice_bits=0.0)
        return Deal(made, made.agreement, budget)

    def _is_audited(self, deals: Sequence[Deal], least: int, clip: int, trial: int) -> bool:
        """Whether the boundary is put to the proof: for each clip in one of every `least` trials, drawn."""
        turn, place = divmod(trial, least)
        drawn = digest_of(self.secret, clip, turn, deals[clip].settled.data)
        return int(drawn[:16], 16) % least == place

    def trial(
        self,
        link: Link,
        deals: Sequence[Deal],
        trial: int,
        is_audited: Callable[[int, int], bool] = lambda clip, trial: False,
        observe: Observe | None = None,
    ) -> Iterator[Outcome]:
        """Every clip sent once, in their order.

        Args:
            is_audited: whether the boundary is put to the proof at a clip in a trial.
            observe: is told what happened to the first clip.
        Raises:
            Infeasible: a clip finds no room.
        """
        frames = self.clips.frames
        seeds = [Seeds(self.scenario.seed, (number,), trial) for number in range(len(frames))]
        if link.is_sensing:
            with told_at(f"trial {trial}"):
                yield from _sensed(link, frames, deals, seeds, self.tell)
            return
        for number, clip in enumerate(frames):
            proof = is_audited(number, trial)
            other = frames[(number + 1) % len(frames)]
            name = self.clips.names[number]
            try:
                with told_at(f"{name}, trial {trial}"):
                    outcome = run_clip(
                        link,
                        clip,
                        deals[number].agreement,
                        seeds[number],
                        budget=deals[number].budget,
                        audit=proof,
                        decoy=other,
                        observe=None if number else observe,
                    )
            except Infeasible as reason:
                raise Infeasible(f"{name}: {reason}") from reason
            yield outcome

    def score(self, number: int, outcome: Outcome) -> ClipTrial:
        """Qualities and costs of one transmission."""
        received = outcome.frames.pixels[0].numpy()
        reference = self.clips.frames[number].pixels[0].numpy()
        key = (number, self._name_of(number, outcome.frames.pixels[0]))
        metrics = self.scores.get(
            key, lambda: {m.name: m.score(reference, received, self.clips.look) for m in self.metrics}
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
            self.extremes.get(number, lambda: self._extremes(reference)),
        )

    def _name_of(self, number: int, received: torch.Tensor) -> str:
        """The digest of a clip's frames; where they came as in the trial before, a look tells, 10 times as fast."""
        before = self.latest.get(number)
        if before is not None and torch.equal(before[0], received):
            return before[1]
        name = digest_of(received.numpy())
        if received.numel() * len(self.clips.names) <= MOST_LATEST:
            self.latest[number] = received.clone(), name
        return name

    def nothing_db(self) -> float:
        """Mean PSNR over the clips of a receiver that knows nothing."""
        look = self.clips.look
        found = [extremes_of(PSNR, frames.pixels[0].numpy(), look) for frames in self.clips.frames]
        return float(np.mean([pair[0] for pair in found if pair is not None]))

    def _extremes(self, reference: np.ndarray) -> dict[str, tuple[float, float]]:
        found = {metric.name: extremes_of(metric, reference, self.clips.look) for metric in self.metrics}
        return {name: pair for name, pair in found.items() if pair is not None}

    def _by_frame(self, reference: np.ndarray, received: np.ndarray) -> dict[str, tuple[float, ...]]:
        found = {metric.name: metric.frames(reference, received, self.clips.look) for metric in self.metrics}
        return {name: tuple(map(float, values)) for name, values in found.items() if values is not None}


def _is_certain(link: Link, deals: Iterable[Deal]) -> bool:
    """Whether every trial would be the same."""
    return all(link.is_certain(deal.agreement) for deal in deals)


def _sensed(
    link: Link,
    frames: Sequence[Frames],
    deals: Sequence[Deal],
    seeds: Sequence[Seeds],
    tell: Callable[[int, int], None] | None,
) -> list[Outcome]:
    """What a scheme that sends nothing makes of the clips, those of one shape in one go."""
    made: dict[int, Outcome] = {}
    for shape in dict.fromkeys(clip.shape for clip in frames):
        mine = [number for number, clip in enumerate(frames) if clip.shape == shape]
        given = [frames[number] for number in mine], deals[mine[0]].agreement, [seeds[number] for number in mine]
        made |= zip(mine, sense_clips(link, *given, tell), strict=True)
    return [made[number] for number in range(len(frames))]
