"""`semlink new scenario`: what it writes is a scenario, for every channel and codec, and runs at once."""

from __future__ import annotations

import pytest
import yaml
from schema_check import schema_faults
from small_runs import rows
from terminal import semlink as command

import semlink
from semlink.cli.new.scenario import scenario_text, write_scenario
from semlink.errors import ScenarioError
from semlink.link.scenario.schema import CATALOGUE
from semlink.spec import kinds_of

KINDS = {name: [kind for spec in CATALOGUE[name] for kind in kinds_of(spec)] for name in ("channel", "codec")}


@pytest.mark.parametrize(
    ("channel", "codec"), [*((kind, "h264") for kind in KINDS["channel"]), *(("awgn", kind) for kind in KINDS["codec"])]
)
def test_all_load_and_suit_the_schema(channel, codec):
    tree = yaml.safe_load(scenario_text("first", "first.yaml", channel, codec))
    assert semlink.load(tree, commands=True).channel[0].kind == tree["channel"]["kind"] == channel
    assert tree["schemes"][0]["codec"]["kind"] == codec
    assert not schema_faults(tree)


def test_every_option_stands_there_with_its_default():
    text = scenario_text("first", "first.yaml", "cdl", "h264")
    assert "# delay_spread_ns: 100.0" in text and "root mean square (number from 0 to 100000)" in text
    assert "# preset: medium" in text
    assert max(map(len, text.splitlines())) <= 125


def test_it_refuses_what_is_there_and_what_it_does_not_know(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "first.yaml").write_text("mine")
    with pytest.raises(ScenarioError, match="first.yaml is there already"):
        write_scenario("first")
    assert (tmp_path / "first.yaml").read_text() == "mine"
    with pytest.raises(ScenarioError, match="--channel: got 'raileigh', expected one of .*; did you mean 'rayleigh'"):
        write_scenario("second", channel="raileigh")
    refused = {
        "my run": "got the name 'my run'; allowed: letters",
        "": "the name is empty; allowed: letters",
        ".yaml": "the name is empty",
        "n" * 300: "the name has 300 characters; at most 100 are allowed$",
        "gone/first": "gone/first.yaml: there is no folder gone",
    }
    for name, says in refused.items():
        with pytest.raises(ScenarioError, match=says):
            write_scenario(name)
    assert not (tmp_path / "second.yaml").exists()


def test_options_of_a_scenario_are_refused_for_blocks(tmp_path):
    done = command("new", "channel", "rain_fade.py", "--codec", "h264", folder=tmp_path)
    assert done.code == 2 and "--channel and --codec are for" in done.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("channel", "codec"),
    [("awgn", "h264"), ("rayleigh", "av1"), ("tdl", "h265"), ("erasure", "delta-sigma"), ("awgn", "task-aware")],
)
def test_some_run_at_once(tmp_path, channel, codec):
    done = command("new", "scenario", "first", "--channel", channel, "--codec", codec, folder=tmp_path)
    assert done.code == 0 and "semlink run first.yaml" in done.out
    assert command("show", "first.yaml", folder=tmp_path).code == 0
    done = command("run", "first.yaml", "--workers", "1", folder=tmp_path)
    assert done.code == 0 and done.out.endswith("report: semlink report results/first\n"), done.err
    assert any(row["psnr_db"] for row in rows(tmp_path / "results" / "first"))
