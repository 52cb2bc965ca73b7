"""What a scenario may say about channels and waveforms.

A channel with a gain names the waveform that it needs by default, matched to
its statistics: those are long-term knowledge, the gain itself never is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, model_validator

from semlink.blocks import ChannelBase
from semlink.phy.specs.waveforms import (
    Coherence,
    OfdmSpec,
    SingleCarrierSpec,
    Stretch,
    WaveformSpec,
    waveform_for_fading,
)
from semlink.plugins.specs import ChannelPlugin, WaveformPlugin, one_of
from semlink.spec import NOTHING_KNOWN, BuildContext, Spec
from semlink.yaml12.fields import Shown
from semlink.yaml12.rules import either, given, is_one_of, no, ruled
from semlink.yaml12.words import SEEN

Probability = Annotated[float, Field(ge=0, le=1)]


class ChannelSpec(Spec):
    """What the specs of all channels offer."""

    is_foreign: ClassVar[bool] = False  # its block is written by the user, and only that can say which pilots it needs
    fades: ClassVar[bool] = False  # its gain changes, so that one rate is not every transmission's

    kind: str
    name: Shown = Field(
        "", pattern=rf"^$|{SEEN}", description="as it stands in tables and plots; default: the kind with its options"
    )

    def numbers(self) -> dict[str, Any]:
        """What its block is made from."""
        return self.model_dump(exclude={"kind", "name"})

    def name_is_option(self, context: BuildContext = NOTHING_KNOWN) -> bool:
        """Whether numbers may depend on `name`: never, it is for readers."""
        return False

    def default_waveform(self) -> SingleCarrierSpec | OfdmSpec | None:
        """The pilots that it needs where a scenario names no waveform, None where symbols arrive as they are."""
        return None

    def check_waveform(self, waveform: WaveformSpec | WaveformPlugin) -> None:
        """Refuse a waveform that cannot be meant for it, as far as numbers tell; by default none.

        Raises:
            ValueError: names both values.
        """

    def build(self, context: BuildContext = NOTHING_KNOWN) -> ChannelBase:
        """The channel."""
        raise NotImplementedError


class AwgnSpec(ChannelSpec):
    """Additive white Gaussian noise, Es/N0 as swept."""

    kind: Literal["awgn"]

    def build(self, context: BuildContext = NOTHING_KNOWN) -> ChannelBase:
        from semlink.phy.channels.awgn import Awgn

        return Awgn()


_ONE_MOVEMENT = no(given("doppler"), is_one_of("coherence", "block"))


class _FadingSpec(ChannelSpec):
    fades: ClassVar[bool] = True
    model_config = ConfigDict(json_schema_extra=ruled(_ONE_MOVEMENT))

    coherence: Coherence | None = Field(
        None,
        description="symbols with one gain; block: the whole clip; symbol: each anew; default: block without doppler",
    )
    doppler: float | None = Field(None, description="instead of coherence: maximum Doppler shift x symbol time")

    @model_validator(mode="after")
    def _one_movement(self) -> _FadingSpec:
        if self.doppler is not None and self.coherence == "block":
            raise ValueError(
                f"coherence: block keeps one gain for the whole clip, doppler: {self.doppler:g} moves it; leave one out"
            )
        return self

    def default_waveform(self) -> SingleCarrierSpec:
        return waveform_for_fading(self.coherence, self.doppler)


class RayleighSpec(_FadingSpec):
    """Rayleigh fading, E|h|^2 = 1, complex gain with phase."""

    kind: Literal["rayleigh"]

    def build(self, context: BuildContext = NOTHING_KNOWN) -> ChannelBase:
        from semlink.phy.channels.fading import Rayleigh

        return Rayleigh(**self.numbers())


class RicianSpec(_FadingSpec):
    """Rician fading with K-factor k (ratio) or k_db, E|h|^2 = 1."""

    model_config = ConfigDict(
        json_schema_extra=ruled(_ONE_MOVEMENT, either(given("k"), given("k_db")), no(given("k"), given("k_db")))
    )

    kind: Literal["rician"]
    k: float | None = Field(None, ge=0, le=1e12, description="power of the line of sight over that of the rest")
    k_db: float | None = Field(None, ge=-120, le=120, description="the same in dB")

    @model_validator(mode="after")
    def _one_k(self) -> RicianSpec:
        if (self.k is None) == (self.k_db is None):
            raise ValueError("give k or k_db, one of them")
        return self

    def build(self, context: BuildContext = NOTHING_KNOWN) -> ChannelBase:
        from semlink.phy.channels.fading import Rician

        return Rician(**self.numbers())


class ErasureSpec(ChannelSpec):
    """Blocks of symbols are lost at random, and the receiver knows which."""

    kind: Literal["erasure"]
    probability: Probability = Field(description="that a block is lost")
    block: Stretch = Field(1, description="symbols lost together")

    def passed_over(self, context: BuildContext = NOTHING_KNOWN) -> tuple[str, ...]:
        return ("semlink.phy.channels.erasures:GilbertElliott",)

    def build(self, context: BuildContext = NOTHING_KNOWN) -> ChannelBase:
        from semlink.phy.channels.erasures import Erasure

        return Erasure(self.probability, self.block)


class GilbertElliottSpec(ChannelSpec):
    """Bursts of lost blocks from a two-state chain."""

    kind: Literal["gilbert-elliott"]
    p_gb: Probability = Field(description="from good to bad, a block")
    p_bg: Probability = Field(description="from bad to good, a block")
    block: Stretch = Field(1, description="symbols in a block")
    loss_good: Probability = Field(0.0, description="loss in the good state")
    loss_bad: Probability = Field(1.0, description="loss in the bad state")

    def build(self, context: BuildContext = NOTHING_KNOWN) -> ChannelBase:
        from semlink.phy.channels.erasures import GilbertElliott

        return GilbertElliott(**self.numbers())


class InterferenceSpec(ChannelSpec):
    """AWGN and an interferer: a tone, bursts of noise, or another user's QAM."""

    kind: Literal["interference"]
    sir_db: float = Field(ge=-200, le=200, description="signal over interference, dB")
    interferer: Literal["tone", "burst", "qam"] = Field("tone", description="what interferes")
    frequency: float | None = Field(None, ge=-1e6, le=1e6, description="of the tone, cycles a symbol; default: drawn")
    duty: Annotated[float, Field(gt=0, le=1)] = Field(0.1, description="share of time that bursts take")
    burst: Stretch = Field(64, description="symbols of a burst")

    def build(self, context: BuildContext = NOTHING_KNOWN) -> ChannelBase:
        from semlink.phy.channels.interference import Interference

        return Interference(**self.numbers())


