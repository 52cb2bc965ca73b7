"""Block sampling in a scenario: what it may say, what it costs, and what is refused."""

from __future__ import annotations

import pytest
import yaml

from semlink.errors import InterfaceError, ModelError, ScenarioError, SemlinkError
from semlink.link.scenario.loader import load_scenario
from semlink.link.sweep.plan import Job
from semlink.link.sweep.run import run

BLOCK = {"kind": "block"}
LINEAR = {"kind": "linear"}


def scenario(folder, sensor, reconstruction, *, frames: int = 9, rates=None, **scheme):
    entry = {"name": "a", "kind": "sensing", "sensor": sensor, "reconstruction": reconstruction} | scheme
    path = folder / "s.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "name": "s",
                "source": {"kind": "scenes", "clips": 1, "frames": frames, "size": [40, 64]},
                "schemes": [entry | ({"rates": rates} if rates else {})],
                "trials": {"min": 1, "max": 1},
                "metrics": ["psnr"],
            }
        )
    )
    return path


def rows_of(folder, *arguments, **options):
    job = Job(load_scenario(scenario(folder, *arguments, **options)), folder / "out", folder)
    return run(job).rows


def test_rates_are_the_share_of_patterns_in_non_key_frames(tmp_path):
    rows = rows_of(tmp_path, BLOCK | {"ratio": 0.3}, LINEAR, rates=[0.01, 0.1])
    costs = [4 * (2 * 512 + 7 * m) / (40 * 64) for m in (10, 102)]
    assert [row.rate for row in rows] == [0.01, 0.1]
    assert [row.measurements_per_pixel for row in rows] == pytest.approx(costs)
    assert rows[0].psnr_db < rows[1].psnr_db


def test_without_rates_the_ratio_of_the_sensor_holds(tmp_path):
    fine = rows_of(tmp_path, BLOCK | {"ratio": 0.2, "key_ratio": 1.0}, LINEAR)[0]
    assert fine.measurements_per_pixel == pytest.approx(4 * (2 * 1024 + 7 * 204) / (40 * 64))
    assert rows_of(tmp_path, BLOCK, LINEAR)[0].measurements_per_pixel == pytest.approx(4 * (1024 + 714) / (40 * 64))


def test_learned_patterns_beat_gaussian_ones(tmp_path):
    learned = rows_of(tmp_path, BLOCK, LINEAR)[0].psnr_db
    assert learned > rows_of(tmp_path, BLOCK | {"matrix": "gaussian"}, LINEAR)[0].psnr_db + 1


def test_gaussian_patterns_follow_from_the_seed_alone(tmp_path):
    quality = [rows_of(tmp_path, BLOCK | {"matrix": "gaussian", "seed": s}, LINEAR)[0].psnr_db for s in (1, 1, 2)]
    assert quality[0] == quality[1] != quality[2]


@pytest.mark.parametrize(
    "sensor, message",
    [
        ({"ratio": 0}, r"s.yaml:\d+: schemes.0.sensor.ratio: .*more than 0"),
        ({"ratio": 1.2}, r"schemes.0.sensor.ratio: .*1 or less"),
        ({"gop": 1}, r"schemes.0.sensor.gop: .*2 or more"),
        ({"matrix": "dct"}, "schemes.0.sensor.matrix: got 'dct', expected .*learned.*gaussian"),
        ({"ratios": 0.1}, "schemes.0.sensor.ratios: unknown key; did you mean 'ratio'?"),
        ({"matrix": "gaussian", "weights": "blocks"}, "matrix gaussian is drawn from seed and takes no weights"),
    ],
)
def test_a_sensor_that_makes_no_sense_is_refused_by_line(tmp_path, sensor, message):
    with pytest.raises(ScenarioError, match=message):
        load_scenario(scenario(tmp_path, BLOCK | sensor, LINEAR))


@pytest.mark.parametrize("kind", ["hit-vcsnet", "vcsnet"])
def test_a_network_needs_weights(tmp_path, kind):
    with pytest.raises(ScenarioError, match=r"s.yaml:\d+: schemes.0.reconstruction.weights: "):
        load_scenario(scenario(tmp_path, BLOCK, {"kind": kind}))


@pytest.mark.parametrize(
    "sensor, reconstruction, options, error, message",
    [
        (
            BLOCK | {"ratio": 0.0009},
            LINEAR,
            {},
            InterfaceError,
            "ratio 0.0009 gives 0 patterns of 1024; allowed: 0.0010",
        ),
        (BLOCK, LINEAR, {"rates": [0.0005]}, InterfaceError, "ratio 0.0005 gives 0 patterns"),
        (BLOCK, LINEAR, {"frames": 1}, InterfaceError, "all key frames; allowed: 2 or more frames"),
        (BLOCK | {"weights": "nothing"}, LINEAR, {}, ModelError, "'nothing': no such file"),
        (
            BLOCK | {"weights": "sensor_decoder"},
            LINEAR,
            {},
            ModelError,
            "weights for 'reconstruction'; allowed: those of 'block_basis'",
        ),
        (BLOCK, {"kind": "hit-vcsnet", "weights": "blocks"}, {}, ModelError, "allowed: those of 'block_network'"),
        (BLOCK, {"kind": "hit-vcsnet", "weights": "nothing"}, {}, ModelError, "'nothing': no such file"),
        (
            {"kind": "programmable", "mean_count": 1},
            LINEAR,
            {"frames": 16},
            ScenarioError,
            "reconstruction linear: takes block measurements, got sensor",
        ),
        (BLOCK, {"kind": "gap-tv"}, {"frames": 16}, SemlinkError, "gap-tv"),
    ],
)
def test_what_does_not_fit_together_is_refused_when_built(tmp_path, sensor, reconstruction, options, error, message):
    with pytest.raises(error, match=message):
        rows_of(tmp_path, sensor, reconstruction, **options)
