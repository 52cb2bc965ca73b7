"""A channel or a waveform from a kind with options, outside a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from semlink.blocks import Channel, ChannelBase, Waveform, WaveformBase
from semlink.errors import ScenarioError
from semlink.files import Json
from semlink.link.scenario.diagnostics import say
from semlink.phy.specs.channels import ChannelSpec
from semlink.plugins.specs import ChannelPlugin
from semlink.spec import BuildContext

__all__ = ["channel_and_waveform", "channel_of", "examined"]


def _spec_of(interface: str, adapter: TypeAdapter, given: str | Json) -> Any:
    """The checked spec of a block given as its kind, or as a mapping with `kind` and options.

    Raises:
        ScenarioError: an unknown kind or option, or a value that is not allowed.
    """
    tree = {"kind": given} if isinstance(given, str) else dict(given)
    try:
        return adapter.validate_python(tree)
    except ValidationError as fault:
        first, *others = fault.errors()
        said = dict.fromkeys([say(first), *(say(other) for other in others if other["loc"][:2] == first["loc"][:2])])
        option = "".join(f"{key}: " for key in first["loc"][1:2])
        raise ScenarioError(f"{interface} {tree.get('kind', '')}: {option}{', or '.join(said)}") from fault


def channel_of(given: str | Json, folder: Path | None = None) -> ChannelBase:
    """A channel, checked and built.

    Raises:
        ScenarioError: what is given names no channel, or one that cannot be built so.
    """
    return _channel(_channel_spec(given), folder)


def channel_and_waveform(
    given: str | Json | Channel, waveform: str | Json | Waveform | None, folder: Path | None = None
) -> tuple[ChannelBase, WaveformBase]:
    """A channel and the waveform before it, each from a kind, a mapping, or an object.

    Args:
        waveform: None for what the channel needs.
    Raises:
        ScenarioError: either cannot be built so, or they don't fit.
    """
    from semlink.link.scenario.build import build_waveform
    from semlink.phy.specs.pilot_choice import waveform_of_user_channel
    from semlink.phy.specs.waveforms import AnyWaveform
    from semlink.plugins import adapted

    spec = _channel_spec(given) if isinstance(given, str | Mapping) else None
    channel = adapted("channel", given) if spec is None else _channel(spec, folder)
    kind = type(given).__name__ if spec is None else spec.kind
    context = BuildContext(folder=folder)
    if isinstance(waveform, str | Mapping):
        made = build_waveform(_spec_of("waveform", TypeAdapter(AnyWaveform), waveform), spec, context)
    elif waveform is not None:
        made = adapted("waveform", waveform)
    else:
        made = waveform_of_user_channel(channel, kind) if spec is None else build_waveform(None, spec, context)
    try:
        made.check_channel(channel)
    except ValueError as fault:
        raise ScenarioError(f"waveform on {kind}: {fault}") from fault
    return channel, made.designed_for(channel)


def examined(given: Json, title: str, seed: int = 1) -> tuple[str, bool]:
    """The conformance report of a channel as text, and whether it passed every check.

    Raises:
        ScenarioError: what is given names no channel.
    """
    from semlink.phy.conformance.examine import check, render

    report = replace(check(channel_of(given), seed=seed), channel=title)
    return render(report), report.passed


def _channel_spec(given: str | Json) -> ChannelSpec | ChannelPlugin:
    from semlink.phy.specs.channels import AnyChannel

    return _spec_of("channel", TypeAdapter(AnyChannel), given)


def _channel(spec: ChannelSpec | ChannelPlugin, folder: Path | None) -> ChannelBase:
    try:
        return spec.build(BuildContext(folder=folder))
    except (ValueError, TypeError) as fault:
        raise fault if isinstance(fault, ScenarioError) else ScenarioError(f"channel {spec.kind}: {fault}") from fault
