"""Draws of a channel as the receiver sees them, and how often blocks are lost in each.

A draw is kept as what its symbols tell, summed up along the transmission for
each constellation, so that blocks of any length are judged without going back
to the symbols.

Few draws leave gaps where an error curve falls: which of two codings is better
then hangs on a draw or two. So each draw stands for what lies about it, at SNRs
some decibels lower and higher, as in a kernel estimate of a density. The kernel
is as wide as Silverman's rule has it, and no wider than a draw is away from a
quarter of the others: nothing in white noise, or in a channel of few states.
Source: [silverman1986, eq. (3.31)].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import special

from semlink.phy.error_curves.information import effective_snr_db, grid_index, information_table
from semlink.phy.error_curves.waterfall import Waterfall
from semlink.phy.superposition import noise_below

MARKS = 1024
"""Places along a transmission at which the sums are kept."""
SAME = 1e-6
SHIFTS = 8
"""SNRs that each draw stands for."""
NEIGHBOURS = 1 / 4
"""A draw's kernel reaches no further than to so large a share of the others."""
GOLDEN = (5**0.5 - 1) / 2


@dataclass(slots=True)
class Fades:
    """Draws of what `uses` symbols tell, for each of the constellations in `orders`.

    Attributes:
        sums: for each order bits told by all symbols before each mark: (draw, marks + 1).
        is_settled: all draws are alike, so that one is kept.
    """

    uses: int
    orders: Sequence[int]
    sums: dict[int, np.ndarray] = field(default_factory=dict)
    is_settled: bool = False
    _shifts: np.ndarray | None = None
    _by_block: dict[tuple[int, bytes], np.ndarray] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.sums = {order: np.zeros((0, len(self._marks()))) for order in self.orders}

    def __len__(self) -> int:
        return len(next(iter(self.sums.values())))

    def add(self, noise_var: np.ndarray) -> None:
        """More draws: the noise variance of each symbol (draw, uses)."""
        place, marks = grid_index(noise_var), self._marks()
        for order in self.orders:
            told = np.add.reduceat(information_table(order).take(place), marks[:-1], axis=1, dtype=np.float64)
            more = np.pad(np.cumsum(told, axis=1), ((0, 0), (1, 0)))
            self.sums[order] = np.concatenate([self.sums[order], more])
        self._forget()

    def stands_still(self) -> bool:
        """Whether all symbols of all draws are alike, as in white noise."""
        sums = self.sums[max(self.orders)]
        steps = np.diff(sums, axis=1) / np.diff(self._marks())
        return bool(np.ptp(steps) <= SAME * max(steps.max(), SAME))

    def keep_one(self) -> None:
        """Forget all draws but the first: the channel stands still."""
        self.is_settled = True
        self.sums = {order: sums[:1] for order, sums in self.sums.items()}
        self._forget()

    def _forget(self) -> None:
        self._shifts = None
        self._by_block.clear()

    def effective_snr_db(self, order: int, edges: np.ndarray) -> np.ndarray:
        """The SNR in white noise that each block's symbols amount to: (draw, block).

        Args:
            edges: symbols where blocks begin and the last one ends (block + 1,).
        """
        key = order, edges.tobytes()
        if key not in self._by_block:
            self._by_block[key] = self._effective_snr_db(order, edges)
        return self._by_block[key]

    def _effective_snr_db(self, order: int, edges: np.ndarray) -> np.ndarray:
        sums, marks = self.sums[order], self._marks()
        right = np.clip(np.searchsorted(marks, edges, side="left"), 1, len(marks) - 1)
        part = (edges - marks[right - 1]) / (marks[right] - marks[right - 1])
        at = sums[:, right - 1] * (1 - part) + sums[:, right] * part
        return effective_snr_db(np.diff(at, axis=1) / np.diff(edges), order)

    @property
    def per_draw(self) -> int:
        """SNRs that each draw stands for."""
        return 1 if self.is_settled else SHIFTS

    def block_losses(
        self, order: int, edges: np.ndarray, curve: Waterfall, offset_db: float = 0.0, *, analogue_share: float = 0.0
    ) -> np.ndarray:
        """The chance that each block is lost at each SNR that the draws stand for: (draw * per_draw, block).

        Args:
            offset_db: by how much symbols are better than said.
            analogue_share: of the power, another layer's, which the demapper counts as noise.
        """
        snr_db = self.effective_snr_db(order, edges)[:, None] + self.shifts_db()[..., None]
        if analogue_share:
            snr_db = -10 * np.log10(noise_below(10 ** (-snr_db / 10), analogue_share))
        return curve.bler(snr_db + offset_db).reshape(-1, len(edges) - 1)

    def snr_between_db(self, order: int, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """The SNR in white noise that the symbols between amount to, which lie elsewhere in each way: (way, part).

        Args:
            begins, ends: (way, part), a way for each SNR that the draws stand for; any number of ways where all
                draws are alike.
        """
        told = self._told_before(order, ends) - self._told_before(order, begins)
        snr_db = effective_snr_db(told / (ends - begins), order)
        return snr_db + self.shifts_db().reshape(-1, 1)

    def _told_before(self, order: int, symbols: np.ndarray) -> np.ndarray:
        """Bits that all symbols before these places tell: (way, place) as `symbols`."""
        marks = self._marks()
        draw = np.minimum(np.arange(len(symbols)) // self.per_draw, len(self) - 1)[:, None]
        right = np.clip(np.searchsorted(marks, symbols, side="left"), 1, len(marks) - 1)
        part = (symbols - marks[right - 1]) / (marks[right] - marks[right - 1])
        return self.sums[order][draw, right - 1] * (1 - part) + self.sums[order][draw, right] * part

    def shifts_db(self) -> np.ndarray:
        """Decibels from each draw to the SNRs that it stands for: (draw, per_draw)."""
        if self.is_settled:
            return np.zeros((1, 1))
        if self._shifts is None:
            whole = self.effective_snr_db(max(self.orders), np.array([0.0, self.uses]))[:, 0]
            part = (np.arange(SHIFTS) + (0.5 + GOLDEN * np.arange(len(whole))[:, None]) % 1) / SHIFTS
            self._shifts = _widths_db(whole)[:, None] * special.ndtri(np.clip(part, 0.01, 0.99))
        return self._shifts

    def _marks(self) -> np.ndarray:
        count = min(self.uses, MARKS)
        return np.round(np.linspace(0, self.uses, count + 1)).astype(np.int64)


def _widths_db(snr_db: np.ndarray) -> np.ndarray:
    """How far about each draw its kernel reaches, a standard deviation in dB: (draw,) as `snr_db`."""
    quarters = np.quantile(snr_db, (0.25, 0.75))
    spread = min(float(snr_db.std()), float(quarters[1] - quarters[0]) / 1.34)
    away = np.sort(np.abs(snr_db[:, None] - snr_db), axis=1)[:, round(NEIGHBOURS * (len(snr_db) - 1))]
    return np.minimum(0.9 * spread * len(snr_db) ** -0.2, away)
