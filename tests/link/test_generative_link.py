"""Generative reconstruction in a scenario: ranks as rates, clips together, held-out ranks, colour, bad input."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from generator_toys import small_weights
from small_runs import records

from semlink.errors import SemlinkError
from semlink.link.scenario.loader import load_scenario
from semlink.link.schemes.camera import Camera
from semlink.link.sweep.plan import Job
from semlink.link.sweep.run import run
from semlink.nn.generative.generator_weights import generator_of
from semlink.nn.generative.latent_fit import FitSettings
from semlink.payload import Frames
from semlink.seeds import Seeds
from semlink.sensing.random_projections.gmlr import GmlrReconstructor
from semlink.sensing.random_projections.sensor import RandomSensor

SOURCE = {"kind": "digits", "clips": 2, "frames": 4, "seed": 5}


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> str:
    return str(small_weights(tmp_path_factory.mktemp("weights")))


def scheme(weights: str, *, sensor: dict | None = None, rates: list | None = None, **options) -> dict:
    made = {
        "name": "gmlr",
        "kind": "sensing",
        "sensor": {"kind": "random", "operator": "missing"} if sensor is None else {"kind": "random", **sensor},
        "reconstruction": {"kind": "gmlr", "weights": weights, "epochs": 6, **options},
    }
    return made if rates is None else made | {"rates": rates}


def report(folder: Path, *schemes: dict, source: dict = SOURCE, progress=None):
    path = folder / "s.yaml"
    path.write_text(yaml.safe_dump({"name": "s", "source": source, "schemes": list(schemes)}))
    return run(Job(load_scenario(path), folder / "out", folder), progress=progress)


def test_rates_are_ranks_of_the_reconstruction_and_cost_is_the_sensors(tmp_path, weights):
    told = []
    made = report(tmp_path, scheme(weights, rates=[1, 4]), progress=lambda name, done, total: told.append((name, done)))
    assert [(row.rate, row.trials) for row in made.rows] == [(1, 1), (4, 1)], "no noise: one trial says it all"
    assert all(row.measurements_per_pixel == pytest.approx(4 * 820 / 4096) for row in made.rows)
    for record in records(tmp_path / "out"):
        for clip in record["clips"]:
            fitted = clip["told"]
            assert fitted["rank"] == record["rate"] and fitted["epochs"] == 6 and len(fitted["plane"]) == 4
            assert fitted["loss"][0][0] == 1 and fitted["loss"][-1][1] < fitted["loss"][0][1]
    assert ("gmlr, rate 1, 6 of 6", 0) in told and told[-1][1] == 2


def test_clips_together_are_clips_alone(weights):
    sensor = RandomSensor("gaussian", measurements=90)
    camera = Camera(sensor, GmlrReconstructor(weights, sensor, FitSettings(epochs=8, precision="float32")))
    clips = [Frames(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(n))) for n in range(3)]
    seeds = [Seeds(1, (n,)) for n in range(3)]
    for clip, own, together in zip(clips, seeds, camera.restore_many(clips, seeds), strict=True):
        torch.testing.assert_close(together.frames.pixels, camera.see(clip, own).pixels, atol=1e-4, rtol=0)


def test_a_rank_kept_out_readings_chose(tmp_path, weights):
    report(tmp_path, scheme(weights, rank="held-out", learn="latent"))
    (record,) = records(tmp_path / "out")
    ranks = [clip["told"]["rank"] for clip in record["clips"]]
    assert len(ranks) == 2 and set(ranks) <= {1, 2, 3, 4}


def test_frames_that_are_not_read_are_interpolated(weights):
    sensor = RandomSensor("identity", skip=(1, 2))
    reconstructor = GmlrReconstructor(weights, sensor, FitSettings(epochs=5, learn="latent"))
    scene = Frames(torch.rand(1, 4, 64, 64))
    (restored,) = reconstructor.restore_many([sensor.measure(scene, Seeds(0))])
    plane = torch.tensor(restored.diagnostics["plane"])
    torch.testing.assert_close(plane[1], (2 * plane[0] + plane[3]) / 3, atol=2e-4, rtol=0)
    assert restored.frames.pixels.shape == (1, 4, 64, 64)
    assert sensor.frame_kinds(scene.shape) == ("read", "skipped", "skipped", "read")


def test_colour_clips_are_three_stacked_planes_of_a_generator_that_was_never_trained():
    sensor = RandomSensor("missing", missing=0.5, planes=3)
    reconstructor = GmlrReconstructor("random", sensor, FitSettings(epochs=2), planes=3)
    scene = Frames(torch.rand(1, 2, 192, 64, generator=torch.Generator().manual_seed(1)))
    pixels = reconstructor.reconstruct(sensor.measure(scene, Seeds(0))).pixels
    assert pixels.shape == scene.pixels.shape and pixels.min() >= 0 and pixels.max() <= 1


def test_random_weights_are_the_published_architecture_and_always_the_same():
    gray, colour = generator_of("random", 1), generator_of("random", 3)
    assert sum(p.numel() for p in gray.parameters()) == 819_712
    assert sum(p.numel() for p in colour.parameters()) == 4_852_736
    again = generator_of.__wrapped__("random", 1)
    assert again is not gray and all(map(torch.equal, gray.parameters(), again.parameters()))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"source": {"kind": "scenes", "clips": 1, "size": [32, 64]}}, r"32 x 64 with planes: 1; allowed: 64 x 64"),
        ({"rates": [5]}, "rank 5 for 4 frames; allowed: 1 to 4"),
        ({"rates": [1.5]}, "got 1.5 for reconstruction gmlr; allowed: ranks"),
        ({"rank": 0}, "rank"),
        ({"similarity": 1.5}, "similarity: .*1 or less"),
        ({"sensor": {"operator": "missing", "missing": 1}}, "missing: .*less than 1"),
        ({"sensor": {"operator": "identity", "measurements": 3}}, "measurements is for operator: gaussian"),
        ({"sensor": {"operator": "identity", "skip": [9]}}, r"frames \[9\] are not there"),
        ({"sensor": {"operator": "identity", "planes": 3}}, "planes is 1, the sensor's 3"),
        ({"weights": "nothing"}, "weights 'nothing': no such file"),
        ({"sensor": {"kind": "programmable", "mean_count": 1}}, "takes readings of sensor random, not of programmable"),
    ],
)
def test_bad_input_says_what_is_allowed(tmp_path, weights, changes, says):
    options = {"source": SOURCE} | changes
    source = options.pop("source")
    made = scheme(options.pop("weights", weights), **options)
    with pytest.raises(SemlinkError, match=says):
        report(tmp_path, made, source=source)


def test_a_rank_above_the_frames_is_refused_before_anything_is_computed(tmp_path, weights):
    with pytest.raises(SemlinkError, match="rank 99 for"):
        report(tmp_path, scheme(weights, rates=[2, 99]))
    assert not list(tmp_path.rglob("points/*"))


def test_another_reconstruction_refuses_random_projections(tmp_path, weights):
    with pytest.raises(SemlinkError, match="random"):
        report(tmp_path, scheme(weights) | {"reconstruction": {"kind": "initial"}})
