"""A channel of one's own: slow shadowing on top of Rayleigh fading.

channel: {kind: docs/examples/shadowed.py:Shadowed, shadow_db: 6}

semlink check-channel docs/examples/shadowed.py:Shadowed
"""

import torch


class Shadowed:
    """y = s h x + w: a log-normal amplitude s per clip with E s^2 = 1, h ~ CN(0, 1) every `coherence` symbols."""

    def __init__(self, shadow_db: float = 4.0, coherence: int = 64):
        if not (shadow_db >= 0 and coherence >= 1):
            raise ValueError(f"Shadowed: got {shadow_db=}, {coherence=}; need shadow_db >= 0 and coherence >= 1")
        self.shadow_db, self.coherence = shadow_db, coherence

    def __call__(self, iq, snr_db, seeds):
        n = iq.shape[1]
        spread = self.shadow_db / 20 * torch.log(torch.tensor(10.0))
        shadow = torch.exp(spread * seeds.normal("shadow", 1) - spread**2)
        fading = seeds.complex_normal("fading", -(-n // self.coherence)).repeat_interleave(self.coherence, 1)[:, :n]
        noise = seeds.complex_normal("noise", n) * 10 ** (-snr_db / 20)
        gain = (shadow * fading).to(iq)
        return gain * iq + noise.to(iq)
