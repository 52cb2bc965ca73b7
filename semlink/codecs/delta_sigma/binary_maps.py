"""From clips to binary maps and back with trained networks, group by group.

The encoder decodes what it sends, so that both ends expect a group from the same frames. A clip that is
no whole number of groups is lengthened by its last frame, one that is no whole number of blocks by its edges.
Convolutions run in bfloat16 where the CPU has it; what both ends make of a group may then differ between
kinds of machines by about 1e-3 of full scale, which the codec bears as it bears a wrong bit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from semlink.codecs.delta_sigma.networks import STRIDE, DeltaSigmaNet, DeltaSigmaSize, delta_sigma_probe, keep_channels
from semlink.errors import InterfaceError
from semlink.nn.cpu import bf16_pays
from semlink.payload import FrameShape
from semlink.weights.cards import card_of
from semlink.weights.remembered import remembered
from semlink.weights.tensors import load_verified

__all__ = ["LoadedDeltaSigma", "MapShape", "load_delta_sigma"]


F = TypeVar("F", bound=Callable[..., Any])


def _fast(function: F) -> F:
    """Without gradients, and in bfloat16 where that pays."""

    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bf16_pays()):
            return function(*arguments, **named)

    return call  # type: ignore[return-value]


class MapShape:
    """Groups, and rows and columns of blocks, that a clip makes."""

    def __init__(self, frames: FrameShape, group: int) -> None:
        self.groups = -(-frames.t // group)
        self.rows, self.columns = -(-frames.h // STRIDE), -(-frames.w // STRIDE)


class LoadedDeltaSigma:
    """The networks of one weights file; they never change."""

    def __init__(self, net: DeltaSigmaNet, facts: dict[str, Any], digest: str = "") -> None:
        self.net, self.facts, self.digest, self.size = net, facts, digest, net.size
        self.fewest, self.most = facts["channels"]
        self.chances = net.chances.double().numpy()

    def shape(self, frames: FrameShape) -> MapShape:
        """The shape of the maps of a clip."""
        return MapShape(frames, self.size.group)

    @_fast
    def bits(self, clip: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Bits of -1 and 1, int8 (groups, K, n, rows, columns), of a clip (t, h, w) in [0, 1].

        Args:
            counts: channels of each block that will be sent: (groups, rows, columns).
        Raises:
            InterfaceError: not gray frames (t, h, w).
        """
        groups = self._groups(clip)
        found, last = [], None
        for number, frames in enumerate(groups):
            count = torch.from_numpy(counts[number].astype(np.float32))[None]
            context = self.net.context(last, count)
            _, bits = self.net.code(frames, context, later=number > 0)
            found.append(bits[0].to(torch.int8).numpy())
            if number + 1 < len(groups):
                known = keep_channels(bits, count)
                decoded = self.net.frames(bits, known, context, later=number > 0)
                last = _settled(decoded[:, -2:])
        return np.stack(found)

    @_fast
    def frames(self, bits: np.ndarray, counts: np.ndarray, shape: FrameShape) -> np.ndarray:
        """Frames (t, h, w), float32 in [0, 1], from what is known of the bits.

        Args:
            bits: (groups, K, n, rows, columns), -1 to 1, 0 where nothing is known.
            counts: channels of each block that arrived: (groups, rows, columns).
        """
        found, last = [], None
        for number in range(len(bits)):
            count = torch.from_numpy(counts[number].astype(np.float32))[None]
            heard = torch.from_numpy(bits[number].astype(np.float32))[None]
            context = self.net.context(last, count)
            decoded = self.net.frames(heard, keep_channels(heard, count), context, later=number > 0)
            decoded = _settled(decoded)
            found.append(decoded[0])
            last = decoded[:, -2:]
        return torch.cat(found)[: shape.t, : shape.h, : shape.w].numpy()

    def _groups(self, clip: np.ndarray) -> list[torch.Tensor]:
        """Whole groups of whole blocks, each (1, n, h', w')."""
        if clip.ndim != 3 or 0 in clip.shape:
            raise InterfaceError(f"delta-sigma codec: got a clip of shape {clip.shape}; allowed: gray frames (t, h, w)")
        n = self.size.group
        pads = [(0, -size % step) for size, step in zip(clip.shape, (n, STRIDE, STRIDE))]
        whole = np.pad(np.ascontiguousarray(clip, np.float32), pads, mode="edge")
        return [torch.from_numpy(whole[start : start + n])[None] for start in range(0, len(whole), n)]


@remembered
def load_delta_sigma(name: str | Path) -> LoadedDeltaSigma:
    """The codec of weights `name`, verified and ready for use.

    Raises:
        ModelError: missing, damaged, of another kind or architecture, or with a wrong answer to the probe.
    """
    path, card = card_of(name, "delta_sigma")
    net = load_verified(lambda: DeltaSigmaNet(DeltaSigmaSize(**card["model"])), path, card, delta_sigma_probe)
    return LoadedDeltaSigma(net, card["facts"], str(card["weights_sha256"]))


def _settled(frames: torch.Tensor) -> torch.Tensor:
    return torch.nan_to_num(frames.float()).clamp(0, 1)
