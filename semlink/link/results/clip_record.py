"""What is kept of one clip at one point: every trial's values, and how often its blocks and it were lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from semlink.link.metrics.intervals import wilson
from semlink.link.results.clip_trial import ClipTrial

DECIMALS = 3  # of a decibel over time
SSIM_DECIMALS = 5


def clip_record(name: str, motion: str, trials: Sequence[ClipTrial]) -> dict[str, Any]:
    """One clip's entry in a point file.

    `outage` is the share of trials in which at least one block was lost for
    good, `bler` that of blocks, each with its 95 % Wilson interval.
    `psnr_by_frame` is the mean over trials of each frame's PSNR in dB,
    `ssim_by_frame` the same for SSIM where the scenario asks for it.
    `psnr_of_first_trial` is one transmission's, `told` what its reconstruction
    tells of itself.
    """
    names = [m for m in ("psnr", "ssim", "ms_ssim") if m in trials[0].metrics]
    return {
        "name": name,
        "motion": motion,
        **{"psnr_db" if m == "psnr" else m: [t.metrics[m] for t in trials] for m in names},
        "channel_uses": [t.channel_uses for t in trials],
        "psnr_by_frame": _rounded(np.mean([t.psnr_by_frame for t in trials], axis=0)),
        "psnr_of_first_trial": _rounded(trials[0].psnr_by_frame),
        **_ssim(trials),
        **_losses(trials),
        **_feedback(trials),
        **({"told": dict(trials[0].told)} if trials[0].told else {}),
    }


def _rounded(values: Sequence[float], decimals: int = DECIMALS) -> list[float]:
    return [round(float(v), decimals) for v in values]


def _ssim(trials: Sequence[ClipTrial]) -> dict[str, Any]:
    if not trials[0].ssim_by_frame:
        return {}
    return {"ssim_by_frame": _rounded(np.mean([t.ssim_by_frame for t in trials], axis=0), SSIM_DECIMALS)}


def _losses(trials: Sequence[ClipTrial]) -> dict[str, Any]:
    """Block and outage statistics; nothing for schemes without blocks."""
    blocks, lost = sum(t.blocks for t in trials), sum(t.lost for t in trials)
    if not blocks:
        return {}
    hit = sum(t.lost > 0 for t in trials)
    return {
        "blocks": [t.blocks for t in trials],
        "lost": [t.lost for t in trials],
        "bler": lost / blocks,
        "bler_ci95": list(wilson(lost, blocks)),
        "outage": hit / len(trials),
        "outage_ci95": list(wilson(hit, len(trials))),
    }


def _feedback(trials: Sequence[ClipTrial]) -> dict[str, Any]:
    """Bursts and feedback bits of each trial, where the receiver talks back."""
    if not any(t.feedback for t in trials):
        return {}
    return {
        "bursts": [len(t.feedback) for t in trials],
        "feedback_bits": [sum(answer.bits for answer in t.feedback) for t in trials],
    }
