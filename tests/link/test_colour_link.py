"""Pictures in colour, of several sizes, through a run: agreements, budgets, costs, pictures, replay and verify."""

from __future__ import annotations

import csv

import colour_toys
import numpy as np
import pytest
import yaml
from PIL import Image

import semlink
from semlink.caching import digest_of
from semlink.errors import PluginFault, ScenarioError, SourceError
from semlink.link.results.folder import Results
from semlink.link.results.pictures import Pictures
from semlink.link.sweep.clips import load_clips
from semlink.link.sweep.plan import Job
from semlink.link.sweep.run import run

SIZES = [(24, 32), (16, 40), (24, 32)]
CODEC = {"kind": f"{colour_toys.__file__}:Sampled"}
QPSK = {"kind": "ldpc", "modulation": "qpsk", "rate": 0.5, "block_bits": 256}
SENT = {"name": "sampled", "kind": "digital", "codec": CODEC, "coding": QPSK}
ROWS = {"name": "rows", "kind": f"{colour_toys.__file__}:Rows"}
SENSED = {
    "name": "sensed",
    "kind": "sensing",
    "sensor": {"kind": "programmable", "mean_count": 1},
    "reconstruction": {"kind": "initial"},
}


def scenario(folder, **changes) -> semlink.Scenario:
    for number, (h, w) in enumerate(SIZES):
        y, x, c = np.mgrid[:h, :w, :3]
        waves = 128 + 100 * np.sin((x + 3 * number) / (5 + 2 * c)) * np.cos(y / 6)
        Image.fromarray(waves.astype(np.uint8)).save(folder / f"{number}.png")
    tree = {
        "name": "pictures",
        "source": {"kind": "images", "path": "*.png"},
        "channel": {"kind": "awgn"},
        "sweep": {"snr_db": [8], "budget_per_sample": [0.25]},
        "schemes": [SENT, ROWS],
        "metrics": ["psnr", "psnr_y", "psnr_yuv611"],
        "trials": {"min": 2, "max": 2},
    } | changes
    path = folder / "pictures.yaml"
    path.write_text(yaml.safe_dump(tree))
    return semlink.load(path)


def table(folder) -> list[dict]:
    return list(csv.DictReader((folder / "curves.csv").read_text().splitlines()))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    run(Job(scenario(folder), folder / "out", folder))
    return folder / "out"


def test_each_clip_has_the_budget_of_its_own_size(done):
    """A quarter of a use for each of an rgb pixel's three samples."""
    sampled, rows = table(done)
    assert {row["budget"] for row in (sampled, rows)} == {"0.75"}
    assert float(rows["channel_uses"]) == np.mean([0.75 * h * w for h, w in SIZES])
    assert float(rows["channel_uses_per_pixel"]) == pytest.approx(0.75)
    assert float(rows["channel_uses_per_sample"]) == pytest.approx(0.25)
    kept = {record["scheme"]: record for record in map(Results(done).read, Results(done).keys())}
    for (h, w), clip in zip(SIZES, kept["rows"]["clips"]):
        assert set(clip["channel_uses"]) == {0.75 * h * w}
        assert len(clip["psnr_y_db"]) == len(clip["psnr_yuv611_db"]) == 2
    assert all(0.4 * h * w < uses <= 0.75 * h * w for (h, w), uses in zip(SIZES, _uses(kept["sampled"])))
    assert float(sampled["psnr_db"]) > 14


def _uses(record) -> list[float]:
    return [clip["channel_uses"][0] for clip in record["clips"]]


def test_what_is_shown_is_in_colour(done):
    found = Pictures(done)
    shown = list(map(found.read, Results(done).keys()))
    assert all(picture.planes == 3 and picture.source.shape == (1, 72, 32) for picture in shown)
    assert all(picture.received.shape == (1, 72, 32) for picture in shown)


def test_a_clip_of_another_size_is_replayed_and_the_folder_holds(done):
    results, (h, w) = semlink.results(done, plugins=True), SIZES[1]
    for point in results.run.points:
        again = results.replay(point.key, clip=1, trial=1)
        assert again.differs == () and (again.shape.h, again.shape.w, again.shape.colour) == (h, w, "rgb")
        assert again.pixels[0].shape == (1, 3 * h, w)
    assert results.verify(points="all").code == 0


def test_the_same_pixels_in_another_colour_are_other_points(tmp_path):
    """The wheel's three planes in gray, which are the same array, too."""
    stored = np.random.default_rng(0).integers(0, 256, (72, 32), dtype=np.uint8)
    Image.fromarray(stored).save(tmp_path / "planes.png")
    Image.fromarray(np.ascontiguousarray(stored.reshape(3, 24, 32).transpose(1, 2, 0))).save(tmp_path / "rgb.png")
    digests = [
        load_clips(scenario(tmp_path, source={"kind": "images", "path": f"{name}.png", "colour": colour}), tmp_path)
        for name, colour in (("planes", "gray"), ("rgb", "rgb"))
    ]
    gray, rgb = digests
    assert np.array_equal(gray.frames[0].pixels, rgb.frames[0].pixels)
    assert digest_of("rgb", rgb.frames[0].pixels.numpy()) != rgb.digest != gray.digest
    assert digest_of("planes", gray.frames[0].pixels.numpy()) == gray.digest, "gray is told by names and pixels alone"


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"schemes": [SENSED]}, "pictures.yaml:.*sensor programmable takes frames in gray, and the source gives rgb; "
         "set source.colour: gray"),
        ({"source": {"kind": "images", "path": "*.png", "colour": "yuv420"}, "schemes": [ROWS]},
         "scheme colour_toys.py:Rows takes frames in gray or rgb, and the source gives yuv420; set"),
        ({"source": {"kind": "images", "path": "*.png", "colour": "gray"}}, "psnr_yuv611: scores luma and chroma"),
        ({"sweep": {"snr_db": [8], "budget": [1], "budget_per_sample": [1]}}, "two ways to say the same"),
        ({"calibration": {"source": {"kind": "images", "path": "1.png"}}}, "gave no clip of .* in rgb"),
        ({"calibration": {"source": {"kind": "images", "path": "*.png", "colour": "gray"}}},
         "gave a clip of .*; need .* in rgb"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_before_any_work(tmp_path, changes, says):
    with pytest.raises((ScenarioError, SourceError), match=says):
        semlink.run(scenario(tmp_path, **changes), out=tmp_path / "out", progress=False)


@pytest.mark.parametrize(
    "name, says",
    [
        ("Forgetful", r"receive returned frames in gray; need Frames\(pixels, 'rgb'\)"),
        ("Short", r"receive returned frames of shape \(1, 1, 24, 32\); need \(clip, 1, 72, 32\)"),
    ],
)
def test_frames_of_another_colour_or_of_too_few_planes_are_named(tmp_path, name, says):
    scheme = {"name": "x", "kind": f"{colour_toys.__file__}:{name}"}
    made = scenario(tmp_path, schemes=[scheme], metrics=["psnr"])
    with pytest.raises(PluginFault, match=says):
        run(Job(made, tmp_path / "out", tmp_path))
