"""The record of a point.

It is what `points/` keeps of it: the row of `curves.csv` and every
clip's values in every trial, so that differences can be paired later.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from semlink import __version__
from semlink.files import JsonDict
from semlink.ledger import PURPOSES
from semlink.link.chain.boundary.settle import Settled
from semlink.link.chain.link import Link
from semlink.link.metrics.registry import Metric
from semlink.link.results.clip_record import clip_record, described
from semlink.link.results.clip_trial import ClipTrial
from semlink.link.results.code import commit
from semlink.link.results.qualities import ONE_LOOK, Doubt, losses, qualities
from semlink.link.results.rows import Row, own_columns, to_json
from semlink.link.scenario.scenario import Scenario, scheme_name
from semlink.link.sweep.clips import Clips
from semlink.link.sweep.grid import GridPoint, channel_name
from semlink.link.sweep.point_key import revisions, specs_of
from semlink.link.sweep.trials import StopRule
from semlink.payload import Agreement

SPENT = 0.97
"""Share of a budget that a scheme should spend; a row that spends less says so."""
INTERVALS = 2
"""Raised by whoever changes how intervals follow from what is kept of the trials; rows of older ones are renewed."""


def intervals_said(doubt: Doubt) -> JsonDict:
    """How a record says what its intervals are and stand for."""
    return {"intervals": INTERVALS, "error": doubt.error, "is_certain": doubt.is_certain}


def interval_notes(rule: StopRule, trials: int, doubt: Doubt, *, is_met: bool) -> list[str]:
    """Why there is no interval, or a wider one than the scenario asks for."""
    if doubt.is_certain:
        return []
    if trials < 2:
        return ["one trial: no interval over noise"]
    if rule.min < rule.max and not is_met:
        return [f"the interval after {rule.max} trials is wider than the {rule.ci_halfwidth_db:g} dB asked for"]
    return []


def note_of(link: Link, agreed: Agreement, trials: Sequence[Sequence[ClipTrial]]) -> str:
    """What was agreed on, what is not in the ledger, and what the receiver takes wrongly of the channel."""
    terms = agreed.terms
    notes = [] if terms.coding == "only" else [f"mcs {terms.coding}"]
    notes += [terms.note] if terms.note else []
    said = [sum(answer.bits for answer in clip.feedback) for trial in trials for clip in trial if clip.feedback]
    if any(said):
        notes.append(f"feedback without error or charge: {np.mean(said):.1f} bits a clip")
    caveat = link.waveform.caveat(link.channel)
    return "; ".join([*notes, caveat] if caveat else notes)


def record_of(
    scenario: Scenario,
    clips: Clips,
    metrics: Sequence[Metric],
    link: Link,
    point: GridPoint,
    trials: Sequence[Sequence[ClipTrial]],
    *,
    genie: Sequence[str] = (),
    sensed: float | None = None,
    note: str = "",
    settled: Settled | None = None,
    doubt: Doubt = ONE_LOOK,
) -> JsonDict:
    """What is kept of a point.

    Args:
        trials: for each trial every clip; none where the point does not fit.
        genie: the knowledge that no receiver could have.
        sensed: readings a pixel.
        note: what was agreed on, or why the point does not fit.
        settled: the agreement; None where there is none.
        doubt: what its intervals stand for.
    """
    shape = clips.frames[0].shape
    by_clip = [[trial[n] for trial in trials] for n in range(len(clips.names))] if trials else []
    record_clips = [
        clip_record(name, motion, values, metrics, doubt)
        for name, motion, values in zip(clips.names, clips.motion, by_clip)
    ]
    costs = _costs(trials, shape.num_pixels, sends=not link.is_sensing)
    row = Row(
        scheme=scheme_name(scenario.schemes[point.scheme]),
        channel="" if point.channel is None else channel_name(scenario.channel[point.channel]),
        snr_db=point.snr_db,
        budget=point.budget,
        rate=point.rate,
        seed=scenario.seed,
        clips=len(clips.names),
        bound=link.is_bound,
        genie=", ".join(genie),
        note="; ".join(filter(None, [note, _unspent(point.budget, costs.get("channel_uses_per_pixel"))])),
        measurements_per_pixel=sensed,
        agreement_bytes=None if settled is None else len(settled.data),
        choice_bits=None if settled is None else settled.choice_bits,
        **costs,
        **losses(trials, doubt),
        **({"trials": len(trials), **qualities(trials, metrics, doubt)} if trials else {}),
    )
    own = own_columns(row)
    head = {k: own[k] for k in ("scheme", "channel", "snr_db", "budget", "rate", "bound")}
    return {
        **head,
        "row": to_json(row),
        **intervals_said(doubt),
        "group_frames": link.group_frames(shape),
        "frame_kinds": link.frame_kinds(shape, point.rate),
        "clips": record_clips,
        **described(metrics),
        "genie": list(genie),
        "scenario": scenario.name,
        "versions": {"semlink": __version__, "commit": commit()},
        "revisions": revisions(specs_of(scenario, point)),
    }


def _unspent(budget: float | None, spent: float | None) -> str:
    """Said of a point that leaves more of its budget than `SPENT` allows."""
    if budget is None or spent is None or spent >= SPENT * budget:
        return ""
    return f"spends {int(100 * spent / budget)} % of the budget"


def _costs(trials: Sequence[Sequence[ClipTrial]], num_pixels: int, *, sends: bool) -> JsonDict:
    if not trials or not sends:
        return {}
    flat = [clip for trial in trials for clip in trial]
    uses = float(np.mean([c.channel_uses for c in flat]))
    purposes: dict[str, float] = {p: float(np.mean([c.uses[p] for c in flat])) for p in PURPOSES}
    return {"channel_uses": uses, "channel_uses_per_pixel": uses / num_pixels, **purposes}
