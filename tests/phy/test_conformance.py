"""The kit passes every channel of ours and catches each classical mistake by its name."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from semlink.payload import ChannelOutput
from semlink.phy.channels.awgn import Awgn
from semlink.phy.channels.erasures import Erasure, GilbertElliott
from semlink.phy.channels.fading import Rayleigh, Rician
from semlink.phy.channels.interference import Interference
from semlink.phy.channels.multipath_38901 import Cdl, Tdl
from semlink.phy.channels.phase_noise import PhaseNoise
from semlink.phy.conformance.examine import check, render

SMALL = {"symbols": 4096, "clips": 8, "draws": 400}


def sigma(snr_db):
    return 10 ** (-snr_db / 20)


def noise(iq, snr_db, seeds):
    return seeds.complex_normal("noise", iq.shape[1]) * sigma(snr_db)


class Good:
    """The least that passes: a bare tensor, chance from the seeds."""

    def __call__(self, iq, snr_db, seeds):
        return iq + noise(iq, snr_db, seeds)


class GoodRayleigh:
    law, coherence = "rayleigh", "block"

    def __call__(self, iq, snr_db, seeds):
        return seeds.complex_normal("fading", 1) * iq + noise(iq, snr_db, seeds)


class TooStrong:
    """The variance of each real dimension is that of the complex use."""

    def __call__(self, iq, snr_db, seeds):
        return iq + noise(iq, snr_db, seeds) * 2**0.5


class TooWeak:
    def __call__(self, iq, snr_db, seeds):
        return iq + noise(iq, snr_db, seeds) / 2**0.5


class AmplitudeForPower:
    """10^(-snr/10) taken for a standard deviation: right at 0 dB only."""

    def __call__(self, iq, snr_db, seeds):
        return iq + seeds.complex_normal("noise", iq.shape[1]) * 10 ** (-snr_db / 10)


class NoPhase:
    def __call__(self, iq, snr_db, seeds):
        return seeds.complex_normal("fading", 1).abs() * iq + noise(iq, snr_db, seeds)


class NoPhasePerSymbol:
    law, coherence = "rayleigh", "symbol"

    def __call__(self, iq, snr_db, seeds):
        return seeds.complex_normal("fading", iq.shape[1]).abs() * iq + noise(iq, snr_db, seeds)


class RealGain:
    def __call__(self, iq, snr_db, seeds):
        return seeds.normal("fading", 1) * iq + noise(iq, snr_db, seeds)


class SnrOfTheBatch:
    def __call__(self, iq, snr_db, seeds):
        return iq + noise(iq, snr_db, seeds) * iq.abs().square().mean().sqrt()


class SnrOfTheClip:
    def __call__(self, iq, snr_db, seeds):
        return iq + noise(iq, snr_db, seeds) * iq.abs().square().mean(1, keepdim=True).sqrt()


class NormalisesTheBatch:
    def __call__(self, iq, snr_db, seeds):
        power = iq.abs().square().mean().clamp(min=1e-9)
        return iq / power.sqrt() + noise(iq, snr_db, seeds)


class SharedNoise:
    def __call__(self, iq, snr_db, seeds):
        return iq + noise(iq, snr_db, seeds.alone(0))


class SharedFading:
    def __call__(self, iq, snr_db, seeds):
        return seeds.alone(0).complex_normal("fading", 1) * iq + noise(iq, snr_db, seeds)


class Detached:
    def __call__(self, iq, snr_db, seeds):
        return iq.detach() + noise(iq, snr_db, seeds)


class DetachedGain:
    """A gradient is there, and wrong."""

    def __call__(self, iq, snr_db, seeds):
        return (iq + (0.5 * iq).detach()) / 1.5 + noise(iq, snr_db, seeds)


class ThroughNumpy:
    def __call__(self, iq, snr_db, seeds):
        return torch.from_numpy(iq.detach().numpy() + noise(iq, snr_db, seeds).numpy())


class TorchGlobal:
    def __call__(self, iq, snr_db, seeds):
        return iq + torch.randn_like(iq) * sigma(snr_db)


class NumpyGlobal:
    def __call__(self, iq, snr_db, seeds):
        w = np.random.randn(*iq.shape, 2).astype(np.float32) * 0.5**0.5
        return iq + torch.view_as_complex(torch.from_numpy(w)) * sigma(snr_db)


class Reseeds:
    def __call__(self, iq, snr_db, seeds):
        torch.manual_seed(0)
        return iq + torch.randn_like(iq) * sigma(snr_db)


class PythonGlobal:
    def __call__(self, iq, snr_db, seeds):
        return torch.polar(torch.tensor(1.0), torch.tensor(random.random())) * iq + noise(iq, snr_db, seeds)


class BuiltInSeed:
    def __call__(self, iq, snr_db, seeds):
        rng = torch.Generator().manual_seed(42)
        return iq + torch.randn(iq.shape, dtype=iq.dtype, generator=rng) * sigma(snr_db)


class OwnGenerator:
    def __init__(self):
        self.rng = torch.Generator().manual_seed(42)

    def __call__(self, iq, snr_db, seeds):
        return iq + torch.randn(iq.shape, dtype=iq.dtype, generator=self.rng) * sigma(snr_db)


class RootOnly:
    """A generator from the root seed alone: every trial is the same."""

    def __call__(self, iq, snr_db, seeds):
        rng = torch.Generator().manual_seed(seeds.root)
        return iq + torch.randn(iq.shape, dtype=iq.dtype, generator=rng) * sigma(snr_db)


class RealNoise:
    def __call__(self, iq, snr_db, seeds):
        return iq + seeds.normal("noise", iq.shape[1]) * sigma(snr_db)


class ColouredNoise:
    def __call__(self, iq, snr_db, seeds):
        w = noise(torch.empty(len(iq), iq.shape[1] + 1), snr_db, seeds)
        return iq + (w[:, 1:] + w[:, :-1]) / 2**0.5


class UniformNoise:
    def __call__(self, iq, snr_db, seeds):
        w = (seeds.uniform("noise", iq.shape[1], 2) - 0.5) * 6**0.5
        return iq + torch.view_as_complex(w) * sigma(snr_db)


class DoubleFading:
    """E|h|^2 = 2: the half that each real dimension gets was forgotten."""

    def __call__(self, iq, snr_db, seeds):
        return 2**0.5 * seeds.complex_normal("fading", 1) * iq + noise(iq, snr_db, seeds)


class UniformFading:
    law = "rayleigh"

    def __call__(self, iq, snr_db, seeds):
        size = (3 * seeds.uniform("size", 1) ** 2) ** 0.5
        return size * torch.exp(2j * torch.pi * seeds.uniform("phase", 1)) * iq + noise(iq, snr_db, seeds)


class FastForSlow(GoodRayleigh):
    """Slow fading by name, a new gain for each symbol in fact."""

    def __call__(self, iq, snr_db, seeds):
        return seeds.complex_normal("fading", iq.shape[1]) * iq + noise(iq, snr_db, seeds)


class SlowForFast(GoodRayleigh):
    coherence = 16


class WritesOver:
    def __call__(self, iq, snr_db, seeds):
        iq += noise(iq, snr_db, seeds)
        return iq


class Doubles:
    def __call__(self, iq, snr_db, seeds):
        return iq.to(torch.complex128) + noise(iq, snr_db, seeds)


class DropsTheLast:
    def __call__(self, iq, snr_db, seeds):
        return (iq + noise(iq, snr_db, seeds))[:, :-1]


class NotANumber:
    def __call__(self, iq, snr_db, seeds):
        y = iq + noise(iq, snr_db, seeds)
        return torch.where(torch.arange(iq.shape[1]) == 500, torch.nan, y)


class TellsTheWrongNoise:
    def __call__(self, iq, snr_db, seeds):
        return ChannelOutput(iq + noise(iq, snr_db, seeds), noise_var=2 * sigma(snr_db) ** 2)


class TellsTheWrongGain:
    def __call__(self, iq, snr_db, seeds):
        h = seeds.complex_normal("fading", 1)
        return ChannelOutput(h * iq + noise(iq, snr_db, seeds), gain=h.conj().expand_as(iq))


class SecretTone:
    def __call__(self, iq, snr_db, seeds):
        return iq + 0.3 + noise(iq, snr_db, seeds)


class OneStreamForTheBatch:
    """Independent clips, but a clip's noise depends on where in the batch it is."""

    def __call__(self, iq, snr_db, seeds):
        rng = seeds.alone(0).torch("noise")
        return iq + torch.randn(iq.shape, dtype=iq.dtype, generator=rng) * sigma(snr_db)


