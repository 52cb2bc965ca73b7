"""The network of NTSCC (github.com/wsxtyrdd/NTSCC_JSAC22), from a checkout of it beside the scenario.

schemes:
  - name: NTSCC
    kind: model
    encoder:
      {network: docs/examples/models/ntscc.py:Encoder, options: {factory: "my_net:network"}, checkpoint: n.safetensors}
    decoder:
      {network: docs/examples/models/ntscc.py:Decoder, options: {factory: "my_net:network"}, checkpoint: n.safetensors}
    knows: [uses]
    numbers: plain
    symbols: halves
    power: frame
    side_info: {count: 3330, bits: 8}    # side_numbers(256, 256)
    multiple: 64

`my_net.py` is yours: `def network(): return NTSCC_Hyperprior(config)` with the configuration of the checkpoint.

It sends more symbols of patches that say more; here it is told how many symbols a frame has, and `eta` is turned until
they fit. Past its channel its decoder gets hyper-latents, the rate of each patch, and the power of the features: all
three are side information here, hyper-latents in 8 bits each where the paper charges an estimated entropy.
"""

import importlib

import torch
from torch import nn

STEPS, MIDDLE = 64, 2048
"""Steps of the scale in an octave, and the code of a scale of 1."""


def side_numbers(h, w, hyper=192):
    """`side_info.count` of frames of h x w pixels: the scale, hyper-latents, and a rate for each patch of 16 x 16."""
    return 2 + hyper * (h // 64) * (w // 64) + (h // 16) * (w // 16)


class Half(nn.Module):
    """All parts of the network under their own names, so that its checkpoint fits."""

    def __init__(self, factory):
        super().__init__()
        module, _, name = factory.partition(":")
        net = getattr(importlib.import_module(module), name)()
        for part, child in net.named_children():
            self.add_module(part, child)
        self.net, self.size = [net], None  # in a list: its parts are ours already

    def resize(self, h, w):
        if self.size != (h, w):
            self.size = h, w
            self.net[0].update_resolution(h, w)

    def means_and_scales(self, z):
        scales, means = self.hs(z).chunk(2, 1)
        return means, scales


class Encoder(Half):
    """Frames to (real numbers (batch, 2 uses), scale, hyper-latents and rates in 8 bits each)."""

    def forward(self, frames, uses):
        self.resize(*frames.shape[2:])
        y = self.ga(frames)
        z = self.ha(y)
        offset = self.entropy_bottleneck._get_medians()
        whole = (z - offset).round().clamp(-128, 127)
        means, scales = self.means_and_scales(whole + offset)
        likely, bits = self.net[0].feature_probs_based_Gaussian(y, means, scales)
        numbers, rates, codes = [], [], []
        for item in range(len(frames)):
            sent, mask, index = self.fitted(*(part[item : item + 1] for part in (y, likely, bits)), 2 * uses)
            kept = sent[mask > 0]
            codes.append((STEPS * kept.square().mean().clamp(min=1e-9).sqrt().log2()).round().long() + MIDDLE)
            numbers.append(torch.cat([kept, kept.new_zeros(2 * uses - len(kept))]))
            rates.append(index.flatten())
        code = torch.stack(codes)[:, None]
        side = torch.cat([code >> 8, code & 255, whole.flatten(1).long() + 128, torch.stack(rates)], 1)
        return torch.stack(numbers), side

    def fitted(self, y, likely, bits, room):
        """What the encoder sends with the largest `eta` that fits into `room` real numbers."""
        low, high = 0.0, 1.0
        for _ in range(12):
            eta = (low + high) / 2
            fits = int(self.fe(y, likely, bits, eta)[1].sum()) <= room
            low, high = (eta, high) if fits else (low, eta)
        return self.fe(y, likely, bits, low)


class Decoder(Half):
    """What arrived and the side information to frames; `aspect` is columns over rows of a frame."""

    def __init__(self, factory, aspect=1.0, hyper=192):
        super().__init__(factory)
        self.aspect, self.hyper = aspect, hyper

    def forward(self, numbers, side, uses):
        items, total = side.shape
        per = self.hyper + 16  # hyper-latents and rates of 64 x 64 pixels
        tall = round(((total - 2) / per / self.aspect) ** 0.5)
        wide = (total - 2) // per // tall
        self.resize(64 * tall, 64 * wide)
        whole = side[:, 2 : 2 + self.hyper * tall * wide].reshape(items, self.hyper, tall, wide).float() - 128
        means, scales = self.means_and_scales(whole + self.entropy_bottleneck._get_medians())
        indexes = side[:, -16 * tall * wide :]
        lengths = torch.as_tensor(self.fe.rate_choice)[indexes].reshape(items, 4 * tall, 4 * wide)
        mask = torch.arange(max(self.fe.rate_choice)).reshape(1, -1, 1, 1) < lengths[:, None]
        scale = torch.exp2(((side[:, 0] << 8) + side[:, 1] - MIDDLE) / STEPS)
        sent = torch.zeros(mask.shape)
        for item, here in enumerate(mask):
            number = int(here.sum())
            used = number / numbers.shape[1]  # silence behind the last number has no part in the power
            sent[item][here] = numbers[item, :number] * scale[item] * (2 * used) ** 0.5
        y = self.fd(sent, indexes.flatten())
        if "hyprior_refinement" in dict(self.named_children()):
            tokens = [part.flatten(2).transpose(1, 2) for part in (y, means, scales)]
            refined = tokens[0] + self.hyprior_refinement(torch.cat(tokens, -1))
            y = refined.transpose(1, 2).reshape(y.shape)
        return self.gs(y)
