"""Every path of a scenario counts from its file's folder if something is there, else from the working directory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import semlink
from semlink.codecs.specs import TaskAwareSpec
from semlink.files import found_from
from semlink.plugins.contents import contents
from semlink.sensing.specs.sources import DigitsSpec, ScenesSpec
from semlink.spec import BuildContext
from semlink.weights.cards import SHIPPED, is_of

METRIC = """
def error(reference, received):
    return float(abs(reference - received).mean())
"""
SCENARIO = """
name: anywhere
source: {kind: video, path: "clips/*.png", frames: 4, size: [16, 16]}
schemes:
  - name: all
    kind: sensing
    sensor: {kind: programmable, ratio_map: file, path: map.txt, shot_noise: 0, read_noise: 0}
    reconstruction: {kind: initial}
metrics: [psnr, "mine.py:error"]
"""


def files_in(folder: Path, level: int) -> None:
    """All that the scenario names, its pictures of one level."""
    (folder / "clips").mkdir(parents=True)
    for number in range(4):
        Image.fromarray(np.full((16, 16), level, np.uint8)).save(folder / f"clips/{number}.png")
    (folder / "map.txt").write_text("1 2 " * 8 + "\n" + ("2 1 " * 8 + "\n") * 15)
    (folder / "mine.py").write_text(METRIC)


@pytest.fixture
def places(tmp_path, monkeypatch):
    """The scenario's folder, and another one, in which we are."""
    beside, here = tmp_path / "study", tmp_path / "here"
    beside.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    return beside, here


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("a.mkv", "a.mkv"),
        ("clips", "clips/0.png"),
        ("clips/*.png", "clips/0.png"),
        ("clips/**/*.png", "clips/deep/0.png"),
        ("{a,b}.mkv", "b.mkv"),
        ("{x,clips/{a,b}}/*.png", "clips/b/0.png"),
        ("model_{quality}.pt", "model_3.pt"),
        ("digits.npz[0:500]", "digits.npz"),
        ("take [2]/a.mkv", "take [2]/a.mkv"),
        ("../a.mkv", "../a.mkv"),
    ],
)
def test_the_folder_goes_first_where_something_is_there(places, path, there):
    beside, _ = places
    assert found_from(beside, path) == path
    place = beside / there
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("")
    assert found_from(beside, path) == str(beside / path)
    assert found_from(None, path) == path


@pytest.mark.parametrize("path", ["", " ", "/etc/hosts", "~/a.mkv", "a\0b", "x" * 5000, "[", "**", "{", "{,}"])
def test_odd_paths_stay_as_they_are(places, path):
    assert found_from(places[0], path) == path


def ran(scenario: Path, out: Path, *changes: str) -> tuple[bytes, float]:
    """The table of a run, and how bright its clip is."""
    loaded = semlink.load(scenario, changes)
    semlink.run(loaded, out=out, workers=1)
    clip = loaded.source.build(BuildContext(folder=loaded.folder)).clip(0)
    return (out / "curves.csv").read_bytes(), round(255 * float(clip.mean()))


def test_a_scenario_beside_its_files_runs_from_anywhere(places, tmp_path, monkeypatch):
    beside, here = places
    (beside / "s.yaml").write_text(SCENARIO)
    files_in(beside, 30)
    elsewhere = ran(beside / "s.yaml", tmp_path / "elsewhere")
    monkeypatch.chdir(beside)
    assert ran(Path("s.yaml"), tmp_path / "beside") == elsewhere and elsewhere[1] == 30
    written = (tmp_path / "elsewhere" / "manifest.json").read_text()
    assert '"clips/*.png"' in written and str(beside) not in written, "what is kept names no machine's folders"


def test_what_is_not_beside_it_counts_from_where_we_are(places, tmp_path):
    beside, here = places
    (beside / "s.yaml").write_text(SCENARIO)
    files_in(here, 90)
    assert ran(beside / "s.yaml", tmp_path / "one")[1] == 90
    files_in(beside, 30)
    assert ran(beside / "s.yaml", tmp_path / "two")[1] == 30


@pytest.mark.parametrize("change", ["source.path=more/*.png", "source={kind: video, path: [more], frames: 4}"])
def test_set_counts_as_the_file_does(places, tmp_path, change):
    beside, here = places
    (beside / "s.yaml").write_text(SCENARIO)
    files_in(beside, 30)
    files_in(here / "up", 90)
    (here / "up" / "clips").rename(here / "more")
    assert ran(beside / "s.yaml", tmp_path / "one", change)[1] == 90
    (beside / "clips").rename(beside / "more")
    assert ran(beside / "s.yaml", tmp_path / "two", change)[1] == 30


def test_weights_and_pictures_and_stacks_too(places):
    beside, _ = places
    for suffix in (".packed", ".json"):
        (beside / f"mine{suffix}").symlink_to(SHIPPED / f"compr_tokens{suffix}")
    np.savez(beside / "digits.npz", images=np.full((20, 28, 28), 77, np.uint8))
    files_in(beside, 30)
    context = BuildContext(folder=beside)
    codec = TaskAwareSpec(kind="task-aware", weights="mine.packed")
    assert is_of(context.weights(codec.weights), "token_compression") and context.weights("sensor") == "sensor"
    by_name = contents({"codec": codec.model_copy(update={"weights": "compr_tokens"})}, None)["weights"]
    assert list(contents({"codec": codec}, beside)["weights"].values()) == list(by_name.values())
    digits = DigitsSpec(kind="digits", clips=2, frames=2, path="digits.npz[0:10]").build(context)
    assert digits.clip(0).max() == pytest.approx(77 / 255)
    scenes = ScenesSpec(photos=["clips/*.png", "camera"], clips=1, frames=2, size=(16, 16)).build(context)
    assert scenes.photos == (str(beside / "clips/*.png"), "camera")
    assert scenes.clip(0).shape == (2, 16, 16)
