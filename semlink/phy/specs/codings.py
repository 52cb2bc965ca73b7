"""What a scenario may say about channel coding."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, PositiveInt, model_validator

from semlink.blocks import CodingBase, RateBoundBase
from semlink.plugins.specs import CodingPlugin, one_of
from semlink.spec import NOTHING_KNOWN, BrokenRule, BuildContext, Spec
from semlink.yaml12.rules import either, given, is_one_of, no, only_where, ruled, where
from semlink.yaml12.scalars import shortened

if TYPE_CHECKING:
    from semlink.phy.coding.link_adaptation import Adaptive, Harq

ModulationName = Literal["bpsk", "qpsk", "16qam", "64qam", "256qam"]
DemapperName = Literal["exact", "max-log"]
DEMAPPER = "likelihoods of all symbols, or of the nearest ones only, which costs up to 0.6 dB at low rates"
BITS_PER_SYMBOL = {"bpsk": 1, "qpsk": 2, "16qam": 4, "64qam": 6, "256qam": 8}


def _below_one(digits: int) -> str:
    """A regular expression for `n / d`, both of at most so many digits, where 0 < n < d.

    As many digits in both: they are alike up to one that is smaller in n, and the rest of both is as long.
    """
    shorter = "|".join(rf"[1-9]\d{{0,{m - 1}}} */ *[1-9]\d{{{m}}}" for m in range(1, digits))
    smaller = "|".join(
        rf"{a}\d{{{m}}} */ *\1[{a + 1}-9]\d{{{m}}}".replace(r"\d{0}", "") for m in range(digits) for a in range(9)
    )
    return rf"{shorter}|(?!0)(\d{{0,{digits - 1}}})(?:{smaller})"


RATE = rf"^ *(?:{_below_one(5)}|0?\.\d{{0,7}}[1-9]\d{{0,7}}) *$".replace(r"\d", "[0-9]")
"""A code rate as text, between 0 and 1."""


def _ratio(value: Any) -> Any:
    """Accept '2/3' beside 0.667."""
    if not isinstance(value, str):
        return value
    if "\n" in value or not re.match(RATE, value):
        raise ValueError(f"got {shortened(repr(value))}; need a number between 0 and 1, such as 0.5 or 2/3")
    return float(Fraction(value.replace(" ", "")))


_Share = Annotated[float, Field(gt=0.0, lt=1.0)]
_Written = Annotated[str, Field(pattern=RATE)]
CodeRate = Annotated[float, BeforeValidator(_ratio, json_schema_input_type=_Share | _Written), Field(gt=0.0, lt=1.0)]


class HarqSpec(Spec):
    """Transport blocks that failed are sent again and combined with what was heard before."""

    kind: Literal["ir", "chase"] = Field(
        "ir", description="incremental redundancy (versions 0, 2, 3, 1), or the same bits again"
    )
    transmissions: Annotated[int, Field(ge=2, le=16)] = Field(4, description="of one block at most, the first included")
    reserve: Annotated[float, Field(ge=0, lt=1)] = Field(0.2, description="share of the budget kept for repeats")

    def rests_on(self) -> tuple[str, ...]:
        return ("semlink.phy.coding.harq:repeat", "semlink.phy.coding.harq:combined")

    def build(self) -> Harq:
        """The rules."""
        from semlink.phy.coding.link_adaptation import Harq

        return Harq(**self.model_dump())


class CodingSpec(Spec):
    """What the specs of all codings offer."""

    kind: str
    is_bound: ClassVar[bool] = False  # it promises a rate and sends nothing

    def bound_on(self, *, fades: bool) -> str:
        """What its curve bounds: `bound` the quality that is drawn, another word something else; '' for no bound.

        Args:
            fades: whether the channel has a gain that changes.
        """
        return "bound" if self.is_bound else ""

    @property
    def adapts(self) -> bool:
        """Whether modulation and rate follow a measured SNR."""
        return False

    @property
    def is_chosen(self) -> bool:
        """Whether the link takes the best of several before the run."""
        return False

    def build(self, context: BuildContext = NOTHING_KNOWN) -> CodingBase | RateBoundBase:
        """The coding, or a bound in its place."""
        raise NotImplementedError

    def codings(self, context: BuildContext = NOTHING_KNOWN) -> Mapping[str, CodingBase | RateBoundBase]:
        """All that may be agreed on, by name; the one that there is, is called `only`."""
        return {"only": self.build(context)}

    def feedback(self) -> tuple[Harq | None, Adaptive | None]:
        """How failed blocks are sent again, and how the MCS follows the channel."""
        return None, None


SIONNA_DECODER = "semlink.phy.ldpc.sionna_decoder"
NEVER_TAKEN = ("semlink.phy.ldpc.check_rules:Normalised", "semlink.phy.ldpc.check_rules:Offset", SIONNA_DECODER)
"""For `semlink cite`: what decoding can be done with, and no scheme does if it is not told to."""
LAST_MCS, SHORT_TABLE = 28, 2
"""The last index of MCS tables, and the table that ends one before."""
ADAPTIVE_OPTIONS = ("csi_delay", "target_bler", "backoff_db")


class LdpcSpec(CodingSpec):
    """5G NR LDPC in transport blocks; give modulation and rate, or `mcs: best` or `adaptive`."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            either(given("mcs"), given("modulation", "rate")),
            no(given("mcs"), given("modulation")),
            no(given("mcs"), given("rate")),
            only_where(is_one_of("mcs", "adaptive"), *ADAPTIVE_OPTIONS),
            no(is_one_of("table", SHORT_TABLE), is_one_of("mcs", LAST_MCS)),
        )
    )

    kind: Literal["ldpc"]
    modulation: ModulationName | None = Field(None, description="constellation for a fixed MCS")
    rate: CodeRate | None = Field(None, description="code rate with CRC for a fixed MCS, such as 2/3")
    mcs: Literal["best", "adaptive"] | Annotated[int, Field(ge=0, le=LAST_MCS)] | None = Field(
        None,
        description="`best`: chosen for each SNR and budget; `adaptive`: for each group of codec.gop frames from "
        "fed-back SNR; or an index of `table`",
    )
    table: Annotated[int, Field(ge=1, le=3)] | None = Field(
        None,
        description="MCS table 5.1.3.1-x of TS 38.214; default: 1; for `best` any modulation at any rate of all, "
        "for `adaptive` the rows of all",
    )
    csi_delay: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        1, description="adaptive: groups from the measured SNR to its use; 0 knows the burst's own and is genie"
    )
    target_bler: Annotated[float, Field(ge=1e-3, le=0.5)] = Field(
        0.1, description="adaptive: block error rate at which an MCS counts as carried"
    )
    backoff_db: float = Field(0.0, ge=-200, le=200, description="adaptive: taken off the reported SNR")
    harq: HarqSpec | None = Field(None, description="repeats of failed blocks; `harq: {}` for the defaults")
    block_bits: Annotated[int, Field(ge=256, le=65536)] = Field(
        8192, description="largest transport block, information bits with CRC"
    )
    iterations: PositiveInt = Field(20, le=10_000, description="decoder iterations at most")
    backend: Literal["auto", "float32", "int8", "plain", "sionna"] = Field("auto", description="decoder")
    demapper: DemapperName = Field("exact", description=DEMAPPER)
    revision: ClassVar[int] = 2
    choice_revision: ClassVar[int] = 4
    """Raised instead of `revision` where only choices of `mcs: best` move, over channels that do not stand still."""
    choice_revision_with_repeats: ClassVar[int] = 5
    """The same with HARQ, over every channel."""

    def revision_over(self, channel: str | None) -> int:
        if self.mcs == "best" and self.harq is not None:
            return self.choice_revision_with_repeats
        return self.choice_revision if self.mcs == "best" and channel != "awgn" else self.revision

    @model_validator(mode="after")
    def _one_way(self) -> LdpcSpec:
        fixed = self.modulation is not None and self.rate is not None
        if self.mcs is None and not fixed:
            raise ValueError("give modulation and rate, or mcs: best (or an index of a table)")
        if self.mcs is not None and (self.modulation is not None or self.rate is not None):
            raise ValueError("mcs already says modulation and rate; give one or the other")
        stray = [name for name in ADAPTIVE_OPTIONS if self.changed(name)]
        if stray and self.mcs != "adaptive":
            raise ValueError(f"{stray[0]} is for mcs: adaptive; got mcs: {self.mcs}")
        if self.table == SHORT_TABLE and self.mcs == LAST_MCS:
            raise BrokenRule(f"got {self.mcs}, expected {LAST_MCS - 1} or less in table {self.table}", "mcs")
        return self

    @property
    def adapts(self) -> bool:
        return self.mcs == "adaptive"

    @property
    def is_chosen(self) -> bool:
        return self.mcs == "best"

    def passed_over(self, context: BuildContext = NOTHING_KNOWN) -> tuple[str, ...]:
        fixed = not isinstance(self.mcs, str)
        return (
            *(NEVER_TAKEN if self.backend != "sionna" else NEVER_TAKEN[:2]),
            *(["semlink.phy.coding.mcs_tables"] if self.mcs is None else []),
            *(["semlink.phy.error_curves"] if fixed else []),
        )

    def feedback(self) -> tuple[Harq | None, Adaptive | None]:
        from semlink.phy.coding.link_adaptation import Adaptive

        adaptive = Adaptive(self.csi_delay, self.target_bler, self.backoff_db) if self.adapts else None
        return None if self.harq is None else self.harq.build(), adaptive

    def codings(self, context: BuildContext = NOTHING_KNOWN) -> Mapping[str, CodingBase | RateBoundBase]:
        """The fixed one, or the rows of one MCS table or of all; for `best` every modulation with every rate."""
        from semlink.phy.coding.ldpc_coding import LdpcCoding
        from semlink.phy.coding.mcs_tables import mcs_name, mcs_pairs

        if not isinstance(self.mcs, str):
            return {"only": self.build(context)}
        pairs = mcs_pairs(self.table, every_rate=self.table is None and self.mcs == "best")
        own = (self.block_bits, self.iterations, self.backend, self.demapper)
        return {mcs_name(order, rate): LdpcCoding(order, rate, *own) for order, rate in pairs}

    def build(self, context: BuildContext = NOTHING_KNOWN) -> CodingBase:
        from semlink.phy.coding.ldpc_coding import LdpcCoding
        from semlink.phy.coding.mcs_tables import mcs_of

        if isinstance(self.mcs, str):
            raise ValueError(f"mcs: {self.mcs} is chosen by the link")
        if self.mcs is not None:
            entry = mcs_of(self.table or 1, self.mcs)
            order, rate = entry.bits_per_symbol, entry.rate
        else:
            assert self.modulation is not None and self.rate is not None
            order, rate = BITS_PER_SYMBOL[self.modulation], self.rate
        return LdpcCoding(order, rate, self.block_bits, self.iterations, self.backend, self.demapper)


