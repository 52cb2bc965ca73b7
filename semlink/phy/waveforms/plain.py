"""The plainest way onto the antenna: every channel use carries data.

No pilots, no equaliser: right where the channel has gain 1. The waveforms of
`single_carrier` and `ofdm` are for channels with a gain to estimate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from semlink.blocks import ChannelBase, WaveformBase
from semlink.flow import Flow
from semlink.payload import ChannelOutput, Received, Symbols
from semlink.phy.channels.awgn import noise_var_at

if TYPE_CHECKING:
    import torch


def noise_per_symbol(heard: ChannelOutput, snr_db: float) -> torch.Tensor:
    """Noise variance of each received use: float32 (clip, n), infinite where erased.

    A channel that names no noise variance has that of `snr_db`.

    Raises:
        ValueError: no variance is named and `snr_db` is not finite.
    """
    import torch

    told = noise_var_at(snr_db) if heard.noise_var is None else heard.noise_var
    noise_var = torch.as_tensor(told, dtype=torch.float32, device=heard.iq.device).expand(heard.iq.shape).clone()
    return noise_var if heard.erased is None else noise_var.masked_fill(heard.erased, torch.inf)


@dataclass(frozen=True, slots=True)
class Plain(WaveformBase):
    """No pilots, no equaliser: symbols pass as they are."""

    has_pilots = False

    def check_channel(self, channel: ChannelBase) -> None:
        """Refuse echoes."""
        refuse_echoes(self, channel)

    def data_uses(self, uses: int) -> int:
        """All of them."""
        return uses

    def modulate(self, flow: Flow[Symbols]) -> Flow[Symbols]:
        """The same symbols, nothing charged."""
        return flow

    def demodulate(self, heard: ChannelOutput, snr_db: float) -> Received:
        """What the antenna heard, with its noise variance; infinite where erased."""
        return Received(heard.iq, noise_per_symbol(heard, snr_db))

    def true_gain(self, heard: ChannelOutput) -> torch.Tensor | None:
        """That of the channel."""
        return heard.gain


def refuse_echoes(waveform: WaveformBase, channel: ChannelBase) -> None:
    """Refuse a channel with echoes, for a waveform without a cyclic prefix.

    Raises:
        ValueError: names both.
    """
    if channel.max_delay_s > 0:
        raise ValueError(
            f"{type(channel).__name__} has echoes up to {channel.max_delay_s * 1e9:.0f} ns; "
            f"got waveform {type(waveform).__name__}, need Ofdm"
        )
