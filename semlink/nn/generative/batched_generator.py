"""Many generators at once, each with weights of its own, as batched matrix products.

A stride-2 transposed 4 x 4 convolution is one product: every 2 x 2 window of
the padded input gives a 2 x 2 square of the output, without overlap,

    y[2u + r, 2v + s] = sum_{a, b} x[u + a, v + b] K[2 (1 - a) + r, 2 (1 - b) + s]

where x has a rim of one zero and y a rim of one pixel to be cut, which is just
the rim of zeros that the next layer wants. The last layer, which puts out one
or three planes, is the product first and the overlap afterwards.

Hidden layers run in the dtype they are asked to (bf16 pays where the CPU
multiplies it); weights, first and last layer keep the dtype of the weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from semlink.nn.generative.generator import Generator

__all__ = ["GeneratorBatch"]


@dataclass(frozen=True, slots=True)
class GeneratorBatch:
    """Weights of `s` generators of one architecture, in the form of the products.

    `first` (s, k, 16 c1), `hidden` (s, 4 c, 4 c'), `last` (s, c4, planes 16).
    """

    first: torch.Tensor
    hidden: tuple[torch.Tensor, ...]
    last: torch.Tensor
    planes: int

    @classmethod
    def of(cls, generator: Generator, copies: int, dtype: torch.dtype = torch.float32) -> GeneratorBatch:
        """The weights of `generator`, `copies` times."""
        first, *hidden, last = (layer.weight.detach().to(dtype) for layer in generator.convolutions)
        return cls(
            _copied(first.permute(0, 2, 3, 1).flatten(1), copies),
            tuple(_copied(_as_windows(kernel), copies) for kernel in hidden),
            _copied(last.flatten(1), copies),
            generator.planes,
        )

    def generator(self, number: int) -> Generator:
        """Generator `number` of the batch as a module."""
        sizes = [hidden.shape[1] // 4 for hidden in self.hidden] + [self.last.shape[1]]
        made = Generator(self.first.shape[1], tuple(sizes), self.planes)
        first, last = self.first[number], self.last[number]
        kernels = [first.unflatten(1, (4, 4, -1)).permute(0, 3, 1, 2)]
        kernels += [_as_kernel(hidden[number]) for hidden in self.hidden]
        kernels += [last.unflatten(1, (-1, 4, 4))]
        with torch.no_grad():
            for layer, kernel in zip(made.convolutions, kernels, strict=True):
                layer.weight.copy_(kernel)
        return made.eval().requires_grad_(False)

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All weights, from the first layer to the last."""
        return (self.first, *self.hidden, self.last)

    def with_tensors(self, tensors: tuple[torch.Tensor, ...]) -> GeneratorBatch:
        """The same architecture with other weights, in the order of `tensors`."""
        return GeneratorBatch(tensors[0], tuple(tensors[1:-1]), tensors[-1], self.planes)

    def __call__(self, codes: torch.Tensor, hidden_dtype: torch.dtype | None = None) -> torch.Tensor:
        """Pictures (s, t, planes * 64 * 64) in [-1, 1] of codes (s, t, k), planes first."""
        s, t, _ = codes.shape
        x = torch.bmm(codes, self.first).relu().view(s, t, 4, 4, -1)
        x = torch.nn.functional.pad(x.to(hidden_dtype or x.dtype), (0, 0, 1, 1, 1, 1))
        x = _HiddenLayers.apply(x, *[weight.to(x.dtype) for weight in self.hidden])
        x = _LastDoubling.apply(x[:, :, 1:-1, 1:-1].to(self.last.dtype), self.last)
        return torch.tanh(x).flatten(2)


class _HiddenLayers(torch.autograd.Function):
    """Layers with rectifiers: x (s, t, 6, 6, c) with a rim of zeros to (s, t, 34, 34, c'), the same."""

    @staticmethod
    def forward(ctx, x, *weights):
        kept = []
        for weight in weights:
            windows = _windows(x)
            x = _rectified(torch.bmm(windows.flatten(1, 3), weight).view(*windows.shape[:4], -1))
            kept += [windows, x]
        ctx.save_for_backward(*kept, *weights)
        return x

    @staticmethod
    def backward(ctx, grad):
        number = len(ctx.saved_tensors) // 3
        weights, by_weight = ctx.saved_tensors[2 * number :], []
        for at in reversed(range(number)):
            windows, y = ctx.saved_tensors[2 * at : 2 * at + 2]
            grad = _squares(torch.ops.aten.threshold_backward(grad, y, 0))
            if ctx.needs_input_grad[1 + at]:
                by_weight.append(torch.bmm(windows.flatten(1, 3).transpose(1, 2), grad.flatten(1, 3)))
            else:
                by_weight.append(None)
            around = _windows(grad)
            inside = torch.bmm(around.flatten(1, 3), _turned(weights[at])).view(*around.shape[:4], -1)
            grad = torch.nn.functional.pad(inside, (0, 0, 1, 1, 1, 1))
        return grad, *reversed(by_weight)


def _windows(x: torch.Tensor) -> torch.Tensor:
    """All 2 x 2 windows of (s, t, h, w, c): (s, t, h - 1, w - 1, 4 c)."""
    return x.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 1, 2, 3, 5, 6, 4).flatten(4)


