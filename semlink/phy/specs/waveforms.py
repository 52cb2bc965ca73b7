"""What a scenario may say about waveforms: pilots, estimator, equaliser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, PositiveInt

from semlink.blocks import WaveformBase
from semlink.plugins.specs import WaveformPlugin, one_of
from semlink.spec import NOTHING_KNOWN, BuildContext, Spec

Stretch = Annotated[int, Field(gt=0, le=1_000_000)]
"""Of symbols."""
Coherence = Literal["symbol", "block"] | Stretch


Estimator = Literal["ls", "lmmse", "genie"]


Equalizer = Literal["zf", "mmse"]


class WaveformSpec(Spec):
    """What the specs of all waveforms offer."""

    kind: str

    def build(self, context: BuildContext = NOTHING_KNOWN) -> WaveformBase:
        """The waveform."""
        raise NotImplementedError


class PlainSpec(WaveformSpec):
    """No pilots, no equaliser: the scheme's symbols go to the antenna as they are."""

    kind: Literal["plain"] = "plain"

    def build(self, context: BuildContext = NOTHING_KNOWN) -> WaveformBase:
        from semlink.phy.waveforms.plain import Plain

        return Plain()


class SingleCarrierSpec(WaveformSpec):
    """One carrier with groups of pilots between the data, paid for, and a one-tap equaliser."""

    kind: Literal["single-carrier"] = "single-carrier"
    pilot_spacing: Stretch = Field(252, description="data symbols between two groups of pilots")
    pilot_block: Stretch = Field(4, description="pilots in a group")
    estimator: Estimator = Field("lmmse", description="genie reads the true gain and is printed in bold")
    equalizer: Equalizer = Field("mmse", description="mmse has its bias taken out")
    coherence: Coherence | None = Field(
        None,
        description="symbols over which the receiver takes the gain to stand still; default: as the channel states",
    )
    doppler: float | None = Field(None, description="instead: maximum Doppler shift x symbol time it is designed for")
    linewidth: float | None = Field(None, description="instead: phase-noise linewidth x symbol time")
    revision: ClassVar[int] = 2

    def build(self, context: BuildContext = NOTHING_KNOWN) -> WaveformBase:
        from semlink.phy.waveforms.single_carrier import SingleCarrier

        return SingleCarrier(**self.model_dump(exclude={"kind"}))


class OfdmSpec(WaveformSpec):
    """OFDM with cyclic prefix, a pilot grid and a one-tap equaliser; prefix and pilots are paid for."""

    kind: Literal["ofdm"] = "ofdm"
    num_subcarriers: PositiveInt = Field(
        128, le=65_536, description="all in use; times spacing_khz it is the bandwidth"
    )
    spacing_khz: Literal[15, 30, 60, 120, 240] = Field(30, description="subcarrier spacing, as in 5G")
    cyclic_prefix: Annotated[int, Field(ge=0, le=65_536)] = Field(
        9, description="samples; 9 of 128 is 5G's normal prefix"
    )
    slot_symbols: PositiveInt = Field(14, le=10_000, description="symbols of the repeated pattern")
    pilot_symbols: tuple[int, ...] = Field((2, 11), description="symbols of a slot that hold pilots")
    pilot_comb: PositiveInt = Field(2, le=65_536, description="pilots on every so manieth subcarrier")
    estimator: Estimator = Field("lmmse", description="genie reads the true taps and is printed in bold")
    equalizer: Equalizer = Field("mmse", description="mmse has its bias taken out")
    design_delay: float | None = Field(None, description="latest path in samples it expects; default: the channel's")
    design_doppler_hz: float | None = Field(
        None, ge=0, description="maximum Doppler shift that the receiver expects; default: the channel's"
    )
    revision: ClassVar[int] = 2

    @property
    def bandwidth_mhz(self) -> float:
        return self.num_subcarriers * self.spacing_khz / 1000

    def build(self, context: BuildContext = NOTHING_KNOWN) -> WaveformBase:
        from semlink.phy.waveforms.ofdm import Ofdm

        return Ofdm(**self.model_dump(exclude={"kind"}))


def waveform_for_fading(coherence: Coherence | None, doppler: float | None) -> SingleCarrierSpec:
    """Pilots that suit a gain which stands still for `coherence` symbols, or follows `doppler`."""
    if doppler is not None:
        spacing = max(1, int(0.15 / doppler)) if doppler > 0 else 252
        return SingleCarrierSpec(doppler=doppler, pilot_spacing=min(spacing, 252), pilot_block=2)
    if coherence in ("symbol", 1):
        return SingleCarrierSpec(coherence="symbol", estimator="genie")
    if isinstance(coherence, int):
        block = 4 if coherence >= 32 else 1
        return SingleCarrierSpec(coherence=coherence, pilot_spacing=max(coherence - block, 1), pilot_block=block)
    return SingleCarrierSpec()


WAVEFORMS = (PlainSpec, SingleCarrierSpec, OfdmSpec)


if TYPE_CHECKING:
    AnyWaveform = WaveformSpec | WaveformPlugin
else:
    AnyWaveform = one_of("waveform", *WAVEFORMS)
