"""What a scenario may say about filling in frames that were not read."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from semlink.blocks import ReconstructionBase
from semlink.sensing.specs.base import ReconstructionSpec
from semlink.sensing.specs.random_projections import random_sensor
from semlink.spec import NOTHING_KNOWN, BuildContext


class FillSpec(ReconstructionSpec):
    """Frames that a random sensor of operator identity skips, from those beside them: what interpolation must beat."""

    kind: Literal["fill"]
    method: Literal["nearest", "linear"] = Field("linear", description="repeat the nearest frame, or blend two")

    def build(self, context: BuildContext = NOTHING_KNOWN) -> ReconstructionBase:
        from semlink.sensing.random_projections.frame_interpolation import FrameFill

        return FrameFill(random_sensor(context, self.kind), self.method)