class ConvolutionalSpec(CodingSpec):
    """K=7 convolutional code (133, 171), rate 1/2 and punctured 2/3, 3/4; Viterbi decoding."""

    kind: Literal["convolutional"]
    modulation: ModulationName = Field("qpsk", description="constellation")
    rate: CodeRate = Field(0.5, description="1/2, 2/3 or 3/4")
    block_bits: Annotated[int, Field(ge=64, le=65536)] = Field(2048, description="largest block with CRC")
    demapper: DemapperName = Field("exact", description=DEMAPPER)
    revision: ClassVar[int] = 3

    def build(self, context: BuildContext = NOTHING_KNOWN) -> CodingBase:
        from semlink.phy.coding.convolutional import ConvolutionalCoding

        return ConvolutionalCoding(BITS_PER_SYMBOL[self.modulation], self.rate, self.block_bits, self.demapper)


class UncodedSpec(CodingSpec):
    """No channel code: CRC blocks straight onto the constellation."""

    kind: Literal["uncoded"]
    modulation: ModulationName = Field("qpsk", description="constellation")
    block_bits: Annotated[int, Field(ge=64, le=65536)] = Field(2048, description="largest block with CRC")
    demapper: DemapperName = Field("exact", description=DEMAPPER)
    revision: ClassVar[int] = 2

    def build(self, context: BuildContext = NOTHING_KNOWN) -> CodingBase:
        from semlink.phy.coding.block_coding import UncodedCoding

        return UncodedCoding(BITS_PER_SYMBOL[self.modulation], self.block_bits, self.demapper)


