"""From specs to blocks that can run."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from semlink.errors import ScenarioError
from semlink.link.chain.link import Link
from semlink.link.scenario.scenario import scheme_name
from semlink.link.schemes.analogue.spec import SoftCastSpec
from semlink.link.schemes.camera import Camera
from semlink.link.schemes.digital.build import coded_scheme, digital_scheme
from semlink.link.schemes.digital.packet_store import StreamStore
from semlink.link.schemes.digital.spec import DigitalSpec
from semlink.link.schemes.measurements.scheme import measured
from semlink.link.schemes.measurements.spec import AnalogueTransmissionSpec, MeasurementsSpec
from semlink.link.schemes.readings_view import behind_sensor, without_sensor
from semlink.link.schemes.semantic.spec import SemanticSpec
from semlink.link.schemes.sensing_only.scheme import SensingScheme
from semlink.link.schemes.sensing_only.spec import SensingSpec
from semlink.phy.specs.channels import TensorFlowSpec
from semlink.phy.specs.pilot_choice import waveform_of_user_channel
from semlink.phy.waveforms.plain import Plain
from semlink.plugins import build as build_plugin, build_block, load_class
from semlink.spec import PluginSpec


def build_link(
    scheme: Any, channel: Any, waveform: Any, *, streams: StreamStore | None, folder: Path | None, frames: int = 16
) -> Link:
    """Two instances of a scheme with the air between them.

    Raises:
        ScenarioError: an option that only shows to be wrong when the block is built.
    """
    try:
        link = Link(
            transmitter=build_scheme(scheme, streams, folder, frames),
            receiver=build_scheme(scheme, None, folder, frames),
            waveform=build_waveform(waveform, channel, folder),
            channel=None if channel is None else build_block(channel, "channel", folder),
        )
    except (ValueError, TypeError) as fault:
        if isinstance(fault, ScenarioError):
            raise
        raise ScenarioError(
            f"scheme {scheme_name(scheme)!r} on {getattr(channel, 'kind', 'no channel')}: {fault}"
        ) from fault
    _check_pilots(scheme, channel, link.waveform)
    _check_fit(channel, link)
    return link


def _check_fit(channel: Any, link: Link) -> None:
    from semlink.phy.waveforms.plain import check_fit

    try:
        check_fit(link.waveform, link.channel)
    except ValueError as fault:
        raise ScenarioError(f"waveform on {getattr(channel, 'kind', 'no channel')}: {fault}") from fault


def _check_pilots(scheme: Any, channel: Any, waveform: Any) -> None:
    """Refuse to adapt to a gain that nothing tells of."""
    digital = getattr(scheme, "transmission", scheme)
    adapts = not isinstance(digital, PluginSpec) and getattr(getattr(digital, "coding", None), "mcs", "") == "adaptive"
    if adapts and isinstance(waveform, Plain) and hasattr(channel, "default_waveform"):
        raise ScenarioError(
            f"scheme {scheme_name(scheme)!r} on {channel.kind}: mcs: adaptive measures the SNR on pilots and waveform "
            "plain has none; leave waveform out, or use single-carrier or ofdm"
        )


def build_waveform(waveform: Any, channel: Any, folder: Path | None) -> Any:
    """The waveform of the scenario, or the one that the channel asks for."""
    if waveform is None:
        default = getattr(channel, "default_waveform", None)
        if default is not None:
            return default().build()
        if isinstance(channel, PluginSpec | TensorFlowSpec):
            return waveform_of_user_channel(build_block(channel, "channel", folder), channel.kind)
        return Plain()
    return build_block(waveform, "waveform", folder)


def build_scheme(spec: Any, streams: StreamStore | None, folder: Path | None, frames: int) -> Any:
    """One end of a scheme for clips of `frames` frames."""
    if isinstance(spec, PluginSpec):
        return _user_scheme(spec, folder)
    if isinstance(spec, SensingSpec):
        return SensingScheme(partial(_eye, spec, frames, folder))
    if isinstance(spec, SemanticSpec):
        return spec.scheme(_eye(spec, frames, folder, None))
    if isinstance(spec, DigitalSpec | SoftCastSpec):
        scheme = spec.scheme() if isinstance(spec, SoftCastSpec) else coded_scheme(spec, streams, folder)
        if spec.sensor is None:
            return without_sensor(scheme)
        return behind_sensor(_eye(spec, frames, folder, None), scheme)
    if isinstance(spec, MeasurementsSpec):
        return measured(_eye(spec, frames, folder, None), _of_readings(spec.transmission, streams, folder))
    return spec.build(streams)


def _of_readings(transmission: Any, streams: StreamStore | None, folder: Path | None) -> Any:
    """A scheme whose codec takes readings of inner products."""
    if isinstance(transmission, AnalogueTransmissionSpec):
        return transmission.scheme()
    return digital_scheme(transmission.codec(), transmission.coding, streams, folder)


def _eye(spec: Any, frames: int, folder: Path | None, rate: float | None) -> Camera:
    """A sensor and its reconstruction; `rate` goes to the reconstruction if it offers `at_rate`, else to the sensor."""
    reconstruction = spec.reconstruction
    if rate is not None and hasattr(reconstruction, "at_rate"):
        reconstruction, rate = reconstruction.at_rate(rate), None
    if isinstance(spec.sensor, PluginSpec):
        sensor = build_block(spec.sensor, "sensor", folder)
    else:
        sensor = spec.sensor.build(frames, rate)
    if isinstance(reconstruction, PluginSpec):
        return Camera(sensor, build_block(reconstruction, "reconstruction", folder))
    return Camera(sensor, reconstruction.build(sensor))


def _user_scheme(spec: PluginSpec, folder: Path | None) -> Any:
    """A user's scheme; `name` and `rates` belong to the scenario unless its constructor takes them."""
    import inspect

    taken = inspect.signature(load_class(spec.kind, "scheme", folder=folder)).parameters
    options = {k: v for k, v in spec.options().items() if k not in ("name", "rates") or k in taken}
    return build_plugin(PluginSpec(kind=spec.kind, **options), "scheme", folder=folder)
