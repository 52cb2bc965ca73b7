"""What is kept of one clip at one point: every trial's values, and how often its blocks and it were lost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from semlink.files import JsonDict
from semlink.link.metrics.intervals import share_interval
from semlink.link.metrics.registry import PSNR, Metric
from semlink.link.results.clip_trial import ClipTrial
from semlink.link.results.qualities import ONE_LOOK, Doubt


def clip_record(
    name: str, motion: str, trials: Sequence[ClipTrial], metrics: Sequence[Metric], doubt: Doubt = ONE_LOOK
) -> JsonDict:
    """One clip's entry in a point file.

    `outage` is the share of trials in which at least one block was lost for
    good, `bler` that of blocks, each with its 95 % interval over trials.
    `extremes` has for each metric what a receiver scores that knows nothing, and the best that is plausible.
    Each metric stands under its column, one number a trial. `psnr_by_frame` is
    the mean over trials of each frame's PSNR in dB, `ssim_by_frame` the same
    for SSIM where the scenario asks for it.
    `psnr_of_first_trial` is one transmission's, `told` what its reconstruction
    tells of itself.
    """
    return {
        "name": name,
        "motion": motion,
        **{m.column: [t.metrics[m.name] for t in trials] for m in metrics},
        "channel_uses": [t.channel_uses for t in trials],
        **_over_time(trials, metrics),
        **clip_losses([t.blocks for t in trials], [t.lost for t in trials], doubt),
        **_feedback(trials),
        **({"extremes": {name: list(pair) for name, pair in trials[0].extremes.items()}} if trials[0].extremes else {}),
        **({"told": dict(trials[0].diagnostics)} if trials[0].diagnostics else {}),
    }


def described(metrics: Sequence[Metric]) -> JsonDict:
    """What a point file says of a user's metrics, so that tables and plots need not import them."""
    theirs = [
        {"column": m.column, "label": m.label, "decimals": m.decimals, "higher_is_better": m.higher_is_better}
        for m in metrics
        if not m.is_shipped
    ]
    return {"metrics": theirs} if theirs else {}


def _over_time(trials: Sequence[ClipTrial], metrics: Sequence[Metric]) -> dict[str, list[float]]:
    """Each frame's quality, the mean over trials; PSNR also in the first trial alone."""
    found = {
        f"{m.name}_by_frame": _rounded(np.mean([t.by_frame[m.name] for t in trials], axis=0), m.decimals + 1)
        for m in metrics
        if m.name in trials[0].by_frame
    }
    return found | {"psnr_of_first_trial": _rounded(trials[0].by_frame["psnr"], PSNR.decimals + 1)}


def _rounded(values: Sequence[float], decimals: int) -> list[float]:
    return [round(float(v), decimals) for v in values]


def clip_losses(blocks: Sequence[int], lost: Sequence[int], doubt: Doubt) -> JsonDict:
    """Block and outage statistics of one clip's trials; nothing for schemes without blocks."""
    if not sum(blocks):
        return {}
    sent, failed = np.array(blocks), np.array(lost)
    hit = failed > 0
    return {
        "blocks": list(blocks),
        "lost": list(lost),
        "bler": float(failed.sum() / sent.sum()),
        "bler_ci95": list(share_interval(failed, sent, doubt.error)),
        "outage": float(hit.mean()),
        "outage_ci95": list(share_interval(hit, np.ones(len(hit)), doubt.error)),
    }


def _feedback(trials: Sequence[ClipTrial]) -> JsonDict:
    """Bursts and feedback bits of each trial, where the receiver answers."""
    if not any(t.feedback for t in trials):
        return {}
    return {
        "bursts": [len(t.feedback) for t in trials],
        "feedback_bits": [sum(answer.bits for answer in t.feedback) for t in trials],
    }
