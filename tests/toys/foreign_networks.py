"""Small networks of random weights and our own making with the interfaces of others: names, arguments, outputs."""

from __future__ import annotations

from pathlib import Path

PLAIN = """
import torch
from torch import nn

class _Encoder(nn.Module):
    def __init__(self, c=1, is_temp=False, P=1):
        super().__init__()
        self.conv = nn.Conv2d(3, c, 4, 4)

    def forward(self, x):
        z = self.conv(x)
        z = z / z.flatten(1).square().mean(1).sqrt().reshape(-1, 1, 1, 1)
        return z.squeeze(0) if len(z) == 1 else z

class _Decoder(nn.Module):
    def __init__(self, c=1):
        super().__init__()
        self.tconv = nn.ConvTranspose2d(c, 3, 4, 4)

    def forward(self, x):
        return torch.sigmoid(self.tconv(x))
"""
"""As Deep-JSCC-PyTorch: `model.py`."""
TOKENS_ENCODER = """
import torch
from torch import nn

class Tokens(nn.Module):
    def __init__(self, width, C, rates=False):
        super().__init__()
        self.embed, self.head, self.rates = nn.Conv2d(3, width, 16, 16), nn.Linear(width, C), rates
        self.size = None

    def update_resolution(self, H, W):
        self.size = (H, W)

    def forward(self, x, snr, *rest):
        assert isinstance(snr, float) and self.size == tuple(x.shape[2:])
        model = rest[-1]
        feature = 3 * self.head(self.embed(x).flatten(2).transpose(1, 2)) * (1 + 0 * torch.tensor(snr))
        if not self.rates:
            return feature
        rate = rest[0]
        assert isinstance(rate, int)
        order = feature.abs().sum(1).argsort(1, descending=True)[:, :rate]
        mask = torch.zeros(len(x), feature.shape[2]).scatter(1, order, 1.0)[:, None].expand(feature.shape)
        return feature * mask, mask

def create_encoder(**kwargs):
    return Tokens(**kwargs)
"""
"""As WITT and SwinJSCC: `net/encoder.py`."""
TOKENS_DECODER = """
import torch
from torch import nn

class Tokens(nn.Module):
    def __init__(self, width, C):
        super().__init__()
        self.head, self.size = nn.Linear(C, 3 * 256), None

    def update_resolution(self, H, W):
        self.size = (H, W)

    def forward(self, x, snr, model):
        assert isinstance(model, str) and self.size[0] * self.size[1] == x.shape[1]
        self.seen = x
        patches = self.head(x).transpose(1, 2).unflatten(2, self.size)
        return torch.sigmoid(nn.functional.pixel_shuffle(patches, 16))

def create_decoder(**kwargs):
    return Tokens(**kwargs)
"""
HYPER = """
import torch
from torch import nn

class Rates(nn.Module):
    rate_choice = [0, 4, 8, 16]

    def __init__(self, latents):
        super().__init__()
        self.mix = nn.Conv2d(latents, 16, 1)

    def forward(self, y, px, hx, eta):
        wanted = hx.sum(1).flatten() * eta
        choice = torch.tensor(self.rate_choice)
        indexes = torch.searchsorted(choice, wanted).clamp(0, 3)
        lengths = choice[indexes].reshape(len(y), 1, *y.shape[2:])
        mask = (torch.arange(16).reshape(1, -1, 1, 1) < lengths).long()
        return self.mix(y) * mask, mask, indexes

class Back(nn.Module):
    def __init__(self, latents):
        super().__init__()
        self.mix = nn.Conv2d(16, latents, 1)

    def forward(self, s, indexes):
        self.seen = s
        assert len(indexes) == s.shape[0] * s.shape[2] * s.shape[3]
        return self.mix(s)

class Bottleneck(nn.Module):
    def _get_medians(self):
        return torch.full((1, 6, 1, 1), 0.3)

class Hyper(nn.Module):
    def __init__(self, latents=12, hyper=6):
        super().__init__()
        self.ga, self.gs = nn.Conv2d(3, latents, 16, 16), nn.ConvTranspose2d(latents, 3, 16, 16)
        self.ha, self.hs = nn.Conv2d(latents, hyper, 4, 4), nn.ConvTranspose2d(hyper, 2 * latents, 4, 4)
        self.fe, self.fd, self.entropy_bottleneck = Rates(latents), Back(latents), Bottleneck()
        self.hyprior_refinement = nn.Linear(3 * latents, latents)

    def update_resolution(self, H, W):
        self.H, self.W = H, W

    def feature_probs_based_Gaussian(self, feature, mean, sigma):
        bits = (feature - mean).abs() * 40 + 0.1
        return torch.exp2(-bits), bits

def network():
    torch.manual_seed(0)
    return Hyper()
"""
"""As NTSCC, behind the user's `my_net.py`."""


def write(folder: Path) -> None:
    """All of them, as modules of a folder."""
    (folder / "model.py").write_text(PLAIN)
    (folder / "net").mkdir()
    (folder / "net/__init__.py").write_text("")
    (folder / "net/encoder.py").write_text(TOKENS_ENCODER)
    (folder / "net/decoder.py").write_text(TOKENS_DECODER)
    (folder / "my_net.py").write_text(HYPER)
