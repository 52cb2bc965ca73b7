"""Every command as a user meets it: exit codes, files, words, interrupts."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from small_runs import unpacked
from terminal import TOYS, Done, scenario, semlink

from semlink import __version__
from semlink.cli.block_list import describe
from semlink.cli.commands import app
from semlink.link.results.folder import Results
from semlink.link.results.rows import COLUMNS
from semlink.link.scenario.loader import load_scenario
from semlink.link.scenario.schema import CATALOGUE
from semlink.link.sweep.plan import Job
from semlink.link.sweep.run import run

COMMANDS = [c.name or c.callback.__name__ for c in app.registered_commands if c.callback]
ROOT = Path(__file__).resolve().parents[2]
PNG, SVG = b"\x89PNG\r\n", b"<?xml"
POINTS = 3 * 2 * 4
PROMISED = """
scheme channel snr_db budget rate channel_uses channel_uses_per_pixel payload parity crc pilot header side_info
psnr_db psnr_ci95 ssim ssim_ci95 bler trials clips seed genie note
"""
SLOW = f"""name: toy
source: {{kind: {TOYS}:Ramps, clips: 2}}
channel: {{kind: awgn}}
sweep: {{snr_db: [5, 8, 11, 14, 17, 20], budget: 0.04}}
trials: {{min: 40, max: 40}}
schemes: [{{name: direct, kind: {TOYS}:Direct}}]
"""


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> tuple[Path, Done]:
    """A folder in which the toy scenario was run once, and what the run said."""
    folder = tmp_path_factory.mktemp("toy")
    scenario(folder)
    return folder, semlink("run", "toy.yaml", "--workers", 1, folder=folder, figures=True)


def listed(done: Done, folder: Path) -> list[Path]:
    """The files that a command named, each in a line of its own."""
    return [folder / line.strip() for line in done.out.splitlines() if (folder / line.strip()).is_file()]


def test_the_promised_commands_are_there():
    assert {"run", "show", "list", "schema", "plot", "compare", "cite", "check-channel"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_made_of_what_it_explains(command, tmp_path):
    done = semlink(command, "--help", folder=tmp_path)
    assert done.code == 0 and done.err == ""
    explained, _, example = done.out.partition("Example: ")
    words = " ".join(example.split()).split()
    assert words[:2] == ["semlink", command]
    assert all(word in explained for word in words if word.startswith("--"))


def test_without_a_command_the_help_is_shown(tmp_path):
    done = semlink(folder=tmp_path)
    assert done.code == 2 and all(f"  {command} " in done.out for command in COMMANDS)
    assert "..." not in done.out.partition("Commands:")[2]
    assert semlink("--version", folder=tmp_path) == Done(0, f"{__version__}\n", "")


def test_a_run_leaves_what_it_lists(toy):
    folder, done = toy
    assert done.code == 0 and done.err == ""
    assert f"{POINTS} points computed, 0 reused" in done.out
    out = folder / "results" / "toy"
    figures = [f"psnr_vs_{over}.{form}" for over in ("cost", "snr") for form in ("png", "svg")]
    names = ["curves.csv", *figures, "frames.png"]
    assert listed(done, folder) == [out / name for name in names]
    for name in names[1:]:
        assert (out / name).read_bytes().startswith(PNG if name.endswith("png") else SVG)
    assert len(Results(out).keys()) == POINTS and len(list((out / "points").iterdir())) == 1
    assert not list(out.rglob("*.tmp"))


def test_a_piped_run_speaks_plainly(toy):
    _, done = toy
    assert "\x1b" not in done.out
    assert all(line == line.rstrip() and len(line) <= 100 for line in done.out.splitlines())
    for name in ("direct", "uncoded", "coded"):
        assert f" {name} " in done.out


def test_curves_have_the_promised_columns(toy):
    folder, _ = toy
    with (folder / "results/toy/curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == POINTS and set(PROMISED.split()) <= set(rows[0]) == set(COLUMNS)
    assert {row["scheme"] for row in rows} == {"direct", "uncoded", "coded"}


def test_the_manifest_holds_the_scenario(toy):
    folder, _ = toy
    manifest = json.loads((folder / "results/toy/manifest.json").read_text())
    assert manifest["scenario"] == load_scenario(folder / "toy.yaml").model_dump(mode="json")
    assert manifest["version"] == __version__ and manifest["packages"]["torch"] and manifest["points"] == POINTS


def test_a_rerun_computes_nothing_and_changes_nothing(toy):
    folder, _ = toy
    before = (folder / "results/toy/curves.csv").read_bytes()
    done = semlink("run", "toy.yaml", "--workers", 1, folder=folder)
    assert done.code == 0 and f"0 points computed, {POINTS} reused" in done.out
    assert (folder / "results/toy/curves.csv").read_bytes() == before


def test_folders_merge_by_copying_points(toy, tmp_path):
    folder, _ = toy
    file = scenario(tmp_path)
    points = tmp_path / "merged" / "points"
    points.mkdir(parents=True)
    for path in (folder / "results/toy/points").iterdir():
        (points / path.name).write_bytes(path.read_bytes())
    done = semlink("run", file, "--out", "merged", "--workers", 1, folder=tmp_path)
    assert f"0 points computed, {POINTS} reused" in done.out
    manifest = tmp_path / "merged/manifest.json"
    before = {"wall_s": 3600.5, "workers": 7, "commit": "0" * 40}
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | before))
    assert semlink("run", file, "--out", "merged", "--workers", 1, folder=tmp_path).code == 0
    assert before.items() <= json.loads(manifest.read_text()).items()
    assert (tmp_path / "merged/curves.csv").read_bytes() == (folder / "results/toy/curves.csv").read_bytes()


def test_set_out_and_fresh(tmp_path):
    scenario(tmp_path)
    small = ("--set", "sweep.budget=0.06", "--set", "sweep.snr_db=[12]", "--set", "schemes.1.name=by hand")
    call = ("run", "toy.yaml", *small, "--out", "there", "--workers", 1)
    first = semlink(*call, folder=tmp_path)
    assert first.code == 0 and "3 points computed, 0 reused" in first.out and " by hand " in first.out
    assert (tmp_path / "there/curves.csv").is_file() and not (tmp_path / "results").exists()
    assert "0 points computed, 3 reused" in semlink(*call, folder=tmp_path).out
    assert "3 points computed, 0 reused" in semlink(*call, "--fresh", folder=tmp_path).out


def test_progress_counts_what_is_left_to_compute(tmp_path):
    file = scenario(tmp_path, text=SLOW.replace("min: 40, max: 40", "min: 2, max: 2"))
    told: list[tuple[str, int, int]] = []
    work = Job(load_scenario(file), tmp_path / "out", tmp_path)
    run(work, progress=lambda *step: told.append(step))
    assert [step[1:] for step in told] == [(done, 6) for done in range(7)]
    assert told[0][0] == "toy" and told[-1][0] == "direct, 20 dB, budget 0.04"
    unpacked(tmp_path / "out")[0].unlink()
    told.clear()
    run(work, progress=lambda *step: told.append(step))
    assert [step[1:] for step in told] == [(0, 1), (1, 1)]


def test_show_prints_a_scenario_that_loads_as_the_same(tmp_path):
    file = scenario(tmp_path)
    done = semlink("show", file, "--set", "seed=7", folder=tmp_path)
    assert done.code == 0 and yaml.safe_load(done.out)["trials"]["ci_halfwidth_db"] == 0.1
    (tmp_path / "shown.yaml").write_text(done.out)
    assert load_scenario(tmp_path / "shown.yaml") == load_scenario(file, ["seed=7"])


def test_list_names_options_and_defaults(tmp_path):
    everything = semlink("list", folder=tmp_path).out
    for kind in ("scenes", "video", "awgn", "digital", "h264", "ldpc", "capacity"):
        assert f"  {kind}" in everything
    only = semlink("list", "coding", folder=tmp_path)
    assert only.code == 0 and "block_bits (whole number from 256 to 65536; default 8192): largest" in only.out
    assert "awgn" not in only.out and only.out.strip() in everything


@pytest.mark.parametrize(
    "interface, line",
    [
        ("sensor", "ratio_map (fixed | learned | tiled | random | file; default fixed)"),
        ("sensor", "skip (list of whole number from 0; default [])"),
        ("sensor", "key_ratio (number above 0 and up to 1; default 0.5)"),
        ("coding", "transmissions (whole number from 2 to 16; default 4)"),
        ("channel", "probability (number from 0 to 1; needed)"),
        ("source", "size ([whole number from 1 to 16384, whole number from 1 to 16384]; default [256, 256])"),
        ("scheme", "sensor (a sensor | null; default null)"),
        ("scheme", "power (optimal | fourth-root; default fourth-root)"),
        ("codec", "tune (film | animation | grain | stillimage | psnr | ssim | fastdecode | zerolatency | null;"),
        ("metric", "psnr   PSNR [dB]"),
    ],
)
def test_list_says_what_an_option_may_be(interface, line):
    assert line in describe(interface)


def test_list_has_allowed_values_and_a_default_for_every_option():
    """No word of the machinery stands in for either."""
    options = re.findall(r"^ +\w+ \(([^;]+); (needed|default [^)]+)\)", describe().replace("\n          ", " "), re.M)
    of_ours = sum(
        len(spec.model_fields) - ("kind" in spec.model_fields) for specs in CATALOGUE.values() for spec in specs
    )
    assert len(options) >= of_ours and not re.search("Pydantic|None|Field|anything", describe())


def test_schema_is_json_that_knows_the_kinds(tmp_path):
    schema = json.loads(semlink("schema", folder=tmp_path).out)
    assert {"name", "source", "schemes"} <= set(schema["required"])
    assert schema["properties"]["seed"]["type"] == "integer"
    assert {"awgn", "h264", "ldpc"} <= {
        kind
        for spec in schema["$defs"].values()
        for kind in (
            [spec["properties"]["kind"]["const"]]
            if "const" in spec.get("properties", {}).get("kind", {})
            else spec.get("properties", {}).get("kind", {}).get("enum", [])
        )
    }


def test_plot_draws_again_and_overlays(toy, tmp_path):
    folder, _ = toy
    (folder / "results/toy/psnr_vs_snr.png").unlink()
    again = semlink("plot", "results/toy", folder=folder)
    assert again.code == 0 and folder / "results/toy/psnr_vs_snr.png" in listed(again, folder)
    copy = tmp_path / "other"
    copy.mkdir()
    (copy / "curves.csv").write_bytes((folder / "results/toy/curves.csv").read_bytes())
    both = semlink("plot", folder / "results/toy", copy, "--out", "figures", "--metric", "ssim", folder=tmp_path)
    files = listed(both, tmp_path)
    assert both.code == 0 and tmp_path / "figures/ssim_vs_snr.svg" in files
    assert "coded" in (tmp_path / "figures/ssim_vs_snr.svg").read_text()


def test_compare_tells_and_keeps_what_it_found(toy):
    folder, _ = toy
    asked = semlink("compare", "results/toy", folder=folder)
    assert (
        asked.code == 2
        and "--reference: needed and not given; the scheme to compare with, one of 'direct', 'unc" in asked.err
    )
    done = semlink("compare", "results/toy", "--reference", "uncoded", folder=folder)
    assert done.code == 0 and "\x1b" not in done.out and "coded" in done.out
    with (folder / "results/toy/compare.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows and all(row["scheme"] != row["reference"] == "uncoded" for row in rows)


def test_cite_prints_bibtex(tmp_path):
    done = semlink("cite", scenario(tmp_path, ("uncoded}", "ldpc, mcs: best}")), folder=tmp_path)
    assert done.code == 0 and "@" in done.out and done.out.count("{") == done.out.count("}")
    assert "3gpp38212" in done.out


def test_check_channel_says_yes_and_no(tmp_path):
    assert semlink("check-channel", "awgn", folder=tmp_path).code == 0
    (tmp_path / "mine.py").write_text(
        "class Deafening:\n"
        "    def __call__(self, iq, snr_db, seeds):\n"
        "        return iq + 2**0.5 * 10 ** (-snr_db / 20) * seeds.complex_normal('n', iq.shape[1])\n"
    )
    done = semlink("check-channel", "mine.py:Deafening", folder=tmp_path)
    assert done.code == 1 and "snr" in done.out and done.err == ""
    assert done.out.startswith("channel: mine.py:Deafening\n")


def test_an_installed_plug_in_is_found_by_its_kind(tmp_path, monkeypatch):
    info = tmp_path / "rain-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: rain\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[semlink.blocks]\nchannel.drizzle = rain_of_test:Drizzle\nchannel.fog = fog_of_test:Fog\n"
    )
    (tmp_path / "rain_of_test.py").write_text(
        "class Drizzle:\n"
        "    def __init__(self, loss_db: float = 0.0) -> None:\n"
        "        self.gain = 10 ** (-loss_db / 20)\n"
        "    def __call__(self, iq, snr_db, seeds):\n"
        "        noise = seeds.complex_normal('rain/noise', iq.shape[1])\n"
        "        return iq * self.gain + noise * 10 ** (-snr_db / 20)\n"
    )
    (tmp_path / "fog_of_test.py").write_text("import nowhere_to_be_found\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    told = semlink("list", "channel", folder=tmp_path).out
    assert "drizzle   (plug-in: rain_of_test:Drizzle)" in told
    assert "fog   (plug-in: fog_of_test:Fog; fails to import: ModuleNotFoundError" in told
    file = scenario(tmp_path, ("{kind: awgn}", "{kind: drizzle, loss_db: 1.5}"))
    call = ("run", file, "--workers", 1, "--set", "sweep={snr_db: 12, budget: 0.06}")
    done = semlink(*call, folder=tmp_path)
    assert done.code == 0 and "channel drizzle(loss_db=1.5)" in done.out
    wrong = semlink(*call, "--set", "channel.kind=fog", folder=tmp_path)
    assert wrong.code == 2 and "fog_of_test fails to import: No module named 'nowhere_to_be_found'" in wrong.err


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "semlink.cli", "run", "toy.yaml", "--out", "out", *arguments]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        command,
        cwd=folder,
        env=dict(os.environ, PYTHONPATH=path),
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # behind `nohup` or `&`, too
    )


def wait_for_points(folder: Path, count: int) -> None:
    deadline = time.monotonic() + 200
    while len(list((folder / "out/points").glob("*.json"))) < count and time.monotonic() < deadline:
        time.sleep(0.01)


# One worker works in the process itself, whose end at Ctrl-C test_stopping.py has at every moment.
@pytest.mark.parametrize("workers", [pytest.param("1", marks=pytest.mark.slow), "2"])
def test_an_interrupted_run_says_so_and_is_taken_up(tmp_path, workers):
    file = scenario(tmp_path, text=SLOW)
    process = start(tmp_path, "--workers", workers)
    wait_for_points(tmp_path, 1)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130 and out == ""
    *progress, last = err.splitlines()  # a busy machine is told how far the run is, from half a minute on
    assert last == "semlink: interrupted; finished points are kept, run again to continue"
    assert all(re.match(r"toy: (preparing|\d of 6 points)", line) for line in progress)
    kept = len(list((tmp_path / "out/points").glob("*.json")))
    assert 1 <= kept < 6 and not list(tmp_path.rglob("*.tmp"))
    assert len((tmp_path / "out/curves.csv").read_text().splitlines()) == 1 + kept
    again = semlink("run", file, "--out", "out", "--workers", 1, folder=tmp_path)
    assert again.code == 0 and f"{6 - kept} point{'s' * (kept < 5)} computed, {kept} reused" in again.out
