"""A transform, then more symbols where there is more to say: a small model with rate control, in the manner of NTSCC.

schemes:
  - name: NTSCC-like
    kind: model
    encoder: {network: docs/examples/models/ntscc_like.py:Encoder, checkpoint: my.safetensors}
    decoder: {network: docs/examples/models/ntscc_like.py:Decoder, checkpoint: my.safetensors}
    knows: [snr, uses]
    numbers: plain
    side_info: {count: 64, bits: 4}     # a rate for each of the 8 x 8 patches of a frame of 128 x 128 pixels
    multiple: 16

A patch of 16 x 16 pixels gets one of 16 rates, by how much its latents say (the entropy that a network estimates).
The encoder is told how many symbols a frame has and fills them: it looks for the factor eta between entropy and
symbols with which the rates fit, and the symbols that are over stay silent. The rates are side information: sent,
charged, and needed by the decoder.

Source: Dai et al., NTSCC (2022), Sec. III, the idea alone; sizes and the search for eta are this example's.
"""

import torch
from torch import nn
from torch.nn import functional as F

PATCH, RATES = 16, 16


class Encoder(nn.Module):
    """Frames to (real numbers (batch, 2 uses), rates (batch, patches))."""

    def __init__(self, planes=1, latents=32, width=64):
        super().__init__()
        self.latents = latents
        self.analysis = nn.Sequential(
            *(nn.Conv2d(planes, width, 5, 4, 2), nn.GELU()),
            *(nn.Conv2d(width, width, 3, 2, 1), nn.GELU()),
            nn.Conv2d(width, latents, 3, 2, 1),
        )
        self.says = nn.Sequential(nn.Conv2d(latents, width, 1), nn.GELU(), nn.Conv2d(width, 1, 1), nn.Softplus())

    def forward(self, frames, snr, uses):
        y = self.analysis(frames - 0.5)
        entropy = self.says(y).flatten(1)  # (batch, patches)
        rates = fitted(entropy, 2 * uses, self.latents)
        tokens = y.flatten(2).transpose(1, 2)  # (batch, patches, latents)
        kept = torch.arange(self.latents) < lengths(rates, self.latents)[..., None]
        numbers = torch.zeros(len(frames), 2 * uses)
        for item, (token, here) in enumerate(zip(tokens, kept, strict=True)):
            sent = token[here]
            numbers[item, : len(sent)] = sent
        return numbers, rates


class Decoder(nn.Module):
    """What arrived and the rates to frames; `aspect` is columns over rows of a frame."""

    def __init__(self, planes=1, latents=32, width=64, aspect=1.0):
        super().__init__()
        self.latents, self.aspect = latents, aspect
        self.rate = nn.Embedding(RATES, latents)
        self.synthesis = nn.Sequential(
            *(nn.Conv2d(latents, 4 * width, 3, 1, 1), nn.PixelShuffle(2), nn.GELU()),
            *(nn.Conv2d(width, 4 * width, 3, 1, 1), nn.PixelShuffle(2), nn.GELU()),
            *(nn.Conv2d(width, planes * 16, 3, 1, 1), nn.PixelShuffle(4), nn.Sigmoid()),
        )

    def forward(self, numbers, rates, snr, uses):
        tokens = torch.zeros(*rates.shape, self.latents)
        kept = torch.arange(self.latents) < lengths(rates, self.latents)[..., None]
        for item, here in enumerate(kept):
            wanted = int(here.sum())
            tokens[item][here] = F.pad(numbers[item], (0, max(wanted - numbers.shape[1], 0)))[:wanted]
        tokens = tokens + self.rate(rates)  # how much of a patch was left out
        rows = round((rates.shape[1] / self.aspect) ** 0.5)
        return self.synthesis(tokens.transpose(1, 2).unflatten(2, (rows, rates.shape[1] // rows)))


def lengths(rates, latents):
    """Real numbers of patches with these rates."""
    return rates * latents // (RATES - 1)


def fitted(entropy, room, latents):
    """The largest rates, in proportion to the entropy, whose numbers fit into `room` of each item."""
    found = torch.zeros(entropy.shape, dtype=torch.long)
    for item, bits in enumerate(entropy):
        low, high = 0.0, float(RATES / bits.clamp(min=1e-6).min())
        for _ in range(20):
            eta = (low + high) / 2
            rates = (eta * bits).long().clamp(0, RATES - 1)
            low, high = (eta, high) if int(lengths(rates, latents).sum()) <= room else (low, eta)
        found[item] = (low * bits).long().clamp(0, RATES - 1)
    return found
