"""`semlink verify` as a user meets it: exit codes, what it says, the file for programs."""

from __future__ import annotations

import json

import pytest
from terminal import TOYS, semlink

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
    assert semlink("run", "toy.yaml", "--workers", 1, "--out", "out", folder=folder).code == 0
    return folder


def test_it_says_that_all_holds_and_writes_the_same_for_programs(folder):
    done = semlink("verify", "out", "--all", "--allow-plugins", "--json", "told.json", folder=folder)
    assert done.code == 0 and done.out.endswith("holds: 2 of 2 points, 2 of them to the last digit\n")
    told = json.loads((folder / "told.json").read_text())
    assert told["verdict"] == "holds" and [point["verdict"] for point in told["points"]] == ["same", "same"]


def test_code_is_refused_and_the_rest_is_said(folder):
    done = semlink("verify", "out", folder=folder)
    assert done.code == 2 and "cannot be said: out: its scenario names code of a user" in done.out and done.err == ""


def test_a_falsified_table_ends_with_1(folder):
    table = folder / "out" / "curves.csv"
    text = table.read_text()
    first = text.splitlines()[1]
    try:
        table.write_text(text.replace(first, first.replace(",12,", ",12.5,", 1)))
        done = semlink("verify", "out", "--allow-plugins", folder=folder)
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
    ],
)
def test_what_it_is_asked_wrongly(folder, words, said):
    done = semlink("verify", *words, folder=folder)
    assert done.code == 2 and done.err.count("\n") == 1 and said in done.err and done.out == ""
