"""What a run keeps of one reception a point: symbols, LLRs, gains, and which blocks were lost.

It is of the first clip in the first trial, some 15 KB in `pictures/<key>.reception.npz`, made for eyes: symbols are
a sample, in 16 bits.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from semlink.files import JsonDict, json_in, write_atomic
from semlink.sensing.sources.files.arrays import read_arrays

__all__ = ["ARRIVED", "FATES", "LATER", "LOST", "UNSAID", "Histogram", "Reception", "Receptions", "Scatter"]

FORMAT = 1
ARRIVED, LATER, LOST, UNSAID = range(4)
"""Fates of a block: it arrived; it failed here, and arrived when it was sent again; it was lost; nobody says."""
FATES = ("arrived", "failed and arrived when sent again", "lost", "not said")
"""The same in words."""
MOST = 100_000
"""Entries of an array that is believed."""


@dataclass(frozen=True, slots=True)
class Scatter:
    """Some of the symbols of one kind, in the order in which they were sent.

    Attributes:
        name: what they carry.
        symbols: how many there are of the kind.
        sent, received: complex64 (k,), those that are kept, before the air and behind the equaliser.
        points: of the constellation, complex64; empty where they carry amplitudes.
    """

    name: str
    symbols: int
    sent: np.ndarray
    received: np.ndarray
    points: np.ndarray


@dataclass(frozen=True, slots=True)
class Histogram:
    """LLRs of coded bits, positive for 0.

    Attributes:
        edges: of the bins, (b + 1,), 0 in the middle; what lies outside counts in the last bins.
        zeros, ones: how many bits in each bin were sent as 0 and as 1.
    """

    edges: np.ndarray
    zeros: np.ndarray
    ones: np.ndarray

    @property
    def bits(self) -> int:
        return int(self.zeros.sum() + self.ones.sum())

    @property
    def wrong(self) -> float:
        """Share of the bits whose LLR is on the wrong side."""
        middle = len(self.zeros) // 2
        return float(self.zeros[:middle].sum() + self.ones[middle:].sum()) / max(self.bits, 1)


@dataclass(frozen=True, slots=True)
class Reception:
    """One clip as it was received.

    Attributes:
        clip: its name.
        symbols: data symbols that were sent.
        asked_db: the SNR of the point.
        measured_db: mean SNR of the data symbols behind the equaliser, from what was sent; None where none arrived.
        believed_db: the same as the receiver's noise variances say.
        unheard: share of the symbols of which nothing arrived.
        scatters: by what the symbols carry.
        llrs: of the coded bits; None where there are none, or the scheme does not say.
        at: numbers of data symbols, ascending, at which gains are kept.
        gain_db: |gain|^2 of the channel there, NaN where it names none.
        believed_gain_db: what the receiver takes it for: its SNR less the one asked for.
        bursts: the first symbol of each burst.
        blocks: for each block that was on the air, first symbol and one past its last: (n, 2).
        fates: of each of them.
        told, lost: blocks of the clip and those that were lost, as the receiver counts.
    """

    clip: str
    symbols: int
    asked_db: float
    measured_db: float | None
    believed_db: float | None
    unheard: float
    scatters: tuple[Scatter, ...]
    llrs: Histogram | None
    at: np.ndarray
    gain_db: np.ndarray
    believed_gain_db: np.ndarray
    bursts: tuple[int, ...]
    blocks: np.ndarray
    fates: np.ndarray
    told: int
    lost: int

    @property
    def side(self) -> str:
        """What alone has bits and blocks where other symbols carry amplitudes, in words; '' without such."""
        coded = list(dict.fromkeys(f"the {scatter.name}" for scatter in self.scatters if len(scatter.points)))
        is_split = coded and any(not len(scatter.points) for scatter in self.scatters)
        return " and ".join(coded) if is_split else ""


@dataclass(frozen=True, slots=True)
class Receptions:
    """The kept receptions of a results folder."""

    folder: Path

    def path(self, key: str) -> Path:
        return self.folder / "pictures" / f"{key}.reception.npz"

    def read(self, key: str) -> Reception | None:
        """The reception of a point, None if it has none or the file is damaged."""
        try:
            return _unpacked(read_arrays(self.path(key)))
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return None

    def write(self, key: str, reception: Reception) -> None:
        """Keep a reception.

        Raises:
            ResultsError: the disk does not take it.
        """
        out = io.BytesIO()
        np.savez_compressed(out, **_packed(reception))
        write_atomic(self.path(key), out.getvalue(), durable=False)


def _packed(reception: Reception) -> JsonDict:
    """A reception as named arrays."""
    scatters = reception.scatters
    words = {
        "format": FORMAT,
        "clip": reception.clip,
        "symbols": reception.symbols,
        "asked_db": reception.asked_db,
        "measured_db": reception.measured_db,
        "believed_db": reception.believed_db,
        "unheard": reception.unheard,
        "scatters": [[s.name, s.symbols, len(s.sent), len(s.points)] for s in scatters],
        "bursts": reception.bursts,
        "told": reception.told,
        "lost": reception.lost,
    }
    kept = {
        "at": reception.at.astype(np.uint32),
        "gain_db": reception.gain_db.astype(np.float16),
        "believed_gain_db": reception.believed_gain_db.astype(np.float16),
        "blocks": reception.blocks.astype(np.float32),
        "fates": reception.fates.astype(np.uint8),
        "sent": _in_16_bits([s.sent for s in scatters]),
        "received": _in_16_bits([s.received for s in scatters]),
        "points": _in_16_bits([s.points for s in scatters]),
    }
    if reception.llrs is not None:
        kept["llr_edges"] = np.asarray(reception.llrs.edges, np.float32)
        kept["llr_counts"] = np.stack([reception.llrs.zeros, reception.llrs.ones]).astype(np.uint32)
    return {"words": np.array(json.dumps(words))} | kept


def _in_16_bits(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Complex numbers as pairs (n, 2) of half precision; what is too large for it is cut."""
    joined = np.concatenate([np.asarray(part, np.complex64) for part in parts] or [np.zeros(0, np.complex64)])
    return np.clip(joined.view(np.float32).reshape(-1, 2), -6e4, 6e4).astype(np.float16)


