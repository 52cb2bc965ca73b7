"""Training task-aware compression of a sensor's readings: error of the frames plus beta times bits.

Every clip of a batch draws its own knob q, so one set of weights learns all
rates. The loss is taken as a logarithm for each clip, ln(error + beta(q) bits),
which keeps the slope between error and bits and lets easy and hard clips, fine
and coarse rates weigh alike. The first `warm` steps measure the error on the
readings, which needs no reconstruction and is far cheaper.

Source: [zhang2024crl, Sec. III-C and IV-B].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

import torch
from torch import nn

from semlink.codecs.readings_domain import denormalise_readings, normalise_readings, taken
from semlink.codecs.task_aware.networks import KNOB_STEPS, CodecSizes, TaskAwareNet, probe as codec_probe
from semlink.errors import ScenarioError
from semlink.sensing.programmable.decoder_network import probe as decoder_probe
from semlink.sensing.programmable.decoder_weights import load_decoder
from semlink.training.recipe import build_options
from semlink.training.tasks.sensed_clips import SensedClips
from semlink.training.tasks.sensor_decoder import NetworkSpec, mean_psnr_db
from semlink.weights.tensors import probe_facts

PAPER_CLIP = 256 * 256  # bits are counted for clips of so many pixels a frame
VALIDATED_KNOBS = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True)
class CompressionModelSpec:
    """Sizes of the codec without the tile, which is the sensor's, and of a decoder that learns along."""

    codec: dict = field(default_factory=dict)
    decoder: NetworkSpec = field(default_factory=lambda: NetworkSpec(estimated=True))


@dataclass(frozen=True, slots=True)
class CompressionOptions:
    """What is minimised.

    Attributes:
        sensor: whose readings are compressed, and whose decoder makes frames of them.
        loss: "task", squared error of the frames, or "sensor", of the readings, in units of frames.
        warm: steps at the beginning with "sensor" in any case.
        free_hyper: first steps in which the hyperprior learns to be of use before it has to be cheap; otherwise
            it would fall silent before anything listens.
        joint: the decoder learns along, beginning at the sensor's.
        linear_rate, entropy_rate, decoder_rate: learning rates of the linear paths, of gains and
            prior, and of the decoder, as shares of the recipe's.
    """

    sensor: SensedClips = field(default_factory=SensedClips)
    loss: str = "task"
    warm: int = 0
    free_hyper: int = 0
    joint: bool = False
    linear_rate: float = 0.1
    entropy_rate: float = 3.0
    decoder_rate: float = 0.3


class CompressionModel(nn.Module):
    """The codec, and in joint training the decoder."""

    def __init__(self, codec: TaskAwareNet, decoder: nn.Module | None) -> None:
        super().__init__()
        self.codec, self.decoder = codec, decoder

    def forward(
        self, x: torch.Tensor, q: torch.Tensor, rng: torch.Generator | None = None, *, free_hyper: bool = False
    ):
        return self.codec(x, q, rng, free_hyper=free_hyper)


