"""One transmission told stage by stage, as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from semlink.files import JsonDict
from semlink.link.chain.blame import Ideal
from semlink.link.chain.followed import MOVED_DB, BlockOnAir, Followed
from semlink.link.results.finished import FinishedPoint
from semlink.link.results.media.reception import FATES, LOST, Reception
from semlink.payload import FrameShape, Packet

__all__ = ["Replay", "as_text", "block_words", "stages", "verdict"]

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
        block: one that was asked for.
        pixels: source and received, (t, h, w).
        planes: colour planes in each frame.
        point: of the run.
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
    block: Followed | None = None
    pixels: tuple[np.ndarray, np.ndarray] | None = field(default=None, repr=False)
    planes: int = 1
    point: FinishedPoint | None = field(default=None, repr=False)


def as_text(replay: Replay) -> str:
    """Each stage in a line or two, and what each cost."""
    lines = [f"{replay.place}: clip {replay.clip}, trial {replay.trial}", *verdict(replay), ""]
    lines += [f"{name:<12}{words}" for name, words in stages(replay)]
    if replay.block is not None:
        lines += ["", *(f"{name:<12}{words}" for name, words in block_words(replay))]
    lines += ["", *_blame(replay)]
    return "\n".join(lines) + "\n"


def verdict(replay: Replay) -> list[str]:
    """Whether it is what the run scored."""
    if replay.differs is None:
        return ["the run kept no numbers of this transmission"]
    if not replay.differs:
        return ["the same numbers as the run scored: " + _named(replay.quality)]
    return [f"not what the run scored: {line}" for line in replay.differs]


def stages(replay: Replay) -> Iterator[tuple[str, str]]:
    """Each stage by its name, in the order in which they happen."""
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
        alone = f", those of {seen.side}; the other symbols carry amplitudes" if seen.side else ""
        yield "LLRs", f"{100 * seen.llrs.wrong:.3g} % of {seen.llrs.bits:,} bits on the wrong side{alone}"
    if not seen.told:
        return
    fates = [f"{int((seen.fates == n).sum())} {name}" for n, name in enumerate(FATES) if (seen.fates == n).any()]
    alone = f", of {seen.side}: amplitudes are in no block" if seen.side else ""
    yield (
        "blocks",
        f"{seen.told - seen.lost} of {seen.told} arrived{alone}; on the air: {', '.join(fates) or 'not told'}",
    )
    gone = [(n, *span) for n, (span, fate) in enumerate(zip(seen.blocks, seen.fates)) if fate == LOST]
    for number, first, last in gone[:MOST_NAMED]:
        which = f"block {number}" if len(seen.blocks) == seen.told else "one"  # else some were sent again
        yield "", f"{which} lost: symbols {first:,.0f} to {last:,.0f}"
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


def block_words(replay: Replay) -> Iterator[tuple[str, str]]:
    """What became of the block that was asked for."""
    block = replay.block
    assert block is not None
    fate = {True: "lost", False: "arrived", None: "its fate is not told"}[block.lost]
    size = "" if block.num_bytes is None else f", {block.num_bytes:,} bytes"
    yield f"block {block.number}", f"{fate}{size}"
    for air in block.airs:
        yield from _on_air(air)
    if block.packets:
        shown = [f"{n} (frame {replay.packets[n].time})" for n in block.packets[:MOST_NAMED]]
        rest = len(block.packets) - MOST_NAMED
        yield "carries", f"parts of packets {', '.join(shown)}" + (f" and {rest} more" if rest > 0 else "")
    if block.otherwise_db is not None:
        by = block.otherwise_db - replay.quality["psnr_db"]
        moved = np.flatnonzero(np.abs(block.moved) > MOVED_DB)
        which = "no frame would change"
        if moved.size:
            worst = moved[np.argmax(np.abs(block.moved[moved]))]
            frames = f"frames {moved[0]} to {moved[-1]}" if moved.size > 1 else f"frame {moved[0]}"
            which = f"{moved.size} frames would change ({frames}), frame {worst} by {block.moved[worst]:+.2f} dB"
            which = which.replace("1 frames", "one frame") if moved.size == 1 else which
        had = "had it arrived" if block.lost else "had it been lost"
        yield "frames", f"{had}: PSNR {block.otherwise_db:.2f} dB ({by:+.2f} dB); {which}"


def _on_air(air: BlockOnAir) -> Iterator[tuple[str, str]]:
    points = f", {air.points} points" if air.points else ""
    yield "symbols", f"{air.first:,} to {air.last:,} of burst {air.burst} ({air.carries}{points})"
    snr = "nothing of it arrived" if air.snr_db is None else f"SNR measured there {air.snr_db:.2f} dB"
    gain = "" if air.gain_db is None else f", gain {air.gain_db[0]:.1f} to {air.gain_db[1]:.1f} dB"
    yield "channel", snr + gain
    if air.llrs is not None and air.llrs.bits:
        share = 100 * air.wrong / air.llrs.bits
        sides = f"{air.wrong:,} of {air.llrs.bits:,} bits ({share:.3g} %) on the wrong side"
        yield "LLRs", f"{sides}; |LLR| is {air.certainty:.3g} on average"
    if air.decoding is not None:
        held = sum(air.decoding.checks_hold)
        of = len(air.decoding.checks_hold)
        spent = ", ".join(map(str, air.decoding.iterations[:MOST_NAMED]))
        checks = {0: "the parity checks do not hold", of: "all parity checks hold"}.get(held, f"{held} of {of} hold")
        after = (
            ""
            if air.wrong_after is None
            else f"; {air.wrong_after:,} of {len(air.decoding.bits):,} bits wrong after it"
        )
        unit = "iteration" if spent == "1" else "iterations"
        yield "decoder", f"{spent} {unit}, {checks}{after}"


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
