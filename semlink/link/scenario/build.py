"""From specs to a link that can run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from semlink.blocks import ChannelBase, PacketStore, WaveformBase
from semlink.errors import ScenarioError
from semlink.link.chain.link import Link, NoChannel
from semlink.link.scenario.scenario import scheme_name
from semlink.link.schemes.base import SchemeSpec
from semlink.phy.specs.channels import ChannelSpec
from semlink.phy.specs.pilot_choice import waveform_of_user_channel
from semlink.phy.specs.waveforms import WaveformSpec
from semlink.phy.waveforms.plain import Plain
from semlink.plugins.specs import ChannelPlugin, SchemePlugin, WaveformPlugin
from semlink.spec import NOTHING_KNOWN, BuildContext

OneScheme = SchemeSpec | SchemePlugin
OneChannel = ChannelSpec | ChannelPlugin
OneWaveform = WaveformSpec | WaveformPlugin


def build_link(
    scheme: OneScheme,
    channel: OneChannel | None,
    waveform: OneWaveform | None,
    *,
    streams: PacketStore | None,
    folder: Path | None,
    frames: int = 16,
) -> Link:
    """Two instances of a scheme with the air between them; a scheme that sends nothing needs no channel.

    Raises:
        ScenarioError: an option that only shows to be wrong when the block is built.
    """
    context = BuildContext(frames=frames, folder=folder, streams=streams)
    with _named(scheme, channel):
        air = build_waveform(waveform, channel, context), None if channel is None else channel.build(context)
    return join(scheme, channel, context, *air)


def join(
    scheme: OneScheme,
    channel: OneChannel | None,
    context: BuildContext,
    waveform: WaveformBase | None = None,
    built: ChannelBase | None = None,
) -> Link:
    """Two instances of a scheme, built, with the air between them.

    Args:
        channel, built: the spec and the channel that it describes; None for a scheme that sends nothing.
        waveform: on that channel, plain by default.
    Raises:
        ScenarioError: as `build_link`.
    """
    with _named(scheme, channel):
        link = Link(
            transmitter=scheme.build(context),
            receiver=scheme.build(replace(context, streams=None)),
            waveform=Plain() if waveform is None else waveform,
            channel=NoChannel() if built is None else built,
        )
    if channel is None:
        return link
    _check_pilots(scheme, channel, link.waveform)
    _check_fit(link, channel.kind)
    return replace(link, waveform=link.waveform.designed_for(link.channel))


@contextmanager
def _named(scheme: OneScheme, channel: OneChannel | None) -> Iterator[None]:
    """A wrong value inside is put down to this scheme on this channel."""
    try:
        yield
    except (ValueError, TypeError) as fault:
        if isinstance(fault, ScenarioError):
            raise
        where = "no channel" if channel is None else channel.kind
        raise ScenarioError(f"scheme {scheme_name(scheme)!r} on {where}: {fault}") from fault


def _check_fit(link: Link, kind: str) -> None:
    try:
        link.waveform.check_channel(link.channel)
    except ValueError as fault:
        raise ScenarioError(f"waveform on {kind}: {fault}") from fault


def _check_pilots(scheme: OneScheme, channel: OneChannel, waveform: WaveformBase) -> None:
    """Refuse to adapt to a gain that nothing tells of."""
    if scheme.adapts and not waveform.has_pilots and channel.default_waveform() is not None:
        raise ScenarioError(
            f"scheme {scheme_name(scheme)!r} on {channel.kind}: mcs: adaptive measures the SNR on pilots and waveform "
            "plain has none; leave waveform out, or use single-carrier or ofdm"
        )


def build_waveform(waveform: OneWaveform | None, channel: OneChannel | None, context: BuildContext) -> WaveformBase:
    """The waveform of the scenario, or the one that the channel asks for."""
    context = replace(NOTHING_KNOWN, folder=context.folder, files=context.files)
    if waveform is not None:
        return waveform.build(context)
    default = None if channel is None else channel.default_waveform()
    if default is not None:
        return default.build(context)
    if channel is not None and channel.is_foreign:
        return waveform_of_user_channel(channel.build(context), channel.kind)
    return Plain()
