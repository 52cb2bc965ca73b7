"""From clips to binary maps and back with trained networks, group by group.

The encoder decodes what it sends, so that both ends expect a group from the same frames. A clip that is
no whole number of groups is lengthened by its last frame, one that is no whole number of blocks by its edges.
Convolutions run in bfloat16 where the CPU has it; what both ends make of a group may then differ between
kinds of machines by about 1e-3 of full scale, which the codec bears as it bears a wrong bit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from semlink.codecs.delta_sigma.groups import MapShape, fast, settled, whole_groups
from semlink.codecs.delta_sigma.networks import DeltaSigmaNet, DeltaSigmaSize, delta_sigma_probe, keep_channels
from semlink.codecs.delta_sigma.tokens.loaded import TASK, LoadedTokenBits, loaded_token_bits
from semlink.payload import FrameShape
from semlink.weights.cards import card_of
from semlink.weights.remembered import remembered
from semlink.weights.tensors import load_verified

__all__ = ["Loaded", "LoadedDeltaSigma", "MapShape", "load_delta_sigma"]


class LoadedDeltaSigma:
    """The networks of one weights file; they never change."""

    def __init__(self, net: DeltaSigmaNet, facts: dict[str, Any], digest: str = "") -> None:
        self.net, self.facts, self.digest, self.size = net, facts, digest, net.size
        self.fewest, self.most = facts["channels"]
        self.chances = net.chances.double().numpy()

    def shape(self, frames: FrameShape) -> MapShape:
        """The shape of the maps of a clip."""
        return MapShape(frames, self.size.group)

    @fast
    def bits(self, clip: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Bits of -1 and 1, int8 (groups, K, n, rows, columns), of a clip (t, h, w) in [0, 1].

        Args:
            counts: channels of each block that will be sent: (groups, rows, columns).
        Raises:
            InterfaceError: not gray frames (t, h, w).
        """
        groups = whole_groups(clip, self.size.group)
        found, last = [], None
        for number, frames in enumerate(groups):
            count = torch.from_numpy(counts[number].astype(np.float32))[None]
            context = self.net.context(last, count)
            _, bits = self.net.code(frames, context, later=number > 0)
            found.append(bits[0].to(torch.int8).numpy())
            if number + 1 < len(groups):
                known = keep_channels(bits, count)
                decoded = self.net.frames(bits, known, context, later=number > 0)
                last = settled(decoded[:, -2:])
        return np.stack(found)

    @fast
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
            decoded = settled(decoded)
            found.append(decoded[0])
            last = decoded[:, -2:]
        return torch.cat(found)[: shape.t, : shape.h, : shape.w].numpy()


Loaded = LoadedDeltaSigma | LoadedTokenBits
"""A trained codec of either architecture; both turn clips into maps and back."""


@remembered
def load_delta_sigma(name: str | Path) -> Loaded:
    """The codec of weights `name`, verified and ready for use.

    Raises:
        ModelError: missing, damaged, of another kind or architecture, or with a wrong answer to the probe.
    """
    path, card = card_of(name, "delta_sigma", TASK)
    if card["task"] == TASK:
        return loaded_token_bits(path, card, str(name))
    net = load_verified(lambda: DeltaSigmaNet(DeltaSigmaSize(**card["model"])), path, card, delta_sigma_probe)
    return LoadedDeltaSigma(net, card["facts"], str(card["weights_sha256"]))
