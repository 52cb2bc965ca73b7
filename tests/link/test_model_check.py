"""`check-model` finds what makes a model's curve untrue, by name, and lets an honest one pass."""

from __future__ import annotations

import json
import re
from pathlib import Path

import model_toys
import pytest
import torch
import toys
import yaml
from terminal import semlink

from semlink import load
from semlink.errors import ScenarioError
from semlink.link.model_check import checks
from semlink.link.model_check.bench import checked_models, tree_of_networks
from semlink.link.model_check.examine import examined
from semlink.link.model_check.leaving import left_behind
from semlink.link.model_check.probe import Probe
from semlink.link.schemes.model.spec import ModelSpec
from semlink.payload import Frames
from semlink.spec import NOTHING_KNOWN

TOYS = model_toys.__file__
FILES = frozenset({Path(TOYS)})
CLIPS = [Frames(torch.from_numpy(toys.Ramps().clip(number)[None])) for number in range(2)]


def probe(encoder="Encoder", decoder="Decoder", **options) -> Probe:
    def network(one):
        return one if isinstance(one, dict) else f"{TOYS}:{one}"

    spec = ModelSpec(kind="model", name="it", encoder=network(encoder), decoder=network(decoder), **options)
    return Probe(spec, NOTHING_KNOWN, CLIPS, (0.0, 10.0, 20.0), 1000, None)


FAULTS = [
    ("batch", "the encoder gives an item alone", {"encoder": "WholeBatch"}),
    ("determinism", "encoder differs by .* second time: it draws at random", {"encoder": "Dropping"}),
    ("evaluation_mode", "in training mode: encoder.*Training", {"encoder": "Training"}),
    ("batch", "the encoder gives an item alone", {"encoder": "Training"}),
    ("output_range", "far outside", {"decoder": "Ranged"}),
    ("power", r"own power is 2 a symbol; each clip is sent with 1", {"encoder": "Louder"}),
    ("snr_definition", r"best when told \+3 dB", {"decoder": "Told", "knows": ["snr", "noise_var"]}),
    ("output_type", "the decoder tracks gradients", {"decoder": "Tracking"}),
    ("finite", "of black frames: .*gave NaN", {"encoder": "Dividing"}),
    ("device", "on cpu, meta", {"decoder": "Elsewhere"}),
]


@pytest.mark.parametrize("check, says, model", FAULTS, ids=[f"{name}-{says[:30]}" for name, says, _ in FAULTS])
def test_each_fault_is_found_by_name(check, says, model):
    found = getattr(checks, check)(probe(**model))
    assert found.verdict == "fail" and re.search(says, found.measured), found
    honest = getattr(checks, check)(probe())
    assert honest.verdict in ("pass", "skip"), honest


def test_an_offset_makes_up_for_another_definition():
    model = {"decoder": "Told", "knows": ["snr", "noise_var"]}
    assert checks.snr_definition(probe(**model, snr_offset_db=3)).verdict == "pass"
    assert checks.power(probe("Louder", unit="number")).verdict == "pass"


@pytest.mark.parametrize("where", ["LEFT", "Shared", "BACKBONE", "made"])
def test_what_an_encoder_leaves_is_called_by_its_place(where):
    cheat = {"LEFT": "Global", "Shared": "Class", "BACKBONE": "Module", "made": "Function"}[where]
    looked = probe(f"In{cheat}", f"From{cheat}")
    looked.encoded(CLIPS[1])
    assert f"model_toys.py:{where}" in " ".join(left_behind(FILES, lambda: looked.encoded(CLIPS[0])))
    assert left_behind(FILES, lambda: probe().encoded(CLIPS[0])) == []


@pytest.mark.slow
@pytest.mark.parametrize("cheat", model_toys.CHEATS.values())
def test_a_model_that_cheats_fails_by_name(cheat, tmp_path, monkeypatch):
    monkeypatch.setenv("MODEL_TOYS", str(tmp_path))
    report = examined(probe(f"In{cheat}", f"From{cheat}"))
    assert "leakage" in report.failed and "receiver" in report["leakage"].measured


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        {},
        {"encoder": "Complex", "decoder": "FromComplex", "symbols": "complex"},
        {"encoder": "WithSide", "decoder": "FromSide", "side_info": {"count": 1, "bits": 8}},
        {"encoder": "Filling", "decoder": "FromAny", "knows": ["uses"], "numbers": "plain"},
        {"encoder": "Video", "decoder": "FromVideo", "layout": "video"},
        {"decoder": "Weighing", "knows": ["snr", "noise_var"]},
    ],
)
def test_an_honest_model_passes_every_check(model):
    report = examined(probe(**model))
    assert report.passed, [report[name] for name in report.failed]


