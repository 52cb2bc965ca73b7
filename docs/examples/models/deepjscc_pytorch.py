"""Networks of Deep-JSCC-PyTorch (github.com/chunbaobao/Deep-JSCC-PyTorch), from a checkout of it beside the scenario.

schemes:
  - name: Deep-JSCC-PyTorch
    kind: model
    encoder:
      {network: docs/examples/models/deepjscc_pytorch.py:Encoder, options: {c: 8}, checkpoint: c8.safetensors}
    decoder:
      {network: docs/examples/models/deepjscc_pytorch.py:Decoder, options: {c: 8}, checkpoint: c8.safetensors}
    unit: number        # it normalises each real number to power 1
    power: frame

Its networks have no padding, so frames of some sizes come back smaller: 32, 64 and 128 pixels fit. It measures its SNR
on a real number, signal and noise alike, which is the Es/N0 of a complex symbol: no offset. Of a batch of one its
encoder drops the first axis.
"""

import importlib

from torch import nn


class Encoder(nn.Module):
    def __init__(self, c, module="model"):
        super().__init__()
        self.encoder = importlib.import_module(module)._Encoder(c=c)

    def forward(self, frames):
        found = self.encoder(frames)
        return found.reshape(len(frames), -1, *found.shape[-2:])


class Decoder(nn.Module):
    def __init__(self, c, module="model"):
        super().__init__()
        self.decoder = importlib.import_module(module)._Decoder(c=c)

    def forward(self, numbers):
        return self.decoder(numbers)
