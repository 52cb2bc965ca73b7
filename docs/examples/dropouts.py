"""A channel that drops out: noise as swept, and runs of symbols of which only the noise is heard.

channel: {kind: docs/examples/dropouts.py:Dropouts, share: 0.05}
"""

import torch

from semlink import ChannelOutput


class Dropouts:
    """`share` of the symbols is lost in runs of `length`; with `told` the receiver knows which."""

    def __init__(self, share: float = 0.02, length: int = 16, told: bool = False) -> None:
        if not (0 <= share < 1 and length >= 1):
            raise ValueError(f"Dropouts: got {share=}, {length=}; need 0 <= share < 1 and length >= 1")
        self.share, self.length, self.told = share, length, told

    def __call__(self, iq, snr_db, seeds):  # iq: complex64 (clip, n), average power 1
        n = iq.shape[1]
        runs = seeds.uniform("dropouts/runs", -(-n // self.length)) < self.share
        lost = runs.repeat_interleave(self.length, dim=1)[:, :n].to(iq.device)
        noise = seeds.complex_normal("dropouts/noise", n).to(iq) * 10 ** (-snr_db / 20)
        heard = torch.where(lost, 0, iq) + noise
        return ChannelOutput(heard, erased=lost) if self.told else heard
