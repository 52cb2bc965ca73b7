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
from semlink.link.chain.boundary.settle import Deal
from semlink.link.chain.link import Link
from semlink.link.metrics.registry import Metric
from semlink.link.results.clip_record import clip_record, described
from semlink.link.results.clip_trial import ClipTrial
from semlink.link.results.code import commit
from semlink.link.results.qualities import ONE_LOOK, Doubt, losses, qualities
from semlink.link.results.rows import PER_SAMPLE, Row, own_columns, to_json
from semlink.link.scenario.scenario import Scenario, scheme_name
from semlink.link.sweep.clips import Clips
from semlink.link.sweep.grid import GridPoint, channel_name
from semlink.link.sweep.point_key import revisions, specs_of
from semlink.link.sweep.trials import StopRule
from semlink.payload import FrameShape

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


def note_of(link: Link, deals: Sequence[Deal], trials: Sequence[Sequence[ClipTrial]]) -> str:
    """What was agreed on, what is not in the ledger, and what the receiver takes wrongly of the channel."""
    agreed = {deal.agreement.frames: deal.agreement.terms for deal in deals}
    notes = [f"mcs {coding}" for coding in dict.fromkeys(terms.coding for terms in agreed.values()) if coding != "only"]
    notes += dict.fromkeys(terms.note for terms in agreed.values() if terms.note)
    said = [sum(answer.bits for answer in clip.feedback) for trial in trials for clip in trial if clip.feedback]
    if any(said):
        notes.append(f"feedback without error or charge: {np.mean(said):.1f} bits a clip")
    caveat = link.waveform.caveat(link.channel)
    return "; ".join([*notes, caveat] if caveat else notes)


def sensed_by(link: Link, deals: Sequence[Deal]) -> float | None:
    """Readings a pixel, the mean over the clips; None for a scheme without a sensor."""
    by_shape = {deal.agreement.frames: link.measurements_per_pixel(deal.agreement) for deal in deals}
    if len(by_shape) == 1:
        return next(iter(by_shape.values()))
    found = [by_shape[deal.agreement.frames] for deal in deals]
    told = [cost for cost in found if cost is not None]
    return float(np.mean(told)) if len(told) == len(found) else None


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
    deals: Sequence[Deal] = (),
    doubt: Doubt = ONE_LOOK,
) -> JsonDict:
    """What is kept of a point.

    Args:
        trials: for each trial every clip; none where the point does not fit.
        genie: the knowledge that no receiver could have.
        sensed: readings a pixel.
        note: what was agreed on, or why the point does not fit.
        deals: of each clip; nothing where nothing fits.
        doubt: what its intervals stand for.
    """
    shape = clips.frames[0].shape
    by_clip = [[trial[n] for trial in trials] for n in range(len(clips.names))] if trials else []
    record_clips = [
        clip_record(name, motion, values, metrics, doubt)
        for name, motion, values in zip(clips.names, clips.motion, by_clip)
    ]
    costs = _costs(trials, [frames.shape for frames in clips.frames], sends=not link.is_sensing)
    settled = list({deal.agreement.frames: deal.settled for deal in deals}.values())
    found = qualities(trials, metrics, doubt) if trials else {}
    extra = {**found.pop("extra", {}), **_per_sample(scenario, clips, costs)}
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
        agreement_bytes=sum(len(one.data) for one in settled) if settled else None,
        choice_bits=sum(one.choice_bits for one in settled) if settled else None,
        **costs,
        **losses(trials, doubt),
        **({"trials": len(trials), **found} if trials else {}),
        extra=extra,
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


def _per_sample(scenario: Scenario, clips: Clips, costs: JsonDict) -> JsonDict:
    """The cost per sample, of frames in colour or where the scenario counts so."""
    per_pixel = costs.get("channel_uses_per_pixel")
    asked = scenario.sweep is not None and scenario.sweep.budget_per_sample is not None
    if per_pixel is None or (clips.look.colour == "gray" and not asked):
        return {}
    shape = clips.frames[0].shape
    return {PER_SAMPLE: per_pixel * shape.num_pixels / shape.num_samples}


def _unspent(budget: float | None, spent: float | None) -> str:
    """Said of a point that leaves more of its budget than `SPENT` allows."""
    if budget is None or spent is None or spent >= SPENT * budget:
        return ""
    return f"spends {int(100 * spent / budget)} % of the budget"


def _costs(trials: Sequence[Sequence[ClipTrial]], shapes: Sequence[FrameShape], *, sends: bool) -> JsonDict:
    """Means over trials and clips; a pixel's are those of all clips together over all their pixels."""
    if not trials or not sends:
        return {}
    flat = [clip for trial in trials for clip in trial]
    uses = float(np.mean([c.channel_uses for c in flat]))
    purposes: dict[str, float] = {p: float(np.mean([c.uses[p] for c in flat])) for p in PURPOSES}
    pixels = sum(shape.num_pixels for shape in shapes) / len(shapes)
    return {"channel_uses": uses, "channel_uses_per_pixel": uses / pixels, **purposes}
