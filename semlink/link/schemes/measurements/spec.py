"""What a scenario may say about sending measurements."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from semlink.blocks import Scheme
from semlink.link.schemes.base import SchemeSpec
from semlink.link.schemes.behind_sensor import behind
from semlink.link.schemes.camera import camera_of
from semlink.link.schemes.digital.spec import CHOICE, CODING_ITSELF
from semlink.phy.specs.codings import NEVER_TAKEN, AnyCoding
from semlink.sensing.specs.registry import AnyReconstruction, AnySensor
from semlink.spec import NOTHING_KNOWN, BuildContext, Spec


class DigitalTransmissionSpec(Spec):
    """Quantised, range coded, in packets; `rates` are quantiser steps, 4 to 1024, in 1/255 of a reading."""

    kind: Literal["digital"]
    coding: AnyCoding = Field(description="channel code and modulation")

    def passed_over(self, context: BuildContext = NOTHING_KNOWN) -> tuple[str, ...]:
        return CODING_ITSELF

    def rests_on(self) -> tuple[str, ...]:
        return CHOICE if self.coding.is_chosen else ()

    @property
    def adapts(self) -> bool:
        """Whether the MCS follows a measured SNR."""
        return self.coding.adapts

    def build(self, context: BuildContext = NOTHING_KNOWN) -> Scheme:
        """One end of the scheme, without its sensor."""
        from semlink.codecs.projections.codec import ProjectionCodec
        from semlink.link.schemes.digital.build import digital_scheme
        from semlink.link.schemes.digital.packet_store import store_of

        keeping = replace(context, streams=store_of(self, context.streams, context))
        return digital_scheme(ProjectionCodec(), self.coding, keeping)


class AnalogueTransmissionSpec(Spec):
    """Readings as amplitudes, the weakest left out; `rates` are channel uses a pixel."""

    revision: ClassVar[int] = 2
    kind: Literal["analogue"]
    power: Literal["optimal", "fourth-root"] = Field(
        "fourth-root", description="amplitudes ~ variance^(-1/4), or of least error at the agreed SNR"
    )
    whitening: bool = Field(True, description="mix readings with Hadamard matrices")
    metadata: Annotated[float, Field(gt=0, le=0.5)] = Field(
        0.06, description="share of the channel uses for the variances"
    )
    margin_db: Annotated[float, Field(ge=0, le=40)] | None = Field(
        None,
        description="between SNR and what the variances are coded for; default: found by calibration on the channel",
    )

    def passed_over(self, context: BuildContext = NOTHING_KNOWN) -> tuple[str, ...]:
        return NEVER_TAKEN

    @property
    def adapts(self) -> bool:
        """Amplitudes follow nothing."""
        return False

    def build(self, context: BuildContext = NOTHING_KNOWN) -> Scheme:
        """One end of the scheme, without its sensor."""
        from semlink.codecs.projections.softcast import ProjectionSoftCast
        from semlink.link.schemes.analogue.scheme import SoftCastScheme

        codec = ProjectionSoftCast((), self.power, self.whitening)
        return SoftCastScheme(codec, self.metadata, self.margin_db)


class MeasurementsSpec(SchemeSpec):
    """Readings of inner products, sent as they are measured; the receiver reconstructs. `rates`: see transmission."""

    kind: Literal["measurements"]
    sensor: AnySensor = Field(description="block, random, or one of yours that returns Projections")
    reconstruction: AnyReconstruction = Field(description="video from the readings that arrived, at the receiver")
    transmission: Annotated[DigitalTransmissionSpec | AnalogueTransmissionSpec, Field(discriminator="kind")] = Field(
        description="{kind: digital, coding}, whose rates are quantiser steps (4 to 1024, in 1/255 of a reading), or "
        "{kind: analogue, power, whitening, metadata, margin_db}, whose rates are channel uses a pixel"
    )

    @property
    def adapts(self) -> bool:
        return self.transmission.adapts

    def build(self, context: BuildContext = NOTHING_KNOWN) -> Scheme:
        from semlink.link.schemes.measurements.scheme import ProjectionsView

        view = ProjectionsView(camera_of(self.sensor, self.reconstruction, context))
        return behind(view, self.transmission.build(context))
