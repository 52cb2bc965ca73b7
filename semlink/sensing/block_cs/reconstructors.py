"""Block measurements back to video: the linear estimate, and the trained networks.

Frames are padded to whole blocks by the sensor; both reconstruct the padded
frames and cut them back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from semlink.blocks import ReconstructionBase
from semlink.errors import ModelError
from semlink.nn.cpu import bf16_pays
from semlink.payload import Frames, FrameShape, Projections
from semlink.sensing.block_cs.networks import SampledNetwork, Sampling, fixed_matrices, load_network, sampling_of
from semlink.sensing.block_cs.sampler import BLOCK, BlockSampler, grid_of, rows_of
from semlink.weights.cards import card_of, find_weights, read_card

__all__ = ["BlockNetworkReconstructor", "LinearBlockReconstructor"]


@dataclass(frozen=True, slots=True)
class LinearBlockReconstructor(ReconstructionBase):
    """Each block by itself: transposed rows of a learned basis, the best linear estimate behind Gaussian patterns."""

    sampler: BlockSampler
    name: str = "linear"

    def reconstruct(self, measurement: Projections) -> Frames:
        """Frames in [0, 1]."""
        key, rest = self._lifts()
        return Frames(self.sampler.lift(measurement, key, rest).clamp(0, 1))

    def _lifts(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Upsampling matrices (1024, m) of key frames and of the others."""
        if self.sampler.weights is None:
            (_, key), (_, rest) = fixed_matrices("gaussian", self.sampler.seed, *self.sampler.rows)
            return key, rest
        if is_network(self.sampler.weights):
            network, _ = load_network(self.sampler.weights)
            (_, key), (_, rest) = network.matrices(self.sampler.ratio)
            return key, rest
        key, rest = self.sampler.matrices()
        return key.T, rest.T


@dataclass(frozen=True, slots=True)
class BlockNetworkReconstructor(ReconstructionBase):
    """HIT-VCSNet or the plain network, by the name of its weights, for the sampling that it was trained with."""

    sampler: BlockSampler
    weights: str
    network: str = "hit-vcsnet"

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.network

    def check(self) -> None:
        """That weights and sensor belong together; reads the card alone.

        Raises:
            ModelError: weights missing, of another network, or trained for another sampling.
        """
        _, card = card_of(self.weights, "block_network")
        if card["model"].get("network", "hit-vcsnet") != self.network:
            raise ModelError(
                f"weights {self.weights!r}: of {card['model']['network']!r}, the scenario has {self.network!r}"
            )
        self._check_sampling(sampling_of(card["facts"]), card["facts"])

    def reconstruct(self, measurement: Projections) -> Frames:
        """Frames in [0, 1].

        Raises:
            ModelError: weights missing, damaged, or trained for another sampling.
        """
        self.check()
        network, _ = load_network(self.weights)
        high, wide = grid_of(measurement.frames)
        whole = FrameShape(measurement.frames.t, high * BLOCK, wide * BLOCK)
        parts = [part.transpose(1, 2).unflatten(1, (-1, high * wide)) for part in measurement.parts]
        keys, rests = parts
        clips = [self._clip(network, keys[n : n + 1], rests[n : n + 1], whole) for n in range(len(keys))]
        return Frames(torch.cat(clips)[..., : measurement.frames.h, : measurement.frames.w].clamp(0, 1))

    @torch.no_grad()
    def _clip(self, network: SampledNetwork, key: torch.Tensor, rest: torch.Tensor, shape: FrameShape) -> torch.Tensor:
        """One clip (1, t, h, w), group by group: a key frame, the frames behind it, and the next key frame if any."""
        _, others = self.sampler.split(shape.t)
        gop, video = self.sampler.gop, torch.empty(1, shape.t, shape.h, shape.w)
        for group in sorted({number // gop for number in others}):
            first, pair = group * gop, key[:, group : group + 2]
            places = [place for place, number in enumerate(others) if number // gop == group]
            chosen = [others[place] - first for place in places]
            length = gop + 1 if pair.shape[1] == 2 else 1 + len(places)
            whole = FrameShape(length, shape.h, shape.w)
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16_pays()):
                made = network.restore(pair, rest[:, places], self.sampler.ratio, whole, chosen, weighed=True)
            video[:, [first + n for n in chosen]] = made.rests.float()
            video[:, first : first + length : gop] = made.keys.float()
        return video

    def _check_sampling(self, trained: Sampling, facts: Mapping[str, Any]) -> None:
        sampler = self.sampler
        low, high = min(trained.ratios), max(trained.ratios)
        if not rows_of(low) <= rows_of(sampler.ratio) <= rows_of(high):
            allowed = f"{low:g}" if low == high else f"{low:g} to {high:g}"
            raise ModelError(f"weights {self.weights!r}: trained for ratio {allowed}, the sensor has {sampler.ratio:g}")
        matrix = "gaussian" if sampler.weights is None else "learned"
        wanted = [("key_ratio", sampler.key_ratio), ("gop", sampler.gop), ("matrix", matrix)]
        wanted += [("seed", sampler.seed)] if matrix == "gaussian" else []
        for name, has in wanted:
            if getattr(trained, name) != has:
                raise ModelError(
                    f"weights {self.weights!r}: trained for {name} {getattr(trained, name)}, the sensor has {has}"
                )
        if trained.joint and sampler.weights != self.weights:
            raise ModelError(
                f"weights {self.weights!r}: learned their own patterns; give the sensor weights: {self.weights}"
            )
        if not trained.joint and sampler.weights is not None:
            mine = read_card(find_weights(sampler.weights))["weights_sha256"]
            if mine != facts["basis"]:
                raise ModelError(f"weights {self.weights!r}: trained on another basis than {sampler.weights!r}")


def is_network(weights: str) -> bool:
    """Whether a weights file holds a network, which may have patterns of its own, and not a basis."""
    return read_card(find_weights(weights))["task"] == "block_network"
