"""`semlink verify` as a user meets it: exit codes, what it says, the file for programs."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from terminal import TOYS, semlink as in_terminal

import semlink

SCENARIO = f"""name: toy
source: {{kind: {TOYS}:Ramps, clips: 2}}
channel: {{kind: awgn}}
sweep: {{snr_db: [12], budget: [0.03, 0.06]}}
trials: {{min: 2, max: 2}}
schemes: [{{name: soft, kind: softcast}}]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "toy.yaml").write_text(SCENARIO)
    assert in_terminal("run", "toy.yaml", "--workers", 1, "--out", "out", folder=folder).code == 0
    return folder


def test_it_says_that_all_holds_and_writes_the_same_for_programs(folder):
    done = in_terminal("verify", "out", "--all", "--allow-plugins", "--json", "told.json", folder=folder)
    assert done.code == 0 and done.out.endswith("holds: 2 of 2 points, 2 of them to the last digit\n")
    told = json.loads((folder / "told.json").read_text())
    assert told["verdict"] == "holds" and [point["verdict"] for point in told["points"]] == ["same", "same"]


def test_code_is_refused_and_the_rest_is_said(folder):
    done = in_terminal("verify", "out", folder=folder)
    assert done.code == 2 and "cannot be said: out: its scenario names code of a user" in done.out and done.err == ""


def test_a_falsified_table_ends_with_1(folder):
    table = folder / "out" / "curves.csv"
    text = table.read_text()
    first = text.splitlines()[1]
    try:
        table.write_text(text.replace(first, first.replace(",12,", ",12.5,", 1)))
        done = in_terminal("verify", "out", "--allow-plugins", folder=folder)
    finally:
        table.write_text(text)
    assert done.code == 1 and "wrong: curves.csv: soft, awgn, 12.5 dB" in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "nowhere: no such folder"),
        (("out", "--points", "0"), "--points"),
        (("out", "--points", "2", "--all"), "--points and --all: got both"),
        (("out", "--json", "out/told.json"), "lies in out, which is looked at and not written to"),
        (("out", "--scenario", "none.yaml"), "none.yaml"),
        (("out", "--scenario", "toy.yaml"), "where you trust who wrote it, --allow-plugins beside --scenario"),
    ],
)
def test_what_it_is_asked_wrongly(folder, words, said):
    done = in_terminal("verify", *words, folder=folder)
    assert done.code == 2 and done.err.count("\n") == 1 and said in done.err and done.out == ""


def test_a_run_whose_codec_is_a_program_is_looked_at_where_programs_are_allowed(tmp_path):
    """Each way alone: classes of a user stay refused."""
    shutil.copy(Path(TOYS).with_name("command_toy.py"), tmp_path / "codec.py")
    codec = {"kind": "command", "quality": [1, 128], "pictures": "gray"}
    for name, mode, quality in (("encode", "enc", "{quality}"), ("decode", "dec", "0")):
        codec[name] = [sys.executable, "-S", "codec.py", mode, "{input}", "{output}", quality]
    tree = {
        "name": "programs",
        "source": {"kind": "scenes", "frames": 2, "size": [16, 24], "clips": 1},
        "channel": {"kind": "awgn"},
        "sweep": {"snr_db": 12, "budget": 2.0},
        "schemes": [{"name": "a", "kind": "digital", "codec": codec, "coding": {"kind": "capacity"}}],
        "trials": {"min": 2, "max": 2},
    }
    (tmp_path / "own.yaml").write_text(json.dumps(tree))
    semlink.run(semlink.load(tmp_path / "own.yaml", commands=True), tmp_path / "out")
    key = json.loads((tmp_path / "out/manifest.json").read_text())["keys"][0]
    for words in (("verify", "out"), ("verify", "out", "--scenario", "own.yaml"), ("replay", "out", "--point", key)):
        refused, done = (in_terminal(*words, *more, folder=tmp_path) for more in ((), ("--allow-commands",)))
        told = refused.out + refused.err
        assert refused.code == 2 and "would start the program" in told and "--allow-commands" in told, told
        assert "plugins" not in told and "code of a user" not in told
        assert done.code == 0, done.out + done.err
    assert semlink.results(tmp_path / "out", commands=True).verify().code == 0
    assert semlink.verify(tmp_path / "out", scenario=semlink.load(tmp_path / "own.yaml", commands=True)).code == 0
