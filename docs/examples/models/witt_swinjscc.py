"""Networks of WITT (github.com/KeYang8/WITT) and SwinJSCC (github.com/semcomm/SwinJSCC), from a checkout of them.

schemes:
  - name: WITT
    kind: model
    encoder:
      {network: docs/examples/models/witt_swinjscc.py:Encoder, options: {kwargs: {...}}, checkpoint: witt.safetensors}
    decoder:
      {network: docs/examples/models/witt_swinjscc.py:Decoder, options: {kwargs: {...}}, checkpoint: witt.safetensors}
    knows: [snr]
    numbers: plain
    symbols: halves
    power: frame
    side_info: {count: 1, bits: 12}
    multiple: 128

`kwargs` are the `encoder_kwargs` and `decoder_kwargs` of their configuration. SwinJSCC takes a rate after the SNR; say
`model: SwinJSCC_w/_SA`. Where it chooses channels (`w/_RA`, `w/_SAandRA`), `knows: [snr, rate]`, `rates: [32, 64, 96]`
are numbers of channels, and `side_info: {count: 332, bits: 1}` tells which: 12 bits and one for each of 320 channels.

Two things reach their decoder past their channel, and are side information here, sent and charged: the power of the
features, with which what was received is scaled back (it is normalised over the whole batch there, of each frame here),
and which channels were kept. Their SNR is ours: power 1 of a complex symbol, noise 10^(-snr/10).
"""

import importlib

import torch
from torch import nn

STEPS, MIDDLE = 64, 2048
"""Steps of the scale in an octave, and the code of a scale of 1."""
SCALE_BITS = 12


def scale_code(feature):
    """The root mean square of each item (batch,), in 12 bits."""
    rms = feature.flatten(1).square().mean(1).clamp(min=1e-9).sqrt()
    return (STEPS * rms.log2()).round().long() + MIDDLE


def scale_of(code):
    """(batch, 1, 1) from its code."""
    return torch.exp2((code - MIDDLE) / STEPS).reshape(-1, 1, 1)


class Encoder(nn.Module):
    """Frames to tokens (batch, L, C); where channels are chosen, to those that are kept."""

    def __init__(self, kwargs, model="WITT", package="net"):
        super().__init__()
        self.encoder = importlib.import_module(f"{package}.encoder").create_encoder(**kwargs)
        self.model, self.size = model, None

    def forward(self, frames, snr, rate=None):
        if self.size != frames.shape[2:]:
            self.size = frames.shape[2:]
            self.encoder.update_resolution(*self.size)
        if self.model == "WITT":
            found = self.encoder(frames, snr, self.model)
        else:
            found = self.encoder(frames, snr, None if rate is None else int(rate), self.model)
        if not isinstance(found, tuple):
            return found, scale_code(found)
        feature, mask = found
        kept = mask[:, 0] > 0  # (batch, C), as many in each
        sent = torch.stack([tokens[:, here] for tokens, here in zip(feature, kept, strict=True)])
        code = scale_code(sent)
        bits = (code[:, None] >> torch.arange(SCALE_BITS - 1, -1, -1)) & 1
        return sent, torch.cat([bits, kept.long()], 1)


class Decoder(nn.Module):
    """What arrived and the side information to frames; `aspect` is columns over rows of a frame."""

    def __init__(self, kwargs, model="WITT", package="net", aspect=1.0):
        super().__init__()
        self.decoder = importlib.import_module(f"{package}.decoder").create_decoder(**kwargs)
        self.model, self.aspect, self.size = model, aspect, None

    def forward(self, numbers, side, snr, rate=None):
        rows = round((numbers.shape[1] / self.aspect) ** 0.5)
        size = rows, numbers.shape[1] // rows
        if self.size != size:
            self.size = size
            self.decoder.update_resolution(*size)
        feature = numbers * 2**0.5  # a real number of a symbol of power 1 has power 1/2
        if side.shape[1] == 1:
            feature = feature * scale_of(side[:, 0])
        else:
            code = (side[:, :SCALE_BITS] << torch.arange(SCALE_BITS - 1, -1, -1)).sum(1)
            kept = side[:, SCALE_BITS:] > 0
            whole = torch.zeros(*numbers.shape[:2], kept.shape[1])
            for item, here in enumerate(kept):
                whole[item][:, here] = (feature * scale_of(code))[item]
            feature = whole
        return self.decoder(feature, snr, self.model)
