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
from semlink.link.metrics.intervals import wilson
from semlink.link.metrics.registry import Metric
from semlink.link.results.clip_record import clip_record, described
from semlink.link.results.clip_trial import ClipTrial
from semlink.link.results.folder import commit
from semlink.link.results.qualities import qualities
from semlink.link.results.rows import Row, own_columns, to_json
from semlink.link.scenario.scenario import Scenario, scheme_name
from semlink.link.sweep.clips import Clips
from semlink.link.sweep.grid import GridPoint, channel_name
from semlink.link.sweep.point_key import revisions, specs_of
from semlink.payload import Agreement


def note_of(agreed: Agreement, trials: Sequence[Sequence[ClipTrial]]) -> str:
    """What was agreed on, and what is not in the ledger."""
    terms = agreed.terms
    notes = [] if terms.coding == "only" else [f"mcs {terms.coding}"]
    notes += [terms.note] if terms.note else []
    said = [sum(answer.bits for answer in clip.feedback) for trial in trials for clip in trial if clip.feedback]
    if any(said):
        notes.append(f"feedback without error or charge: {np.mean(said):.1f} bits a clip")
    return "; ".join(notes)


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
) -> JsonDict:
    """What is kept of a point.

    Args:
        trials: for each trial every clip; none where the point does not fit.
        genie: the knowledge that no receiver could have.
        sensed: readings a pixel.
        note: what was agreed on, or why the point does not fit.
        settled: the agreement; None where there is none.
    """
    shape = clips.frames[0].shape
    by_clip = [[trial[n] for trial in trials] for n in range(len(clips.names))] if trials else []
    record_clips = [
        clip_record(name, motion, values, metrics) for name, motion, values in zip(clips.names, clips.motion, by_clip)
    ]
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
        note=note,
        measurements_per_pixel=sensed,
        agreement_bytes=None if settled is None else len(settled.data),
        choice_bits=None if settled is None else settled.choice_bits,
        **_costs(trials, shape.num_pixels, sends=not link.is_sensing),
        **_losses(trials),
        **({"trials": len(trials), **qualities(trials, metrics)} if trials else {}),
    )
    own = own_columns(row)
    head = {k: own[k] for k in ("scheme", "channel", "snr_db", "budget", "rate", "bound")}
    return {
        **head,
        "row": to_json(row),
        "group_frames": link.group_frames(shape),
        "frame_kinds": link.frame_kinds(shape, point.rate),
        "clips": record_clips,
        **described(metrics),
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
