"""What a scenario may say about reconstruction from block measurements without training."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from semlink.blocks import ReconstructionBase
from semlink.sensing.specs.base import ReconstructionSpec, sensor_of
from semlink.spec import NOTHING_KNOWN, BuildContext

if TYPE_CHECKING:
    from semlink.sensing.block_cs.sampler import BlockSampler


class BlockTvSpec(ReconstructionSpec):
    """Smoothing and meeting the block measurements in turns, no training."""

    kind: Literal["block-tv"]
    over_time: bool = Field(True, description="neighbouring frames help each other; false: frame by frame")
    prior: Literal["tv", "dct", "both"] = Field(
        "both", description="total variation, thresholded DCT of moving windows, or their mean"
    )
    revision: ClassVar[int] = 2

    def build(self, context: BuildContext = NOTHING_KNOWN) -> ReconstructionBase:
        from semlink.sensing.block_cs.smoothed_projections import BlockTvReconstructor

        return BlockTvReconstructor(sampler_of(context, self.kind), self.over_time, self.prior)


class MultiHypothesisSpec(ReconstructionSpec):
    """Non-key blocks as mixtures of blocks of the key frames around them, fitted to the measurements; no training."""

    kind: Literal["multi-hypothesis"]
    reach: int = Field(15, ge=0, le=48, description="pixels that a block may have moved since its key frames")
    blend: int = Field(8, ge=0, le=16, description="pixels over which neighbouring blocks are mixed; 0 leaves edges")
    revision: ClassVar[int] = 2

    def build(self, context: BuildContext = NOTHING_KNOWN) -> ReconstructionBase:
        from semlink.sensing.block_cs.multi_hypothesis import Hypotheses, MultiHypothesisReconstructor

        near = min(self.reach, Hypotheses().near)
        settings = Hypotheses(near=near, reach=self.reach, blend=self.blend)
        return MultiHypothesisReconstructor(sampler_of(context, self.kind), settings)


def sampler_of(context: BuildContext, kind: str) -> BlockSampler:
    """The sensor, if it is block sampling.

    Raises:
        ScenarioError: it is another.
    """
    from semlink.errors import ScenarioError
    from semlink.sensing.block_cs.sampler import BlockSampler

    sensor = sensor_of(context, kind)
    if not isinstance(sensor, BlockSampler):
        raise ScenarioError(
            f"reconstruction {kind}: takes block measurements, got sensor {sensor.name}; allowed: sensor kind block"
        )
    return sensor


BLOCK_BASELINES = (BlockTvSpec, MultiHypothesisSpec)
