"""A channel of your own: from the antenna to the receiver's antenna.

In a scenario:

    channel: {kind: my_channel.py:MyChannel, loss: 0.02}

Then: semlink check-channel my_channel.py:MyChannel --set loss=0.02
"""

from __future__ import annotations

import torch

from semlink.blocks import ChannelBase
from semlink.payload import ChannelOutput
from semlink.seeds import Seeds


class MyChannel(ChannelBase):
    """White noise, and runs of 16 symbols of which a share `loss` is lost."""

    def __init__(self, loss: float = 0.02) -> None:
        if not 0 <= loss < 1:
            raise ValueError(f"MyChannel: got {loss=}; need 0 <= loss < 1")
        self.loss = loss

    def __call__(self, iq: torch.Tensor, snr_db: float, seeds: Seeds) -> ChannelOutput:
        """What the receiver's antenna picks up.

        Args:
            iq: complex64 (clip, n), average power 1; leave it as it is.
            snr_db: noise has variance 10^(-snr_db / 10) a complex symbol.
            seeds: all chance; a draw is (clip, n), and a longer one begins like a shorter one.
        """
        n = iq.shape[1]
        noise = seeds.complex_normal("my_channel/noise", n).to(iq) * 10 ** (-snr_db / 20)
        runs = seeds.uniform("my_channel/runs", -(-n // 16)) < self.loss
        lost = runs.repeat_interleave(16, dim=1)[:, :n].to(iq.device)
        return ChannelOutput(torch.where(lost, 0, iq) + noise, noise_var=10 ** (-snr_db / 10), erased=lost)
