"""What a scenario may say about the delta-sigma video codec."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from semlink.blocks import Scheme
from semlink.codecs.specs import Channels
from semlink.link.schemes.base import SchemeSpec
from semlink.spec import NOTHING_KNOWN, BuildContext


class DeltaSigmaDirectSpec(SchemeSpec):
    """Binary maps straight onto BPSK or QPSK, no channel code; `rates` are numbers of channels."""

    kind: Literal["delta-sigma-direct"]
    weights: str = Field("delta_sigma", description="by name, see `semlink weights`")
    modulation: Literal["bpsk", "qpsk"] = Field("qpsk", description="constellation")
    channels: Channels | None = Field(None, description="channels sent of each block; default: the most that fit")
    soft: bool = Field(True, description="the decoder weighs each bit by its likelihood; false: decided bits")

    def build(self, context: BuildContext = NOTHING_KNOWN) -> Scheme:
        from semlink.link.schemes.delta_sigma_direct.scheme import DeltaSigmaDirect

        bits = {"bpsk": 1, "qpsk": 2}[self.modulation]
        return DeltaSigmaDirect(context.weights(self.weights), bits, self.channels, self.soft)
