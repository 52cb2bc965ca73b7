"""What every channel's output must be."""

from __future__ import annotations

from typing import Any

import torch

from semlink.errors import ChannelFault
from semlink.payload import ChannelOutput


def check_channel_output(heard: Any, sent: torch.Tensor) -> ChannelOutput:
    """A channel's output as `ChannelOutput`, if it can be true.

    Raises:
        ChannelFault: not a tensor, another number of symbols, real, or not finite.
    """
    if isinstance(heard, torch.Tensor):
        heard = ChannelOutput(heard)
    if not isinstance(heard, ChannelOutput) or not isinstance(heard.iq, torch.Tensor):
        raise ChannelFault(
            f"the channel returned {type(heard).__name__}; need a complex tensor or semlink.ChannelOutput"
        )
    if heard.iq.shape != sent.shape:
        raise ChannelFault(f"the channel changed (clip, symbols) from {tuple(sent.shape)} to {tuple(heard.iq.shape)}")
    if not heard.iq.is_complex():
        raise ChannelFault(f"the channel returned {heard.iq.dtype}; need complex symbols")
    if not bool(torch.isfinite(torch.view_as_real(heard.iq.detach())).all()):
        raise ChannelFault("the channel returned NaN or infinite symbols")
    return heard
