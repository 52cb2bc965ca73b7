"""Which waveform a user's channel needs where the scenario names none.

A channel that turns its symbols must be met with pilots, or every block is
lost without a word. Whether it turns them is tried out at 60 dB; how long its
gain stands still only the channel itself can say.
"""

from __future__ import annotations

import torch

from semlink.blocks import ChannelBase, WaveformBase
from semlink.errors import ChannelFault, ScenarioError
from semlink.phy.channels.output import check_channel_output
from semlink.phy.specs.waveforms import waveform_for_fading
from semlink.phy.waveforms.pilots import pilot_sequence
from semlink.phy.waveforms.plain import Plain
from semlink.seeds import Seeds

__all__ = ["fades", "turns_symbols", "waveform_of_user_channel"]

DRAWS, SYMBOLS, SNR_DB = 16, 256, 60.0
TURNED_RAD = 0.5


def waveform_of_user_channel(channel: ChannelBase, kind: str) -> WaveformBase:
    """No pilots where symbols arrive unturned; else those that suit what the channel says about its gain.

    Raises:
        ScenarioError: the channel turns its symbols and says nothing.
    """
    if not turns_symbols(channel):
        return Plain()
    coherence, doppler = channel.coherence, channel.doppler
    if coherence is None and doppler is None:
        raise ScenarioError(
            f"channel {kind} turns the phase of its symbols, so the receiver needs pilots: give the scenario a "
            "waveform such as {kind: single-carrier, coherence: 64}, or the channel an attribute coherence or doppler"
        )
    return waveform_for_fading(coherence, doppler).build()


def turns_symbols(channel: ChannelBase) -> bool:
    """Whether most symbols arrive more than half a radian away from where they were sent."""
    sent = pilot_sequence(SYMBOLS)[None]
    turned = []
    for trial in range(DRAWS):
        try:
            heard = check_channel_output(channel(sent.clone(), SNR_DB, Seeds(0, (0,), trial)), sent)
        except ChannelFault:
            return False  # the run will name it
        angle = torch.angle(heard.iq * sent.conj()).abs()
        turned.append(float((angle > TURNED_RAD).double().mean()))
    return sum(turned) / DRAWS > 0.5


def fades(channel: ChannelBase, is_foreign: bool) -> bool:
    """Whether a channel has a gain to take out again: it says so, or a user's channel is seen to turn its symbols."""
    if channel.law not in (None, "constant") or channel.coherence is not None or channel.doppler is not None:
        return True
    return is_foreign and turns_symbols(channel)
