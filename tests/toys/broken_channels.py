"""Channels with one fault each, and the check of the conformance kit that has to name it."""

from __future__ import annotations

import numpy as np
import torch

from semlink.blocks import ChannelBase
from semlink.payload import ChannelOutput
from semlink.phy.channels.fading import clarke_gain
from semlink.phy.channels.tapped_delay_line import Echoes


def sigma(snr_db):
    return 10 ** (-snr_db / 20)


def white(iq, seeds, name="noise"):
    return seeds.complex_normal(name, iq.shape[1])


def awgn(iq, snr_db, seeds):
    return iq + white(iq, seeds) * sigma(snr_db)


def held(seeds, n, length, name="fading"):
    length = min(length, n)
    return seeds.complex_normal(name, -(-n // length)).repeat_interleave(length, 1)[:, :n]


def moving(seeds, n, doppler):
    return torch.from_numpy(np.stack([clarke_gain(seeds.numpy("fading", c), n, doppler) for c in seeds.clips]))


class Fault(ChannelBase):
    """A channel made of a function (iq, snr_db, seeds), with what it states."""

    def __init__(self, hear, **stated):
        self.hear = hear
        for name, value in stated.items():
            setattr(self, name, value)

    def __call__(self, iq, snr_db, seeds):
        return self.hear(iq, snr_db, seeds)


def faded(make, **stated):
    return Fault(lambda iq, snr_db, seeds: awgn(make(seeds, iq.shape[1]) * iq, snr_db, seeds), **stated)


def noisy(make, **stated):
    return Fault(lambda iq, snr_db, seeds: iq + make(iq, seeds) * sigma(snr_db), **stated)


def bent(change, **stated):
    return Fault(lambda iq, snr_db, seeds: awgn(change(iq), snr_db, seeds), **stated)


def rayleigh(**stated):
    return {"law": "rayleigh", "coherence": "block"} | stated


class OtherCapacity(Fault):
    def __init__(self, factor):
        super().__init__(awgn, law="constant")
        self.factor = factor

    def capacity(self, snr_db):
        return self.factor * np.log2(1 + 10 ** (snr_db / 10))


class OtherGainPowers(Fault):
    def __init__(self, factor):
        super().__init__(lambda iq, snr_db, seeds: awgn(seeds.complex_normal("fading", 1) * iq, snr_db, seeds))
        self.factor = factor

    def gain_powers(self, uses, draws):
        return self.factor * np.random.default_rng(1).exponential(size=(draws, 1))


class Counts(ChannelBase):
    """Noise of the call's number beside the seeds."""

    calls = 0

    def __call__(self, iq, snr_db, seeds):
        Counts.calls += 1
        return iq + white(iq, seeds, f"noise{Counts.calls}") * sigma(snr_db)


class FirstIsOther(ChannelBase):
    """Warms up: the first call of an object is half as loud."""

    def __init__(self):
        self.warm = False

    def __call__(self, iq, snr_db, seeds):
        scale, self.warm = (1.0 if self.warm else 0.5), True
        return iq + scale * white(iq, seeds) * sigma(snr_db)


class WrongChain(ChannelBase):
    """Losses one by one, stated to come in bursts."""

    p_gb, p_bg, block, loss_good, loss_bad = 0.02, 0.18, 16, 0.0, 1.0

    def loss_chain(self):
        return self

    mean_loss = 0.1

    def __call__(self, iq, snr_db, seeds):
        lost = lost_runs(seeds, iq.shape[1], 0.1)
        return ChannelOutput(torch.where(lost, 0, awgn(iq, snr_db, seeds)), erased=lost)


def lost_runs(seeds, n, share, length=16):
    return (seeds.uniform("lost", -(-n // length)) < share).repeat_interleave(length, 1)[:, :n]


def losing(share, **stated):
    return Fault(lambda i, s, seeds: awgn(torch.where(lost_runs(seeds, i.shape[1], share), 0, i), s, seeds), **stated)


def coloured(lag, share):
    def make(iq, seeds):
        w = seeds.complex_normal("noise", iq.shape[1] + lag)
        return (1 - share) ** 0.5 * w[:, lag:] + share**0.5 * w[:, :-lag]

    return noisy(make)


def drifting(change):
    return noisy(lambda iq, seeds: white(iq, seeds) * change(torch.arange(iq.shape[1]) / 16384))


def scaled_noise(scale):
    """`scale` of the seeds."""
    return noisy(lambda iq, seeds: white(iq, seeds) * scale(seeds))


def by_clip(values):
    return torch.tensor(values, dtype=torch.float32)[:, None]


def shifted(by):
    return bent(lambda iq: torch.roll(torch.nn.functional.pad(iq, (by, 0)), 0)[:, : iq.shape[1]])


def dropping(iq):
    return torch.cat([iq[:, :90], iq[:, 91:], iq[:, :1]], 1) if iq.shape[1] > 91 else iq


def telling(var=None, gain=None, erased=None, share=0.0):
    def hear(iq, snr_db, seeds):
        lost = lost_runs(seeds, iq.shape[1], share)
        h = seeds.complex_normal("fading", 1).expand(iq.shape)
        y = awgn(torch.where(lost, 0, h * iq), snr_db, seeds)
        told = {"noise_var": var and var(snr_db), "gain": gain and gain(h), "erased": erased and erased(lost)}
        return ChannelOutput(y, **told)

    return Fault(hear)


def nakagami(seeds, m):
    rngs = [seeds.numpy("fading", clip) for clip in seeds.clips]
    return torch.tensor([r.gamma(m) / m for r in rngs]).sqrt().float()[:, None] * turn(seeds)


def turn(seeds, n=1):
    return torch.exp(2j * torch.pi * seeds.uniform("turn", n))


def rician(seeds, k):
    return (k / (k + 1)) ** 0.5 * turn(seeds) + (1 / (k + 1)) ** 0.5 * seeds.complex_normal("fading", 1)


def two_taps(lag, **stated):
    def hear(iq, snr_db, seeds):
        late = torch.nn.functional.pad(iq, (lag, 0))[:, : iq.shape[1]]
        h = seeds.complex_normal("fading", 2) * 0.5**0.5
        return awgn(h[:, :1] * iq + h[:, 1:] * late, snr_db, seeds)

    return Fault(hear, **stated)


def wrong_taps(iq, snr_db, seeds):
    taps = seeds.complex_normal("fading", 2)[:, :, None].expand(-1, -1, 2) * 0.5**0.5
    late = torch.nn.functional.pad(iq, (1, 0))[:, : iq.shape[1]]
    y = awgn(taps[:, 0, :1] * iq + taps[:, 1, :1] * late, snr_db, seeds)
    return Echoes(y, sigma(snr_db) ** 2, taps=1.1 * taps, stride=10**6, bandwidth_hz=1e6, max_delay_s=1e-6)


def one_stream(length):
    return Fault(
        lambda i, s, seeds: held(seeds, i.shape[1], length, "x") * i + white(i, seeds, "x") * sigma(s),
        law="rayleigh",
    )


def from_number(number):
    """Noise from a generator seeded by a number of the seeds."""

    def make(iq, seeds):
        rows = [np.random.default_rng(number(seeds.root, c, seeds.trial)) for c in seeds.clips]
        pairs = np.stack([r.standard_normal((iq.shape[1], 2), dtype=np.float32) for r in rows])
        return torch.view_as_complex(torch.from_numpy(pairs)) * 0.5**0.5

    return noisy(make)


def normalised(iq, seeds):
    w = white(iq, seeds)
    return w / w.abs().square().mean(1, keepdim=True).sqrt()


def impulsive(iq, seeds, share, ratio):
    loud = seeds.uniform("impulses", iq.shape[1]) < share
    return white(iq, seeds) * torch.where(loud, ratio, 1.0).sqrt() / (1 - share + share * ratio) ** 0.5


def unbalanced(w, ratio):
    return torch.complex(w.real * ratio**0.5, w.imag * (2 - ratio) ** 0.5)


def station(iq, snr_db, seeds):
    return awgn(iq + 0.5 * turn(seeds), snr_db, seeds)


FAULTS = {
    "mean gain power 0.9": (faded(lambda s, n: 0.9**0.5 * s.complex_normal("fading", 1), **rayleigh()), "power out"),
    "mean gain power 1.1": (faded(lambda s, n: 1.1**0.5 * held(s, n, 64), law="rayleigh"), "power out"),
    "signal scaled by 0.95": (bent(lambda iq: 0.95 * iq), "power out"),
    "gain falls over time": (
        faded(lambda s, n: s.complex_normal("fading", 1) * torch.exp(-torch.arange(n) / 5e4)),
        "power out",
    ),
    "one stream, gain of a clip": (one_stream(10**9), "noise and fading"),
    "one stream, gain of 64": (one_stream(64), "noise and fading"),
    "one stream, gain of a symbol": (one_stream(1), "noise and fading"),
    "phase and noise from one stream": (
        Fault(lambda i, s, d: turn_of(d, "x") * i + white(i, d, "x") * sigma(s)),
        "noise and fading",
    ),
    "noise follows the fade": (
        Fault(lambda i, s, d: d.complex_normal("fading", 1) * awgn(i, s, d)),
        "noise and fading",
    ),
    **{
        f"doppler {part} of the stated": (
            faded(lambda s, n, part=part: moving(s, n, part * 0.004), law="rayleigh", doppler=0.004),
            "doppler",
        )
        for part in (0.3, 0.71, 0.9, 1.1, 3.0)
    },
    **{
        f"slow doppler {part} of the stated": (
            faded(lambda s, n, part=part: moving(s, n, part * 2e-4), law="rayleigh", doppler=2e-4),
            "doppler",
        )
        for part in (0.71, 0.9, 1.1)
    },
    "gain stands still for 71": (faded(lambda s, n: held(s, n, 71), law="rayleigh", coherence=64), "coherence"),
    "gain stands still for 58": (faded(lambda s, n: held(s, n, 58), law="rayleigh", coherence=64), "coherence"),
    "phase stands still for 64": (faded(lambda s, n: turn_held(s, n, 64), law="constant", coherence=70), "coherence"),
    "Rician of 5.5 for 5": (faded(lambda s, n: rician(s, 5.5), law=("rician", 5.0), coherence="block"), "fading law"),
    "Rician of 4.5 for 5": (faded(lambda s, n: rician(s, 4.5), law=("rician", 5.0), coherence="block"), "fading law"),
    "Rician of dB for ratio": (faded(lambda s, n: rician(s, 3.0), law=("rician", 2.0)), "fading law"),
    "Nakagami 1.1 for Rayleigh": (faded(lambda s, n: nakagami(s, 1.1), law="rayleigh"), "fading law"),
    "constant for Rayleigh": (faded(lambda s, n: turn(s), law="rayleigh"), "fading law"),
    "Rayleigh for constant": (faded(lambda s, n: held(s, n, 10**9), law="constant"), "fading law"),
    "turned by a constant": (bent(lambda iq: iq * np.exp(0.3j).astype(np.complex64).item()), "phase"),
    "sign": (bent(lambda iq: -iq), "phase"),
    "unbalanced gain": (faded(lambda s, n: unbalanced(s.complex_normal("fading", 1), 1.1), law="rayleigh"), "phase"),
    "capacity 10 % high": (OtherCapacity(1.1), "capacity"),
    "capacity 10 % low": (OtherCapacity(0.9), "capacity"),
    "gain powers 10 % high": (OtherGainPowers(1.1), "gain powers"),
    "echo told late": (two_taps(20, bandwidth_hz=1e6, max_delay_s=22e-6), "echoes"),
    "echo told early": (two_taps(20, bandwidth_hz=1e6, max_delay_s=18e-6), "echoes"),
    "taps told wrong": (Fault(wrong_taps, bandwidth_hz=1e6, max_delay_s=1e-6), "told gain"),
    "mean loss 10 % high": (losing(0.1, mean_loss=0.11), "losses"),
    "mean loss 10 % low": (losing(0.02, mean_loss=0.018), "losses"),
    "one symbol always lost": (bent(lambda iq: iq * (torch.arange(iq.shape[1]) != 3)), "losses"),
    "chain": (WrongChain(), "loss chain"),
    "interference 10 %": (Fault(station, interference_var=0.225), "interference"),
    "interference untold": (Fault(station), "interference"),
    "whole dB": (Fault(lambda i, s, d: awgn(i, int(s), d)), "snr"),
    "rounded dB": (Fault(lambda i, s, d: awgn(i, round(s), d)), "snr"),
    "SNR kept above 0": (Fault(lambda i, s, d: awgn(i, max(s, 0), d)), "snr"),
    "sign of the SNR": (Fault(lambda i, s, d: i + white(i, d) * sigma(-s)), "snr"),
    "noise 10 % strong": (Fault(lambda i, s, d: i + 1.1**0.5 * white(i, d) * sigma(s)), "snr"),
    "noise 10 % weak": (Fault(lambda i, s, d: i + 0.9**0.5 * white(i, d) * sigma(s)), "snr"),
    "no noise": (Fault(lambda i, s, d: i.clone()), "snr"),
    "Eb for Es": (Fault(lambda i, s, d: awgn(i, s + 3.0103, d)), "snr"),
    "noise grows": (drifting(lambda t: (0.95 + 0.1 * t) ** 0.5), "steady noise"),
    "noise in waves": (drifting(lambda t: (1 + 0.2 * torch.sin(2 * torch.pi * 2 * t)) ** 0.5), "steady noise"),
    "noise of the trial": (scaled_noise(lambda s: 1 + 0.005 * s.trial), "steady noise"),
    "noise of the clip": (scaled_noise(lambda s: by_clip([1 + 0.002 * c for c in s.clips])), "steady noise"),
    "noise of the root": (scaled_noise(lambda s: 1.0 if s.root % 2 else 1.1), "steady noise"),
    "lag 1, 4 %": (coloured(1, 0.0016), "white noise"),
    "lag 100": (coloured(100, 0.1), "white noise"),
    "lag 3000": (coloured(3000, 0.1), "white noise"),
    "noise repeats": (
        noisy(lambda i, d: d.complex_normal("noise", 700).repeat(1, -(-i.shape[1] // 700))[:, : i.shape[1]]),
        "white noise",
    ),
    "imaginary part late": (noisy(lambda i, d: late_imaginary(i, d)), "white noise"),
    "noise unbalanced": (noisy(lambda i, d: unbalanced(white(i, d), 1.1)), "circular noise"),
    "parts of noise alike": (
        noisy(lambda i, d: d.normal("noise", i.shape[1]) * (0.5 + 0.5j) ** 0.5 * 1),
        "circular noise",
    ),
    "noise with a mean": (noisy(lambda i, d: 0.99498744 * white(i, d) + 0.1), "circular noise"),
    "Laplacian": (noisy(lambda i, d: laplacian(i, d)), "noise law"),
    "impulses untold": (noisy(lambda i, d: impulsive(i, d, 0.01, 50.0)), "noise law"),
    "impulses told wrong": (
        noisy(lambda i, d: impulsive(i, d, 0.01, 50.0), noise_law=("impulsive", 0.02, 50.0)),
        "noise law",
    ),
    "clipped noise": (noisy(lambda i, d: clipped_noise(i, d)), "noise law"),
    "conjugated": (bent(torch.conj), "linear"),
    "conjugated and faded": (
        Fault(lambda i, s, d: awgn(d.complex_normal("fading", 1) * i.conj(), s, d), law="rayleigh"),
        "linear",
    ),
    "clipped": (bent(lambda iq: iq / iq.abs().clamp(min=1.5) * 1.5), "linear"),
    "clipped at 4": (bent(lambda iq: iq / iq.abs().clamp(min=4.0) * 4.0), "linear"),
    "parts clipped": (bent(lambda iq: torch.complex(iq.real.clamp(-1, 1), iq.imag.clamp(-1, 1))), "linear"),
    "unbalanced receiver": (bent(lambda iq: torch.complex(1.05 * iq.real, 0.947 * iq.imag)), "linear"),
    "bent": (bent(lambda iq: iq * (1 - 0.02 * iq.abs().square()) / 0.98), "linear"),
    "rounded": (
        bent(lambda iq: straight(iq, torch.complex((8 * iq.real).round(), (8 * iq.imag).round()) / 8)),
        "linear",
    ),
    "late by one": (shifted(1), "in time"),
    "late by 700": (shifted(700), "in time"),
    "early by one": (bent(lambda iq: torch.roll(iq, -1, 1)), "in time"),
    "backwards": (bent(lambda iq: iq.flip(1)), "in time"),
    "one sample dropped": (bent(dropping), "in time"),
    "noise follows the signal": (Fault(lambda i, s, d: i + white(i, d) * i.abs() * sigma(s)), "noise and signal"),
    "gain of the SNR": (Fault(lambda i, s, d: awgn(i * (1 + s * 1e-3) / (1 + 0.12), s, d)), "noise and signal"),
    "MMSE gain": (Fault(lambda i, s, d: awgn(i, s, d) / (1 + sigma(s) ** 2)), "noise and signal"),
    "noise of the length": (noisy(lambda i, d: white(i, d, f"noise{i.shape[1]}")), "prefix"),
    "noise from the back": (noisy(lambda i, d: white(i, d).flip(1)), "prefix"),
    "noise of exact power": (noisy(normalised), "prefix"),
    "gain of the length": (Fault(lambda i, s, d: awgn(d.complex_normal(f"h{i.shape[1]}", 1) * i, s, d)), "prefix"),
    "clip and trial added": (from_number(lambda root, clip, trial: root * 10**6 + clip + trial), "streams independent"),
    "no trial": (from_number(lambda root, clip, trial: [root, clip]), "streams independent"),
    "no root": (from_number(lambda root, clip, trial: [clip, trial]), "hidden seed"),
    "no clip": (from_number(lambda root, clip, trial: [root, trial]), "clips independent"),
    "fading without trial": (
        faded(
            lambda s, n: torch.tensor(
                [[complex(*np.random.default_rng([s.root, c]).standard_normal(2) / 2**0.5)] for c in s.clips],
                dtype=torch.complex64,
            )
        ),
        "streams independent",
    ),
    "noise told at whole dB": (telling(var=lambda s: 10 ** (-int(s) / 10)), "told noise"),
    "noise told as deviation": (telling(var=sigma), "told noise"),
    "noise told 10 % high": (telling(var=lambda s: 1.1 * sigma(s) ** 2), "told noise"),
    "gain told 10 % high": (telling(gain=lambda h: 1.1 * h), "told gain"),
    "gain told without phase": (telling(gain=lambda h: h.abs() + 0j), "told gain"),
    "gain told of another clip": (telling(gain=lambda h: h.roll(1, 0)), "told gain"),
    "arrived told as lost": (telling(erased=lambda lost: ~lost, share=0.1), "told erasures"),
    "no seed at all": (
        Fault(
            lambda i, s, d: (
                i
                + torch.from_numpy(np.random.default_rng().standard_normal((*i.shape, 2), np.float32)).view(
                    torch.complex64
                )[..., 0]
                * 0.5**0.5
                * sigma(s)
            )
        ),
        "determinism",
    ),
    "counts its calls": (Counts(), "determinism"),
    "other at first": (FirstIsOther, "determinism"),
    "infinite at 0": (Fault(lambda i, s, d: awgn(i / i.abs(), s, d) * i.abs()), "finite"),
    "complex128 half as strong": (
        Fault(lambda i, s, d: awgn(i if i.dtype == torch.complex64 else i / 2, s, d)),
        "dtype",
    ),
}


def turn_of(seeds, name):
    return torch.exp(2j * torch.pi * seeds.uniform(name, 1))


def turn_held(seeds, n, length):
    return turn(seeds, -(-n // length)).repeat_interleave(length, 1)[:, :n]


def late_imaginary(iq, seeds):
    w = seeds.normal("noise", iq.shape[1] + 1) * 0.5**0.5
    return torch.complex(w[:, 1:], w[:, :-1])


def laplacian(iq, seeds):
    u = seeds.uniform("noise", iq.shape[1], 2).clamp(1e-6, 1 - 1e-6) - 0.5
    return torch.view_as_complex(-u.sign() * (1 - 2 * u.abs()).clamp(min=1e-7).log() * 0.5)


def clipped_noise(iq, seeds):
    w = seeds.normal("noise", iq.shape[1], 2).clamp(-2, 2)
    return torch.view_as_complex(w) * 0.5**0.5 / 0.7737**0.5**2


def straight(iq, rounded):
    """Rounded, with the gradient of what was rounded."""
    return iq + (rounded - iq).detach()
