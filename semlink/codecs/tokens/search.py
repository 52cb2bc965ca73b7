"""Better latents by descent at the transmitter: they trade the error of the decoded pixels against bits.

The transmitter has no clean frames. What its own decoder makes of latents that
are not rounded, at the finest knob, stands in for them, with the error that it
is known to have itself. Rounding is drawn at random, less and less so
(stochastic Gumbel annealing), and contexts are met at one random turn a step.

Source: compare [yang2020improving, Sec. 3.2].
"""

from __future__ import annotations

import numpy as np
import torch

from semlink.codecs.entropy.range_coder import FARTHEST
from semlink.codecs.tokens.contexts import TURNS
from semlink.codecs.tokens.loaded import LoadedTokens, told
from semlink.codecs.tokens.networks import MOST_KNOB

RATE = 0.02  # of Adam, in steps of the quantiser
OWN_ERROR = 2e-3  # of the stand-in itself
HOTTEST, COLDEST = 0.5, 0.08
FINEST = MOST_KNOB


def searched(code: LoadedTokens, x: torch.Tensor, knob: int, steps: int) -> np.ndarray:
    """Whole latents (h, w, c) for readings x, beginning at those of the network; the same for the same input."""
    with torch.no_grad():
        start = code.net.analyse(x, told(knob))
        aim = code.net.synthesise(code.net.analyse(x, told(FINEST)), told(FINEST))
    rng = torch.Generator().manual_seed(knob)
    y = start.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([y], lr=RATE)
    for step in range(steps):
        heat = max(COLDEST, HOTTEST * (1 - step / steps))
        with torch.autocast("cpu", torch.bfloat16, enabled=_is_fast_in_half()):
            loss = _loss(code, _drawn(y, heat, rng), aim, knob, rng)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return y.detach()[0].round().clamp(-FARTHEST, FARTHEST).double().numpy()


def _is_fast_in_half() -> bool:
    """Whether this processor multiplies bfloat16 in hardware."""
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()


def _drawn(y: torch.Tensor, heat: float, rng: torch.Generator) -> torch.Tensor:
    """Each latent between the whole numbers around it, drawn to the nearer one the more the colder."""
    low = y.detach().floor()
    off = (y - low).clamp(0.005, 0.995)
    logits = torch.stack((-torch.atanh(off), -torch.atanh(1 - off)), -1) / heat
    uniform = torch.rand(logits.shape, generator=rng).clamp(1e-9, 1 - 1e-7)
    gumbel = -(-uniform.log()).log()
    return low + torch.softmax((logits + gumbel) / heat, -1)[..., 1]


def _loss(code: LoadedTokens, latents: torch.Tensor, aim: torch.Tensor, knob: int, rng: torch.Generator):
    net, q = code.net, told(knob)
    turns = torch.randint(0, TURNS, (len(net.sizes.groups), 1), generator=rng)
    bits = net.contexts.drawn_bits(latents, latents, q, net.gain(q), turns) / latents[0, ..., 0].numel()
    error = (net.synthesise(latents, q) - aim).square().mean() + OWN_ERROR
    return (error.log() + code.price(knob) * bits).sum()
