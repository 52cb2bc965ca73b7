"""One transport block followed on its way: symbols, bits, decoder, packets, and the frames that they show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from semlink.blocks import SymbolPart, is_one_way
from semlink.blocks.symbol_part import Decoding
from semlink.codecs.packetization import packets_in
from semlink.errors import ScenarioError
from semlink.link.chain.air import receive_alone
from semlink.link.chain.link import Link
from semlink.link.chain.reception import block_spans, histogram_of
from semlink.link.chain.transmission import FAINT, OnAir, Transmission, as_sent, parts_of
from semlink.link.metrics.psnr_ssim import psnr_by_frame, psnr_db
from semlink.link.results.media.reception import Histogram
from semlink.payload import Received

__all__ = ["BlockOnAir", "Followed", "followed"]

MOVED_DB = 0.05
"""A frame that a block moves by less is not named."""


@dataclass(frozen=True, slots=True)
class BlockOnAir:
    """A block in one burst.

    Attributes:
        burst: its number.
        carries: what the symbols around it carry.
        points: of the constellation; 0 where there is none.
        first, last: its first data symbol in the burst, and one past its last.
        snr_db: measured on its symbols; None where none arrived.
        gain_db: lowest and highest on them; None where the channel names none.
        llrs: of its bits by what was sent; None where the coding has none.
        certainty: mean |LLR|; 0 without any.
        wrong: bits on the wrong side.
        decoding: of this transmission alone; None where the coding does not say.
        wrong_after: bits that are wrong after decoding; None without.
    """

    burst: int
    carries: str
    points: int
    first: int
    last: int
    snr_db: float | None
    gain_db: tuple[float, float] | None
    llrs: Histogram | None
    certainty: float
    wrong: int
    decoding: Decoding | None
    wrong_after: int | None


@dataclass(frozen=True, slots=True)
class Followed:
    """All of one block.

    Attributes:
        number: as the receiver counts.
        lost: for good; None where the scheme does not say which blocks are.
        num_bytes: that it carries; None where nobody says.
        airs: where it was on the air, in the order of the bursts.
        packets: numbers of the packets that have a part in it, of those that were sent.
        otherwise_db: PSNR of the clip had a lost block arrived, or one that arrived been lost; None where untold.
        moved: by frame, how many dB that changes it.
    """

    number: int
    lost: bool | None
    num_bytes: int | None
    airs: tuple[BlockOnAir, ...]
    packets: tuple[int, ...]
    otherwise_db: float | None
    moved: np.ndarray


def followed(link: Link, seen: Transmission, number: int) -> Followed:
    """Follow a block.

    Raises:
        ScenarioError: there is no such block.
    """
    parts = parts_of(link.transmitter, seen)
    places = list(_places(parts, number))
    if not places:
        known = sorted({n for own in parts for part in own for n in part.numbers})
        there = f"has blocks {known[0]} to {known[-1]}" if known else "has no blocks that its scheme tells of"
        raise ScenarioError(f"block: got {number}; this transmission {there}")
    failed = seen.delivered.failed
    lost = number in failed if len(failed) == seen.delivered.lost else None
    sizes = [size for own in parts for part in own for size in part.sizes]
    packed = tuple(link.transmitter.packets(seen.clip, seen.agreement, seen.seeds))
    fits = number < len(sizes)
    otherwise_db, moved = _otherwise(link, seen, places, lost)
    return Followed(
        number,
        lost,
        sizes[number] if fits else None,
        tuple(_on_air(link, seen.bursts[burst], burst, part, place, span) for burst, part, place, span in places),
        packets_in(packed, sizes, number) if fits and packed else (),
        otherwise_db,
        moved,
    )


def _places(
    parts: Sequence[Sequence[SymbolPart]], number: int
) -> Iterator[tuple[int, SymbolPart, int, tuple[float, float]]]:
    """Burst, part, place among the part's blocks, and span in the burst, wherever the block was on the air."""
    for burst, own in enumerate(parts):
        at = 0
        for part in own:
            for place, (one, span) in enumerate(zip(part.numbers, block_spans(part, at))):
                if one == number:
                    yield burst, part, place, span
            at += part.symbols


def _on_air(
    link: Link, burst: OnAir, number: int, part: SymbolPart, place: int, span: tuple[float, float]
) -> BlockOnAir:
    here = _symbols(span)
    sent, received = (
        x.iq[0, here].detach().cpu().numpy().astype(np.complex64) for x in (burst.sent.payload, burst.received)
    )
    noise_var = burst.received.noise_var.expand(burst.received.iq.shape)[0, here].detach().cpu().numpy()
    heard = np.isfinite(noise_var)
    error = float(np.mean(np.abs(received - sent)[heard] ** 2)) if heard.any() else 0.0
    gain = burst.true_gain(link.waveform)
    power = None if gain is None else 20 * np.log10(np.maximum(np.abs(gain[here].detach().cpu().numpy()), 1e-6))
    llr, clean = (
        (None, None)
        if part.soft_bits is None
        else (
            part.soft_bits(received, np.ascontiguousarray(noise_var, np.float32)),
            part.soft_bits(sent, np.full(len(sent), FAINT, np.float32)),
        )
    )
    told = None if llr is None or clean is None or part.decoding is None else part.decoding(place, llr)
    right = None if told is None or clean is None or part.decoding is None else part.decoding(place, clean)
    return BlockOnAir(
        number,
        part.name,
        0 if part.points is None else len(part.points),
        here.start,
        here.stop,
        -10 * float(np.log10(error)) if error > 0 else None,
        None if power is None else (float(power.min()), float(power.max())),
        None if llr is None or clean is None else histogram_of(llr, clean < 0),
        0.0 if llr is None else float(np.mean(np.abs(llr))),
        0 if llr is None or clean is None else int(((llr < 0) != (clean < 0)).sum()),
        told,
        None if told is None or right is None else int((told.bits != right.bits).sum()),
    )


def _symbols(span: tuple[float, float]) -> slice:
    return slice(int(np.floor(span[0] + 1e-6)), int(np.ceil(span[1] - 1e-6)))


def _otherwise(
    link: Link, seen: Transmission, places: Sequence[tuple], lost: bool | None
) -> tuple[float | None, np.ndarray]:
    """PSNR of the clip with the other fate of the block, and what that changes in each frame."""
    receiver = link.receiver
    if lost is None or not is_one_way(receiver):
        return None, np.zeros(0)
    (burst,), there = seen.bursts, torch.zeros(seen.bursts[0].received.iq.shape, dtype=torch.bool)
    for _, _, _, span in places:
        there[0, _symbols(span)] = True
    got, noise_var = burst.received, burst.received.noise_var.expand(burst.received.iq.shape)
    clean = as_sent(burst)
    other = clean if lost else Received(torch.zeros_like(got.iq), torch.full(got.iq.shape, float("inf")))
    mixed = Received(
        torch.where(there, other.iq.to(got.iq), got.iq),
        torch.where(there, other.noise_var.to(noise_var), noise_var),
        dict(got.genie),
    )
    source, before = seen.clip.pixels[0].numpy(), seen.delivered.frames.pixels[0].numpy()
    after = receive_alone(receiver, mixed, seen.agreement).frames.pixels[0].numpy()
    return psnr_db(source, after), psnr_by_frame(source, after) - psnr_by_frame(source, before)