class CapacitySpec(CodingSpec):
    """Bound: error-free bits at the capacity of the channel, of any input or of one constellation."""

    model_config = ConfigDict(json_schema_extra=ruled(where(is_one_of("bitwise", True), given("modulation"))))

    kind: Literal["capacity"]
    is_bound: ClassVar[bool] = True
    modulation: Literal["qpsk", "16qam", "64qam", "256qam"] | None = Field(
        None, description="the input is this constellation (CM capacity); default: Gaussian"
    )
    bitwise: bool = Field(False, description="with a modulation: each bit judged by itself (BICM capacity)")

    @model_validator(mode="after")
    def _bits_of_something(self) -> CapacitySpec:
        if self.bitwise and self.modulation is None:
            raise ValueError("bitwise needs a modulation whose bits are judged")
        return self

    def bound_on(self, *, fades: bool) -> str:
        return "bound on the mean rate" if fades else "bound"

    def passed_over(self, context: BuildContext = NOTHING_KNOWN) -> tuple[str, ...]:
        judged = "gaussian" if self.modulation is None else "bicm" if self.bitwise else "cm"
        return tuple(f"semlink.phy.capacity:{way}_capacity" for way in ("cm", "bicm") if way != judged)

    def build(self, context: BuildContext = NOTHING_KNOWN) -> RateBoundBase:
        from semlink.phy.bounds.rate_bounds import CapacityBound

        return CapacityBound(self.modulation and BITS_PER_SYMBOL[self.modulation], self.bitwise)


