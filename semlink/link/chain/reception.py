"""From a transmission to what is kept of it: a sample of its symbols, LLRs, gains, and the fates of its blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch

from semlink.blocks import SymbolPart
from semlink.errors import InterfaceError
from semlink.link.chain.link import Link
from semlink.link.chain.transmission import FAINT, Transmission, parts_of
from semlink.link.results.media.reception import ARRIVED, LATER, LOST, UNSAID, Histogram, Reception, Scatter

__all__ = ["block_spans", "histogram_of", "reception_of"]

MOST_SYMBOLS = 1500
FEWEST_SYMBOLS = 100
"""Symbols that are kept of all kinds together, and of a kind where there are that many."""
MOST_KINDS = 6
MOST_DEMAPPED = 16_000
MOST_GAINS = 500
MOST_BLOCKS = 600
BINS = 60
LEAST_DB = -60.0
"""Gains below it are drawn as that."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The symbols of one part of one burst, `start` counted over all bursts."""

    part: SymbolPart
    start: int
    sent: np.ndarray
    received: np.ndarray
    noise_var: np.ndarray


def reception_of(link: Link, seen: Transmission, clip: str = "") -> Reception:
    """What is kept of a transmission.

    Raises:
        InterfaceError: what the scheme tells of its symbols does not fit them.
    """
    parts = parts_of(link.transmitter, seen)
    starts = [0, *accumulate(burst.symbols for burst in seen.bursts)]
    stretches = list(_stretches(seen, parts, starts))
    sent, received = _joined([s.sent for s in stretches]), _joined([s.received for s in stretches])
    noise_var = _joined([s.noise_var for s in stretches])
    heard = np.isfinite(noise_var)
    asked_db = float(seen.agreement.point.snr_db)
    blocks, fates = _blocks(seen, parts, starts)
    at = _spread(len(sent), MOST_GAINS)
    return Reception(
        clip=clip,
        symbols=len(sent),
        asked_db=asked_db,
        measured_db=_mean_snr_db(noise_var[heard], np.abs(received - sent)[heard] ** 2),
        believed_db=_mean_snr_db(noise_var[heard], noise_var[heard]),
        unheard=1 - float(heard.mean()) if len(sent) else 0.0,
        scatters=_scatters(stretches),
        llrs=_histogram(stretches),
        at=at,
        gain_db=_in_db(_gains(link, seen)[at]),
        believed_gain_db=_in_db(1 / np.maximum(noise_var[at], 1e-12)) - asked_db,
        bursts=tuple(starts[:-1]),
        blocks=blocks,
        fates=fates,
        told=seen.delivered.blocks,
        lost=seen.delivered.lost,
    )


def _stretches(seen: Transmission, parts: Sequence[Sequence[SymbolPart]], starts: Sequence[int]) -> Iterator[_Stretch]:
    for burst, own, start in zip(seen.bursts, parts, starts):
        sent = _array(burst.sent.payload.iq).astype(np.complex64)
        received = _array(burst.received.iq).astype(np.complex64)
        noise_var = np.broadcast_to(_array(burst.received.noise_var).astype(np.float32), sent.shape)
        at = 0
        for part in own:
            here = slice(at, at + part.symbols)
            yield _Stretch(part, start + at, sent[here], received[here], noise_var[here])
            at += part.symbols


def _array(tensor: torch.Tensor) -> np.ndarray:
    """The row of the one clip."""
    return tensor.detach().cpu().numpy()[0]


