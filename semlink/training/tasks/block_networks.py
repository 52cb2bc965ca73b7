"""Training of networks that reconstruct video from block measurements.

Of the seven frames between two key frames `kept` are drawn in each step: the
network shares its weights among them, so the others would teach little more.

Source: [zhang2023hitvcsnet, Sec. 2.3, eq. (7)] with loss `squared`; `log` is
the mean logarithm of each frame's error, since quality is a mean of PSNRs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from semlink.errors import ScenarioError
from semlink.payload import FrameShape
from semlink.sensing.block_cs.networks import NetworkSize, Restored, SampledNetwork, Sampling, probe
from semlink.training.recipe import build_options

LEAST_ERROR = 1e-5


@dataclass(frozen=True, slots=True)
class BlockOptions:
    """Sampling and loss.

    Attributes:
        ratios: of non-key frames; every batch draws one.
        matrix: `learned` (the shipped basis) or `gaussian`, from `seed`.
        joint: patterns and upsampling matrices learn along, beginning at these.
        kept: non-key frames of a clip in one step.
        loss: `log` or `squared`.
    """

    ratios: list = field(default_factory=lambda: [0.1])
    key_ratio: float = 0.5
    gop: int = 8
    matrix: str = "learned"
    seed: int = 0
    joint: bool = False
    kept: int = 3
    loss: str = "log"

    @property
    def sampling(self) -> Sampling:
        return Sampling(tuple(map(float, self.ratios)), self.key_ratio, self.gop, self.matrix, self.seed, self.joint)


@dataclass(frozen=True, slots=True)
class BlockTask:
    """HIT-VCSNet or the plain network, for one ratio or several."""

    size: NetworkSize
    options: BlockOptions

    @classmethod
    def from_recipe(cls, model: Mapping[str, Any], options: Mapping[str, Any]) -> BlockTask:
        made = cls(build_options(NetworkSize, model, "model"), build_options(BlockOptions, options, "options"))
        if made.options.loss not in ("log", "squared"):
            raise ScenarioError(f"options.loss: got {made.options.loss!r}, allowed: 'log' or 'squared'")
        if made.options.joint and made.size.guided:
            raise ScenarioError("options.joint: patterns that learn go without a guide; set model.guided: false")
        if not 1 <= made.options.kept < made.options.gop:
            raise ScenarioError(f"options.kept: got {made.options.kept}, allowed: 1 to {made.options.gop - 1}")
        return made

    @property
    def architecture(self) -> str:
        s = self.size
        without = [name for name, on in (("hffm", s.hffm), ("hfim", s.hfim), ("guide", s.guided)) if not on]
        return " ".join([f"{s.network} width={s.width} levels={s.levels}", *(f"without {name}" for name in without)])

    def build(self) -> nn.Module:
        return SampledNetwork(self.size, self.options.sampling)

    def optimisers(self, model: Any, learning_rate: float) -> list[torch.optim.Optimizer]:
        return [torch.optim.Adam(model.parameters(), lr=learning_rate)]

    def loss(self, model, clips, step, rng):
        o = self.options
        chosen = sorted((torch.randperm(o.gop - 1, generator=rng)[: o.kept] + 1).tolist())
        ratio = o.ratios[int(torch.randint(len(o.ratios), (), generator=rng))]
        made = _through(model, clips, ratio, chosen)
        pairs = [(made.keys, clips[:, :: o.gop], 0.5), (made.rests, clips[:, chosen], (o.gop - 1) / o.kept)]
        if o.joint:
            pairs += [(made.first_keys, clips[:, :: o.gop], 0.5)]
            pairs += [(made.first_rests, clips[:, chosen], (o.gop - 1) / o.kept)]
        total = sum(share * self._distortion(restored, original) for restored, original, share in pairs)
        return total / o.gop, {}

    def _distortion(self, restored: torch.Tensor, original: torch.Tensor) -> torch.Tensor:
        """Summed over frames, mean over clips."""
        error = (restored - original).square().mean((2, 3))
        each = (error + LEAST_ERROR).log() if self.options.loss == "log" else 0.5 * error
        return each.mean(0).sum()

    def validate(self, model, clips):
        figures = {}
        for ratio in self.options.ratios:
            chosen = list(range(1, self.options.gop))
            made = _through(model, clips, ratio, chosen)
            tag = "" if len(self.options.ratios) == 1 else f"_{ratio:g}"
            began = made.first_rests if made.guide is None else made.guide
            key, rest = _psnr(made.keys, clips[:, :: self.options.gop]), _psnr(made.rests, clips[:, chosen])
            figures |= {f"psnr_key{tag}_db": key, f"psnr_non_key{tag}_db": rest}
            figures[f"psnr{tag}_db"] = (key + (self.options.gop - 1) * rest) / self.options.gop
            figures[f"start_key{tag}_db"] = _psnr(made.first_keys, clips[:, :: self.options.gop])
            figures[f"start_non_key{tag}_db"] = _psnr(began, clips[:, chosen])
        return figures

    def facts(self, model: Any) -> dict[str, Any]:
        return self.options.sampling.facts

    def probe(self, model: Any) -> torch.Tensor:
        return probe(model)


def _through(model: Any, clips: torch.Tensor, ratio: float, chosen: list[int]) -> Restored:
    """Sampled and restored."""
    with torch.autocast(clips.device.type, enabled=False):
        readings = model.readings(clips, ratio, chosen)
    return model.restore(*readings, ratio, FrameShape(*clips.shape[1:]), chosen)


def _psnr(restored: torch.Tensor, original: torch.Tensor) -> float:
    """Mean over frames of each frame's PSNR in dB, after clamping."""
    error = (restored.clamp(0, 1) - original).square().mean((2, 3))
    return float(-10 * error.clamp_min(1e-10).log10().mean())
