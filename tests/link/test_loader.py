"""Every mistake in a scenario is one line with file, line, and what is allowed."""

from __future__ import annotations

import pytest

import semlink
from semlink.errors import ScenarioError, nearest
from semlink.link.scenario.loader import load_scenario
from semlink.link.scenario.schema import json_schema

GOOD = """name: demo
seed: 3
source: {kind: scenes, clips: 2}
channel: {kind: awgn}
sweep:
  snr_db: [4, 8]
  budget: 1e-2
schemes:
  - name: fixed
    kind: digital
    codec: {kind: h264}
    coding: {kind: ldpc, modulation: 16qam, rate: 2/3}
  - {name: bound, kind: digital, codec: {kind: h264}, coding: {kind: capacity}}
"""


def write(tmp_path, text):
    path = tmp_path / "demo.yaml"
    path.write_text(text)
    return path


def complaint(tmp_path, old, new, *overrides):
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(ScenarioError) as fault:
        load_scenario(path, overrides)
    return str(fault.value).replace(str(path), "demo.yaml")


def test_a_good_scenario_is_read_with_defaults(tmp_path):
    scenario = load_scenario(write(tmp_path, GOOD))
    assert scenario.sweep.budget == (0.01,) and scenario.sweep.snr_db == (4.0, 8.0)
    assert scenario.schemes[0].coding.rate == pytest.approx(2 / 3)
    assert scenario.source.frames == 16 and scenario.trials.max == 32
    assert [c.kind for c in scenario.channel] == ["awgn"]


