"""`semlink new`: every skeleton runs unchanged, by the scenario lines that are printed with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from own_blocks import around, rows_of
from terminal import semlink

from semlink.cli.new.blocks import TEMPLATES


def made(kind: str, folder: Path, file: str = "rain_fade.py") -> tuple[str, dict]:
    """A new skeleton: the words printed, and the scenario that its lines make."""
    done = semlink("new", kind, file, folder=folder)
    assert done.code == 0, done.err
    said, lines = done.out.split("\n\n", 1)
    return said, around(lines)


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_skeleton_runs_unchanged(kind, tmp_path):
    said, scenario = made(kind, tmp_path)
    name = "rain_fade" if kind == "metric" else "RainFade"
    assert said == f"rain_fade.py holds {name}, a {kind} that runs as it is. In a scenario:"
    assert f"rain_fade.py:{name}" in str(scenario)
    rows = rows_of(scenario, tmp_path)
    assert rows and all(float(row["psnr_db"]) > 12 for row in rows), rows


@pytest.mark.parametrize("kind", ["sensor", "reconstruction", "sensing-scheme"])
def test_skeletons_that_sense_follow_the_rates(kind, tmp_path):
    rows = rows_of(made(kind, tmp_path)[1], tmp_path)
    assert [float(row["measurements_per_pixel"]) for row in rows] == [1, 2, 4]
    assert len({row["psnr_db"] for row in rows}) == 3


def test_the_pilots_of_the_skeleton_are_paid_for(tmp_path):
    (row,) = rows_of(made("waveform", tmp_path)[1], tmp_path)
    assert float(row["pilot"]) == 16


def test_the_feedback_of_the_skeleton_is_heard(tmp_path):
    """Repeats end as soon as the receiver is content, so fewer are sent at a better SNR."""
    scenario = made("feedback-scheme", tmp_path)[1] | {"sweep": {"snr_db": [15, 18, 25], "budget": 1.0}}
    sent = [round(float(row["channel_uses"]) / (8 * 8 * 8 / 2)) for row in rows_of(scenario, tmp_path)]
    assert sent == [4, 2, 1]


def test_a_metric_gets_its_column(tmp_path):
    (row,) = rows_of(made("metric", tmp_path)[1], tmp_path)
    assert 0 < float(row["rain_fade"]) < 0.2


def test_the_channel_skeleton_passes_its_examination(tmp_path):
    semlink("new", "channel", "rain_fade.py", folder=tmp_path)
    done = semlink("check-channel", "rain_fade.py:RainFade", "--set", "loss=0.02", folder=tmp_path)
    assert done.code == 0, done.out


def test_a_file_that_is_there_is_left_alone(tmp_path):
    (tmp_path / "mine.py").write_text("mine\n")
    done = semlink("new", "codec", "mine.py", folder=tmp_path)
    assert (done.code, done.err) == (2, "semlink: new: mine.py is there already; name another file\n")
    assert (tmp_path / "mine.py").read_text() == "mine\n"


@pytest.mark.parametrize(
    "kind, file, says",
    [
        (
            "chanel",
            "a.py",
            "unknown kind 'chanel', expected one of scenario, source, sensor, reconstruction, codec,",
        ),
        ("codec", "a.txt", "a.txt: expected a Python file named after what it will hold, such as my_codec.py"),
        ("codec", "2nd.py", "2nd.py: expected a Python file named after what it will hold"),
        ("metric", "class.py", "class.py: expected a Python file named after what it will hold"),
        ("channel", "numpy.py", "numpy.py has the name of an installed library, which it would hide"),
        ("channel", "random.py", "random.py has the name of a module of Python, which it would hide"),
        ("codec", "nowhere/a.py", "nowhere/a.py cannot be written: No such file or directory"),
    ],
)
def test_a_mistake_is_one_line(kind, file, says, tmp_path):
    done = semlink("new", kind, file, folder=tmp_path)
    assert done.code == 2 and done.err.startswith(f"semlink: new: {says}") and done.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_other_words_in_the_path_stay(tmp_path):
    (tmp_path / "my_metric").mkdir()
    said, scenario = made("metric", tmp_path, "my_metric/loss.py")
    assert scenario["metrics"] == ["psnr", "my_metric/loss.py:loss"] and said.startswith("my_metric/loss.py holds loss")