def _unpacked(kept: Mapping[str, np.ndarray]) -> Reception:
    words = json_in(str(kept["words"]).encode())
    if words["format"] != FORMAT:
        raise ValueError("another format")
    scatters = _scatters(words["scatters"], {n: _complex(kept[n]) for n in ("sent", "received", "points")})
    llrs = None
    if "llr_edges" in kept:
        zeros, ones = kept["llr_counts"].astype(np.int64)
        llrs = Histogram(kept["llr_edges"].astype(float), zeros, ones)
    found = Reception(
        clip=words["clip"],
        symbols=words["symbols"],
        asked_db=words["asked_db"],
        measured_db=words["measured_db"],
        believed_db=words["believed_db"],
        unheard=words["unheard"],
        scatters=scatters,
        llrs=llrs,
        at=kept["at"].astype(np.int64),
        gain_db=kept["gain_db"].astype(float),
        believed_gain_db=kept["believed_gain_db"].astype(float),
        bursts=tuple(words["bursts"]),
        blocks=kept["blocks"].astype(float),
        fates=kept["fates"].astype(np.int64),
        told=words["told"],
        lost=words["lost"],
    )
    return _drawable(found)


def _complex(pairs: np.ndarray) -> np.ndarray:
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind != "f":
        raise ValueError("symbols that are no pairs")
    return np.ascontiguousarray(pairs, np.float32).view(np.complex64)[:, 0]


def _scatters(sizes: Sequence[Sequence[Any]], symbols: Mapping[str, np.ndarray]) -> tuple[Scatter, ...]:
    ends = [0, *accumulate(int(size[2]) for size in sizes)]
    point_ends = [0, *accumulate(int(size[3]) for size in sizes)]
    if ends[-1] != len(symbols["sent"]) or point_ends[-1] != len(symbols["points"]):
        raise ValueError("arrays that do not fit together")
    return tuple(
        Scatter(
            str(name),
            int(count),
            symbols["sent"][ends[n] : ends[n + 1]],
            symbols["received"][ends[n] : ends[n + 1]],
            symbols["points"][point_ends[n] : point_ends[n + 1]],
        )
        for n, (name, count, *_) in enumerate(sizes)
    )


def _drawable(found: Reception) -> Reception:
    """`found` itself, if a page can draw it.

    Raises:
        ValueError, TypeError: its arrays do not fit together.
    """
    fits = isinstance(found.clip, str) and all(len(s.sent) == len(s.received) for s in found.scatters)
    numbers = (found.symbols, found.told, found.lost, *found.bursts)
    fits &= all(isinstance(number, int) and 0 <= number < 2**53 for number in numbers)
    levels = [level for level in (found.measured_db, found.believed_db) if level is not None]
    fits &= all(isinstance(level, float | int) and math.isfinite(level) for level in levels)
    fits &= math.isfinite(found.asked_db) and 0 <= found.unheard <= 1
    fits &= found.at.ndim == 1 and found.at.shape == found.gain_db.shape == found.believed_gain_db.shape
    fits &= found.blocks.shape == (len(found.fates), 2) and found.fates.ndim == 1
    fits = fits and bool(np.isfinite(found.blocks).all() and (found.fates <= UNSAID).all())
    symbols = [array for s in found.scatters for array in (s.sent, s.received, s.points)]
    fits = fits and all(bool(np.isfinite(array).all()) for array in symbols)
    fits &= max((a.size for a in (*symbols, found.at, found.blocks)), default=0) <= MOST
    if found.llrs is not None:
        edges = found.llrs.edges
        fits &= edges.ndim == 1 and found.llrs.zeros.shape == found.llrs.ones.shape == (len(edges) - 1,)
        fits = fits and len(edges) % 2 == 1 and bool(np.isfinite(edges).all())
    if not fits:
        raise ValueError("arrays that do not fit together")
    return found
