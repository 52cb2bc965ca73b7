"""What holds of every record of a point: its row follows from what it keeps of the trials."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TypeGuard

from semlink.ledger import PURPOSES
from semlink.link.results.checked.shapes import ClipShape, RecordShape
from semlink.link.results.rows import COLUMNS, PER_SAMPLE, Row, own_columns, value

__all__ = ["check_laws"]

ROUNDING = 1e-6
"""What machines may differ in, as a part of the largest number."""
FRAMES_DB = 2e-3
"""What the PSNR of a clip and that of its frames may differ in: those have three decimals."""
CLAMPED_DB = 70.0
"""Above, frames without any error, whose PSNR has no number, weigh in that of their clip."""
PLACE = ("scheme", "channel", "snr_db", "budget", "rate", "bound")
AMOUNTS = (*PURPOSES, "channel_uses", "channel_uses_per_pixel", "bler", "bler_ci95_low", "bler_ci95_high", "outage")
OF_TRIALS = (*AMOUNTS, "psnr_db", "psnr_ci95", "psnr_clips_ci95", "ssim", "ssim_ci95")
"""Columns of the row that a point has only if it was sent."""


def check_laws(record: RecordShape, row: Row) -> None:
    """Compare a record with itself; `row` is what its `row` says.

    Raises:
        ValueError: says in a few words what cannot be.
        OverflowError: a number is beyond all bounds.
    """
    _check_row(record, row)
    if not record.clips:
        told = [name for name in OF_TRIALS if value(row, name) is not None]
        if told or not row.note:
            raise ValueError(f"row.{told[0]}: of a point that was not sent" if told else "row.note: no reason")
        return
    columns = ("psnr_db", *_others(row))
    for number, clip in enumerate(record.clips):
        _check_clip(f"clips.{number}", clip, row, (*columns, "channel_uses"))
    for name in columns:
        if not _is_mean([clip.entries[name] for clip in record.clips], value(row, name)):
            raise ValueError(f"row.{name}: not the mean of the clips' values")
    _check_costs(record, row)
    _check_losses(record.clips, row)


def _check_row(record: RecordShape, row: Row) -> None:
    """All columns are there, and say what the record says beside them; no number is none."""
    own, said = own_columns(row), vars(record)
    missing = [name for name in (*COLUMNS, "extra") if name not in record.row]
    if missing:
        raise ValueError(f"row: no {missing[0]}")
    differs = [name for name in PLACE if own[name] != said[name]]
    if differs or row.genie != ", ".join(record.genie):
        raise ValueError(f"row.{differs[0] if differs else 'genie'}: not that of the record")
    if row.clips is None or (record.clips and row.clips != len(record.clips)):
        raise ValueError(f"row.clips: not the {len(record.clips)} that are there")
    if (row.trials is None) != (not record.clips):
        raise ValueError("row.trials: not those that are there")
    for name, told in {**own, **row.extra}.items():
        least = 0.0 if name in AMOUNTS or name.endswith("_ci95") else -math.inf
        if isinstance(told, float) and not told >= least:
            raise ValueError(f"row.{name}: got {told:g}")


def _others(row: Row) -> list[str]:
    """The columns of the row's other qualities."""
    own = [] if row.ssim is None else ["ssim"]
    told = {name: told for name, told in row.extra.items() if isinstance(told, float) and name != PER_SAMPLE}
    return own + [name for name in told if not name.endswith("_ci95")]


def _check_clip(place: str, clip: ClipShape, row: Row, columns: Sequence[str]) -> None:
    """One finite number a trial in every column that counts trials."""
    entries = clip.entries
    counted = {name: entries.get(name) for name in columns}
    counted |= {name: entries[name] for name in ("blocks", "lost") if entries[name]}
    for name, values in counted.items():
        if not isinstance(values, list) or len(values) != row.trials or not all(map(_is_finite, values)):
            raise ValueError(f"{place}.{name}: not a number for each of {row.trials} trials")
    frames = [*clip.psnr_by_frame, *clip.ssim_by_frame, *clip.psnr_of_first_trial]
    if not clip.psnr_db or not clip.psnr_by_frame or not all(map(_is_finite, frames)):
        raise ValueError(f"{place}: no trial, no frame, or a number that is none")
    first = clip.psnr_of_first_trial
    if first and clip.psnr_db[0] < CLAMPED_DB and not _is_of_frames(clip.psnr_db[0], first):
        raise ValueError(f"{place}.psnr_db: the first is not that of its frames")


