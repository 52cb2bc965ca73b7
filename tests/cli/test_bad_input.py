"""What a user can get wrong: one line that says where and what, exit code 2, nothing half-written."""

from __future__ import annotations

import csv
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from terminal import TOYS, Done, scenario, semlink

ROOT = Path(__file__).resolve().parents[2]

BAD = f"""name: bad
source: {{kind: video, path: clip.mkv, frames: 4, size: [64, 64]}}
channel: {{kind: awgn}}
sweep: {{snr_db: [12], budget: [0.2]}}
trials: {{min: 2, max: 2}}
schemes:
  - {{name: direct, kind: {TOYS}:Direct}}
  - name: video
    kind: digital
    codec: {{kind: h264}}
    coding: {{kind: uncoded}}
"""
"""Good as it stands, bad after one replacement; a test names the line that it breaks."""


def write_video(path: Path, frames: int, size: int = 64) -> None:
    import av

    random = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = size, size, "yuv420p"
        for _ in range(frames):
            picture = random.integers(0, 255, (size, size, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def material(tmp_path_factory) -> Path:
    """Videos good and bad, and a user's file for each way to fail."""
    folder = tmp_path_factory.mktemp("material")
    write_video(folder / "clip.mkv", 8)
    write_video(folder / "long.mkv", 64)
    stream = (folder / "long.mkv").read_bytes()
    (folder / "torn.mkv").write_bytes(stream[: len(stream) // 4])
    write_video(folder / "whole.mp4", 8)
    (folder / "torn.mp4").write_bytes((folder / "whole.mp4").read_bytes()[:2000])
    (folder / "letter.mp4").write_text("Dear reader, this is no video.\n" * 40)
    (folder / "empty.mkv").write_bytes(b"")
    (folder / "nothing").mkdir()
    (folder / "torn.py").write_text("class Channel:\n    def __call__(self, iq:\n")
    (folder / "lonely.py").write_text("import a_module_that_is_not_there\n")
    (folder / "picky.py").write_text(
        "class Picky:\n"
        "    def __init__(self, depth):\n"
        "        if depth != 3:\n"
        "            raise ValueError(f'depth is {depth}; I only take 3')\n"
        "    def __call__(self, iq, snr_db, seeds):\n"
        "        return iq\n"
        "class Mute:\n"
        "    pass\n"
        "class Turner:\n"
        "    def __call__(self, iq, snr_db, seeds):\n"
        "        return iq * seeds.complex_normal('turner', 1)\n"
    )
    (folder / "unmet.py").write_text("class Mute:\n    pass\n")
    return folder


@pytest.fixture
def place(material, tmp_path) -> Path:
    """A folder of its own for a test, with the material in it."""
    shutil.copytree(material, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture(autouse=True)
def paths_as_before(monkeypatch):
    """What a run of an earlier test made importable is not found here."""
    monkeypatch.setattr(sys, "path", [*sys.path])


def refused(done: Done) -> str:
    """The one line of a command that refuses; nothing else was said, but for how far a run is on a slow machine."""
    assert done.code == 2 and done.out == ""
    err = re.sub(r"^[\w.-]+: (preparing|\d+ of \d+ points)( after .*)?\n", "", done.err, flags=re.MULTILINE)
    assert err.count("\n") == 1 and err.startswith("semlink"), err
    return err.strip()


def refused_once_warned(done: Done) -> str:
    """The one line of a run that stops; before it one that says which check of `check-channel` the channel fails."""
    assert done.code == 2 and done.out == ""
    warning, line = done.err.strip().split("\n")
    assert warning.startswith("warning: channel ") and "semlink check-channel" in warning
    return line


def run(place: Path, *changes: tuple[str, str], options: tuple[str, ...] = ()) -> Done:
    scenario(place, *changes, text=BAD, name="bad.yaml")
    return semlink("run", "bad.yaml", "--workers", "1", *options, folder=place)


def test_it_is_good_as_it_stands(place):
    done = run(place, ("budget: [0.2]", "budget: [2]"))
    assert done.code == 0 and (place / "results/bad/curves.csv").exists()


@pytest.mark.parametrize(
    "old, new, says",
    [
        ("min: 2", "mni: 2", "bad.yaml:5: trials.mni: unknown key; did you mean 'min'?"),
        ("snr_db: ", "snr_dB: ", "bad.yaml:4: sweep.snr_dB: unknown key; did you mean 'snr_db'?"),
        ("name: video", "nmae: video", "bad.yaml:8: schemes.1.nmae: unknown key; did you mean 'name'?"),
        ("frames: 4", "frames: four", "bad.yaml:2: source.frames: got 'four', expected a whole number"),
        ("[12]", "[]", "bad.yaml:4: sweep.snr_db: needs 1 entry or more, got 0"),
        ("[12]", "1:30", "bad.yaml:4: sweep.snr_db: got '1:30', expected a number"),
        ("[0.2]", "lots", "bad.yaml:4: sweep.budget: got 'lots', expected a number"),
        ("max: 2", "max: 1", "bad.yaml:5: trials: trials.max is 1, below trials.min 2"),
        ("name: video", "name: direct", "bad.yaml:8: schemes.1: two schemes are called 'direct'; names must differ"),
        ("kind: uncoded", "kind: ldpc, mcs: best, rate: 0.5", "bad.yaml:11: schemes.1.coding: mcs already says"),
        ("kind: h264", "kind: h265, slices: 4", "bad.yaml:10: schemes.1.codec.slices: got 4, expected one of 1"),
        ("kind: h264", "kind: h264, tune: vq", "bad.yaml:10: schemes.1.codec.tune: got 'vq', expected one of 'film'"),
        ("kind: awgn", "kind: rician", "bad.yaml:3: channel: give k or k_db, one of them"),
        (
            "channel: {kind: awgn}",
            "channel: {kind: tdl}\nwaveform: {kind: single-carrier}",
            "bad.yaml:4: waveform: Tdl has echoes up to",
        ),
        (", budget: [0.2]", "", "bad.yaml:7: schemes.0: scheme 'direct' has no rates and sweep.budget is not given"),
        ("name: bad", "name: [bad", "bad.yaml:2: not valid YAML: did not find expected ',' or ']'"),
        ("name: bad", "name: b\0d", "bad.yaml:1: not valid YAML: character '\\x00'"),
        # sources
        ("clip.mkv", "clap.mkv", "bad.yaml:2: clap.mkv: no such file or folder"),
        ("clip.mkv", "'*.avi'", "bad.yaml:2: *.avi: matches no file"),
        ("clip.mkv", "nothing", "bad.yaml:2: nothing: holds no video and no PNG or JPEG pictures"),
        ("frames: 4", "frames: 9", "bad.yaml:2: clip.mkv: 8 frames found, 1 clip of 9 frames without overlap need 9"),
        ("frames: 4", "frames: 4, clips: 3", "bad.yaml:2: clip.mkv: 8 frames found, 3 clips of 4 frames"),
        ("[64, 64]", "[128, 64]", "bad.yaml:2: clip.mkv: frames are 64x64 (height x width), too small"),
        ("clip.mkv, frames: 4", "torn.mkv, frames: 32", "bad.yaml:2: torn.mkv: 15 frames found, 1 clip of 32 frames"),
        ("clip.mkv", "torn.mp4", "bad.yaml:2: torn.mp4: cannot be read as video"),
        ("clip.mkv", "letter.mp4", "bad.yaml:2: letter.mp4: cannot be read as video"),
        ("clip.mkv", "empty.mkv", "bad.yaml:2: empty.mkv: cannot be read as video"),
        ("clip.mkv, frames: 4", "long.mkv, frames: 257", "bad.yaml:2: long.mkv: 64 frames found, 1 clip of 257 frames"),
        ("[64, 64]", "[64]", "bad.yaml:2: source.size: needs 2 entries, got 1"),
        ("[64, 64]", "[64, 64, 3]", "bad.yaml:2: source.size: takes 2 entries, got 3"),
        # plug-ins
        ("kind: awgn", "kind: gone.py:X", "bad.yaml:3: channel: no file 'gone.py'; looked for "),
        ("kind: awgn", "kind: gone.module:X", "bad.yaml:3: channel: no module named 'gone' is installed"),
        ("kind: awgn", "kind: picky.py:Pick", "bad.yaml:3: channel: picky.py has no 'Pick'; it defines Mute, Picky"),
        ("kind: awgn", "kind: unmet:Mute", "(from kind 'unmet:...'); for the file write kind: unmet.py:..."),
        ("kind: awgn", "kind: picky.py:Turner", "bad.yaml:3: channel picky.py:Turner turns the phase of its symbols"),
        ("kind: awgn", "kind: torn.py:Channel", "bad.yaml:3: channel: torn.py fails to import: SyntaxError: '(' was"),
        ("kind: awgn", "kind: lonely.py:X", "bad.yaml:3: channel: lonely.py fails to import: ModuleNotFoundError"),
        ("kind: awgn", "kind: picky.py:Picky", "bad.yaml:3: channel picky.py:Picky: option 'depth' is needed"),
        ("kind: awgn", "kind: picky.py:Picky, deep: 3", "bad.yaml:3: channel picky.py:Picky: unknown option 'deep'"),
        ("kind: awgn", "kind: picky.py:Picky, depth: 4", "bad.yaml:3: channel picky.py:Picky: depth is 4; I only take"),
        ("kind: awgn", "kind: picky.py:Mute", "bad.yaml:3: channel picky.py:Mute: has no __call__; a channel needs"),
        ("kind: awgn", "kind: [awgn, awgn]", "bad.yaml:3: channel: needs a `kind`"),
        ("kind: awgn", "kind: rain", "bad.yaml:3: channel: unknown kind 'rain', expected one of awgn, "),
        (f"{TOYS}:Direct", f"{TOYS}:Quiet", "has no transmit; a scheme needs transmit, receive"),
        ("kind: h264", "kind: picky.py:Mute", "codec picky.py:Mute: has no encode; a codec needs encode, encode_at"),
    ],
)
def test_a_mistake_is_said_before_anything_is_made(place, old, new, says):
    assert says in refused(run(place, (old, new)))
    assert not (place / "results").exists()


@pytest.mark.parametrize(
    "how, says",
    [
        ("nan", "the channel returned NaN or infinite symbols"),
        ("inf", "the channel returned NaN or infinite symbols"),
        ("longer", "the channel changed (clip, symbols) from (1, 128) to (1, 256)"),
        ("real", "the channel returned torch.float32; need complex symbols"),
        ("nothing", "the channel returned NoneType; need a complex tensor or semlink.ChannelOutput"),
    ],
)
def test_an_impossible_channel_is_named_with_its_point(place, how, says):
    line = refused_once_warned(run(place, ("kind: awgn", f"kind: {TOYS}:Broken, how: {how}")))
    assert line == f"semlink: direct, 12 dB, budget 0.2, toys.py:Broken(how={how}): clip@0, trial 0: {says}"
    assert not (place / "results/bad").exists()


def test_a_worker_says_what_is_wrong_in_the_same_line(place):
    scenario(place, ("kind: awgn", f"kind: {TOYS}:Broken, how: nan"), ("[12]", "[12, 14]"), text=BAD, name="bad.yaml")
    line = refused_once_warned(semlink("run", "bad.yaml", "--workers", 2, folder=place))
    assert line.endswith("toys.py:Broken(how=nan): clip@0, trial 0: the channel returned NaN or infinite symbols")
    assert not (place / "results/bad").exists()


def test_more_frames_than_a_packet_can_date(place):
    """A packet's time is one byte, so that codecs refuse clips of more than 256 frames."""
    clip = ("kind: video, path: clip.mkv, frames: 4, size: [64, 64]", "kind: scenes, frames: 257, size: [16, 16]")
    line = refused(run(place, clip, (f"  - {{name: direct, kind: {TOYS}:Direct}}\n", "")))
    assert line.endswith("codec: got a clip of shape (257, 16, 16); need 1 to 256 frames (t, h, w)")
    assert not (place / "results/bad").exists()


def test_a_budget_that_nothing_fits_into_keeps_its_row(place):
    done = run(place, ("budget: [0.2]", "budget: [0.00001, 0.001, 2]"))
    assert done.code == 0 and done.err == ""
    with (place / "results/bad/curves.csv").open() as file:
        rows = {(row["scheme"], row["budget"]): row for row in csv.DictReader(file)}
    assert len(rows) == 6
    for (scheme, budget), row in rows.items():
        possible = budget == "2"
        assert bool(row["psnr_db"]) == bool(row["channel_uses"]) == possible, (scheme, budget)
        assert row["note"].startswith("infeasible: ") != possible
    assert "less than one channel use" in rows["video", "1e-05"]["note"]
    assert "infeasible: needs 128 channel uses, got 16" in done.out


@pytest.mark.parametrize(
    "option, says",
    [
        ("seed", "semlink: --set seed: expected key=value, such as sweep.snr_db=[4,8]"),
        ("=3", "semlink: --set =3: expected key=value, such as sweep.snr_db=[4,8]"),
        ("seed=[1", "semlink: --set seed=[1: not valid YAML"),
        ("seed=x", "semlink: bad.yaml with --set: seed: got 'x', expected a whole number"),
        ("sede=1", "semlink: bad.yaml with --set: sede: unknown key; did you mean 'seed'?"),
        ("a.b.c=1", "semlink: bad.yaml with --set: a: unknown key"),
        ("schemes.9.name=x", "semlink: --set schemes.9.name=x: '9' is not a position in a list of 2 (0 is the first)"),
        ("source.path=gone.mkv", "semlink: bad.yaml:2 with --set: gone.mkv: no such file or folder"),
        ("schemes.0.kind=gone.py:X", "semlink: bad.yaml:7 with --set: scheme: no file 'gone.py'; looked for"),
    ],
)
def test_a_wrong_set(place, option, says):
    assert refused(run(place, options=("--set", option))).startswith(says)
    assert not (place / "results").exists()


@pytest.mark.parametrize(
    "arguments, says",
    [
        (("run",), "semlink run: Missing argument 'FILE' (see semlink run --help)"),
        (("rnu", "bad.yaml"), "semlink: No such command 'rnu'"),
        (("run", "bda.yaml"), "semlink: bda.yaml: no such file; did you mean bad.yaml?"),
        (("run", "nothing"), "semlink: nothing: is a folder; need a file"),
        (("run", "clip.mkv"), "semlink: clip.mkv:1: is not text in UTF-8"),
        (("run", "bad.yaml", "--workers", "0"), "semlink: --workers: got 0; need 1 or more"),
        (("run", "bad.yaml", "--shard", "3"), "semlink: --shard: got '3'; need K/N with 1 <= K <= N <= "),
        (("run", "bad.yaml", "--shard", "１/3"), "semlink: --shard: got '１/3'; need K/N"),
        (("run", "bad.yaml", "--max-minutes", "0"), "semlink: --max-minutes: got 0; need more than 0"),
        (("run", "bad.yaml", "--on", "slurm"), "semlink: --on: got 'slurm'; need ray, ray://auto, or ray://HOST:PORT"),
        (("run", "bad.yaml", "--on", "ray://127.0.0.1:1"), "semlink: --on: nobody answers at 127.0.0.1:1 ("),
        (
            ("run", "bad.yaml", "--fresh", "--share"),
            "semlink: --fresh: would take away what others compute; not togeth",
        ),
        (("status", "bad.yaml"), "semlink: bad.yaml: is a file; expected the folder that `semlink run` wrote"),
        (
            ("merge", "nothing", "bad.yaml"),
            "semlink: bad.yaml: is a file; expected the folder that `semlink run` wrote",
        ),
        (
            ("merge", "bad.yaml", "nothing"),
            "semlink: bad.yaml: is a file; expected the folder that `semlink run` wrote",
        ),
        (("merge", "gone", "gone"), "semlink: gone: no such folder; expected one that `semlink run` wrote"),
        (("run", "bad.yaml", "--workers", "two"), "semlink run: --workers: need a whole number (see"),
        (("replay", "nothing", "--trial", "-1"), "semlink replay: --trial: need 0 or more (see"),
        (("train", "bad.yaml", "--minutes", "soon"), "semlink train: --minutes: need a number (see"),
        (("report", "nothing", "--max-mb", "0"), "semlink report: --max-mb: need 1 or more (see"),
        (("report", "bad.yaml"), "semlink: bad.yaml: is a file; expected the folder that `semlink run` wrote"),
        (("plot", "bad.yaml"), "semlink: bad.yaml: is a file; expected the folder"),
        (("plot", "nothing", "nothing/."), "semlink: nothing: is given twice; each folder once"),
        (("run", "bad.yaml", "--worker", "1"), "semlink run: No such option: --worker"),
        (("show", "bda.yaml"), "semlink: bda.yaml: no such file"),
        (("cite", "bda.yaml"), "semlink: bda.yaml: no such file"),
        (("list", "chanel"), "semlink: no interface 'chanel'; there are source, sensor, "),
        (("plot", "gone"), "semlink: gone: no such folder; expected one that `semlink run` wrote"),
        (("plot", "nothing"), "semlink: nothing: holds no curves.csv"),
        (("compare", "gone", "--reference", "x"), "semlink: gone: no such folder"),
        (("compare", "nothing", "--reference", "x"), "semlink: nothing: holds no curves.csv"),
        (("compare", "nothing"), "semlink: nothing: holds no curves.csv"),
        (("check-channel", "awng"), "semlink: channel awng: unknown kind 'awng', expected one of awgn"),
        (("check-channel", "gone.py:X"), "semlink: channel: no file 'gone.py'"),
        (("check-channel", "torn.py:Channel"), "semlink: channel: torn.py fails to import: SyntaxError"),
        (("check-channel", "picky.py:Picky"), "semlink: channel picky.py:Picky: option 'depth' is needed"),
        (
            ("check-channel", "rician", "--set", "kdb=3"),
            "semlink: channel rician: kdb: unknown key; did you mean 'k_db'?",
        ),
        (
            ("check-channel", "rician", "--set", "k=-1"),
            "semlink: channel rician: k: got -1, expected 0 or more",
        ),
        (
            ("check-channel", "rayleigh", "--set", "coherence=0"),
            "semlink: channel rayleigh: coherence: got 0, expected",
        ),
    ],
)
def test_commands_refuse_in_one_line(place, arguments, says):
    scenario(place, text=BAD, name="bad.yaml")
    assert refused(semlink(*arguments, folder=place)).startswith(says)
    assert not (place / "results").exists()


def test_compare_and_plot_name_what_there_is(place):
    scenario(place, text=BAD, name="bad.yaml")
    semlink("run", "bad.yaml", "--workers", 1, folder=place)
    line = refused(semlink("compare", "results/bad", "--reference", "dircet", folder=place))
    assert line == "semlink: results/bad: no scheme 'dircet'; did you mean 'direct'? schemes: 'direct', 'video'"
    line = refused(semlink("plot", "results/bad", "--metric", "vmaf", folder=place))
    assert line == "semlink: metric 'vmaf' is in no row; the results have psnr, ssim, and bler"
    assert not (place / "results/bad/compare.csv").exists()


@pytest.mark.parametrize("out", ["bad.yaml", "bad.yaml/deeper", "/proc/results"])
def test_a_folder_that_cannot_be_made_is_said_before_the_work(place, out):
    if out.startswith("/proc") and not Path("/proc/self").exists():
        pytest.skip("no /proc here")
    line = refused(run(place, options=("--out", out)))
    assert line.startswith(f"semlink: {out}") and line.endswith("; choose another folder")
    assert (place / "bad.yaml").is_file()


def test_a_disk_that_is_nearly_full_is_said_before_the_work(place, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": 3_000_000})())
    line = refused(run(place))
    assert line == "semlink: results/bad: only 3 MB free on this disk; a run needs 20 MB"
    assert not list(place.glob("results/bad/points/*"))


def test_a_disk_that_fills_up_leaves_no_half_written_point(place):
    """Files may not grow beyond 300 bytes here, which the operating system enforces as on a full disk."""
    scenario(place, text=BAD, name="bad.yaml")
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "semlink.cli", "run", "bad.yaml", "--workers", "1"],
        cwd=place,
        env=dict(os.environ, PYTHONPATH=path, PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300)),
    )
    line = refused(Done(done.returncode, done.stdout, done.stderr))
    assert line.startswith("semlink: results/bad/") and "cannot be written (file too large)" in line
    assert (
        not list(place.glob("results/**/*.json"))
        and not list(place.glob("results/**/*.npz"))
        and not list(place.glob("results/**/*.tmp"))
    )


def test_frames_of_a_size_that_the_codec_pads_come_back_in_their_own(place):
    """No size is refused: H.264 works on multiples of 2, H.265 and AV1 on 64 and more."""
    size = ("[64, 64]", "[61, 37]")
    schemes = "".join(
        f"  - {{name: {codec}, kind: digital, codec: {{kind: {codec}}}, coding: {{kind: uncoded}}, rates: [20]}}\n"
        for codec in ("h264", "h265", "av1")
    )
    text = BAD.partition("schemes:\n")[0] + "schemes:\n" + schemes
    scenario(place, size, ("[12]", "[40]"), text=text, name="bad.yaml")
    done = semlink("run", "bad.yaml", "--workers", 1, folder=place)
    assert done.code == 0
    with (place / "results/bad/curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["scheme"] for row in rows] == ["h264", "h265", "av1"]
    assert all(float(row["psnr_db"]) > 25 and row["bler"] == "0" for row in rows)


def test_an_option_of_a_channel_is_asked_for_in_its_own_words(tmp_path):
    done = semlink("check-channel", "awgn", "--set", "x", folder=tmp_path)
    assert done.code == 2 and "such as k_db=6, an option of the channel" in done.err and "sweep" not in done.err