BROKEN = [
    (TooStrong, "snr", "3.0. dB too strong"),
    (TooWeak, "snr", "3.0. dB too weak"),
    (AmplitudeForPower, "snr", "too weak at 31.3 dB"),
    (NoPhase, "phase", "without phase"),
    (NoPhasePerSymbol, "phase", "without phase"),
    (RealGain, "phase", "0 and pi"),
    (SnrOfTheBatch, "batch power", r"\+6.02 dB for a signal"),
    (SnrOfTheClip, "batch power", r"\+6.02 dB for a signal"),
    (NormalisesTheBatch, "batch power", "other clips"),
    (SharedNoise, "clips independent", "noise shared across the batch"),
    (SharedFading, "clips independent", "fading shared"),
    (Detached, "gradient", "detached"),
    (DetachedGain, "gradient", "off by"),
    (ThroughNumpy, "gradient", "detached"),
    (TorchGlobal, "hidden seed", "global generator of torch"),
    (NumpyGlobal, "hidden seed", "global generator of numpy"),
    (PythonGlobal, "hidden seed", "global generator of random"),
    (Reseeds, "hidden seed", "global generator of torch"),
    (BuiltInSeed, "hidden seed", "a seed is built in"),
    (OwnGenerator, "hidden seed", "of its own"),
    (RootOnly, "streams independent", "in trial 1"),
    (RealNoise, "circular noise", "100.0%"),
    (ColouredNoise, "white noise", r"0\.[45].* at lag 1"),
    (UniformNoise, "noise law", "p ="),
    (DoubleFading, "power out", r"= [12]\."),
    (UniformFading, "fading law", "p ="),
    (FastForSlow, "coherence", "stands still for 1 symbols"),
    (SlowForFast, "coherence", "correlate by 1"),
    (WritesOver, "input kept", "written over"),
    (Doubles, "dtype", "complex128"),
    (DropsTheLast, "count", "became"),
    (NotANumber, "finite", "NaN"),
    (TellsTheWrongNoise, "told noise", "told, .* measured"),
    (TellsTheWrongGain, "told gain", "off by"),
    (SecretTone, "interference", "power 0.09"),
    (OneStreamForTheBatch, "batch of one", "when sent alone"),
]
# what else these channels break, and rightly so
ALSO = {
    "RootOnly": {"batch of one", "clips independent", "prefix"},
    "OneStreamForTheBatch": {"prefix"},
    "SharedNoise": {"batch of one"},
    "SharedFading": {"batch of one"},
    "NormalisesTheBatch": {"linear"},
    "TorchGlobal": {"streams independent", "batch of one", "prefix"},
    "NumpyGlobal": {"streams independent", "batch of one", "prefix"},
    "PythonGlobal": {"streams independent", "clips independent"},
    "Reseeds": {"streams independent", "batch of one", "clips independent", "prefix"},
    "BuiltInSeed": {"streams independent", "batch of one", "clips independent", "prefix"},
    "OwnGenerator": {"determinism", "batch of one"},
    "ThroughNumpy": set(),
    "SnrOfTheBatch": {"gradient"},
}