@pytest.mark.parametrize(
    "old, new, says",
    [
        ("seed: 3", "sede: 3", "demo.yaml:2: sede: unknown key; did you mean 'seed'?"),
        ("snr_db:", "snr_dB:", "demo.yaml:6: sweep.snr_dB: unknown key; did you mean 'snr_db'?"),
        ("kind: awgn", "kind: awng", "demo.yaml:4: channel: unknown kind 'awng', expected one of awgn"),
        ("kind: awgn", "kint: awgn", "demo.yaml:4: channel: needs a `kind`"),
        ("{kind: awgn}", "awgn", "demo.yaml:4: channel: got 'awgn', expected a mapping with a `kind`"),
        ("clips: 2", "clips: two", "demo.yaml:3: source.clips: got 'two', expected a whole number"),
        ("clips: 2", "clips: 0", "demo.yaml:3: source.clips: got 0, expected more than 0"),
        ("16qam", "16-qam", "demo.yaml:12: schemes.0.coding.modulation: got '16-qam', expected one of"),
        ("rate: 2/3", "rate: 5/3", "demo.yaml:12: schemes.0.coding.rate: got '5/3'; need a number between 0 and 1"),
        ("seed: 3", 'seed: "7"', "demo.yaml:2: seed: got the text '7', expected a number"),
        ("seed: 3", "seed: 1e300", "demo.yaml:2: seed: got a number of more than 19 digits, expected a whole number"),
        ("rate: 2/3", "rate: two", "coding.rate: got 'two'; need a number between 0 and 1, such as 0.5 or 2/3"),
        ("rate: 2/3", "mcs: best", "demo.yaml:12: schemes.0.coding: mcs already says modulation and rate"),
        (
            "modulation: 16qam, rate: 2/3",
            "mcs: 28, table: 2",
            "demo.yaml:12: schemes.0.coding.mcs: got 28, expected 27 or less in table 2",
        ),
        (
            "kind: ldpc, modulation: 16qam, rate: 2/3",
            f"kind: capacity, bitwise: 1{'0' * 99}",
            f"coding.bitwise: got 1{'0' * 56}..., expected true or false",
        ),
        (", rate: 2/3", "", "demo.yaml:12: schemes.0.coding: give modulation and rate, or mcs: best"),
        ("name: bound", "name: fixed", "demo.yaml:13: schemes.1: two schemes are called 'fixed'"),
        ("  budget: 1e-2\n", "", "demo.yaml:8: schemes.0: scheme 'fixed' has no rates and sweep.budget is not given"),
        ("channel: {kind: awgn}", "", "demo.yaml:9: schemes.0: scheme 'fixed' sends symbols, and no channel is given"),
        (
            "seed: 3",
            "table: {oracle: [fixed,\n bond]}",
            "demo.yaml:3: table.oracle.1: no scheme is called 'bond'",
        ),
        ("rate: 2/3", f"rate: {'2/3' * 300}", "2/32/32/32/32/32/32/..."),
        ("clips: 2", "? 2 : 3", "demo.yaml:3: source.2: "),
        ("seed: 3", "s\u202eeed: 3", "demo.yaml:2: s\N{REPLACEMENT CHARACTER}eed: unknown key; did you mean 'seed'?"),
        ("seed: 3", "table: {mean: [clip]}", "demo.yaml:2: table.mean: got a list, expected one of 'clip' or 'frames'"),
        ("channel: {kind: awgn}", "channel: {kind: awgn}\ntrials: [1]", "trials: got a list, expected a mapping"),
        ("budget: 1e-2", "budget: -1", "demo.yaml:7: sweep.budget: got -1, expected more than 0"),
        ("[4, 8]", "[4, .inf]", "demo.yaml:6: sweep.snr_db.1: got inf, expected a finite number"),
        ("name: demo", "name: a/b", "demo.yaml:1: name: got 'a/b'; allowed: letters, digits"),
        ("seed: 3", "seed: 3\nseed: 4", "demo.yaml:3: seed: stands twice, first in line 2"),
        ("[4, 8]", "[4, 8", "demo.yaml:7: not valid YAML"),
        ("seed: 3", "seed: true", "demo.yaml:2: seed: got true, which is no number"),
        ("clips: 2", "clips: true", "demo.yaml:3: source.clips: got true, which is no number"),
        ("[4, 8]", "[4, false]", "demo.yaml:6: sweep.snr_db.1: got false, which is no number"),
        ("[4, 8]", "[4, 1:30]", "demo.yaml:6: sweep.snr_db.1: got '1:30', expected a number"),
        ("budget: 1e-2", "budget: 1:30", "demo.yaml:7: sweep.budget: got '1:30', expected a number"),
        ("budget: 1e-2", "budget: true", "demo.yaml:7: sweep.budget: got true, which is no number"),
        ("clips: 2", "clips: 1_000", "demo.yaml:3: source.clips: got the text '1_000', expected a number"),
        ("clips: 2", "clips: 0b10", "demo.yaml:3: source.clips: got "),
        ("clips: 2", "clips: 2026-01-31", "demo.yaml:3: source.clips: got "),
        ("kind: h264}", "kind: h264, deblock: yes}", "schemes.1.codec.deblock: got 'yes', expected true or false"),
        ("kind: h264}", "kind: h264, deblock: 1}", "schemes.1.codec.deblock: got 1, expected true or false"),
        ("rate: 2/3", "rate: true", "demo.yaml:12: schemes.0.coding.rate: got true, which is no number"),
        ("rate: 2/3", "rate: 1e99999999/3", "demo.yaml:12: schemes.0.coding.rate: got '1e99999999/3'; need a number"),
        ("rate: 2/3", "rate: 2/0", "demo.yaml:12: schemes.0.coding.rate: got '2/0'; need a number"),
        ("clips: 2", "clips: 2, size: 200", "demo.yaml:3: source.size: got 200, expected a list [height, width]"),
        ("clips: 2", "clips: 2.5", "demo.yaml:3: source.clips: got 2.5, expected a whole number"),
        ("[4, 8]", "[nan]", "demo.yaml:6: sweep.snr_db.0: got the text 'nan', expected a number"),
        ("[4, 8]", "abc", "demo.yaml:6: sweep.snr_db: got 'abc', expected a number"),
        ("name: demo", "name: my run", "demo.yaml:1: name: got 'my run'; allowed: letters, digits and . _ -, a letter"),
        ("name: demo", "name: 010", "demo.yaml:1: name: got 10, expected text"),
    ],
)
def test_a_mistake_is_named_where_it_stands(tmp_path, old, new, says):
    assert says in complaint(tmp_path, old, new)


@pytest.mark.parametrize(("written", "seed"), [("010", 10), ("0o10", 8), ("0x10", 16), ("+7", 7)])
def test_whole_numbers_are_those_of_yaml_1_2(tmp_path, written, seed):
    path = write(tmp_path, GOOD.replace("seed: 3", f"seed: {written}"))
    assert load_scenario(path).seed == seed == load_scenario(path, [f"seed={written}"]).seed


def test_words_of_yaml_1_1_are_text(tmp_path):
    scenario = load_scenario(
        write(tmp_path, GOOD.replace("name: fixed", "name: on").replace("name: bound", "name: No"))
    )
    assert [scheme.name for scheme in scenario.schemes] == ["on", "No"]


