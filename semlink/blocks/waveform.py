"""Waveforms: what stands between a scheme's symbols and the antenna."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Protocol

from semlink.blocks.block import NamedBlock
from semlink.blocks.channel import ChannelBase
from semlink.flow import Flow
from semlink.payload import ChannelOutput, Received, Symbols

if TYPE_CHECKING:
    import torch


class Waveform(Protocol):
    """Pilots, OFDM, equaliser."""

    __slots__ = ()

    @abstractmethod
    def data_uses(self, uses: int) -> int:
        """How many of `uses` channel uses are left for data; never falls when `uses` grows."""
        ...

    @abstractmethod
    def modulate(self, flow: Flow[Symbols]) -> Flow[Symbols]:
        """What the antenna sends for data symbols complex64 (clip, n): with pilots put in, and charged."""
        ...

    @abstractmethod
    def demodulate(self, heard: ChannelOutput, snr_db: float) -> Received:
        """Data symbols, equalised to gain 1 with what the pilots told, and the noise left on each.

        Symbols of filling may follow behind the data.
        """
        ...


class WaveformBase(NamedBlock, Waveform):
    """Base of waveforms.

    Attributes:
        continues: the pattern runs on when more symbols follow, so that modulating twice as many data
            symbols begins with the same samples. False: each burst of a feedback scheme begins it anew.
        has_pilots: the receiver can measure the channel.
    """

    __slots__ = ()
    continues: bool = False
    has_pilots: bool = True

    def check_channel(self, channel: ChannelBase) -> None:
        """Refuse a channel that it cannot work on, before anything is sent; by default none is refused.

        Raises:
            ValueError: names what the channel has and what is needed.
        """

    def designed_for(self, channel: ChannelBase) -> WaveformBase:
        """This waveform with what its options leave open taken from what the channel states; by default itself."""
        return self

    def caveat(self, channel: ChannelBase) -> str:
        """What its receiver takes wrongly or does not know on this channel, for the row's note; '' for nothing."""
        return ""

    def true_gain(self, heard: ChannelOutput) -> torch.Tensor | None:
        """The channel's complex gain on each data symbol (clip, n), for pictures: no receiver is told.

        None where the channel names none.
        """
        return None
