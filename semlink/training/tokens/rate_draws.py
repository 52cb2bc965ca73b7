"""Rates that semantic transmission by tokens is trained at: even ones, water-filled ones, and draws of the policy.

Every clip draws which of the three it takes, and a mean rate or a price. Of the
water-filled levels some move by one, so that the prediction sees what it would
not choose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from semlink.codecs.semantic.tokens.allocation import EXPLORED, explored, water_filled

EVEN, FILLED, POLICY = range(3)
MOST_MOVED = 0.5


@dataclass(frozen=True, slots=True)
class RateDraws:
    """What a batch of clips draws: `modes`, `mean_kept` and `log_price` are (b,), `levels` the table of symbols.

    Of the policy's draws a share of `exploration` is uniform.
    """

    modes: torch.Tensor
    mean_kept: torch.Tensor
    log_price: torch.Tensor
    levels: torch.Tensor
    rng: torch.Generator
    exploration: float = EXPLORED

    @classmethod
    def drawn(
        cls,
        clips: int,
        shares: Sequence[float],
        kept: Sequence[float],
        prices: Sequence[float],
        levels: Sequence[int],
        device: torch.device,
        rng: torch.Generator,
        exploration: float = EXPLORED,
    ) -> RateDraws:
        """Modes by their shares; mean rates and prices logarithmically within their ranges."""
        modes = torch.multinomial(torch.tensor(shares, dtype=torch.float32), clips, replacement=True, generator=rng)
        ranges = torch.tensor([list(kept), list(prices)]).log()
        along = torch.rand(2, clips, generator=rng)
        mean_kept, log_price = torch.lerp(ranges[:, :1], ranges[:, 1:], along)
        table = torch.tensor(levels, device=device)
        return cls(
            modes.to(device), mean_kept.exp().to(device), log_price.to(device), table, rng, exploration=exploration
        )

    def repeated(self, times: int) -> RateDraws:
        """Every clip so many times in a row, at one price; its levels are drawn anew each time."""
        modes, mean_kept, log_price = (
            each.repeat_interleave(times) for each in (self.modes, self.mean_kept, self.log_price)
        )
        return replace(self, modes=modes, mean_kept=mean_kept, log_price=log_price)

    def __call__(self, log_errors: torch.Tensor, log_chances: torch.Tensor) -> torch.Tensor:
        """Symbols of each group: (b, h, w)."""
        even = (2 * (self.mean_kept / 2).round()).clamp(2, float(self.levels[-1]))
        even = even[:, None, None].expand(log_errors.shape[:3])
        filled = self._moved(water_filled(log_errors, self.levels, self.mean_kept))
        drawn = self._drawn(log_chances)
        kinds = torch.stack((even, self.levels[filled].float(), self.levels[drawn].float()))
        return kinds.gather(0, self.modes.view(1, -1, 1, 1).expand(1, *even.shape))[0].long()

    def _moved(self, places: torch.Tensor) -> torch.Tensor:
        """Some groups of each clip, a share of its own, one level up or down."""
        step = torch.randint(-1, 2, places.shape, generator=self.rng)
        share = MOST_MOVED * torch.rand(len(places), 1, 1, generator=self.rng)
        moves = torch.where(torch.rand(places.shape, generator=self.rng) < share, step, torch.zeros_like(step))
        return (places + moves.to(places.device)).clamp(0, len(self.levels) - 1)

    def _drawn(self, log_chances: torch.Tensor) -> torch.Tensor:
        table = explored(log_chances, self.exploration).exp().flatten(0, 2).float().cpu()
        places = torch.multinomial(table, 1, generator=self.rng).view(log_chances.shape[:3])
        return places.to(log_chances.device)