def mistakes():
    """Every mistake; by default the first of each check."""
    seen = set()
    for build, name, words in BROKEN:
        yield pytest.param(build, name, words, id=build.__name__, marks=pytest.mark.slow if name in seen else ())
        seen.add(name)


@pytest.mark.parametrize(("build", "name", "words"), [*mistakes()])
def test_each_mistake_is_caught_by_name_and_no_other_is_claimed(build, name, words):
    import re

    report = check(build(), **SMALL)
    if name in ("count", "finite", "dtype"):
        assert name in report.failed  # nothing else can be measured on these
    else:
        assert set(report.failed) - ALSO.get(build.__name__, set()) == {name}, render(report)
    assert re.search(words, report[name].measured), report[name]


@pytest.mark.parametrize(
    "channel",
    [
        Good(),
        GoodRayleigh(),
        pytest.param(Awgn(), marks=pytest.mark.slow),
        pytest.param(Rayleigh(), marks=pytest.mark.slow),
        pytest.param(Rayleigh(64), marks=pytest.mark.slow),
        Rayleigh("symbol", 0.01),
        Rician(3, coherence="symbol"),
        pytest.param(Rician(k_db=8, coherence=4, doppler=0.005), marks=pytest.mark.slow),
        Erasure(0.1, 20),
        pytest.param(GilbertElliott(0.05, 0.2, 30), marks=pytest.mark.slow),
        pytest.param(Interference(3.0), marks=pytest.mark.slow),
        pytest.param(Interference(3.0, "burst"), marks=pytest.mark.slow),
        Interference(10.0, "qam"),
        PhaseNoise(1e-3),
        pytest.param(Tdl("C", 100), marks=pytest.mark.slow),
        pytest.param(Tdl("D", 30, 60), marks=pytest.mark.slow),
    ],
    ids=lambda channel: repr(channel).partition(" object at ")[0][:40],
)
def test_channels_that_are_right_pass(channel):
    report = check(channel, **SMALL)
    assert report.passed, render(report)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
