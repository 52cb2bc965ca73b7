"""Keys of points: the same for the same numbers, another for anything that changes them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from generator_toys import small_weights
from pydantic import create_model
from small_runs import job

from semlink.link.results.code import commit
from semlink.link.scenario.loader import load_scenario
from semlink.link.scenario.scenario import Scenario
from semlink.link.sweep.grid import grid
from semlink.link.sweep.point_key import point_key, revisions, specs_of
from semlink.link.sweep.run import run
from semlink.phy.specs.codings import LdpcSpec
from semlink.spec import Spec


def keys(folder: Path, weights: str) -> list[str]:
    """Of one scheme that names weights, one that does not, and one whose generator nobody trained."""
    coding = {"kind": "ldpc", "modulation": "qpsk", "rate": "1/2"}
    random = {"kind": "random", "operator": "identity"}
    content = {
        "name": "s",
        "source": {"kind": "digits", "clips": 1, "frames": 5},
        "channel": {"kind": "awgn"},
        "sweep": {"snr_db": 10, "budget": 0.02},
        "schemes": [
            {"name": "a", "kind": "digital", "codec": {"kind": "gmlr", "weights": weights}, "coding": coding},
            {"name": "b", "kind": "digital", "codec": {"kind": "h264"}, "coding": coding},
            {
                "name": "c",
                "kind": "sensing",
                "sensor": random,
                "reconstruction": {"kind": "gmlr", "weights": "random"},
            },
        ],
    }
    path = folder / "s.yaml"
    path.write_text(yaml.safe_dump(content))
    scenario = load_scenario(path)
    return [point_key(scenario, point, "clips", folder) for point in grid(scenario)]


def test_weights_trained_again_are_computed_again_and_nothing_else_is(tmp_path):
    weights = str(small_weights(tmp_path, seed=0))
    before = keys(tmp_path, weights)
    assert keys(tmp_path, weights) == before
    assert str(small_weights(tmp_path, seed=1)) == weights
    after = keys(tmp_path, weights)
    assert after[0] != before[0] and after[1:] == before[1:]


SCENARIO = {
    "name": "s",
    "source": {"kind": "scenes", "clips": 1},
    "channel": {"kind": "rician", "k_db": 6},
    "sweep": {"snr_db": 10, "budget": 0.02},
    "schemes": [
        {
            "name": "a",
            "kind": "digital",
            "codec": {"kind": "h264"},
            "coding": {"kind": "ldpc", "modulation": "qpsk", "rate": "1/2"},
        }
    ],
}


def key(scenario: Scenario, clips: str = "clips", folder: Path | None = None) -> str:
    return point_key(scenario, grid(scenario)[0], clips, folder)


def with_option(spec: Spec, default: int) -> type[Spec]:
    """The class of a spec as it would be with one more option."""
    return create_model("More", __base__=type(spec), option=(int, default))


def replaced(scenario: Scenario, place: str, spec: object) -> Scenario:
    """The scenario with another spec as its channel, or as the coding of its scheme."""
    if place == "channel":
        return scenario.model_copy(update={"channel": [spec]})
    return scenario.model_copy(update={"schemes": [scenario.schemes[0].model_copy(update={place: spec})]})


def spec_at(scenario: Scenario, place: str) -> Spec:
    return scenario.channel[0] if place == "channel" else dict(scenario.schemes[0])[place]


@pytest.mark.parametrize("place", ["channel", "codec", "coding"])
def test_a_new_option_at_its_default_invalidates_nothing(place):
    scenario = Scenario.model_validate(SCENARIO)
    old = spec_at(scenario, place)
    more, given = with_option(old, 3), old.model_dump(exclude_unset=True)
    assert key(replaced(scenario, place, more(**given))) == key(scenario)
    assert key(replaced(scenario, place, more(**given, option=3))) == key(scenario)
    assert key(replaced(scenario, place, more(**given, option=4))) != key(scenario)


@pytest.mark.parametrize("place", ["channel", "codec", "coding"])
def test_a_block_whose_numbers_changed_is_computed_again(place, monkeypatch):
    scenario = Scenario.model_validate(SCENARIO)
    before, spec = key(scenario), spec_at(scenario, place)
    monkeypatch.setattr(type(spec), "revision", 99)
    assert key(scenario) != before
    used = specs_of(scenario, grid(scenario)[0])
    assert revisions(used)[place if place == "channel" else f"scheme.{place}"] == 99


def test_the_waveform_that_a_channel_asks_for_counts(monkeypatch):
    scenario = Scenario.model_validate(SCENARIO)
    before = key(scenario)
    monkeypatch.setattr(type(scenario.channel[0].default_waveform()), "revision", 99)
    assert key(scenario) != before


@pytest.mark.parametrize(
    "change, same",
    [
        ({"name": "t", "description": "words"}, True),
        ({"seed": 1, "trials": {"min": 4}}, True),
        ({"channel": {"kind": "rician", "k_db": 6.0}}, True),
        ({"sweep": {"snr_db": [10, 11], "budget": [0.02, 0.3]}}, True),
        ({"seed": 2}, False),
        ({"trials": {"min": 5}}, False),
        ({"metrics": ["psnr"]}, False),
        ({"channel": {"kind": "rician", "k_db": 7}}, False),
        ({"channel": {"kind": "rayleigh"}}, False),
        ({"waveform": {"kind": "plain"}}, False),
        ({"sweep": {"snr_db": 11, "budget": 0.02}}, False),
        ({"schemes": [SCENARIO["schemes"][0] | {"name": "b"}]}, False),
    ],
)
def test_what_a_key_depends_on(change, same):
    scenario = Scenario.model_validate(SCENARIO)
    assert (key(Scenario.model_validate(SCENARIO | change)) == key(scenario)) is same
    assert key(scenario, clips="others") != key(scenario)


@pytest.mark.parametrize("kind, moved", [("awgn", False), ("rician", True)])
@pytest.mark.parametrize("coding", [{"mcs": "best"}, {"modulation": "qpsk", "rate": 0.5}])
def test_a_choice_that_moved_over_some_channels_leaves_the_rest(monkeypatch, kind, moved, coding):
    scheme = {"name": "c", "kind": "digital", "codec": {"kind": "h264"}, "coding": {"kind": "ldpc"} | coding}
    channel = {"kind": kind} | ({"k_db": 6} if moved else {})
    scenario = Scenario.model_validate(SCENARIO | {"channel": channel, "schemes": [scheme]})
    before = key(scenario)
    monkeypatch.setattr(LdpcSpec, "choice_revision", LdpcSpec.choice_revision + 1)
    assert (key(scenario) != before) is (moved and "mcs" in coding)


def test_a_default_written_out_is_the_default():
    """`manifest.json` writes every default; running it again finds the same points."""
    scenario = Scenario.model_validate(SCENARIO)
    assert key(Scenario.model_validate(scenario.model_dump(mode="json"))) == key(scenario)


@pytest.mark.parametrize("form", ["{file}.py:Mine", "mine_of_keys:Mine"])
def test_an_edited_user_class_is_computed_again(tmp_path, monkeypatch, form):
    file = tmp_path / "mine_of_keys.py"
    file.write_text("class Mine: ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    kind = form.format(file=file.with_suffix(""))
    scenario = Scenario.model_validate(SCENARIO | {"channel": {"kind": kind}})
    before = key(scenario, folder=tmp_path)
    file.write_text("class Mine: gain = 2\n")
    assert key(scenario, folder=tmp_path) != before


def test_a_record_carries_commit_and_revisions(tmp_path):
    made = job(tmp_path)
    run(made)
    kept = made.results.keys()
    records = [made.results.read(key) for key in kept]
    assert {record["versions"]["commit"] for record in records} == {commit()}
    told = [record["revisions"] for record in records]
    assert all(found["channel"] == 1 for found in told)
    assert {found.get("scheme") for found in told} == {1, None}  # None: of a user's scheme its text is in the key
