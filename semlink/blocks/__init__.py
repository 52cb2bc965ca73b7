"""The interfaces: what each kind of block must offer, and what it may.

A `Protocol` names the methods that a block must have; the base class beside it
adds every optional one with its default. Inherit from the base class, or write
a plain class with the required methods: what loads it from a scenario supplies
the rest. Blocks keep nothing between calls: all chance comes from `Seeds`, all
knowledge of the receiver from `Agreement`.

| interface | must offer | base |
|---|---|---|
| source | `__len__`, name, clip | `SourceBase` |
| sensor | measure | `SensorBase` |
| reconstruction | reconstruct | `ReconstructionBase` |
| codec | encode, encode_at, decode | `CodecBase` |
| coding | bits_per_symbol, code_rate, block_sizes, send, receive | `CodingBase` |
| ... or a bound in its place | bits, uses | `RateBoundBase` |
| channel | `__call__` | `ChannelBase` |
| waveform | data_uses, modulate, demodulate | `WaveformBase` |
| scheme, one-way | transmit, receive | `OneWayBase` |
| scheme, interactive | next_burst, listen, receive | `InteractiveBase` |
| scheme, bound | ideal | `BoundBase` |
| scheme, sensing only | sense | `SensingBase` |
"""

from semlink.blocks.block import (
    Block as Block,
    FrameBlock as FrameBlock,
    NamedBlock as NamedBlock,
    Progress as Progress,
)
from semlink.blocks.channel import (
    Channel as Channel,
    ChannelBase as ChannelBase,
    Coherence as Coherence,
    GainLaw as GainLaw,
    LossChain as LossChain,
    NoiseLaw as NoiseLaw,
)
from semlink.blocks.codec import (
    Codec as Codec,
    CodecBase as CodecBase,
    PacketStore as PacketStore,
    Refinable as Refinable,
)
from semlink.blocks.coding import (
    Coding as Coding,
    CodingBase as CodingBase,
    RateBound as RateBound,
    RateBoundBase as RateBoundBase,
)
from semlink.blocks.scheme import (
    Bound as Bound,
    BoundBase as BoundBase,
    Calibration as Calibration,
    Camera as Camera,
    Interactive as Interactive,
    InteractiveBase as InteractiveBase,
    OneWay as OneWay,
    OneWayBase as OneWayBase,
    Scheme as Scheme,
    SchemeBase as SchemeBase,
    SchemeKind as SchemeKind,
    Sensing as Sensing,
    SensingBase as SensingBase,
    is_bound as is_bound,
    is_interactive as is_interactive,
    is_one_way as is_one_way,
    is_sensing as is_sensing,
    kind_of as kind_of,
)
from semlink.blocks.sensing import (
    ExposureNoise as ExposureNoise,
    Reconstruction as Reconstruction,
    ReconstructionBase as ReconstructionBase,
    Sensor as Sensor,
    SensorBase as SensorBase,
)
from semlink.blocks.source import Source as Source, SourceBase as SourceBase
from semlink.blocks.symbol_part import SymbolPart as SymbolPart
from semlink.blocks.waveform import Waveform as Waveform, WaveformBase as WaveformBase