@pytest.mark.parametrize("channel", [Awgn(), Rayleigh(32), Tdl("A", 300, 120), Cdl("A"), Cdl("D")], ids=repr)
def test_full_size_passes_at_several_seeds(channel, seed):
    report = check(channel, seed=seed)
    assert report.passed, render(report)
    assert "within 0.05" in report["snr"].expected


def test_a_plain_function_is_a_channel():
    def my_channel(iq, snr_db, seeds):
        return iq + noise(iq, snr_db, seeds)

    report = check(my_channel, **SMALL)
    assert report.passed and "my_channel" in report.channel


def test_amplifiers_are_measured_not_crashed_on():
    class Saturating:
        linear = False

        def __call__(self, iq, snr_db, seeds):
            size = iq.abs().clamp(min=1e-9)
            return iq / size * torch.tanh(size) / np.tanh(1.0) + noise(iq, snr_db, seeds)

    report = check(Saturating(), **SMALL)
    assert report.passed, render(report)
    Saturating.linear = True
    assert check(Saturating(), **SMALL).failed == ("linear",)


def test_words_the_kit_does_not_know_are_skipped():
    class Nakagami(GoodRayleigh):
        law, coherence = "nakagami", None

    report = check(Nakagami(), **SMALL)
    assert report.passed and report["fading law"].verdict == "skip"
    assert "nakagami" in report["fading law"].measured


def test_a_coherence_that_is_no_number_of_symbols_is_refused():
    class Uneven(GoodRayleigh):
        coherence = 2.5

    assert not check(Uneven(), **SMALL).passed


def test_what_a_channel_raises_is_reported():
    def picky(iq, snr_db, seeds):
        if iq.shape[1] < 5:
            raise RuntimeError("need five symbols\nor more")
        return iq + noise(iq, snr_db, seeds)

    report = check(picky, **SMALL)
    assert report.failed == ("count",)
    assert report["count"].measured == "raised RuntimeError: need five symbols"
    assert check(lambda iq, snr_db, seeds: None).failed == ("runs",)


def test_the_kit_leaves_the_global_generators_alone():
    torch.manual_seed(12345)  # no state that a channel here leaves behind
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    for build in (TorchGlobal, Reseeds, PythonGlobal):
        check(build(), quick=True)
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all() and before[2] == random.getstate()


def test_text_names_verdicts_and_counts():
    text = render(check(TooStrong(), **SMALL))
    assert "FAIL  snr" in text and text.splitlines()[-1].endswith("skipped") and "1 failed" in text