def test_a_model_that_does_not_run_is_looked_at_no_further():
    report = examined(probe({"network": f"{TOYS}:Broken", "options": {"how": "nan"}}))
    assert [check.name for check in report.checks] == ["runs"] and "gave NaN" in report["runs"].measured


@pytest.mark.slow
@pytest.mark.parametrize(
    "sweep, uses", [({"budget_per_sample": 0.05}, 38), ({"budget": 0.15}, 38), ({"budget": 0.2}, 51)]
)
def test_a_budget_of_a_sample_is_looked_at_as_one_of_a_pixel(sweep, uses):
    """A colour pixel has three samples; the largest budget is what the model is told."""
    tree = tree_of_networks(
        f"{TOYS}:Filling", f"{TOYS}:FromAny", ["knows=[uses]", "numbers=plain", "decoder.options={planes: 3}"]
    )
    tree["source"] = {"kind": "scenes", "clips": 1, "frames": 1, "size": [16, 16], "colour": "rgb"}
    tree["sweep"] = {"snr_db": [10], **sweep}
    (report,) = checked_models(load(tree))
    assert f"{12 * (uses // 12)} complex symbols" in report["symbols"].measured, report


@pytest.mark.slow
def test_the_command_prints_a_table_or_json_and_ends_with_1_on_a_fault(tmp_path):
    networks = (f"{TOYS}:Encoder", f"{TOYS}:Decoder")
    done = semlink("check-model", *networks, "--set", "symbols=halves", folder=tmp_path)
    assert done.code == 0 and "pass  leakage" in done.out and done.out.startswith("model: ")
    tree = {
        "name": "bad",
        "source": {"kind": "scenes", "frames": 2, "size": [32, 32], "clips": 1},
        "channel": {"kind": "awgn"},
        "sweep": {"snr_db": [4, 10], "budget": 0.1},
        "schemes": [{"name": "m", "kind": "model", "encoder": networks[0], "decoder": f"{TOYS}:Ranged"}],
    }
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump(tree))
    done = semlink("check-model", "bad.yaml", "--json", folder=tmp_path)
    (told,) = json.loads(done.out)
    assert done.code == 1 and not told["passed"] and told["model"] == "m"
    assert "output range" in [c["name"] for c in told["checks"] if c["verdict"] == "fail"]
    for words, says in (
        (("bad.yaml", "--scheme", "n"), "no model is called 'n'; there are m"),
        ((networks[0],), "give scenario files"),
        (("bad.yaml", "--no-plugins"), "refused here"),
        (("gone.py:A", "gone.py:B"), "no file 'gone.py'"),
    ):
        done = semlink("check-model", *words, folder=tmp_path)
        assert done.code == 2 and says in done.err and "Traceback" not in done.err, done.err


def test_two_networks_alone_are_a_scenario():
    tree = tree_of_networks("a.py:A", "a.py:B", ["source.size=[32,32]", "symbols=halves", "sweep.budget=0.5"])
    assert tree["source"]["size"] == [32, 32] and tree["sweep"]["budget"] == 0.5
    assert tree["schemes"][0]["symbols"] == "halves" and tree["schemes"][0]["decoder"] == {"network": "a.py:B"}
    assert tree_of_networks("a.py:A", "a.py:B", [])["source"]["size"] == [64, 64]


def test_a_pickle_of_weights_needs_a_word_of_its_own(tmp_path):
    torch.save(model_toys.Encoder().state_dict(), tmp_path / "e.pth")
    encoder = {"network": f"{TOYS}:Encoder", "checkpoint": "e.pth"}
    tree = {
        "name": "p",
        "source": {"kind": "scenes"},
        "channel": {"kind": "awgn"},
        "sweep": {"snr_db": 4, "budget": 0.1},
        "schemes": [{"name": "m", "kind": "model", "encoder": encoder, "decoder": f"{TOYS}:Decoder"}],
    }
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(tree))
    with pytest.raises(ScenarioError, match=r"p.yaml:\d+: .*would read the pickle 'e.pth'.*--allow-pickle"):
        load(tmp_path / "p.yaml")
    assert load(tmp_path / "p.yaml", pickles=True).schemes[0].encoder.checkpoint == "e.pth"