def test_of_many_mistakes_the_first_twenty_are_told(tmp_path):
    text = complaint(tmp_path, "seed: 3", "\n".join(f"key{n}: 1" for n in range(2000))).splitlines()
    assert len(text) == 21 and text[-1] == "demo.yaml:22: and 1980 more mistakes"


def test_a_value_that_is_none_of_several_things_is_one_mistake(tmp_path):
    text = complaint(tmp_path, "modulation: 16qam, rate: 2/3", "mcs: 40").splitlines()
    assert len(text) == 1 and "got 40, expected 'best' or 'adaptive', or 28 or less" in text[0]


def test_a_set_of_several_lines_is_shown_in_one(tmp_path):
    with pytest.raises(ScenarioError) as fault:
        load_scenario(write(tmp_path, GOOD), ["a.b=? [1]\n: 2"])
    assert "\n" not in str(fault.value) and str(fault.value).startswith("--set 'a.b=? [1]\\n: 2': got a list")


def test_every_mistake_is_listed(tmp_path):
    text = complaint(tmp_path, "seed: 3\nsource: {kind: scenes", "sede: 3\nsource: {kind: scene")
    assert len(text.splitlines()) == 2


def test_set_changes_a_value(tmp_path):
    scenario = load_scenario(
        write(tmp_path, GOOD), ["sweep.snr_db=[1e1]", "schemes.0.codec.preset=slow", "trials.min=2"]
    )
    assert scenario.sweep.snr_db == (10.0,) and scenario.schemes[0].codec.preset == "slow" and scenario.trials.min == 2


@pytest.mark.parametrize(
    "override, says",
    [
        ("seed", "--set seed: expected key=value"),
        ("schemes.7.name=x", "'7' is not a position in a list of 2"),
        ("seed.x=1", "nothing can be set below 'seed'"),
        ("schemes.\u00b2.name=x", "'\u00b2' is not a position in a list of 2"),
        ("schemes." + "9" * 5000 + "=x", "is not a position in a list of 2"),
        ("seed=!!int abc", "--set seed=!!int abc: 'abc' is not a whole number"),
        ("seed=&a [*a]", r"alias \*a stands inside what it names"),
        ("seed=true", "with --set: seed: got true, which is no number"),
        ("seed=1:30", "with --set: seed: got '1:30', expected a whole number"),
        ("seed=\udc80", "not valid YAML: character"),
        ("source.clps=3", "with --set: source.clps: unknown key; did you mean 'clips'?"),
    ],
)
def test_a_wrong_set_is_named(tmp_path, override, says):
    with pytest.raises(ScenarioError, match=says.replace("?", r"\?")):
        load_scenario(write(tmp_path, GOOD), [override])


def test_a_missing_file_proposes_a_near_one(tmp_path):
    write(tmp_path, GOOD)
    with pytest.raises(ScenarioError, match=r"no such file; did you mean .*demo\.yaml"):
        load_scenario(tmp_path / "dmo.yaml")


def test_a_file_that_is_no_mapping(tmp_path):
    path = tmp_path / "list.yaml"
    path.write_text("- 1\n")
    with pytest.raises(ScenarioError, match="expected a mapping"):
        load_scenario(path)


def test_the_schema_knows_every_kind():
    text = str(json_schema())
    for kind in ("h264", "ldpc", "finite-blocklength", "scenes", "awgn", "digital"):
        assert f"'{kind}'" in text


def test_a_metric_that_leads_nowhere_is_named_where_it_stands(tmp_path):
    path = write(tmp_path, GOOD.replace("seed: 3", "seed: 3\nmetrics: ['json:x']"))
    with pytest.raises(ScenarioError) as fault:
        semlink.run(path, tmp_path / "out")
    assert str(fault.value).startswith(f"{path}:3: metric: 'json' is a module of Python itself")
    assert not (tmp_path / "out").exists()


def test_only_a_word_that_was_probably_meant_is_offered():
    meant = {
        "chanel": "channel",
        "bda": "bad",
        "snr": "snr_db",
        "AWGN": "awgn",
        "rayleight": "rayleigh",
    }
    words = ["channel", "bad", "snr_db", "awgn", "rayleigh", "ssim", "seed", "rate", "cliff", "compressai"]
    assert {word: nearest(word, words) for word in meant} == meant
    for far in ("seedling", "x", "", "satellite", "mse", "fig12", "quantum", "mpeg2", "a" * 300):
        assert nearest(far, words) is None, far
