"""What a receiver may know of a channel for long: its Doppler shift, its delays, how long its gain stands still.

It is what the channel states (`semlink.blocks.ChannelBase`), never what it does in a trial.
"""

from __future__ import annotations

from semlink.blocks import ChannelBase

__all__ = ["differs", "gain_jumps", "stated_doppler", "stated_k"]


def stated_doppler(channel: ChannelBase, sample_rate_hz: float | None = None) -> float | None:
    """Maximum Doppler shift times symbol time; 0 where the gain stands still; None where nothing is stated.

    Args:
        sample_rate_hz: of the antenna, for a channel that states its Doppler shift in Hz.
    """
    if channel.doppler is not None:
        return channel.doppler
    if channel.doppler_hz is not None and sample_rate_hz is not None:
        return channel.doppler_hz / sample_rate_hz
    if channel.linewidth is not None or gain_jumps(channel):
        return None
    is_still = channel.coherence == "block" or channel.law == "constant" or channel.mean_loss is not None
    return 0.0 if is_still else None


def stated_k(channel: ChannelBase) -> float:
    """Power of the line of sight over that of all else; 0 where none is stated."""
    return channel.law[1] if isinstance(channel.law, tuple) else 0.0


def gain_jumps(channel: ChannelBase) -> bool:
    """Whether the gain stands still for a stated number of symbols and then is another one."""
    return channel.doppler is None and channel.coherence not in (None, "block")


def differs(designed: float, stated: float, tolerance: float = 0.05) -> bool:
    """Whether what a receiver is designed for is less than what the channel states."""
    return stated > designed * (1 + tolerance) + 1e-12
