"""What is wrong with a user's class is one line that names file, class and method."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from semlink.blocks import ChannelBase, SensorBase, is_sensing, kind_of
from semlink.errors import InterfaceError, PluginFault, ScenarioError, SemlinkError
from semlink.payload import Frames, FrameShape, Measurement
from semlink.phy.specs.channels import AnyChannel
from semlink.plugins import adapted
from semlink.plugins.specs import (
    ChannelPlugin,
    CodecPlugin,
    CodingPlugin,
    ReconstructionPlugin,
    SchemePlugin,
    SensorPlugin,
)
from semlink.seeds import Seeds
from semlink.spec import BuildContext

CLIP = Frames(torch.rand(1, 4, 8, 8, generator=torch.Generator().manual_seed(1)))

FILE = """
import torch

from semlink.blocks import SensorBase
from semlink.payload import Frames, Measurement


class Good:
    def measure(self, frames, seeds):
        _, t, h, w = frames.pixels.shape
        return Measurement(frames.pixels, torch.full((h, w), t), frames.shape)


class Misspelt:
    def mesure(self, frames, seeds):
        return None


class MisspeltOption(Good):
    def frames_kinds(self, shape):
        return ["key"] * shape.t


class Blank(SensorBase):
    pass


class Short(Good):
    def measure(self, frames):
        return None


class Raises(Good):
    def measure(self, frames, seeds):
        return [][3]


class Breaks(Good):
    def __init__(self, table={}):
        self.row = table["row"]


class Refuses(Good):
    def __init__(self, depth=9):
        raise ValueError(f"depth is {depth}; I only take 8")


class Numbers(Good):
    def measure(self, frames, seeds):
        return frames.pixels


class Flat(Good):
    def measure(self, frames, seeds):
        return Measurement(frames.pixels[0], torch.ones(8, 8), frames.shape)


class Cropped:
    def reconstruct(self, measurement):
        return Frames(measurement.slots[..., :4])


class Dark:
    def reconstruct(self, measurement):
        return Frames(torch.full_like(measurement.slots, float("nan")))


class Halves:
    def encode(self, clip, *, max_bytes):
        return [b"bytes"]

    def encode_at(self, clip, rate):
        return ()

    def decode(self, packets, shape):
        return torch.zeros(shape.t, shape.h // 2, shape.w).numpy()


class NoSizes:
    bits_per_symbol, code_rate = 2, 1.0

    def send(self, blocks, uses): ...

    def receive(self, received): ...


class Mute:
    pass


class HalfInteractive:
    def next_burst(self, frames, agreement, seeds, past, opening): ...

    def receive(self, bursts, agreement): ...


def function(iq, snr_db, seeds):
    return iq
"""


@pytest.fixture
def context(tmp_path: Path) -> BuildContext:
    (tmp_path / "mine.py").write_text(FILE)
    return BuildContext(folder=tmp_path)


@pytest.mark.parametrize(
    "spec, says",
    [
        (SensorPlugin(kind="mine.py:Misspelt"), "sensor mine.py:Misspelt: has 'mesure', did you mean 'measure'"),
        (
            SensorPlugin(kind="mine.py:MisspeltOption"),
            "sensor mine.py:MisspeltOption: has 'frames_kinds', did you mean 'frame_kinds'",
        ),
        (SensorPlugin(kind="mine.py:Blank"), "sensor mine.py:Blank: has no measure; a sensor needs measure"),
        (
            SensorPlugin(kind="mine.py:Short"),
            r"sensor mine.py:Short: measure is called as measure\(frames, seeds\), which it does not take",
        ),
        (
            CodingPlugin(kind="mine.py:NoSizes"),
            "coding mine.py:NoSizes: has no block_sizes; a coding needs bits_per_symbol, code_rate, block_sizes, send",
        ),
        (ReconstructionPlugin(kind="mine.py:Mute"), "reconstruction mine.py:Mute: has no reconstruct"),
        (
            SchemePlugin(kind="mine.py:HalfInteractive"),
            "scheme mine.py:HalfInteractive: has no listen; a scheme needs next_burst, listen, receive",
        ),
        (ChannelPlugin(kind="mine.py:function"), "channel mine.py:function: is a function; need a class"),
        (SensorPlugin(kind="mine.py:Refuses"), "sensor mine.py:Refuses: depth is 9; I only take 8"),
        (
            SensorPlugin(kind="mine.py:Breaks"),
            r"sensor mine.py:Breaks: __init__ raised KeyError: 'row' \(mine.py:\d+\)",
        ),
    ],
)
def test_a_class_that_does_not_fit_is_named_when_it_is_built(context, spec, says):
    with pytest.raises(SemlinkError, match=says) as fault:
        spec.build(context)
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize(
    "name, says",
    [
        ("Raises", r"measure raised IndexError: list index out of range \(mine.py:\d+\)"),
        ("Numbers", r"measure returned Tensor of shape \(1, 4, 8, 8\); need Measurement or Projections"),
        ("Flat", r"measure returned slots of shape \(4, 8, 8\); need 4 axes"),
    ],
)
def test_a_sensor_that_fails_in_the_middle_of_a_run_is_named(context, name, says):
    sensor = SensorPlugin(kind=f"mine.py:{name}").build(context)
    with pytest.raises(PluginFault, match=f"sensor mine.py:{name}: {says}"):
        sensor.measure(CLIP, Seeds(1))


@pytest.mark.parametrize(
    "name, says",
    [
        ("Cropped", r"reconstruct returned frames of shape \(1, 4, 8, 4\); need \(clip, 4, 8, 8\)"),
        ("Dark", "reconstruct returned NaN or infinite pixels"),
    ],
)
def test_frames_that_cannot_be_are_named(context, name, says):
    readings = SensorPlugin(kind="mine.py:Good").build(context).measure(CLIP, Seeds(1))
    made = ReconstructionPlugin(kind=f"mine.py:{name}").build(context)
    for call in (lambda: made.reconstruct(readings), lambda: made.restore_many([readings])):
        with pytest.raises(PluginFault, match=f"reconstruction mine.py:{name}: {says}"):
            call()


def test_packets_and_decoded_frames_of_a_wrong_kind_are_named(context):
    codec = CodecPlugin(kind="mine.py:Halves").build(context)
    with pytest.raises(PluginFault, match="codec mine.py:Halves: encode returned bytes; need Packet"):
        codec.encode(np.zeros((4, 8, 8), np.float32), max_bytes=100)
    with pytest.raises(
        PluginFault, match=r"decode returned ndarray of shape \(4, 4, 8\); need an array of .*\(4, 8, 8\)"
    ):
        codec.decode((), FrameShape(4, 8, 8))


def test_rates_that_a_sensor_has_no_use_for_are_refused(context):
    with pytest.raises(InterfaceError, match="sensor good: the scheme has rates, got 2.* argument `rate`"):
        SensorPlugin(kind="mine.py:Good").build(BuildContext(folder=context.folder, rate=2.0))


def package(folder: Path, name: str, entry: str) -> None:
    """An installed package with one entry point."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[semlink.blocks]\n{entry}\n")


