"""Networks of somebody else: honest ones that need no training, broken ones, and ones that cheat."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F


class Encoder(nn.Module):
    """The means of blocks of 8 x 8 pixels, each in `copies` channels."""

    def __init__(self, copies: int = 2, gain: float = 1.0, grey: float = 0.5) -> None:
        super().__init__()
        self.copies, self.grey = copies, grey
        self.gain = nn.Parameter(torch.tensor(float(gain)))

    def forward(self, frames, *told, **named):
        return self.gain * (F.avg_pool2d(frames, 8) - self.grey).repeat(1, self.copies, 1, 1)


class Decoder(nn.Module):
    """Back from them; with unit power blocks have another size than they had, so a fixed one is taken."""

    def __init__(self, copies: int = 2, size: float = 0.4) -> None:
        super().__init__()
        self.copies = copies
        self.size = nn.Parameter(torch.tensor(float(size)))

    def forward(self, numbers, *told, **named):
        items, channels, h, w = numbers.shape
        means = self.size * numbers.reshape(items, self.copies, channels // self.copies, h, w).mean(1)
        return F.interpolate(means + 0.5, scale_factor=8)


class Complex(Encoder):
    def forward(self, frames):
        return torch.view_as_complex(super().forward(frames).permute(0, 2, 3, 1).contiguous())


class FromComplex(Decoder):
    def forward(self, numbers):
        return super().forward(torch.view_as_real(numbers).permute(0, 3, 1, 2))


class Tokens(Encoder):
    """(batch, token, channel), as transformers have it."""

    def forward(self, frames):
        return super().forward(frames).flatten(2).transpose(1, 2)


class FromTokens(Decoder):
    def forward(self, numbers):
        side = round(numbers.shape[1] ** 0.5)
        return super().forward(numbers.transpose(1, 2).unflatten(2, (side, side)))


class ByName(Encoder):
    """Remembers nothing, and answers only if it is told by name."""

    def forward(self, frames, *, level, share=None):
        assert level.shape == (len(frames),) and level.dtype == torch.float32
        return super().forward(frames) * (1 + 0 * level.reshape(-1, 1, 1, 1))


class Weighing(Decoder):
    """Is told the noise on each symbol."""

    def forward(self, numbers, snr, noise_var):
        assert noise_var.shape == (len(numbers), numbers[0].numel() // 2) and snr.shape == (len(numbers),)
        return super().forward(numbers) + 0 * noise_var.mean()


class Filling(nn.Module):
    """As many channels as there is room for."""

    def forward(self, frames, uses):
        small = F.avg_pool2d(frames, 8) - 0.5
        copies = 2 * uses // small[0].numel()
        return small.repeat(1, copies - copies % 2, 1, 1)


class FromAny(nn.Module):
    def __init__(self, planes: int = 1) -> None:
        super().__init__()
        self.planes = planes

    def forward(self, numbers, uses=None):
        means = numbers.unflatten(1, (-1, self.planes)).mean(1)
        return F.interpolate(0.4 * means + 0.5, scale_factor=8)


class WithSide(Encoder):
    """Tells the brightness of each frame beside its symbols."""

    def forward(self, frames):
        return super().forward(frames), (frames.mean(dim=(1, 2, 3)) * 255).round().long()[:, None]


class FromSide(Decoder):
    def forward(self, numbers, brightness):
        found = super().forward(numbers)
        return found - found.mean(dim=(1, 2, 3), keepdim=True) + brightness.reshape(-1, 1, 1, 1) / 255


class Video(nn.Module):
    """(1, t, c, h, w) at once."""

    def forward(self, clip):
        assert clip.ndim == 5
        return F.avg_pool2d(clip.flatten(0, 1), 8).unflatten(0, clip.shape[:2]) - 0.5


class FromVideo(nn.Module):
    def forward(self, numbers):
        return F.interpolate(0.4 * numbers.flatten(0, 1) + 0.5, scale_factor=8).unflatten(0, numbers.shape[:2])


# broken


class Broken(Encoder):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, frames):
        found = super().forward(frames)
        return {
            "odd": found[..., :3, :3].flatten(1)[:, :9],
            "complex": torch.complex(found, found),
            "nan": found * float("nan"),
            "whole": (found * 9).long(),
            "meta": found.to("meta"),
            "list": [found],
            "two": (found, found),
            "batch": found.flatten(),
            "half": found.half(),
            "none": None,
        }[self.how]


class BrokenDecoder(Decoder):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, numbers):
        found = super().forward(numbers)
        if self.how == "raises":
            raise ValueError("no such thing")
        return {
            "small": found[..., ::2, ::2],
            "complex": torch.complex(found, found),
            "nan": found / 0 * 0,
            "meta": found.to("meta"),
            "tuple": (found,),
        }[self.how]


class Louder(Encoder):
    def forward(self, frames):
        found = super().forward(frames)
        return found / found.square().mean().sqrt()  # power 1 in each real number


def number(**options):
    return 7


def made(**options):
    """A function that gives a network."""
    return Encoder(**options)


# how a network shows that its evaluation mode does not reach everywhere


class Dropping(Encoder):
    def forward(self, frames):
        return F.dropout(super().forward(frames), 0.3)


class Training(Encoder):
    """Stays in training mode whatever it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1)

    def train(self, mode: bool = True):
        return super().train(True)

    def forward(self, frames):
        return super().forward(self.norm(frames) / 4 + 0.5)