@dataclass(frozen=True, slots=True)
class CompressionTask:
    """One codec for all rates of one sensor."""

    spec: CompressionModelSpec
    options: CompressionOptions

    @classmethod
    def from_recipe(cls, model: Mapping[str, Any], options: Mapping[str, Any]) -> CompressionTask:
        task = cls(
            build_options(CompressionModelSpec, model, "model"), build_options(CompressionOptions, options, "options")
        )
        if task.options.loss not in ("task", "sensor"):
            raise ScenarioError(f"options.loss: got {task.options.loss!r}, allowed: 'task' or 'sensor'")
        if task.options.joint and task.options.loss == "sensor":
            raise ScenarioError("options: joint training needs loss: task, the loss of the readings sees no decoder")
        build_options(CodecSizes, {"tile": [[1]]} | task.spec.codec, "model.codec")
        return task

    @property
    def sizes(self) -> CodecSizes:
        """The codec's sizes with the sensor's tile."""
        tile = [list(row) for row in self.options.sensor.tile]
        return build_options(CodecSizes, {"tile": tile} | self.spec.codec, "model.codec")

    @property
    def architecture(self) -> str:
        own = f"task-aware compression {self.sizes.words}"
        return f"{own} with reconstruction {self.spec.decoder.words}" if self.options.joint else own

    def build(self) -> nn.Module:
        codec = TaskAwareNet(self.sizes)
        decoder = None
        if self.options.joint:
            decoder = self.spec.decoder.build()
            decoder.load_state_dict(self.options.sensor.decoder().state_dict())
        return CompressionModel(codec, decoder)

    def optimisers(self, model: Any, learning_rate: float) -> list[torch.optim.Optimizer]:
        groups: dict[float, list[nn.Parameter]] = {}
        for name, parameter in model.named_parameters():
            groups.setdefault(self._rate(name), []).append(parameter)
        return [
            torch.optim.Adam([{"params": p, "lr": share * learning_rate} for share, p in groups.items()], fused=True)
        ]

    def loss(self, model: Any, clips, step, rng):
        knobs = torch.randint(0, KNOB_STEPS + 1, (len(clips),), generator=rng).to(clips.device) / KNOB_STEPS
        on_readings = self.options.loss == "sensor" or step < self.options.warm
        free = step < self.options.free_hyper
        error, bits = self._error_and_bits(model, clips, knobs, rng, free_hyper=free, on_readings=on_readings)
        beta = betas(self.sizes, knobs)
        figures = {"error": float(error.detach().mean()), "kbit": float(bits.detach().mean()) / 1e3}
        return (error + beta * bits).log().mean(), figures

    def validate(self, model: Any, clips):
        figures = {}
        for knob in VALIDATED_KNOBS:
            rng = torch.Generator().manual_seed(0)
            counts = self.options.sensor.counts(clips)
            slots = self.options.sensor.sense(clips, counts, rng)
            restored, kbit = [], 0.0
            for one in slots.split(1):
                q = torch.full((1,), knob, device=clips.device)
                x, bits = model(normalise_readings(one, counts), q)
                restored.append(self._restore(model, denormalise_readings(x, counts), counts))
                kbit += float(bits.sum()) / 1e3 * PAPER_CLIP / counts.numel()
            name = f"q{round(100 * knob)}"
            figures[f"psnr_{name}_db"] = mean_psnr_db(torch.cat(restored), clips)
            figures[f"kbit_{name}"] = kbit / len(clips)
        return figures

    def facts(self, model: Any) -> dict[str, Any]:
        sensor = self.options.sensor
        own = {}
        if self.options.joint:
            own = {
                "decoder": asdict(self.spec.decoder),
                "decoder_probe": probe_facts(_decoder_probe(model.decoder)),
            }
        return own | {
            "num_frames": self.sizes.num_frames,
            "noise": asdict(sensor.noise),
            "masked": False,
            "maps": "learned",
            "tile": [list(row) for row in sensor.tile],
            "sensor": {"weights": sensor.weights, "mean_count": sensor.mean_count},
            "knobs": [0.0, 1.0],
            "stride": self.sizes.slice_rows,
            "loss": self.options.loss,
            "trained_decoder": "its own, trained along" if self.options.joint else f"frozen, of {sensor.weights!r}",
        }

    def probe(self, model: Any) -> torch.Tensor:
        return codec_probe(model.codec)

    def _error_and_bits(self, model, clips, knobs, rng, *, free_hyper: bool, on_readings: bool):
        """Mean squared error of each clip's frames, and its bits, both (b,)."""
        counts = self.options.sensor.counts(clips)
        slots = self.options.sensor.sense(clips, counts, rng)
        x = normalise_readings(slots, counts)
        decoded, bits = model(x, knobs, rng, free_hyper=free_hyper)
        if on_readings:
            read = taken(counts, x.shape[1])
            error = ((decoded - x) * read).square().sum((1, 2, 3)) / clips[0].numel()
        else:
            error = (
                (self._restore(model, denormalise_readings(decoded, counts), counts) - clips).square().mean((1, 2, 3))
            )
        return error, bits * PAPER_CLIP / counts.numel()

    def _restore(self, model, slots, counts):
        model = getattr(model, "_orig_mod", model)  # torch.compile wraps it
        decoder = model.decoder if self.options.joint else _frozen(self.options.sensor.weights, str(slots.device))
        return self.options.sensor.restore(decoder, slots, counts)

    def _rate(self, name: str) -> float:
        if name.startswith("decoder."):
            return self.options.decoder_rate
        if ".linear." in name:
            return self.options.linear_rate
        entropy = ("codec.gain", "codec.hyper_gain", "codec.log_spread", "codec.prior")
        return self.options.entropy_rate if name.startswith(entropy) else 1.0


def betas(sizes: CodecSizes, knobs: torch.Tensor) -> torch.Tensor:
    """beta(q): mean squared error that a bit a clip of 16x256x256 is worth.

    At high rate a quantiser of step d has error d^2/12 a value and slope
    -2 ln 2 of that a bit; so beta = (2 ln 2 / 12) step(q)^2 / (T 256^2) asks
    for the steps that training starts with.
    """
    step = sizes.coarse * (sizes.fine / sizes.coarse) ** knobs
    return 0.11552 * step.square() / (sizes.num_frames * PAPER_CLIP)


@torch.no_grad()
def _decoder_probe(decoder: nn.Module) -> torch.Tensor:
    return decoder_probe(decoder)  # type: ignore[arg-type]


@cache
def _frozen(weights: str, device: str) -> nn.Module:
    with torch.autocast("cpu", enabled=False):
        return load_decoder(weights)[0].to(device)
