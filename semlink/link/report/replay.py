"""One transmission told stage by stage, as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from semlink.files import JsonDict
from semlink.link.chain.blame import Ideal
from semlink.link.results.media.reception import FATES, LOST, Reception
from semlink.payload import FrameShape, Packet

__all__ = ["Replay", "as_text"]

MOST_NAMED = 12
"""Blocks, packets and frames that are named one by one."""


@dataclass(frozen=True, slots=True)
class Replay:
    """One clip sent once more.

    Attributes:
        place: the point in words.
        clip, trial: what was sent.
        differs: how its numbers differ from those that the run scored, a line each; None where the run kept none.
        quality: of the clip by column.
        shape: of the clip.
        readings: of the sensor, a pixel; None without one.
        packets, arrived: what the transmitter packed, and which of them the receiver could put together again.
        spent: channel uses at the antenna by purpose.
        reception: None where nothing met the air.
        by_frame: PSNR of each frame.
        blame: with one stage made ideal at a time.
    """

    place: str
    clip: str
    trial: int
    differs: tuple[str, ...] | None
    quality: JsonDict
    shape: FrameShape
    readings: float | None
    packets: tuple[Packet, ...]
    arrived: tuple[Packet, ...]
    spent: JsonDict
    reception: Reception | None
    by_frame: np.ndarray
    blame: tuple[Ideal, ...]


def as_text(replay: Replay) -> str:
    """Each stage in a line or two, and what each cost."""
    lines = [f"{replay.place}: clip {replay.clip}, trial {replay.trial}"]
    if replay.differs is None:
        lines.append("the run kept no numbers of this transmission")
    elif not replay.differs:
        lines.append("the same numbers as the run scored: " + _named(replay.quality))
    else:
        lines += [f"not what the run scored: {line}" for line in replay.differs]
    lines.append("")
    lines += [f"{name:<12}{words}" for name, words in _stages(replay)]
    lines += ["", *_blame(replay)]
    return "\n".join(lines) + "\n"


def _stages(replay: Replay) -> Iterator[tuple[str, str]]:
    shape, seen = replay.shape, replay.reception
    yield "source", f"{shape.t} frames of {shape.h} x {shape.w}"
    if replay.readings is not None:
        yield "sensor", f"{replay.readings:.4g} readings a pixel"
    if replay.packets:
        sizes = [len(packet.data) for packet in replay.packets]
        yield (
            "packets",
            f"{len(sizes)} of {min(sizes):,} to {max(sizes):,} bytes, {sum(sizes):,} in all; {_times(replay.packets)}",
        )
    if replay.spent:
        total = sum(replay.spent.values())
        spent = ", ".join(f"{name} {uses:,.6g}" for name, uses in replay.spent.items() if uses)
        yield "antenna", f"{total:,.6g} channel uses: {spent}"
    if seen is not None:
        yield from _air(seen)
    if replay.packets:
        yield "packets", _arrived(replay)
    low = int(np.argmin(replay.by_frame))
    yield (
        "frames",
        f"PSNR {replay.by_frame.min():.2f} (frame {low}) to {replay.by_frame.max():.2f} dB; "
        f"by frame: {' '.join(f'{level:.1f}' for level in replay.by_frame)}",
    )


def _air(seen: Reception) -> Iterator[tuple[str, str]]:
    kinds = ", ".join(
        f"{s.symbols:,} {s.name}" + (f" ({len(s.points)} points)" if len(s.points) else "") for s in seen.scatters
    )
    bursts = "one burst" if len(seen.bursts) == 1 else f"{len(seen.bursts)} bursts"
    yield "symbols", f"{seen.symbols:,} in {bursts}: {kinds}"
    gains = seen.gain_db[np.isfinite(seen.gain_db)]
    moved = f"; gain {gains.min():.1f} to {gains.max():.1f} dB" if gains.size else ""
    never = f"; {100 * seen.unheard:.3g} % of the symbols never arrived" if seen.unheard else ""
    levels = [
        f"SNR {name} {level:.2f} dB"
        for name, level in (("asked", seen.asked_db), ("measured", seen.measured_db), ("believed", seen.believed_db))
        if level is not None
    ]
    yield "channel", ", ".join(levels) + moved + never
    if seen.llrs is not None and seen.llrs.bits:
        yield "LLRs", f"{100 * seen.llrs.wrong:.3g} % of {seen.llrs.bits:,} bits on the wrong side"
    if not seen.told:
        return
    fates = [f"{int((seen.fates == n).sum())} {name}" for n, name in enumerate(FATES) if (seen.fates == n).any()]
    yield "blocks", f"{seen.told - seen.lost} of {seen.told} arrived; on the air: {', '.join(fates) or 'not told'}"
    gone = [(n, *span) for n, (span, fate) in enumerate(zip(seen.blocks, seen.fates)) if fate == LOST]
    for number, first, last in gone[:MOST_NAMED]:
        yield "", f"block {number} lost: symbols {first:,.0f} to {last:,.0f}"
    if len(gone) > MOST_NAMED:
        yield "", f"and {len(gone) - MOST_NAMED} more"


def _arrived(replay: Replay) -> str:
    there = len(replay.arrived)
    if there == len(replay.packets):
        return f"all {there} arrived"
    left = list(replay.arrived)
    gone = []
    for packet in replay.packets:
        if left and left[0] == packet:
            left.pop(0)
        else:
            gone.append(packet)
    return f"{there} of {len(replay.packets)} arrived; lost: {_times(gone)}"


def _times(packets: Sequence[Packet]) -> str:
    """Which frames packets belong to."""
    times = sorted({packet.time for packet in packets})
    shown = ", ".join(map(str, times[:MOST_NAMED])) + (", ..." if len(times) > MOST_NAMED else "")
    return f"frame{'' if len(times) == 1 else 's'} {shown}"


def _blame(replay: Replay) -> Iterator[str]:
    was = replay.quality["psnr_db"]
    yield f"{'PSNR':<30}{was:8.2f} dB  as it was"
    for ideal in replay.blame:
        level = "" if ideal.psnr_db is None else f"{ideal.psnr_db:8.2f} dB  {ideal.psnr_db - was:+.2f} dB: "
        yield f"{ideal.stage:<30}{level}{ideal.why}"


def _named(quality: JsonDict) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in quality.items())
