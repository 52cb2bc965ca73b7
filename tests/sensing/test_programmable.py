"""The sensor and its reconstructors as blocks: chance, sizes, and what is refused."""

from __future__ import annotations

import json

import pytest
import torch
from training_toys import small_pack, write_recipe

from semlink.errors import InterfaceError, ModelError
from semlink.payload import Frames
from semlink.seeds import Seeds
from semlink.sensing.programmable.decoder_network import Reconstruction
from semlink.sensing.programmable.exposure import ReadNoise, expose
from semlink.sensing.programmable.ratio_map import fixed_map
from semlink.sensing.programmable.reconstructors import (
    DeepReconstructor,
    GapTvReconstructor,
    InitialReconstructor,
    decode,
)
from semlink.sensing.programmable.sensor import ProgrammableSensor, RatioMap
from semlink.training.evaluate import evaluate, fixed_at, mean_by
from semlink.training.loop import train


def ramp(clips: int = 1, h: int = 24, w: int = 40) -> Frames:
    return Frames(torch.linspace(0.1, 0.9, clips * 16 * h * w).view(clips, 16, h, w))


def test_noise_is_the_named_stream_and_paired_between_maps():
    frames, seeds = ramp(2), Seeds(3, (0, 1))
    one, again, two = (ProgrammableSensor(RatioMap(count=n)).measure(frames, seeds) for n in (1, 1, 2))
    assert torch.equal(one.slots, again.slots)
    quiet = [expose(frames.pixels, m.counts) for m in (one, two)]
    scale = [16 * (q / 16 * 4.95e-3**2 + 7.25e-3**2).sqrt() for q in quiet]
    drawn = [(m.slots - q)[:, 0] / s[:, 0] for m, q, s in zip((one, two), quiet, scale)]
    torch.testing.assert_close(drawn[0], seeds.normal("sensor", 8, 24, 40)[:, 0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(drawn[0], drawn[1], atol=1e-4, rtol=1e-4)
    alone = ProgrammableSensor(RatioMap(count=1)).measure(Frames(frames.pixels[1:]), seeds.alone(1))
    assert torch.equal(alone.slots, one.slots[1:])


def test_cost_is_the_mean_of_the_map():
    shape = ramp().shape
    assert ProgrammableSensor(RatioMap(tile=((8, 0), (1, 1)))).measurements_per_pixel(shape) == 2.5
    assert ProgrammableSensor(RatioMap(count=4)).measurements_per_pixel(shape) == 4
    mixed = ProgrammableSensor(RatioMap(random_mean=2.5)).counts(shape)
    assert torch.equal(mixed, ProgrammableSensor(RatioMap(random_mean=2.5)).counts(shape))


@pytest.mark.parametrize(
    ("ratio_map", "message"),
    [
        (RatioMap(), "exactly one of"),
        (RatioMap(count=1, tile=((1,),)), "exactly one of"),
        (RatioMap(count=3), r"counts \[3\] are not on offer"),
    ],
)
def test_maps_that_cannot_be_are_refused(ratio_map, message):
    with pytest.raises(InterfaceError, match=message):
        ProgrammableSensor(ratio_map).measure(ramp(), Seeds(1))


def test_a_window_of_twelve_frames_is_refused():
    with pytest.raises(InterfaceError, match="12 frames"):
        ProgrammableSensor(RatioMap(count=1)).measure(Frames(torch.zeros(1, 12, 8, 8)), Seeds(1))


@pytest.mark.parametrize("masked", [False, True])
def test_static_clip_is_met_within_its_noise(masked):
    frames = Frames(torch.full((1, 16, 32, 32), 0.45))
    measurement = ProgrammableSensor(RatioMap(count=1), masked=masked).measure(frames, Seeds(1))
    initial = InitialReconstructor(masked, fill=True).reconstruct(measurement).pixels
    smooth = GapTvReconstructor(masked=masked).reconstruct(measurement).pixels
    floor = 0.008 * (2 if masked else 1)
    assert (initial - 0.45).std() < 1.4 * floor
    assert (smooth - 0.45).std() < 0.75 * (initial - 0.45).std()


def test_any_size_is_padded_and_cropped_back():
    torch.manual_seed(0)
    net = Reconstruction(stages=1).eval()
    small = torch.rand(2, 16, 21, 30)
    out = decode(net, small, fixed_map(2, ramp(h=21, w=30).shape))
    assert out.shape == small.shape and out.dtype == torch.float32
    padded = torch.nn.functional.pad(small, (0, 2, 0, 3), mode="reflect")
    whole = decode(net, padded, fixed_map(2, ramp(h=24, w=32).shape))
    torch.testing.assert_close(out, whole[..., :21, :30])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Weights of a decoder for uniform maps of 1 and 2, after four steps."""
    from semlink.training.data.pack import Pack, save_pack

    folder = tmp_path_factory.mktemp("weights")
    pack = small_pack()
    shapes = ((24, 24, 14), *pack.shapes[1:2], (18, 20, 10), (16, 24, 12))
    save_pack(Pack(pack.names, shapes, pack.held_out, pack.pixels), folder / "pack.npz")
    recipe = write_recipe(
        folder,
        model={"num_frames": 16, "width": 16, "stages": 1},
        options={"maps": {"uniform": 1.0, "tile": 0.0, "counts": [1, 2]}},
        clips={"frames": 16, "still_share": 1.0},
        optimiser={"learning_rate": 1e-5},
    )
    return train(recipe, out=folder / "run", data=folder / "pack.npz", steps=4)


def test_deep_reconstruction_runs_from_a_file_and_checks_what_it_is_given(trained):
    frames = ramp(h=20, w=28)
    measurement = ProgrammableSensor(RatioMap(count=2)).measure(frames, Seeds(1))
    restored = DeepReconstructor(str(trained)).reconstruct(measurement).pixels
    assert restored.shape == frames.pixels.shape
    initial = InitialReconstructor().reconstruct(measurement).pixels
    assert (restored - initial).square().mean().sqrt() < 0.1  # where training starts
    with pytest.raises(ModelError, match="noise is .*the scenario has"):
        DeepReconstructor(str(trained), noise=ReadNoise(0.01, 0.01)).reconstruct(measurement)
    with pytest.raises(ModelError, match="masked is False, the scenario has True"):
        DeepReconstructor(str(trained), masked=True).reconstruct(measurement)
    eight = ProgrammableSensor(RatioMap(count=8)).measure(frames, Seeds(1))
    with pytest.raises(ModelError, match=r"uniform maps of \[1, 2\], the map holds \[8\]"):
        DeepReconstructor(str(trained)).reconstruct(eight)
    short = ProgrammableSensor(RatioMap(count=2)).measure(Frames(frames.pixels[:, :8]), Seeds(1))
    with pytest.raises(ModelError, match="num_frames is 16, the scenario has 8"):
        DeepReconstructor(str(trained)).reconstruct(short)
    with pytest.raises(ModelError, match="names no learned map"):
        ProgrammableSensor(RatioMap(learned=str(trained), mean_count=2.5)).measure(frames, Seeds(1))


def test_a_learned_map_is_picked_by_its_mean(trained, tmp_path):
    card = json.loads(trained.with_suffix(".json").read_text())
    card["facts"]["learned"] = [
        {"cost": 0.1, "mean_count": 2.5, "tile": [[8, 1], [1, 0]]},
        {"cost": 1.0, "mean_count": 0.5, "tile": [[1, 0], [1, 0]]},
    ]
    path = tmp_path / "learned.safetensors"
    path.write_bytes(trained.read_bytes())
    path.with_suffix(".json").write_text(json.dumps(card))
    sensor = ProgrammableSensor(RatioMap(learned=str(path), mean_count=2.4))
    assert sensor.measurements_per_pixel(ramp().shape) == 2.5
    with pytest.raises(ModelError, match=r"no learned map near 1\.2 measurements; allowed: \[0\.5, 2\.5\]"):
        ProgrammableSensor(RatioMap(learned=str(path), mean_count=1.2)).counts(ramp().shape)


def test_evaluation_pairs_clips_and_interpolates_the_fixed_curve():
    clips = {"still": torch.full((16, 16, 16), 0.5), "flash": torch.rand(16, 16, 16)}
    sensors = {str(n): ProgrammableSensor(RatioMap(count=n)) for n in (1, 8)}
    rows = evaluate(clips, sensors, [InitialReconstructor()])
    assert [(row.clip, row.motion, row.sensor) for row in rows] == [
        ("still", "slow", "1"), ("still", "slow", "8"), ("flash", "fast", "1"), ("flash", "fast", "8"),
    ]  # fmt: skip
    exact = -20 * torch.log10(torch.tensor(16 * (0.5 * 4.95e-3**2 + 7.25e-3**2) ** 0.5 / 16)).item()
    assert rows[0].psnr_db == pytest.approx(exact, abs=0.5)
    assert mean_by(rows, ("slow",))["8", "initial"] == (8, rows[1].psnr_db, 1)
    points = [(1, 20.0), (4, 26.0), (8, 27.0)]
    assert [fixed_at(points, c) for c in (1, 2, 4, 8, 16)] == pytest.approx([20, 23, 26, 27, 28])
