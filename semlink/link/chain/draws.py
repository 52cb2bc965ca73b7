"""Draws of a channel before the run, shared by all points on it.

What a channel does to symbols before it adds noise is the same at every SNR,
and so is the noise but for its size. Both are kept, so that the points of a
scenario look at one set of draws at their several SNRs and none pays for them anew.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

from semlink.link.chain.air import over_the_air
from semlink.link.chain.link import Link
from semlink.link.chain.referee import check_antenna
from semlink.payload import ChannelOutput, Received, part_of
from semlink.phy.channels.awgn import NoisyChannel, noise_var_at, unit_noise
from semlink.phy.channels.output import check_channel_output
from semlink.phy.waveforms.pilots import probe
from semlink.seeds import Seeds

if TYPE_CHECKING:
    from semlink.blocks import ChannelBase, WaveformBase

MOST_SYMBOLS = 6_000_000
"""Symbols of all draws that are kept, 16 bytes each."""


@dataclass(slots=True)
class SharedDraws:
    """The draws of one channel, waveform and length; another one's take their place."""

    about: tuple[ChannelBase, WaveformBase, int] | None = None
    kept: dict[Seeds, tuple[ChannelOutput, torch.Tensor]] = field(default_factory=dict, repr=False)
    symbols: int = 0

    def received(self, link: Link, uses: int, snr_db: float, seeds: Seeds) -> Received:
        """What the receiver makes of `uses` known symbols in the draws of `seeds`: (clip, uses)."""
        channel, waveform = link.channel, link.waveform
        if not (isinstance(channel, NoisyChannel) and isinstance(waveform, Hashable)):
            return over_the_air(link, probe(uses, len(seeds.clips)), snr_db, seeds).received
        about = channel, waveform, uses
        if self.about != about:
            self.about, self.symbols = about, 0
            self.kept.clear()
        if seeds not in self.kept:
            air = waveform.modulate(probe(uses, len(seeds.clips)))
            check_antenna(air, None)
            sent = air.payload.iq
            quiet, noise = check_channel_output(channel.without_noise(sent, seeds), sent), unit_noise(sent, seeds)
            self._keep(seeds, quiet, noise)
        else:
            quiet, noise = self.kept[seeds]
        noise_var = noise_var_at(snr_db)
        heard = replace(quiet, iq=torch.add(quiet.iq, noise, alpha=noise_var**0.5), noise_var=noise_var)
        return part_of(waveform.demodulate(heard, snr_db), 0, uses)

    def _keep(self, seeds: Seeds, quiet: ChannelOutput, noise: torch.Tensor) -> None:
        if self.symbols + noise.numel() <= MOST_SYMBOLS:
            self.kept[seeds] = quiet, noise
            self.symbols += noise.numel()