def test_two_packages_that_claim_one_kind_are_both_named(tmp_path, monkeypatch):
    package(tmp_path, "rain", "channel.drizzle = rain:Drizzle")
    package(tmp_path, "showers", "channel.drizzle = showers:Drizzle")
    monkeypatch.syspath_prepend(str(tmp_path))
    both = r"'drizzle' is offered by (rain \(rain:Drizzle\) and showers|showers \(showers:Drizzle\) and rain)"
    with pytest.raises(ScenarioError, match=both):
        ChannelPlugin(kind="drizzle").build()


def test_a_package_that_claims_a_kind_of_ours_is_refused(tmp_path, monkeypatch):
    package(tmp_path, "louder", "channel.awgn = louder:Awgn")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises((ScenarioError, ValidationError), match="'awgn' is semlink's own, and package louder claims it"):
        TypeAdapter(AnyChannel).validate_python({"kind": "awgn"})


class Told:
    """States its statistics, and has a helper that no interface names."""

    coherence = 7

    def __call__(self, iq, snr_db, seeds):
        return 2 * iq

    def helper(self) -> int:
        return 5


def test_what_a_class_has_wins_and_what_it_lacks_is_supplied():
    channel = adapted("channel", Told())
    assert isinstance(channel, ChannelBase)
    assert (channel.coherence, channel.doppler, channel.name, channel.helper()) == (7, None, "told", 5)
    assert channel.capacity(3.0) is None
    iq = torch.ones(1, 3, dtype=torch.complex64)
    assert torch.equal(pickle.loads(pickle.dumps(channel))(iq, 0.0, Seeds(1)), 2 * iq)


class Grown(SensorBase):
    """Inherits, and so has every default."""

    def measure(self, frames, seeds):
        _, t, h, w = frames.pixels.shape
        return Measurement(frames.pixels[:, :3], torch.full((h, w), 3), frames.shape)


def test_a_class_that_inherits_is_used_as_it_is():
    sensor = Grown()
    assert adapted("sensor", sensor) is sensor
    assert (sensor.name, sensor.measurements_per_pixel(FrameShape(4, 8, 8))) == ("grown", 3.0)


class Sees:
    def sense(self, clips, agreement, seeds, progress): ...


def test_the_kinds_of_schemes_are_told_apart_by_what_they_offer():
    scheme = adapted("scheme", Sees())
    assert kind_of(scheme) == "sensing" and is_sensing(scheme)
    with pytest.raises(InterfaceError, match="Sees is no scheme; inherit from OneWayBase, InteractiveBase, BoundBase"):
        kind_of(Sees())
