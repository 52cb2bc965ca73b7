"""One point of the grid, from its clips to its record.

A record is what `points/` keeps of it: the row of `curves.csv` and every
clip's values in every trial, so that differences can be paired later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semlink import __version__
from semlink.errors import Infeasible, SemlinkError
from semlink.files import JsonDict
from semlink.ledger import PURPOSES
from semlink.link.chain.link import Outcome
from semlink.link.metrics.intervals import wilson
from semlink.link.results.clip_record import clip_record, described
from semlink.link.results.clip_trial import ClipTrial
from semlink.link.results.folder import commit
from semlink.link.results.pictures import Picture
from semlink.link.results.qualities import qualities
from semlink.link.results.rows import Row, own_columns, to_json
from semlink.link.scenario.scenario import scheme_name
from semlink.link.sweep.grid import GridPoint, channel_name, point_name
from semlink.link.sweep.point_key import revisions, specs_of
from semlink.link.sweep.point_runner import PointRunner
from semlink.link.sweep.shown import picture_of
from semlink.link.sweep.trials import StopRule, repeat
from semlink.payload import Agreement


@dataclass(frozen=True, slots=True)
class Finished:
    """A point computed: its record, and what pictures show of it."""

    record: JsonDict
    picture: Picture


def run_point(runner: PointRunner, point: GridPoint) -> Finished:
    """A point computed: trials until the stop rule is met, or the reason why not.

    Raises:
        SemlinkError: names the point.
    """
    try:
        return _run_point(runner, point)
    except SemlinkError as fault:
        where = point_name(runner.scenario, point)
        if point.channel is not None:
            where += f", {channel_name(runner.scenario.channel[point.channel])}"
        raise type(fault)(f"{where}: {fault}") from fault


def _run_point(runner: PointRunner, point: GridPoint) -> Finished:
    link, rule = runner.link(point), runner.scenario.trials
    agreed: Agreement | None = None
    sensed: float | None = None
    first: list[Outcome] = []
    genie: set[str] = set()

    def one_trial(trial: int) -> list[ClipTrial]:
        assert agreed is not None
        scores = []
        for number, outcome in enumerate(runner.trial(point, agreed, budget, trial)):
            if trial == number == 0:
                first.append(outcome)
            genie.update(outcome.genie)
            scores.append(runner.score(number, outcome))
        return scores

    try:
        agreed, budget = runner.agree(point)
        sensed = link.measurements_per_pixel(agreed)
        stop = StopRule(1, 1, 1.0) if link.is_certain(agreed) else StopRule(rule.min, rule.max, rule.ci_halfwidth_db)
        trials = repeat(one_trial, stop)
    except Infeasible as reason:
        record = _record(runner, point, [], (), sensed, note=f"infeasible: {reason}")
        return Finished(record, picture_of(runner, point, None, None))
    note = "" if link.is_bound else _note(agreed, trials)
    record = _record(runner, point, trials, tuple(sorted(genie)), sensed, note=note)
    return Finished(record, picture_of(runner, point, agreed, first[0]))


def _note(agreed: Agreement, trials: Sequence[Sequence[ClipTrial]]) -> str:
    """What was agreed on, and what is not in the ledger."""
    terms = agreed.terms
    notes = [] if terms.coding == "only" else [f"mcs {terms.coding}"]
    notes += [terms.note] if terms.note else []
    said = [sum(answer.bits for answer in clip.feedback) for trial in trials for clip in trial if clip.feedback]
    if any(said):
        notes.append(f"feedback without error or charge: {np.mean(said):.1f} bits a clip")
    return "; ".join(notes)


def _record(
    runner: PointRunner,
    point: GridPoint,
    trials: Sequence[Sequence[ClipTrial]],
    genie: tuple[str, ...],
    sensed: float | None,
    note: str,
) -> JsonDict:
    scenario, clips = runner.scenario, runner.clips
    by_clip = [[trial[n] for trial in trials] for n in range(len(clips.names))] if trials else []
    record_clips = [
        clip_record(name, motion, values, runner.metrics)
        for name, motion, values in zip(clips.names, clips.motion, by_clip)
    ]
    row = Row(
        scheme=scheme_name(scenario.schemes[point.scheme]),
        channel="" if point.channel is None else channel_name(scenario.channel[point.channel]),
        snr_db=point.snr_db,
        budget=point.budget,
        rate=point.rate,
        seed=scenario.seed,
        clips=len(clips.names),
        bound=runner.link(point).is_bound,
        genie=", ".join(genie),
        note=note,
        measurements_per_pixel=sensed,
        **_costs(trials, clips.frames[0].shape.num_pixels, sends=not runner.link(point).is_sensing),
        **_losses(trials),
        **({"trials": len(trials), **qualities(trials, runner.metrics)} if trials else {}),
    )
    own = own_columns(row)
    head = {k: own[k] for k in ("scheme", "channel", "snr_db", "budget", "rate", "bound")}
    return {
        **head,
        "row": to_json(row),
        "group_frames": runner.link(point).group_frames(clips.frames[0].shape),
        "frame_kinds": runner.link(point).frame_kinds(clips.frames[0].shape, point.rate),
        "clips": record_clips,
        **described(runner.metrics),
        "genie": list(genie),
        "versions": {"semlink": __version__, "commit": commit()},
        "revisions": revisions(specs_of(scenario, point)),
    }


def _costs(trials: Sequence[Sequence[ClipTrial]], num_pixels: int, *, sends: bool) -> JsonDict:
    if not trials or not sends:
        return {}
    flat = [clip for trial in trials for clip in trial]
    uses = float(np.mean([c.channel_uses for c in flat]))
    purposes: dict[str, float] = {p: float(np.mean([c.uses[p] for c in flat])) for p in PURPOSES}
    return {"channel_uses": uses, "channel_uses_per_pixel": uses / num_pixels, **purposes}


def _losses(trials: Sequence[Sequence[ClipTrial]]) -> JsonDict:
    """Block and outage statistics; nothing for schemes without blocks."""
    flat = [clip for trial in trials for clip in trial]
    blocks, lost = sum(c.blocks for c in flat), sum(c.lost for c in flat)
    if not blocks:
        return {}
    low, high = wilson(lost, blocks)
    outage = float(np.mean([c.lost > 0 for c in flat]))
    return {"bler": lost / blocks, "bler_ci95_low": low, "bler_ci95_high": high, "outage": outage}