class PhaseNoiseSpec(ChannelSpec):
    """AWGN behind an oscillator whose phase walks."""

    kind: Literal["phase-noise"]
    linewidth: float = Field(ge=0, le=1, description="3-dB linewidth x symbol time")

    def default_waveform(self) -> SingleCarrierSpec:
        return SingleCarrierSpec(linewidth=self.linewidth, pilot_spacing=30, pilot_block=2)

    def build(self, context: BuildContext = NOTHING_KNOWN) -> ChannelBase:
        from semlink.phy.channels.phase_noise import PhaseNoise

        return PhaseNoise(self.linewidth)


class MultipathSpec(ChannelSpec):
    """3GPP TR 38.901 multipath, tapped delay line or clustered, in the time domain; goes with ofdm."""

    revision: ClassVar[int] = 2
    fades: ClassVar[bool] = True
    kind: Literal["tdl", "cdl"]
    profile: Literal["A", "B", "C", "D", "E"] = Field("C", description="D and E have a line of sight")
    delay_spread_ns: float = Field(100.0, ge=0, le=100_000, description="root mean square")
    speed_kmh: float = Field(3.0, ge=0, le=10_000, description="of the receiver")
    carrier_ghz: float = Field(3.5, ge=0.5, le=100, description="with the speed it sets the Doppler spread")
    bandwidth_mhz: float = Field(
        3.84, gt=0, le=20_000, description="num_subcarriers x spacing_khz of the ofdm waveform"
    )

    def default_waveform(self) -> OfdmSpec:
        return OfdmSpec()

    def check_waveform(self, waveform: WaveformSpec | WaveformPlugin) -> None:
        """Refuse OFDM of another bandwidth."""
        if isinstance(waveform, OfdmSpec) and abs(waveform.bandwidth_mhz - self.bandwidth_mhz) > 1e-6:
            raise ValueError(
                f"channel {self.kind} has bandwidth_mhz {self.bandwidth_mhz:g}, but the ofdm waveform "
                f"has {waveform.num_subcarriers} x {waveform.spacing_khz} kHz = {waveform.bandwidth_mhz:g} MHz"
            )

    def build(self, context: BuildContext = NOTHING_KNOWN) -> ChannelBase:
        from semlink.phy.channels.multipath_38901 import Cdl, Tdl

        return {"tdl": Tdl, "cdl": Cdl}[self.kind](**self.numbers())


class TensorFlowSpec(ChannelSpec):
    """A channel written as a TensorFlow callable, gradients included; needs the extra `tensorflow`."""

    is_foreign: ClassVar[bool] = True
    names_files: ClassVar[tuple[str, ...]] = ("options",)

    kind: Literal["tensorflow"]
    target: str = Field(pattern=":", description="module:callable or path/to/file.py:callable")
    options: dict[str, Any] = Field({}, description="for its constructor, where the target is a class")
    takes_seed: bool = Field(True, description="whether it is called with a seed")

    @property
    def users_code(self) -> tuple[str, ...]:
        return (self.target,)

    def build(self, context: BuildContext = NOTHING_KNOWN) -> ChannelBase:
        from importlib.util import find_spec

        from semlink.phy.channels.tensorflow_channel import TensorFlowChannel

        if find_spec("tensorflow") is None:
            raise ValueError("needs TensorFlow, which is not installed: pip install 'semlink[tensorflow]'")
        place, colon, name = self.target.rpartition(":")
        target = f"{context.found(place) if place.endswith('.py') else place}{colon}{name}"
        return TensorFlowChannel(**(self.numbers() | {"target": target}))


CHANNELS = (
    AwgnSpec,
    RayleighSpec,
    RicianSpec,
    ErasureSpec,
    GilbertElliottSpec,
    InterferenceSpec,
    PhaseNoiseSpec,
    MultipathSpec,
    TensorFlowSpec,
)
if TYPE_CHECKING:
    AnyChannel = ChannelSpec | ChannelPlugin
else:
    AnyChannel = one_of("channel", *CHANNELS)