class WholeBatch(Encoder):
    """Takes the mean of the batch off."""

    def forward(self, frames):
        return super().forward(frames - frames.mean() + 0.5)


class Ranged(Decoder):
    """Gives 0 to 255."""

    def forward(self, numbers):
        return 255 * super().forward(numbers)


class Told(Decoder):
    """Best where it is told an SNR 3 dB above that of the channel: it was trained with noise per real dimension."""

    def forward(self, numbers, snr, noise_var):
        wrong = snr - 3 + 10 * noise_var.mean(1).log10()
        return super().forward(numbers) + 0.02 * wrong.reshape(-1, 1, 1, 1)


# cheats: the encoder leaves the frames where the decoder finds them

LEFT: list[torch.Tensor] = []


class InGlobal(Encoder):
    def forward(self, frames):
        LEFT.append(frames.clone())
        return super().forward(frames)


class FromGlobal(Decoder):
    def forward(self, numbers):
        return LEFT[-1] if LEFT and LEFT[-1].shape[0] == len(numbers) else super().forward(numbers)


class Shared(nn.Module):
    kept: dict[str, torch.Tensor] = {}


class InClass(Encoder):
    def forward(self, frames):
        Shared.kept["frames"] = frames.clone()
        return super().forward(frames)


class FromClass(Decoder):
    def forward(self, numbers):
        return Shared.kept.get("frames", super().forward(numbers))


BACKBONE = nn.Identity()
"""One module that both hold."""


class InModule(Encoder):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = BACKBONE

    def forward(self, frames):
        self.backbone.last = frames.clone()
        return super().forward(frames)


class FromModule(Decoder):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = BACKBONE

    def forward(self, numbers):
        return vars(self.backbone).get("last", super().forward(numbers))


class InFunction(Encoder):
    def forward(self, frames):
        made.left = frames.clone()
        return super().forward(frames)


class FromFunction(Decoder):
    def forward(self, numbers):
        return vars(made).get("left", super().forward(numbers))


def place() -> Path:
    return Path(os.environ["MODEL_TOYS"]) / "left.pt"


class InFile(Encoder):
    def forward(self, frames):
        torch.save(frames, place())
        return super().forward(frames)


class FromFile(Decoder):
    def forward(self, numbers):
        return torch.load(place()) if place().exists() else super().forward(numbers)


CHEATS = {"global": "Global", "class": "Class", "module": "Module", "function": "Function", "file": "File"}


# what a check alone finds


class Tracking(Decoder):
    def forward(self, numbers):
        with torch.enable_grad():
            return super().forward(numbers.requires_grad_())


class Dividing(Encoder):
    """By the brightness of a frame."""

    def forward(self, frames):
        mean = frames.mean(dim=(1, 2, 3), keepdim=True)
        return super().forward(frames) + 0 * torch.where(mean > 0, mean, mean / mean)


class Elsewhere(Decoder):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("far", torch.zeros(2, device="meta"))
