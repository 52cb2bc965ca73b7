"""Networks of block sampling with the sampling that they belong to.

Both ends of the chain from pixels to pixels: `SampledNetwork.readings` is what
a sensor does, `restore` what a receiver does. Patterns are those of a basis, or
Gaussian, and stay; with `joint` they are parameters and learn beside the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, cast

import torch
from torch import nn

from semlink.errors import ModelError
from semlink.payload import FrameShape
from semlink.sensing.block_cs.basis import linear_estimate, load_basis
from semlink.sensing.block_cs.guide import corrected, guide
from semlink.sensing.block_cs.hit_vcsnet import HitVcsNet
from semlink.sensing.block_cs.sampler import from_blocks, gaussian_rows, references, rows_of, to_blocks
from semlink.sensing.block_cs.smoothed_projections import BlockTv, Patterns, restore as smoothed
from semlink.sensing.block_cs.vcsnet import VcsNet
from semlink.weights.cards import card_of, find_weights, read_card
from semlink.weights.remembered import remembered
from semlink.weights.tensors import load_verified

NETWORKS = ("hit-vcsnet", "vcsnet")
BASIS = "blocks"
SMOOTHING = BlockTv("both", iterations=30, start=0.2)
"""How key frames of guided networks are estimated before the network sees them."""


@dataclass(frozen=True, slots=True)
class NetworkSize:
    """Which network, and how large."""

    network: str = "hit-vcsnet"
    width: int = 32
    levels: int = 2
    hffm: bool = True
    hfim: bool = True
    guided: bool = True

    def build(self) -> HitVcsNet | VcsNet:
        """A fresh network, whose output is what it starts from.

        Raises:
            ModelError: there is no network of that name.
        """
        if self.network not in NETWORKS:
            raise ModelError(f"model.network: got {self.network!r}, allowed: {list(NETWORKS)}")
        if self.network == "vcsnet":
            return VcsNet(self.width, self.levels, guided=self.guided)
        return HitVcsNet(self.width, self.levels, hffm=self.hffm, hfim=self.hfim, guided=self.guided)


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which patterns a network works with."""

    ratios: tuple[float, ...] = (0.1,)
    key_ratio: float = 0.5
    gop: int = 8
    matrix: str = "learned"
    seed: int = 0
    joint: bool = False

    @property
    def facts(self) -> dict[str, Any]:
        """As it stands in a model card."""
        basis = read_card(find_weights(BASIS))["weights_sha256"] if self.matrix == "learned" else None
        return {f.name: getattr(self, f.name) for f in fields(self)} | {"ratios": list(self.ratios), "basis": basis}


