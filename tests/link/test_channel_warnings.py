"""A run says what is doubtful about its channels, and goes on."""

from __future__ import annotations

import json
import time
from collections import Counter

import pytest

import semlink
from semlink.blocks import ChannelBase
from semlink.phy.conformance import examine
from semlink.phy.conformance.probe import Probe

LOUD = """
class Loud:
    def __call__(self, iq, snr_db, seeds):
        return iq + seeds.complex_normal("noise", iq.shape[1]) * 10 ** (-int(snr_db) / 20) * {scale}
"""


def scenario(channel, **more):
    return {
        "name": "doubt",
        "seed": 1,
        "source": {"kind": "scenes", "clips": 1, "frames": 4, "size": [32, 32]},
        "channel": channel,
        "sweep": {"snr_db": [10], "budget": [0.5]},
        "schemes": [{"name": "softcast", "kind": "softcast"}],
        "trials": {"min": 1, "max": 1},
    } | more


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """No verdict hangs on how fast the machine is: all checks are made."""
    monkeypatch.setattr(examine, "QUICK_S", float("inf"))


def warnings_of(tmp_path, tree):
    semlink.run(tree, tmp_path / "out")
    kept = json.loads((tmp_path / "out" / "manifest.json").read_text())["warnings"]
    return [line for line in kept if line.startswith("channel ")]


def test_a_users_channel_that_is_wrong_is_named(tmp_path):
    (tmp_path / "loud.py").write_text(LOUD.format(scale=1.3))
    (line,) = warnings_of(tmp_path, scenario({"kind": f"{tmp_path}/loud.py:Loud"}))
    assert "loud.py:Loud: fails the check 'snr': " in line and "see semlink check-channel" in line


@pytest.mark.parametrize("channel", [{"kind": "awgn"}, {"kind": "docs/examples/dropouts.py:Dropouts", "share": 0.05}])
def test_a_right_channel_is_not_spoken_of(tmp_path, channel):
    assert warnings_of(tmp_path, scenario(channel)) == []


@pytest.mark.parametrize(
    "channel",
    [{"kind": "rayleigh"}, {"kind": "phase-noise", "linewidth": 1e-4}, {"kind": "docs/examples/shadowed.py:Shadowed"}],
)
def test_plain_on_a_channel_that_fades_is_doubtful(tmp_path, channel):
    (line,) = warnings_of(tmp_path, scenario(channel, waveform={"kind": "plain"}))
    assert "a waveform without pilots cannot follow it" in line


@pytest.mark.parametrize("channel", [{"kind": "awgn"}, {"kind": "docs/examples/dropouts.py:Dropouts", "share": 0.05}])
def test_the_quick_part_sends_few_symbols(channel, monkeypatch):
    """Half a second of work or so, against half a minute of the full check."""
    made, sent, real = semlink.load(scenario(channel)).channel[0].build(), Counter(), Probe.hear_as_is

    def counted(probe, iq, *rest):
        sent.update(calls=1, symbols=iq.numel())
        return real(probe, iq, *rest)

    monkeypatch.setattr(Probe, "hear_as_is", counted)
    report = examine.check(made, quick=True)
    assert 100 < sent["calls"] < 1000 and 1e5 < sent["symbols"] < 1e6
    assert {"snr", "white noise", "in time", "linear"} <= {c.name for c in report.checks if c.verdict == "pass"}


def test_a_slow_channel_is_left_to_the_full_check(monkeypatch):
    monkeypatch.setattr(examine, "QUICK_S", 0.5)

    class Slow(ChannelBase):
        def __call__(self, iq, snr_db, seeds):
            until = time.process_time() + 0.05
            while time.process_time() < until:
                pass
            return iq + seeds.complex_normal("noise", iq.shape[1]) * 10 ** (-snr_db / 20)

    report = examine.check(Slow(), quick=True)
    assert report.passed
    assert "left to the full check" in {c.measured for c in report.checks}