def _joined(pieces: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


def _mean_snr_db(noise_var: np.ndarray, error: np.ndarray) -> float | None:
    """Mean SNR of symbols whose noise the receiver takes for `noise_var`, and which is off by `error` in fact.

    The mean of 1 / noise_var, corrected by how much larger the errors are than they should be: so symbols in a fade do
    not count for all.
    """
    known = noise_var > 0
    ratio = float(np.mean(error[known] / noise_var[known])) if known.any() else 0.0
    if ratio <= 0:
        return None
    return float(10 * np.log10(np.mean(1 / noise_var[known], dtype=float) / ratio))


def _scatters(stretches: Sequence[_Stretch]) -> tuple[Scatter, ...]:
    """By what the symbols carry; the largest kinds first, the smallest left out where there are many."""
    kinds: dict[tuple[str, int], list[_Stretch]] = {}
    for stretch in stretches:
        if stretch.part.symbols:
            points = 0 if stretch.part.points is None else len(stretch.part.points)
            kinds.setdefault((stretch.part.name, points), []).append(stretch)
    shown = sorted(kinds.items(), key=lambda kind: -sum(len(s.sent) for s in kind[1]))[:MOST_KINDS]
    total = sum(len(s.sent) for _, members in shown for s in members)
    return tuple(_scatter(name, members, total) for (name, _), members in shown)


def _scatter(name: str, members: Sequence[_Stretch], total: int) -> Scatter:
    sent, received = _joined([s.sent for s in members]), _joined([s.received for s in members])
    heard = np.flatnonzero(np.isfinite(_joined([s.noise_var for s in members])))
    most = max(MOST_SYMBOLS * len(sent) // max(total, 1), min(FEWEST_SYMBOLS, len(sent)))
    kept = heard[_spread(len(heard), most)]
    points = members[0].part.points
    return Scatter(name, len(sent), sent[kept], received[kept], np.zeros(0, np.complex64) if points is None else points)


def _spread(count: int, most: int) -> np.ndarray:
    """At most so many of `count` places, evenly spread."""
    number = min(count, most)
    return np.arange(number) * count // max(number, 1)


def _histogram(stretches: Sequence[_Stretch]) -> Histogram | None:
    """LLRs of some of the coded bits, and what they were sent as."""
    coded = [s for s in stretches if s.part.soft_bits is not None and s.part.symbols]
    total = sum(len(s.sent) for s in coded)
    found = [_soft_bits(s, max(MOST_DEMAPPED * len(s.sent) // total, 1)) for s in coded]
    told = [pair for pair in found if pair is not None]
    if not told:
        return None
    llr, is_one = (_joined([pair[n] for pair in told]) for n in (0, 1))
    return histogram_of(llr, is_one)


def histogram_of(llr: np.ndarray, is_one: np.ndarray) -> Histogram:
    """LLRs of bits by what they were sent as."""
    if not llr.size:
        return Histogram(np.linspace(-1, 1, BINS + 1), np.zeros(BINS, int), np.zeros(BINS, int))
    reach = max(float(np.quantile(np.abs(llr), 0.99)), 1e-3)
    place = np.clip(((llr / reach + 1) * (BINS / 2)).astype(np.int64), 0, BINS - 1)
    place = np.where(llr < 0, np.minimum(place, BINS // 2 - 1), np.maximum(place, BINS // 2))  # whatever rounding says
    zeros, ones = (np.bincount(place[is_one == side], minlength=BINS) for side in (False, True))
    return Histogram(np.linspace(-reach, reach, BINS + 1), zeros, ones)


def _soft_bits(stretch: _Stretch, most: int) -> tuple[np.ndarray, np.ndarray] | None:
    """LLRs of bits of up to `most` symbols, and whether they were sent as 1; None where the coding has none.

    Raises:
        InterfaceError: another number of LLRs.
    """
    assert stretch.part.soft_bits is not None
    kept = _spread(len(stretch.sent), most)
    noise_var = np.ascontiguousarray(stretch.noise_var[kept])
    llr = stretch.part.soft_bits(stretch.received[kept], noise_var)
    clean = stretch.part.soft_bits(stretch.sent[kept], np.full(len(kept), FAINT, np.float32))
    if llr is None or clean is None:
        return None
    if llr.shape != clean.shape or llr.ndim != 1 or len(llr) % len(kept):
        raise InterfaceError(
            f"soft_bits: got {llr.shape} LLRs of {len(kept)} symbols; need as many of each symbol, one after the other"
        )
    known = llr != 0  # what never arrived says nothing
    return llr[known], clean[known] < 0


def _gains(link: Link, seen: Transmission) -> np.ndarray:
    """|gain|^2 on every data symbol, NaN where the channel names none."""
    powers = []
    for burst in seen.bursts:
        gain = burst.true_gain(link.waveform)
        known = None if gain is None else gain.detach().cpu().numpy()
        powers.append(np.full(burst.symbols, np.nan) if known is None else np.abs(known.astype(complex)) ** 2)
    return _joined(powers)


def _in_db(power: np.ndarray) -> np.ndarray:
    return 10 * np.log10(np.maximum(power, 10 ** (LEAST_DB / 10)))


def _blocks(
    seen: Transmission, parts: Sequence[Sequence[SymbolPart]], starts: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Where each block was on the air, and what became of it there."""
    spans: list[tuple[float, float]] = []
    fates: list[int] = []
    failed = set(seen.delivered.failed)
    said = len(failed) == seen.delivered.lost
    for burst, (own, start) in enumerate(zip(parts, starts)):
        acks = seen.past[burst].feedback.acks if seen.past else ()
        at = float(start)
        for part in own:
            spans += block_spans(part, at)
            passed = acks if len(acks) == len(part.blocks) else (True,) * len(part.blocks)
            fates += [_fate(number, failed, ok, said) for number, ok in zip(part.numbers, passed)]
            at += part.symbols
    return _fewer(np.array(spans).reshape(-1, 2), np.array(fates, np.uint8))


def block_spans(part: SymbolPart, at: float) -> list[tuple[float, float]]:
    """Where the blocks of a part lie that begins at `at`; each all over it where their lengths do not add up."""
    if sum(part.blocks) > part.symbols + 1e-6 * part.symbols:
        return [(at, at + part.symbols)] * len(part.blocks)
    edges = list(accumulate(part.blocks, initial=at))
    return list(zip(edges, edges[1:]))


def _fate(number: int, failed: set[int], passed: bool, said: bool) -> int:
    if not said:
        return UNSAID
    if not passed:
        return LOST if number in failed else LATER
    return LOST if number in failed else ARRIVED


def _fewer(spans: np.ndarray, fates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Very many blocks as runs of the same fate."""
    if len(spans) <= MOST_BLOCKS:
        return spans, fates
    first = np.flatnonzero(np.append(True, fates[1:] != fates[:-1]))
    last = np.append(first[1:], len(fates)) - 1
    return np.column_stack([spans[first, 0], spans[last, 1]]), fates[first]
