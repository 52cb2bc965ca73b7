"""A waveform of your own: pilots, and what the receiver learns from them.

In a scenario:

    waveform: {kind: my_waveform.py:MyWaveform, pilots: 16}
"""

from __future__ import annotations

import torch

from semlink.blocks import WaveformBase
from semlink.flow import Flow
from semlink.ledger import Charge
from semlink.payload import ChannelOutput, Received, Symbols


class MyWaveform(WaveformBase):
    """`pilots` known symbols, then the data; one gain is estimated for all of it."""

    def __init__(self, pilots: int = 16) -> None:
        if pilots < 1:
            raise ValueError(f"MyWaveform: got {pilots=}; need 1 or more")
        self.pilots = pilots

    def data_uses(self, uses: int) -> int:
        """How many of `uses` channel uses are left for data."""
        return max(uses - self.pilots, 0)

    def modulate(self, flow: Flow[Symbols]) -> Flow[Symbols]:
        """From data symbols (clip, n) to what the antenna sends; each symbol put in is charged."""
        data = flow.payload.iq
        known = torch.ones(data.shape[0], self.pilots, dtype=data.dtype, device=data.device)
        return flow.then(Symbols(torch.cat([known, data], dim=1)), Charge("my_waveform", "pilot", self.pilots))

    def demodulate(self, heard: ChannelOutput, snr_db: float) -> Received:
        """Data symbols of gain 1, and the noise variance left on each; infinite where it was erased."""
        noise_var = 10 ** (-snr_db / 10)
        gain = heard.iq[:, : self.pilots].mean(dim=1, keepdim=True)
        data = heard.iq[:, self.pilots :] / gain
        left = noise_var * (1 + 1 / self.pilots) / gain.abs().square()
        left = left.expand(data.shape).float()
        if heard.erased is not None:
            left = left.masked_fill(heard.erased[:, self.pilots :], torch.inf)
        return Received(data, left)
