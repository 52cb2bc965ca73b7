"""Groups of tokens: the unit that symbols are ordered in, and that a rate is chosen for.

Neighbouring blocks are alike, so a transform over a square of them gathers what
they share in fewer symbols than each block alone could. A group of 2x2 tokens
of 64 latents has 256 symbols, strongest first, of which a prefix is sent.
"""

from __future__ import annotations

import torch


def grouped(tokens: torch.Tensor, side: int) -> torch.Tensor:
    """Tokens (b, h, w, c) as groups (b, h / side, w / side, side * side * c).

    Raises:
        ValueError: no whole number of groups.
    """
    b, h, w, c = tokens.shape
    if h % side or w % side:
        raise ValueError(f"{h}x{w} tokens are no whole number of groups of {side}x{side}")
    split = tokens.reshape(b, h // side, side, w // side, side, c)
    return split.permute(0, 1, 3, 2, 4, 5).reshape(b, h // side, w // side, side * side * c)


def ungrouped(groups: torch.Tensor, side: int) -> torch.Tensor:
    """The inverse of `grouped`."""
    b, h, w, n = groups.shape
    split = groups.reshape(b, h, w, side, side, n // side**2)
    return split.permute(0, 1, 3, 2, 4, 5).reshape(b, h * side, w * side, n // side**2)


def spread(groups: torch.Tensor, side: int) -> torch.Tensor:
    """What is true of a group (b, h, w, c) at each of its tokens: (b, h * side, w * side, c)."""
    return groups.repeat_interleave(side, 1).repeat_interleave(side, 2)


def prefixes(kept: torch.Tensor, symbols: int) -> torch.Tensor:
    """1 for the first `kept` (b, h, w) of the symbols of each group, else 0: (b, h, w, symbols)."""
    return (torch.arange(symbols, device=kept.device) < kept[..., None]).float()
