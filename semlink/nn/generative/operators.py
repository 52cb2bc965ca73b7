"""Linear operators from frames to readings, with their adjoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch


class Operator(Protocol):
    """A_t for the frames t that are read; linear, the same for all clips."""

    @property
    def num_readings(self) -> int:
        """Of a frame."""
        ...

    @property
    def num_pixels(self) -> int:
        """Of a frame."""
        ...

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Readings (b, t, m) of pixels (b, t, n)."""
        ...

    def adjoint(self, readings: torch.Tensor) -> torch.Tensor:
        """Pixels (b, t, n) of readings (b, t, m)."""
        ...


@dataclass(frozen=True, slots=True)
class PixelsLeft:
    """Some pixels of each frame: `kept` int64 (t, m), their places."""

    kept: torch.Tensor
    num_pixels: int

    @classmethod
    def all_of(cls, num_frames: int, num_pixels: int) -> PixelsLeft:
        """Every pixel of every frame."""
        return cls(torch.arange(num_pixels).expand(num_frames, -1), num_pixels)

    @property
    def num_readings(self) -> int:
        return self.kept.shape[1]

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        if self.num_readings == self.num_pixels:
            return pixels
        return pixels.gather(2, self.kept.expand(len(pixels), -1, -1))

    def adjoint(self, readings: torch.Tensor) -> torch.Tensor:
        if self.num_readings == self.num_pixels:
            return readings
        empty = readings.new_zeros(*readings.shape[:2], self.num_pixels)
        return empty.scatter(2, self.kept.expand(len(readings), -1, -1), readings)


@dataclass(frozen=True, slots=True)
class GaussianPatterns:
    """Dense patterns (t, m, n), bf16 or wider; products run in their dtype."""

    patterns: torch.Tensor

    @property
    def num_readings(self) -> int:
        return self.patterns.shape[1]

    @property
    def num_pixels(self) -> int:
        return self.patterns.shape[2]

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return _Products.apply(pixels, self.patterns)

    def adjoint(self, readings: torch.Tensor) -> torch.Tensor:
        return _back(readings, self.patterns)


class _Products(torch.autograd.Function):
    @staticmethod
    def forward(ctx, pixels, patterns):
        ctx.save_for_backward(patterns)
        columns = pixels.to(patterns.dtype).permute(1, 2, 0)
        return torch.bmm(patterns, columns).permute(2, 0, 1).to(pixels.dtype)

    @staticmethod
    def backward(ctx, grad):
        return _back(grad, *ctx.saved_tensors), None


def _back(readings: torch.Tensor, patterns: torch.Tensor) -> torch.Tensor:
    rows = readings.to(patterns.dtype).transpose(0, 1)
    return torch.bmm(rows, patterns).transpose(0, 1).to(readings.dtype)
