"""Many broken and many right channels: each fault is named, and no right channel is wronged."""

from __future__ import annotations

import broken_channels
import pytest
import right_channels
import test_conformance

from semlink.phy.conformance.examine import check, render

SMALL = {"symbols": 4096, "clips": 8, "draws": 1024}
LONG = ("fading law", "doppler")
FEW = (0, 9, 16, 19)
"""Kinds of right channels examined by default: noise alone, losses, impulses, and one that tells all it knows."""


def faults():
    """Every fault; by default the first one of each check that no channel of `test_conformance` fails."""
    seen = {*LONG, *(name for _, name, _ in test_conformance.BROKEN)}
    for fault, case in broken_channels.FAULTS.items():
        yield pytest.param(*case, id=fault, marks=pytest.mark.slow if case[1] in seen else ())
        seen.add(case[1])


def kinds():
    for number in range(len(right_channels.KINDS)):
        yield pytest.param(number, marks=() if number in FEW else pytest.mark.slow)


@pytest.mark.parametrize(("channel", "name"), [*faults()])
def test_a_fault_fails_the_check_of_its_name(channel, name):
    report = check(channel() if isinstance(channel, type) else channel, only=(name,))
    assert report.failed == (name,), render(report)


def test_every_check_has_a_channel_that_fails_it():
    named = {name for _, name in broken_channels.FAULTS.values()} | {name for _, name, _ in test_conformance.BROKEN}
    every = {one.name for one in check(right_channels.right_channel(0), quick=True).checks}
    assert every - named == {"runs", "device"}  # another test has the first; the second takes a GPU


@pytest.mark.parametrize("number", [*kinds()])
def test_a_right_channel_passes(number):
    channel = right_channels.right_channel(number)
    report = check(channel, seed=1 + number, **SMALL)
    assert report.passed, f"{channel!r}\n{render(report)}"


def test_rare_impulses_whose_power_is_known_poorly_keep_their_law():
    """0.8 % of the symbols at 151 times the power: the deviation of 32,768 parts is known to 3 % only."""
    channel = right_channels.right_channel(830)
    assert channel.noise_law == ("impulsive", pytest.approx(0.00781, abs=1e-5), pytest.approx(151.2, abs=0.1))
    (law,) = (one for one in check(channel, seed=831, **SMALL).checks if one.name == "noise law")
    assert law.verdict == "pass"


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 1000, 50))
def test_a_thousand_right_channels_pass(first):
    for number in range(first, first + 50):
        report = check(right_channels.right_channel(number), seed=1 + number, **SMALL)
        assert report.passed, f"{number}\n{render(report)}"
