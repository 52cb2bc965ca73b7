"""Where data, pilots and filling lie on the OFDM grid, and how it becomes samples.

A grid is (clip, symbol, subcarrier), subcarriers in ascending frequency from
-N/2 to N/2 - 1. Every subcarrier is in use, so samples and resource elements
both have average power 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Layout:
    """Pilots at every `pilot_comb`-th subcarrier of the symbols `pilot_symbols` of each slot."""

    num_subcarriers: int
    slot_symbols: int
    pilot_symbols: tuple[int, ...]
    pilot_comb: int

    @property
    def comb_size(self) -> int:
        """Pilots in a symbol that has any."""
        return -(-self.num_subcarriers // self.pilot_comb)

    @property
    def data_per_slot(self) -> int:
        """Resource elements for data in a whole slot."""
        return self.slot_symbols * self.num_subcarriers - len(self.pilot_symbols) * self.comb_size

    def num_pilot_symbols(self, num_symbols: int) -> int:
        """How many of the first `num_symbols` carry pilots."""
        slots, rest = divmod(num_symbols, self.slot_symbols)
        return slots * len(self.pilot_symbols) + sum(at < rest for at in self.pilot_symbols)

    def num_data(self, num_symbols: int) -> int:
        """Resource elements for data; none before the first pilots, where nothing could be told from noise."""
        if num_symbols <= min(self.pilot_symbols):
            return 0
        return num_symbols * self.num_subcarriers - self.num_pilot_symbols(num_symbols) * self.comb_size

    def symbols_for(self, num_data: int) -> int:
        """The fewest OFDM symbols that carry `num_data`, at least up to the first pilots."""
        slots = max(num_data - 1, 0) // self.data_per_slot
        num = max(slots * self.slot_symbols, min(self.pilot_symbols) + 1)
        while self.num_data(num) < num_data:
            num += 1
        return num

    def pilot_rows(self, num_symbols: int) -> torch.Tensor:
        """Numbers of the symbols with pilots."""
        import torch

        rows = [t for t in range(num_symbols) if t % self.slot_symbols in self.pilot_symbols]
        return torch.tensor(rows, dtype=torch.long)

    def is_pilot(self, num_symbols: int) -> torch.Tensor:
        """bool (symbol, subcarrier)."""
        import torch

        mask = torch.zeros(num_symbols, self.num_subcarriers, dtype=torch.bool)
        mask[self.pilot_rows(num_symbols), :: self.pilot_comb] = True
        return mask


def to_samples(grid: torch.Tensor, cyclic_prefix: int) -> torch.Tensor:
    """Unitary inverse DFT and cyclic prefix: (clip, t, k) -> (clip, t * (k + prefix))."""
    import torch

    body = torch.fft.ifft(torch.fft.ifftshift(grid, dim=-1), norm="ortho")
    return torch.cat([body[..., body.shape[-1] - cyclic_prefix :], body], dim=-1).flatten(1)


def to_grid(samples: torch.Tensor, num_subcarriers: int, cyclic_prefix: int, advance: int) -> torch.Tensor:
    """Cut windows `advance` samples before the prefix ends, unitary DFT, timing phase taken out."""
    import torch

    length = num_subcarriers + cyclic_prefix
    start = cyclic_prefix - advance
    body = samples.reshape(samples.shape[0], -1, length)[..., start : start + num_subcarriers]
    grid = torch.fft.fftshift(torch.fft.fft(body, norm="ortho"), dim=-1)
    cycles = frequencies(num_subcarriers) * advance
    return grid * torch.polar(torch.ones_like(cycles), 2 * torch.pi * cycles).to(grid)


def frequencies(num_subcarriers: int) -> torch.Tensor:
    """Subcarrier frequencies in cycles per sample, ascending: float64 (k,)."""
    import torch

    return (torch.arange(num_subcarriers, dtype=torch.float64) - num_subcarriers // 2) / num_subcarriers
