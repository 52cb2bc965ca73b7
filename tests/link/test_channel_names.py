"""Channels with a name: what tables say, and what it does not touch."""

from __future__ import annotations

import pytest
import toys
from small_runs import job, rows, scenario_file

import semlink
from semlink.errors import ScenarioError
from semlink.link.scenario.loader import load_scenario
from semlink.link.sweep.grid import grid
from semlink.link.sweep.plan import plan
from semlink.link.sweep.point_key import point_key
from semlink.link.sweep.run import run

ONE = {"sweep": {"snr_db": 8, "budget": 0.08}}
OWN = """class Louder:
    def __init__(self, gain_db=0.0{more}):
        self.gain_db = gain_db

    def __call__(self, iq, snr_db, seeds):
        return iq + 10 ** (-(snr_db + self.gain_db) / 20) * seeds.complex_normal("noise", iq.shape[1])
"""


def keys(folder, channel):
    scenario = load_scenario(scenario_file(folder, channel=channel, **ONE))
    return [point_key(scenario, point, "clips", folder) for point in grid(scenario)]


def test_a_name_changes_no_key(tmp_path):
    for spec in ({"kind": "awgn"}, {"kind": "rayleigh", "coherence": 64}, {"kind": "tdl", "speed_kmh": 30}):
        assert keys(tmp_path, spec) == keys(tmp_path, {**spec, "name": "in the street"})


@pytest.mark.parametrize(("more", "alike"), [("", True), (', name="x"', False)])
def test_a_name_reaches_a_users_channel_only_where_its_constructor_takes_one(tmp_path, more, alike):
    (tmp_path / "own.py").write_text(OWN.format(more=more))
    spec = {"kind": "own.py:Louder", "gain_db": 3.0}
    assert (keys(tmp_path, spec) == keys(tmp_path, {**spec, "name": "garage"})) is alike


def test_naming_a_channel_computes_nothing_and_renames_it_everywhere(tmp_path):
    small = {**ONE, "trials": {"min": 2, "max": 2}, "schemes": [{"name": "direct", "kind": f"{toys.__file__}:Direct"}]}
    run(job(tmp_path, channel={"kind": "awgn"}, **small))
    before = rows(tmp_path / "out")
    named = job(tmp_path, channel={"kind": "awgn", "name": "in the garage"}, **small)
    assert plan(named).missing == 0
    run(named)
    after = rows(tmp_path / "out")
    assert [{**row, "channel": "awgn"} for row in after] == before
    assert {row["channel"] for row in after} == {"in the garage"}
    found = semlink.results(tmp_path / "out", plugins=True)
    assert not found.doubts and found.per_clip(scheme="direct", channel="in the garage").shape == (2, 2)
    assert found.frames(scheme="direct", channel="in the garage").ndim == 3


def test_frames_are_found_by_the_name_in_the_table_whatever_the_scenario_left_out(tmp_path):
    """The manifest holds every option, the table's name those that were set."""
    small = {**ONE, "trials": {"min": 2, "max": 2}, "schemes": [{"name": "direct", "kind": f"{toys.__file__}:Direct"}]}
    tone = {"kind": "interference", "sir_db": 10}
    channels = [tone, {**tone, "interferer": "burst", "duty": 0.25}]
    run(job(tmp_path, channel=channels, **small))
    names = [row["channel"] for row in rows(tmp_path / "out")]
    assert names == ["interference(sir_db=10.0)", "interference(sir_db=10.0, interferer=burst, duty=0.25)"]
    found = semlink.results(tmp_path / "out", plugins=True)
    one, other = (found.frames(channel=name) for name in names)
    assert one.shape == other.shape and (one != other).any()


@pytest.mark.parametrize(
    ("channels", "line"),
    [
        (
            [{"kind": "awgn", "name": "a"}, {"kind": "rayleigh", "name": "a"}],
            r"two channels are called 'a'; names must differ",
        ),
        (
            [{"kind": "awgn"}, {"kind": "awgn", "name": "noise"}],
            r"the same as channel 1 but for its name; leave one of them out",
        ),
    ],
)
def test_channels_are_told_apart(tmp_path, channels, line):
    with pytest.raises(ScenarioError, match=line):
        load_scenario(scenario_file(tmp_path, channel=channels))
