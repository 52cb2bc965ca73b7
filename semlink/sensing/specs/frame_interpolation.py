"""What a scenario may say about filling in frames that were not read."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from semlink.spec import Spec


class FillSpec(Spec):
    """Frames that a random sensor of operator identity skips, from those beside them: what interpolation must beat."""

    kind: Literal["fill"]
    method: Literal["nearest", "linear"] = Field("linear", description="repeat the nearest frame, or blend two")

    def build(self, sensor: Any) -> Any:
        from semlink.sensing.random_projections.frame_interpolation import FrameFill

        return FrameFill(sensor, self.method)
