"""What a scenario may say about block sampling and its networks."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import ConfigDict, Field, model_validator

from semlink.blocks import ReconstructionBase, SensorBase
from semlink.sensing.specs.base import ReconstructionSpec, SensorSpec
from semlink.sensing.specs.block_cs_untrained import sampler_of
from semlink.spec import NOTHING_KNOWN, BuildContext
from semlink.yaml12.rules import given, is_one_of, no, ruled


class BlockSensorSpec(SensorSpec):
    """Blocks of 32 x 32 pixels against known patterns: key frames finely, the frames between them coarsely."""

    model_config = ConfigDict(json_schema_extra=ruled(no(is_one_of("matrix", "gaussian"), given("weights"))))

    kind: Literal["block"]
    matrix: Literal["learned", "gaussian"] = Field("learned", description="where the patterns come from")
    weights: str | None = Field(
        None, description="for learned: a basis, or a network with patterns of its own; default: blocks"
    )
    key_ratio: float = Field(0.5, gt=0, le=1, description="patterns of a key frame's block over its 1024 pixels")
    ratio: float | None = Field(None, gt=0, le=1, description="the same in the other frames; default: 0.1, or `rates`")
    gop: int = Field(8, ge=2, description="frames from one key frame to the next")
    seed: int = Field(0, ge=0, description="for gaussian: of the patterns")

    @model_validator(mode="after")
    def _gaussian_has_no_weights(self) -> BlockSensorSpec:
        if self.matrix == "gaussian" and self.weights is not None:
            raise ValueError("matrix gaussian is drawn from seed and takes no weights")
        return self

    def build(self, context: BuildContext = NOTHING_KNOWN) -> SensorBase:
        """The sensor; `rates` are ratios, which go before the spec's own."""
        from semlink.sensing.block_cs.sampler import BlockSampler

        weights = None if self.matrix == "gaussian" else context.weights(self.weights or "blocks")
        own = 0.1 if self.ratio is None else self.ratio
        sampler = BlockSampler(
            own if context.rate is None else context.rate, self.key_ratio, self.gop, weights, self.seed
        )
        sampler.split(context.frames)
        return sampler


class LinearSpec(ReconstructionSpec):
    """The linear estimate of every block by itself, from which the networks begin."""

    kind: Literal["linear"]

    def passed_over(self, context: BuildContext = NOTHING_KNOWN) -> tuple[str, ...]:
        return tuple(f"semlink.sensing.block_cs.{name}" for name in ("vcsnet", "hit_vcsnet", "smoothed_projections"))

    def build(self, context: BuildContext = NOTHING_KNOWN) -> ReconstructionBase:
        from semlink.sensing.block_cs.reconstructors import LinearBlockReconstructor

        return LinearBlockReconstructor(sampler_of(context, self.kind))


class HitVcsNetSpec(ReconstructionSpec):
    """HIT-VCSNet: three scales, features of key frames given to the frames between them."""

    kind: Literal["hit-vcsnet"]
    weights: str = Field(description="by name, see `semlink weights`; trained for the sensor's ratio")
    revision: ClassVar[int] = 2

    def passed_over(self, context: BuildContext = NOTHING_KNOWN) -> tuple[str, ...]:
        return ("semlink.sensing.block_cs.vcsnet",)

    def build(self, context: BuildContext = NOTHING_KNOWN) -> ReconstructionBase:
        return _network(context, self)


class VcsNetSpec(ReconstructionSpec):
    """A plain convolutional network of the family of VCSNet, the baseline of HIT-VCSNet."""

    kind: Literal["vcsnet"]
    weights: str = Field(description="by name, see `semlink weights`; trained for the sensor's ratio")
    revision: ClassVar[int] = 2

    def passed_over(self, context: BuildContext = NOTHING_KNOWN) -> tuple[str, ...]:
        return ("semlink.sensing.block_cs.hit_vcsnet",)

    def build(self, context: BuildContext = NOTHING_KNOWN) -> ReconstructionBase:
        return _network(context, self)


def _network(context: BuildContext, spec: HitVcsNetSpec | VcsNetSpec) -> ReconstructionBase:
    from semlink.sensing.block_cs.reconstructors import BlockNetworkReconstructor

    made = BlockNetworkReconstructor(sampler_of(context, spec.kind), context.weights(spec.weights), spec.kind)
    made.check()
    return made


BLOCK_SENSORS = (BlockSensorSpec,)
BLOCK_RECONSTRUCTIONS = (LinearSpec, HitVcsNetSpec, VcsNetSpec)