class SampledNetwork(nn.Module):
    """A network and, with `joint`, its own patterns and upsampling matrices."""

    def __init__(self, size: NetworkSize, sampling: Sampling) -> None:
        super().__init__()
        self.deep, self.sampling = size.build(), sampling
        self.key_rows, self.rest_rows, self.key_lift, self.rest_lift = None, None, None, None
        if sampling.joint:
            for name, matrix in zip(("key", "rest"), self._fixed(max(sampling.ratios))):
                rows, lift = matrix
                setattr(self, f"{name}_rows", nn.Parameter(rows.clone()))
                setattr(self, f"{name}_lift", nn.Parameter(lift.clone()))

    def matrices(self, ratio: float) -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
        """Patterns (m, 1024) and upsampling matrices (1024, m) of key and of non-key frames."""
        if self.sampling.joint:
            m = rows_of(ratio)
            return (self.key_rows, self.key_lift), (self.rest_rows[:m], self.rest_lift[:, :m])  # type: ignore[index,return-value]
        return self._fixed(ratio)

    def _fixed(self, ratio: float) -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
        s = self.sampling
        return fixed_matrices(s.matrix, s.seed, rows_of(s.key_ratio), rows_of(ratio))

    def readings(self, clips: torch.Tensor, ratio: float, chosen: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Readings (b, frames, places, m) of the key frames of clips (b, t, h, w), and of those numbered `chosen`."""
        (key, _), (rest, _) = self.matrices(ratio)
        blocks = to_blocks(clips)
        return blocks[:, :: self.sampling.gop] @ key.T, blocks[:, list(chosen)] @ rest.T

    def initial(
        self, key: torch.Tensor, rest: torch.Tensor, ratio: float, shape: FrameShape
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Initial reconstructions of key frames (b, k, h, w) and of the others (b, n, h, w) from their readings."""
        (_, key_lift), (_, rest_lift) = self.matrices(ratio)

        def lifted(part: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
            return from_blocks(part @ up.T, FrameShape(part.shape[1], shape.h, shape.w))

        return lifted(key, key_lift), lifted(rest, rest_lift)

    def restore(
        self,
        key: torch.Tensor,
        rest: torch.Tensor,
        ratio: float,
        shape: FrameShape,
        chosen: Sequence[int],
        *,
        weighed: bool = False,
    ) -> Restored:
        """Key frames and the chosen others from their readings (b, frames, places, m).

        Fixed patterns are orthonormal, so the frames that come out agree with every reading. Guided networks start
        their key frames from an estimate by smoothing (`block_tv`), which is nearer than the linear one.

        Args:
            shape: of the whole clip, t frames of h x w, both multiples of 32.
            weighed: corrections of a guide count less where it met the readings. For use, not for training: a network
                that learns behind the weights learns larger corrections to make up for them.
        """
        device = key.device.type
        (key_rows, _), (rows, _) = self.matrices(ratio)
        with torch.autocast(device, enabled=False):
            keys, rests = self.initial(key, rest, ratio, shape)
            if self.deep.guided:
                keys = smoothed(key, Patterns(key_rows, key_rows.T), (shape.h, shape.w), SMOOTHING)
        new_keys, gifts = self.deep.of_keys(keys.flatten(0, 1)[:, None])
        new_keys = self._agreeing(new_keys.view(keys.shape), key, key_rows)
        led = doubt = None
        if self.deep.guided:
            with torch.autocast(device, enabled=False):
                known = new_keys.detach().clamp(0, 1), rest.detach(), rows.detach()
                led, doubt = guide(*known, shape.t, self.sampling.gop, list(chosen))
        before, behind = self._places(keys.shape[0], keys.shape[1], shape.t, chosen, keys.device)
        flat = None if led is None else led.flatten(0, 1)[:, None]
        entering = rests.flatten(0, 1)[:, None]
        new_rests = self.deep.of_rest(entering, flat, cast(Any, gifts), before, behind).view(rests.shape)
        if weighed and led is not None and doubt is not None:
            new_rests = led + doubt * (new_rests - led)
        return Restored(new_keys, self._agreeing(new_rests, rest, rows), keys, rests, led)

    def _agreeing(self, frames: torch.Tensor, readings: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Frames (b, n, h, w) moved to where they agree with their readings."""
        if self.sampling.joint:
            return frames
        with torch.autocast(frames.device.type, enabled=False):
            return from_blocks(corrected(to_blocks(frames.float()), readings, rows), FrameShape(*frames.shape[1:]))

    def _places(self, b: int, k: int, t: int, chosen: Sequence[int], device: torch.device):
        """Places, among b k key frames, of those before and behind each chosen frame: (b n,) each."""
        around = references(t, self.sampling.gop)
        first = torch.arange(b)[:, None] * k
        sides = (first + torch.tensor([around[n][side] for n in chosen]) for side in (0, 1))
        return tuple(places.flatten().to(device) for places in sides)


@dataclass(frozen=True, slots=True)
class Restored:
    """Frames (b, n, h, w) of a network: key frames and the others, what each began from, and the guide if any."""

    keys: torch.Tensor
    rests: torch.Tensor
    first_keys: torch.Tensor
    first_rests: torch.Tensor
    guide: torch.Tensor | None


@cache
def fixed_matrices(matrix: str, seed: int, key: int, rest: int):
    """Patterns of `key` and `rest` rows with the best linear upsampling for them, as ((rows, lift), (rows, lift)).

    Raises:
        ModelError: no matrix of that name.
    """
    if matrix == "learned":
        rows = load_basis(BASIS).rows
        return (rows[:key], rows[:key].T), (rows[:rest], rows[:rest].T)
    if matrix != "gaussian":
        raise ModelError(f"matrix: got {matrix!r}, allowed: 'learned' or 'gaussian'")
    moment = load_basis(BASIS).moment()
    both = gaussian_rows(key, seed), gaussian_rows(rest, seed + 1)
    return tuple((rows, linear_estimate(rows, moment)) for rows in both)


@remembered
def load_network(weights: str) -> tuple[SampledNetwork, Mapping[str, Any]]:
    """The network of `weights` and its card.

    Raises:
        ModelError: missing, damaged, weights of something else, or trained on another basis than the one at hand.
    """
    path, card = card_of(weights, "block_network")
    sampling = sampling_of(card["facts"])
    if sampling.facts["basis"] != card["facts"]["basis"]:
        raise ModelError(f"weights {weights!r}: were trained on another basis than {BASIS!r} of this version")
    network = load_verified(lambda: SampledNetwork(NetworkSize(**card["model"]), sampling), path, card, probe)
    return network.to(memory_format=torch.channels_last), card  # type: ignore[call-overload]


def sampling_of(facts: Mapping[str, Any]) -> Sampling:
    """The sampling that a card's facts describe."""
    named = {f.name: facts[f.name] for f in fields(Sampling)}
    return Sampling(**named | {"ratios": tuple(facts["ratios"])})


@torch.no_grad()
def probe(network: SampledNetwork) -> torch.Tensor:
    """The answer to a fixed moving pattern, nine frames of 64 x 64."""
    t, y, x = torch.meshgrid(torch.arange(9.0), torch.arange(64.0), torch.arange(64.0), indexing="ij")
    clip = (0.5 + 0.3 * torch.sin((x + 1.5 * t) / 5) * torch.cos((y - t) / 7))[None]
    chosen, ratio, shape = [2, 5], network.sampling.ratios[0], FrameShape(9, 64, 64)
    restored = network.restore(*network.readings(clip, ratio, chosen), ratio, shape, chosen)
    return torch.cat((restored.keys, restored.rests), 1)
