"""What a scenario may say about digital schemes."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from semlink.blocks import CodecBase, Scheme
from semlink.codecs.specs import AnyCodec, TaskAwareSpec
from semlink.link.schemes.base import SEEN_AND_RESTORED, SchemeSpec
from semlink.link.schemes.camera import camera_of
from semlink.phy.specs.codings import AnyCoding
from semlink.sensing.specs.registry import AnyReconstruction, AnySensor
from semlink.spec import NOTHING_KNOWN, BuildContext
from semlink.yaml12.rules import ruled

CODING_ITSELF = ("semlink.phy.coding", "semlink.phy.ldpc", "semlink.phy.error_curves", "semlink.codecs.specs")
"""For `semlink cite`: what the specs of coding and codec lead to themselves."""
CHOICE = ("semlink.link.chain.choice.mcs_search:best_choice",)
"""For `semlink cite`: what takes the best of several codings."""


class CodedSpec(SchemeSpec):
    """What schemes with a codec and a coding have in common."""

    model_config = ConfigDict(json_schema_extra=ruled(SEEN_AND_RESTORED))

    codec: AnyCodec = Field(description="source codec")
    coding: AnyCoding = Field(description="channel code and modulation")
    sensor: AnySensor | None = Field(None, description="the transmitter sees the scene through it")
    reconstruction: AnyReconstruction | None = Field(None, description="video from readings, before it is coded")

    @model_validator(mode="after")
    def _both_or_none(self) -> CodedSpec:
        if (self.sensor is None) != (self.reconstruction is None):
            raise ValueError("sensor and reconstruction go together: the codec takes video, not readings")
        return self

    @property
    def adapts(self) -> bool:
        return self.coding.adapts

    def passed_over(self, context: BuildContext = NOTHING_KNOWN) -> tuple[str, ...]:
        on_readings = isinstance(self.codec, TaskAwareSpec)
        return (*CODING_ITSELF, *([] if on_readings else ["semlink.link.schemes.readings_view:ReadingsView"]))

    def rests_on(self) -> tuple[str, ...]:
        return CHOICE if self.coding.is_chosen else ()

    def build(self, context: BuildContext = NOTHING_KNOWN) -> Scheme:
        from semlink.link.schemes.digital.packet_store import store_of
        from semlink.link.schemes.readings_view import seen_by

        of_codec = replace(context, files=set())
        codec = self.codec.build(of_codec)
        if context.files is not None:
            context.files.update(of_codec.files or ())
        keeping = replace(context, streams=store_of(self.codec, context.streams, of_codec))
        scheme = self._scheme(codec, keeping)
        if self.sensor is None or self.reconstruction is None:
            return seen_by(None, codec, scheme)
        return seen_by(camera_of(self.sensor, self.reconstruction, context), codec, scheme)

    def _scheme(self, codec: CodecBase, context: BuildContext) -> Scheme:
        """One end of the scheme around its codec, without its sensor."""
        raise NotImplementedError


class DigitalSpec(CodedSpec):
    """Source codec, transport blocks, channel code, QAM."""

    kind: Literal["digital"]

    def _scheme(self, codec: CodecBase, context: BuildContext) -> Scheme:
        from semlink.link.schemes.digital.build import digital_scheme

        return digital_scheme(codec, self.coding, context)
