"""What is around a run may be broken: pipes and devices for files, no memory, no folder, impossible names."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import subprocess
import sys
from contextlib import chdir
from functools import partial
from pathlib import Path

import pytest
from terminal import semlink

from semlink.weights.cards import SHIPPED

TEXT = """name: t
source: {source}
channel: {{kind: awgn}}
sweep: {{snr_db: [12], budget: [1.5]}}
trials: {{min: 1, max: 1}}
schemes:
  - {scheme}
"""
SCENES = "{kind: scenes, clips: 1, frames: 16, size: [32, 32]}"
SOFT = "{name: S, kind: softcast, margin_db: 3}"
SENSOR = "{{name: S, kind: sensing, sensor: {{kind: programmable, {map}}}, reconstruction: {{kind: {reconstruction}}}}}"
DEEP = SENSOR.format(map="mean_count: 2", reconstruction="deep, weights: ./w.safetensors")


def bound_socket(path: Path) -> None:
    with chdir(path.parent), socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)


STRANGE = {
    "fifo": os.mkfifo,
    "zero": partial(os.symlink, "/dev/zero"),
    "random": partial(os.symlink, "/dev/random"),
    "folder": os.mkdir,
    "socket": bound_socket,
    "circle": lambda path: os.symlink(path.name, path),
}
PLACES = {
    "c.mkv": ("{kind: video, path: c.mkv, frames: 2, size: [32, 32]}", SOFT),
    "c.yuv": ("{kind: video, path: c.yuv, frames: 2, raw_size: [32, 32], pixel_format: gray}", SOFT),
    "c.png": ("{kind: video, path: c.png, frames: 1, size: [32, 32]}", SOFT),
    "photo.png": ("{kind: scenes, clips: 1, frames: 2, size: [32, 32], photos: [photo.png]}", SOFT),
    "c.npz": ("{kind: digits, path: c.npz, frames: 2, clips: 1}", SOFT),
    "m.npy": (SCENES, SENSOR.format(map="ratio_map: file, path: m.npy", reconstruction="initial")),
    "m.txt": (SCENES, SENSOR.format(map="ratio_map: file, path: m.txt", reconstruction="initial")),
    "w.safetensors": (SCENES, DEEP),
    "w.json": (SCENES, DEEP),
    "p.py": ("{kind: 'p.py:Source'}", SOFT),
    "s.yaml": (SCENES, SOFT),
}


def refused(folder: Path, *arguments: object) -> str:
    done = semlink(*arguments, folder=folder)
    assert done.code == 2 and len(done.err.splitlines()) == 1 and done.err.startswith("semlink: "), done.err
    return done.err


@pytest.mark.parametrize("made", STRANGE)
@pytest.mark.parametrize("place", PLACES)
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path, place, made):
    source, scheme = PLACES[place]
    (tmp_path / "s.yaml").write_text(TEXT.format(source=source, scheme=scheme))
    if place.startswith("w."):
        shutil.copy(SHIPPED / "sensor.json", tmp_path / "w.json")
        (tmp_path / "w.safetensors").write_bytes(bytes(100))
    (tmp_path / place).unlink(missing_ok=True)
    STRANGE[made](tmp_path / place)
    told = refused(tmp_path, "run", "s.yaml", "--out", "out", "--workers", 1)
    assert place == "s.yaml" or told.startswith("semlink: s.yaml:"), told
    assert not (tmp_path / "out").exists()


LONG = {"name of 300": "n" * 300, "path of 5,000": "/".join(["n" * 200] * 25), "NUL": "a\0b"}


@pytest.mark.parametrize("name", LONG.values(), ids=LONG)
@pytest.mark.parametrize("place", [place for place in PLACES if place not in ("w.json", "s.yaml")])
def test_a_name_that_no_file_can_have_is_refused(tmp_path, place, name):
    source, scheme = (part.replace(f"'{place}:Source'", f"{place}:Source") for part in PLACES[place])
    text = TEXT.format(source=source, scheme=scheme)
    quoted = '"' + name.replace("\0", "\\0") + Path(place).suffix
    text = text.replace(f"./{place}", place).replace(place, quoted + ("" if place == "p.py" else '"'))
    (tmp_path / "s.yaml").write_text(text.replace(":Source", ':Source"'))
    told = refused(tmp_path, "run", "s.yaml", "--out", "out", "--workers", 1)
    assert told.startswith("semlink: s.yaml:"), told


@pytest.mark.parametrize("name", [LONG["name of 300"], LONG["path of 5,000"]], ids=list(LONG)[:2])
def test_a_folder_or_scenario_that_cannot_be_named_is_refused(tmp_path, name):
    (tmp_path / "s.yaml").write_text(TEXT.format(source=SCENES.replace("16", "2"), scheme=SOFT))
    for arguments in (
        ("run", "s.yaml", "--workers", 1, "--out", name),
        ("show", name),
        ("compare", name, "--reference", "S"),
        ("plot", name),
        ("cite", name),
        ("train", name),
    ):
        assert len(refused(tmp_path, *arguments)) < 6000


def started(*arguments: str, folder: Path, before=lambda: None) -> subprocess.CompletedProcess:
    code = "from semlink.cli.entry import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        preexec_fn=before,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2]), "OMP_NUM_THREADS": "1"},
    )


def test_a_current_folder_that_is_gone_is_said(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    done = started("show", "../s.yaml", folder=gone, before=gone.rmdir)
    assert done.returncode == 2 and done.stderr == "semlink: the folder that you are in is gone; change to another\n"


def test_where_matplotlib_keeps_its_lists_is_not_told(monkeypatch):
    """It said two lines of its own where its folder cannot be made."""
    monkeypatch.setenv("MPLCONFIGDIR", "/dev/null/nowhere")
    code = "{}; import matplotlib; matplotlib.get_configdir()"
    said = [
        subprocess.run([sys.executable, "-c", code.format(first)], capture_output=True, text=True, check=True).stderr
        for first in ("pass", "import semlink.cli.actions")
    ]
    assert "MPLCONFIGDIR" in said[0] and said[1] == ""


@pytest.mark.slow
def test_no_place_for_the_lists_of_libraries_is_no_matter(tmp_path, monkeypatch):
    source = SCENES.replace("16", "2")
    (tmp_path / "s.yaml").write_text(TEXT.format(source=source, scheme=SOFT) + "metrics: [psnr]\n")
    for variable in ("MPLCONFIGDIR", "NUMBA_CACHE_DIR"):
        monkeypatch.setenv(variable, "/dev/null/nowhere")
    done = started("run", "s.yaml", "--workers", "1", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "") and (tmp_path / "results/t/curves.csv").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("gigabytes", [0.06, 1, 2])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_memory_that_does_not_suffice_to_begin_is_one_line(tmp_path, gigabytes, workers):
    (tmp_path / "s.yaml").write_text(TEXT.format(source=SCENES.replace("16", "2"), scheme=SOFT))
    limit = (int(gigabytes * 2**30),) * 2
    done = started(
        *("run", "s.yaml", "--workers", workers),
        folder=tmp_path,
        before=lambda: resource.setrlimit(resource.RLIMIT_AS, limit),
    )
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("semlink: memory is short: ") and "4.0 GB" in done.stderr, done.stderr