def _rectified(squares: torch.Tensor) -> torch.Tensor:
    """2 x 2 squares (s, t, h, w, 4 c) side by side, (s, t, 2 h, 2 w, c); zero where negative and at the rim."""
    s, t, h, w, _ = squares.shape
    y = squares.view(s, t, h, w, 2, 2, -1).transpose(3, 4).reshape(s, t, 2 * h, 2 * w, -1).relu_()
    y[:, :, :: 2 * h - 1] = 0
    y[:, :, :, :: 2 * w - 1] = 0
    return y


def _squares(y: torch.Tensor) -> torch.Tensor:
    """The inverse of putting squares side by side: (s, t, h, w, c) to (s, t, h / 2, w / 2, 4 c)."""
    s, t, h, w, c = y.shape
    return y.view(s, t, h // 2, 2, w // 2, 2, c).transpose(3, 4).reshape(s, t, h // 2, w // 2, 4 * c)


def _turned(weight: torch.Tensor) -> torch.Tensor:
    """(s, 4 c, 4 c') to (s, 16 c', c): from the four squares around a pixel back to it."""
    parts = weight.unflatten(1, (2, 2, -1)).flip(1, 2).transpose(3, 4)
    return parts.flatten(1, 3)


class _LastDoubling(torch.autograd.Function):
    """The last layer before its tanh: x (s, t, h, w, c) to (s, t, planes, 2 h, 2 w).

    Every pixel's 4 x 4 stamp overlaps its neighbours'. With pixels of even and
    odd rows and columns apart, (s, planes, 2, 2, t, h + 1, w + 1), they add up as
    four shifted pictures for each.
    """

    @staticmethod
    def forward(ctx, x, weight):
        s, t, h, w, c = x.shape
        rows = x.reshape(s, t * h * w, c)
        stamps = torch.bmm(weight.transpose(1, 2), rows.transpose(1, 2)).view(s, -1, 2, 2, 2, 2, t, h, w)
        apart = x.new_zeros(s, stamps.shape[1], 2, 2, t, h + 1, w + 1)
        for a, b in _CORNERS:  # kernel row 2 a + r, column 2 b + q
            apart[..., a : a + h, b : b + w] += stamps[:, :, a, :, b]
        ctx.save_for_backward(rows, weight)
        y = apart.permute(0, 4, 1, 5, 2, 6, 3).reshape(s, t, -1, 2 * h + 2, 2 * w + 2)
        return y[..., 1:-1, 1:-1]

    @staticmethod
    def backward(ctx, grad):
        rows, weight = ctx.saved_tensors
        s, t, planes, h, w = grad.shape[0], grad.shape[1], grad.shape[2], grad.shape[3] // 2, grad.shape[4] // 2
        rim = torch.nn.functional.pad(grad, (1, 1, 1, 1)).view(s, t, planes, h + 1, 2, w + 1, 2)
        apart = rim.permute(0, 2, 4, 6, 1, 3, 5).contiguous()
        stamps = apart.new_empty(s, planes, 2, 2, 2, 2, t, h, w)
        for a, b in _CORNERS:
            stamps[:, :, a, :, b] = apart[..., a : a + h, b : b + w]
        stamps = stamps.view(s, 16 * planes, t * h * w)
        by_weight = torch.bmm(stamps, rows).mT.contiguous() if ctx.needs_input_grad[1] else None
        return torch.bmm(stamps.transpose(1, 2), weight.transpose(1, 2)).view(s, t, h, w, -1), by_weight


_CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))


def _copied(weight: torch.Tensor, copies: int) -> torch.Tensor:
    return weight[None].repeat(copies, *[1] * weight.dim())


def _as_windows(kernel: torch.Tensor) -> torch.Tensor:
    """(c, c', 4, 4) to (4 c, 4 c'), rows (a, b, c), columns (r, s, c')."""
    parts = kernel.unflatten(2, (2, 2)).unflatten(4, (2, 2)).flip(2, 4)  # c c' (1-a) r (1-b) s, flipped to a and b
    return parts.permute(2, 4, 0, 3, 5, 1).flatten(3).flatten(0, 2)


def _as_kernel(windows: torch.Tensor) -> torch.Tensor:
    """The inverse of `_as_windows`."""
    parts = windows.unflatten(1, (2, 2, -1)).unflatten(0, (2, 2, -1)).permute(2, 5, 0, 3, 1, 4)
    return parts.flip(2, 4).flatten(4).flatten(2, 3)