def _check_costs(record: RecordShape, row: Row) -> None:
    """Channel uses are those of the clips, and the sum of what they were spent on."""
    spent = {purpose: value(row, purpose) for purpose in PURPOSES}
    if row.channel_uses is None:
        said = [name for name in (*PURPOSES, "channel_uses_per_pixel") if value(row, name) is not None]
        if said or any(any(clip.channel_uses) for clip in record.clips):
            raise ValueError("row.channel_uses: missing")
        return
    if missing := [name for name, amount in spent.items() if amount is None]:
        raise ValueError(f"row.{missing[0]}: missing")
    if not _is_near(math.fsum(filter(None, spent.values())), row.channel_uses):
        raise ValueError("row.channel_uses: not the sum of what they were spent on")
    if not _is_mean([clip.channel_uses for clip in record.clips], row.channel_uses):
        raise ValueError("row.channel_uses: not the mean of the clips' values")
    per_pixel = row.channel_uses_per_pixel
    if per_pixel is None or bool(per_pixel) != bool(row.channel_uses):
        raise ValueError("row.channel_uses_per_pixel: not that of the channel uses")
    pixels = row.channel_uses / per_pixel * len(record.clips) if per_pixel else 1.0  # of all clips, which may differ
    if not math.isclose(pixels, max(round(pixels), 1), rel_tol=1e-9, abs_tol=1e-4):
        raise ValueError("row.channel_uses_per_pixel: of no whole number of pixels")
    if row.budget is not None and not row.bound and per_pixel > row.budget * (1 + ROUNDING):
        raise ValueError("row.channel_uses_per_pixel: above the budget")


def _check_losses(clips: Sequence[ClipShape], row: Row) -> None:
    """The shares of blocks and of transmissions that were lost are those of the trials."""
    trials = row.trials or 0
    of = [clip.blocks or [0] * trials for clip in clips]
    gone = [clip.lost or [0] * trials for clip in clips]
    if any(not 0 <= lost <= sent for pair in zip(gone, of) for lost, sent in zip(*pair)):
        raise ValueError("clips: other losses than blocks")
    if _differ(_shares(of, gone), (row.bler, row.outage)):
        raise ValueError("row.bler, row.outage: not those of the clips' blocks")
    for number, clip in enumerate(clips):
        told = clip.entries.get("bler"), clip.entries.get("outage")
        if _differ(_shares(of[number : number + 1], gone[number : number + 1]), told):
            raise ValueError(f"clips.{number}.bler, outage: not those of its blocks")


def _shares(of: Sequence[Sequence[int]], gone: Sequence[Sequence[int]]) -> tuple[float | None, float | None]:
    """Shares of blocks, and of transmissions, that were lost; None where there are no blocks."""
    sent = sum(map(sum, of))
    hit = [bool(lost) for clip in gone for lost in clip]
    return (sum(map(sum, gone)) / sent, sum(hit) / len(hit)) if sent else (None, None)


def _differ(found: Iterable[float | None], told: Iterable[object]) -> bool:
    return any(a is not b if a is None or not _is_finite(b) else not _is_near(a, b) for a, b in zip(found, told))


def _is_mean(by_clip: Sequence[Sequence[float]], told: float | None) -> bool:
    """Whether `told` is the mean over clips and trials."""
    values = [entry for clip in by_clip for entry in clip]
    return told is not None and _is_near(sum(values) / len(values), told, max(map(abs, values)))


def _is_of_frames(psnr_db: float, by_frame: Sequence[float]) -> bool:
    """Whether a clip's PSNR is that of the mean squared error of its frames."""
    error = math.fsum(10 ** (-frame_db / 10) for frame_db in by_frame) / len(by_frame)
    return abs(psnr_db + 10 * math.log10(error)) < FRAMES_DB


def _is_near(found: float, told: float, largest: float = 0.0) -> bool:
    return math.isclose(found, told, rel_tol=ROUNDING, abs_tol=ROUNDING * min(largest, 1e300))


def _is_finite(told: object) -> TypeGuard[float]:
    return isinstance(told, int | float) and not isinstance(told, bool) and math.isfinite(told)
