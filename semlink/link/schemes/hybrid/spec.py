"""What a scenario may say about hybrid transmission."""

from __future__ import annotations

from typing import Annotated, Literal, cast

from pydantic import ConfigDict, Field, model_validator

from semlink.blocks import CodecBase, CodingBase, Scheme
from semlink.errors import ScenarioError
from semlink.link.schemes.base import SEEN_AND_RESTORED
from semlink.link.schemes.digital.spec import CodedSpec
from semlink.spec import BuildContext
from semlink.yaml12.rules import either, given, inside, is_one_of, no, ruled


class HybridSpec(CodedSpec):
    """A digital base, and on the same channel uses an analogue layer of what the base leaves; `rates` as `digital`."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            SEEN_AND_RESTORED, no(inside("coding", either(given("harq"), is_one_of("mcs", "adaptive"))))
        )
    )

    kind: Literal["hybrid"]
    analogue_share: Annotated[float, Field(gt=0, le=0.5)] | None = Field(
        None,
        description="of the power for the analogue layer, which the base's demapper counts as noise; default: what "
        "costs the base 1.2 dB of SNR",
    )

    @model_validator(mode="after")
    def _sent_once(self) -> HybridSpec:
        harq, adaptive = self.coding.feedback()
        if harq is not None or adaptive is not None:
            raise ValueError("coding: hybrid is sent once; allowed: a fixed MCS or mcs: best, without harq")
        return self

    def _scheme(self, codec: CodecBase, context: BuildContext) -> Scheme:
        from semlink.link.schemes.digital.scheme import DigitalScheme
        from semlink.link.schemes.hybrid.scheme import HybridScheme

        if not codec.refines:
            raise ScenarioError(
                f"codec: hybrid needs one that tells what its packets leave; got {self.codec.kind}; allowed: "
                "task-aware with weights of tokens, such as compr_tokens"
            )
        codings = self.coding.codings(context)
        if any(coding.is_bound for coding in codings.values()):
            raise ScenarioError(f"coding: hybrid sends symbols; got the bound {self.coding.kind}; allowed: ldpc, ...")
        return HybridScheme(
            DigitalScheme(codec, cast(dict[str, CodingBase], codings), context.streams), self.analogue_share
        )