class FiniteBlocklengthSpec(CodingSpec):
    """Bound: the normal approximation of the best code as long as the whole transmission."""

    kind: Literal["finite-blocklength"]
    is_bound: ClassVar[bool] = True
    bler: Annotated[float, Field(gt=0.0, lt=0.5)] = Field(1e-3, description="block error rate that it allows")

    def build(self, context: BuildContext = NOTHING_KNOWN) -> RateBoundBase:
        from semlink.phy.bounds.rate_bounds import FiniteBlocklengthBound

        return FiniteBlocklengthBound(self.bler)


class OutageCapacitySpec(CodingSpec):
    """Bound: the rate that the channel's gain carries in all but a share `outage` of the transmissions."""

    kind: Literal["outage-capacity"]
    is_bound: ClassVar[bool] = True
    outage: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(0.1, description="probability that the gain is too weak")

    def bound_on(self, *, fades: bool) -> str:
        return f"bound in {100 * (1 - self.outage):g} % of fades" if fades else "bound"

    def build(self, context: BuildContext = NOTHING_KNOWN) -> RateBoundBase:
        from semlink.phy.bounds.rate_bounds import OutageCapacityBound

        return OutageCapacityBound(self.outage)


class ErrorFreeSpec(CodingSpec):
    """Bound: bits that are assumed to arrive, one for each channel use, so that the cost axis is bits per pixel."""

    kind: Literal["error-free"]
    is_bound: ClassVar[bool] = True

    def build(self, context: BuildContext = NOTHING_KNOWN) -> RateBoundBase:
        from semlink.phy.bounds.rate_bounds import ErrorFreeBits

        return ErrorFreeBits()


CODINGS = (
    LdpcSpec,
    ConvolutionalSpec,
    UncodedSpec,
    CapacitySpec,
    FiniteBlocklengthSpec,
    OutageCapacitySpec,
    ErrorFreeSpec,
)
if TYPE_CHECKING:
    AnyCoding = CodingSpec | CodingPlugin
else:
    AnyCoding = one_of("coding", *CODINGS)
