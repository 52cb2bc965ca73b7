"""Training a generator of pictures together with one latent code for each of them.

    min over weights and codes of  sum_i |x_i - G(z_i)|^2 / pixels,   |z_i| <= 1

There is no encoder and no adversary. Codes are not shipped: whoever uses the
generator finds codes by descent.

Source: [bojanowski2018glo, Sec. 2], as in [hyder2019gmlr, Sec. 3]. The paper
steps weights and codes by turns, by SGD; here one gradient moves both, and Adam
is the default, which needs fewer epochs. `optimiser: sgd` is there for
comparison.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from semlink.errors import ScenarioError
from semlink.nn.generative.generator import GRAY_CHANNELS, GRAY_LATENT, SIDE, Generator
from semlink.nn.generative.generator_weights import probe, start_code
from semlink.training.data.clip_sampler import ClipSettings
from semlink.training.data.pack import Pack
from semlink.training.data.picture_sampler import Pictures, PictureSampler, PictureSettings
from semlink.training.recipe import build_options

SEARCH_STEPS, SEARCH_RATE = 150, 0.05


@dataclass(frozen=True, slots=True)
class GeneratorSpec:
    """Sizes of the generator; see `Generator`."""

    latent: int = GRAY_LATENT
    channels: list = field(default_factory=lambda: list(GRAY_CHANNELS))
    planes: int = 1


@dataclass(frozen=True, slots=True)
class GeneratorOptions:
    """The pictures, and how codes are learned.

    `optimiser` is `adam` or `sgd`; `code_rate` its rate for the codes, at the same schedule as the weights'.
    """

    pictures: PictureSettings
    optimiser: str = "adam"
    code_rate: float = 1e-2


class CodedGenerator(nn.Module):
    """A generator and the codes of its training pictures, kept within the unit ball."""

    unaveraged = ("codes",)

    def __init__(self, generator: Generator, count: int) -> None:
        super().__init__()
        self.shipped = generator
        self.codes = nn.Parameter(torch.randn(count, generator.latent) * generator.latent**-0.5)

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        return self.shipped(in_ball(self.codes[numbers]))


@dataclass(frozen=True, slots=True)
class GeneratorTask:
    """A generator of 64 x 64 pictures."""

    network: GeneratorSpec
    options: GeneratorOptions

    @classmethod
    def from_recipe(cls, model: Mapping[str, Any], options: Mapping[str, Any]) -> GeneratorTask:
        made = cls(build_options(GeneratorSpec, model, "model"), build_options(GeneratorOptions, options, "options"))
        if made.options.optimiser not in ("adam", "sgd"):
            raise ScenarioError(f"options.optimiser: got {made.options.optimiser!r}, allowed: 'adam' or 'sgd'")
        planes = made.options.pictures.planes
        if planes != made.network.planes or planes not in (1, 3):
            raise ScenarioError(
                f"options.pictures.planes: got {planes} for a generator of {made.network.planes}; "
                "allowed: 1 or 3, the same for both"
            )
        return made

    @property
    def architecture(self) -> str:
        widths = "-".join(map(str, (self.network.latent, *self.network.channels, self.network.planes)))
        return f"generator {widths}"

    def build(self) -> Generator:
        return start_weights(Generator(self.network.latent, tuple(self.network.channels), self.network.planes))

    def with_helpers(self, model: Generator) -> CodedGenerator:
        return CodedGenerator(model, self.options.pictures.count)

    def sampler(self, pack: Pack, settings: ClipSettings, seed: int) -> PictureSampler:
        return PictureSampler(pack, self.options.pictures, SIDE, seed)

    def optimisers(self, model: CodedGenerator, learning_rate: float) -> list[torch.optim.Optimizer]:
        kind = torch.optim.Adam if self.options.optimiser == "adam" else torch.optim.SGD
        return [kind(model.shipped.parameters(), lr=learning_rate), kind([model.codes], lr=self.options.code_rate)]

    def loss(
        self, model: Any, clips: Pictures, step: int, rng: torch.Generator
    ) -> tuple[torch.Tensor, dict[str, float]]:
        squared = (model(clips.numbers).float() - (2 * clips.pixels - 1)).square()
        by_picture = squared.mean((1, 2, 3))
        return by_picture.sum(), {"psnr_train_db": mean_psnr_db(by_picture.detach())}

    def validate(self, model: CodedGenerator, clips: torch.Tensor) -> dict[str, float]:
        return {"psnr_held_out_db": mean_psnr_db(search_codes(model.shipped, clips)[1])}

    def facts(self, model: Generator) -> dict[str, Any]:
        return {
            "latent": model.latent,
            "channels": list(self.network.channels),
            "planes": model.planes,
            "side": SIDE,
            "code_norm": 1.0,
        }

    def probe(self, model: Generator) -> torch.Tensor:
        return probe(model)


def in_ball(codes: torch.Tensor) -> torch.Tensor:
    """Codes (b, k) no longer than 1."""
    return codes / codes.norm(dim=1, keepdim=True).clamp_min(1.0)


def start_weights(generator: Generator) -> Generator:
    """Normal weights that keep the size of what passes through rectifiers.

    An output of D1 sums over a code of length 1, one of the others over a quarter of its kernel.
    """
    for at, layer in enumerate(generator.convolutions):
        nn.init.normal_(layer.weight, std=(2 / (4 * layer.weight.shape[0])) ** 0.5 if at else 1.0)
    return generator


@torch.enable_grad()
def search_codes(
    generator: Generator, pictures: torch.Tensor, steps: int = SEARCH_STEPS
) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes in the unit ball for pictures (b, planes, h, w) in [0, 1], and each one's mean squared error in [-1, 1]."""
    codes = start_code(generator.latent).to(pictures.device).repeat(len(pictures), 1).requires_grad_()
    optimiser = torch.optim.Adam([codes], lr=SEARCH_RATE)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = SEARCH_RATE * (1 - step / steps)
        error = (generator(in_ball(codes)).float() - (2 * pictures - 1)).square().mean((1, 2, 3))
        optimiser.zero_grad()
        error.sum().backward()
        optimiser.step()
    with torch.no_grad():
        found = in_ball(codes)
        return found, (generator(found).float() - (2 * pictures - 1)).square().mean((1, 2, 3))


def mean_psnr_db(error: torch.Tensor) -> float:
    """Mean over pictures of the PSNR, from mean squared errors of pixels in [-1, 1]."""
    return float(-10 * (error / 4).clamp_min(1e-10).log10().mean())
