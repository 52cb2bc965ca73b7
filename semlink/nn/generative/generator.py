"""A generator of small pictures: five transposed convolutions from a latent code to 64 x 64 pixels.

    x = tanh(D5(relu(D4(relu(D3(relu(D2(relu(D1(z)))))))))),   D1: 4 x 4, D2..D5: stride 2

The paper's fully connected layer with reshape is D1: its input has one pixel.
There is no bias and no normalisation of batches.

Source: [hyder2019gmlr, Fig. 1, Sec. A.3 and Table 4].
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

SIDE = 64  # pixels
GRAY_LATENT, GRAY_CHANNELS = 32, (256, 128, 64, 32)
COLOUR_LATENT, COLOUR_CHANNELS = 256, (512, 256, 128, 64)


class Generator(nn.Module):
    """Pictures from latent codes.

    Shape: (b, latent) in, (b, planes, 64, 64) out, in [-1, 1].
    Args:
        channels: what D1 to D4 put out.
        planes: of the picture: 1 gray, 3 for R, G and B.
    Source: [hyder2019gmlr, Table 4]; the defaults are its grayscale generator
    (819,712 weights), `colour_generator` its RGB one (4,852,736).
    """

    def __init__(self, latent: int = GRAY_LATENT, channels: tuple[int, ...] = GRAY_CHANNELS, planes: int = 1) -> None:
        super().__init__()
        widths = (latent, *channels, planes)
        self.latent, self.planes = latent, planes
        self.layers = nn.ModuleList(
            [
                nn.ConvTranspose2d(before, after, 4, stride=2 if at else 1, padding=1 if at else 0, bias=False)
                for at, (before, after) in enumerate(zip(widths, widths[1:]))
            ]
        )

    @property
    def convolutions(self) -> list[nn.ConvTranspose2d]:
        """The layers, as what they are."""
        return cast(list[nn.ConvTranspose2d], list(self.layers))

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        x = codes[:, :, None, None]
        *hidden, last = self.layers
        for layer in hidden:
            x = torch.relu(layer(x))
        return torch.tanh(last(x))


def colour_generator() -> Generator:
    """The RGB generator of the paper."""
    return Generator(COLOUR_LATENT, COLOUR_CHANNELS, 3)
