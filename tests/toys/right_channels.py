"""Channels that do what they must, with options by chance: none may fail a check of the conformance kit."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import broken_channels as parts
import numpy as np
import torch

from semlink.payload import ChannelOutput
from semlink.phy.channels.awgn import Awgn
from semlink.phy.channels.erasures import Erasure, GilbertElliott
from semlink.phy.channels.fading import Rayleigh, Rician
from semlink.phy.channels.interference import Interference
from semlink.phy.channels.multipath_38901 import Cdl, Tdl
from semlink.phy.channels.phase_noise import PhaseNoise

ROOT = Path(__file__).parents[2]


def from_file(path, name):
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


def log_uniform(rng, low, high):
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def stands(rng):
    """A coherence, and a Doppler shift that goes with it or None."""
    coherence = [1, 2, 7, 16, 64, 100, 333, 1000, "symbol", "block"][rng.integers(10)]
    if rng.random() < 0.5 or coherence == "block":
        return {"coherence": coherence}
    length = coherence if isinstance(coherence, int) else 1
    return {"coherence": coherence, "doppler": log_uniform(rng, 1e-5, 0.49 / length)}


def multipath(rng):
    return {
        "profile": "ABCDE"[rng.integers(5)],
        "delay_spread_ns": log_uniform(rng, 10, 1000),
        "speed_kmh": float(rng.choice([0, 3, 120, 500])),
        "bandwidth_mhz": float(rng.choice([1.92, 3.84, 7.68])),
    }


def interferer(rng):
    kind = ("tone", "burst", "qam")[rng.integers(3)]
    return Interference(rng.uniform(-10, 30), kind, duty=rng.uniform(0.02, 1), burst=int(rng.integers(1, 200)))


def clouded(rng):
    """Whole clips in the shade, 20 dB down."""
    share = rng.uniform(0.05, 0.5)
    high = (1 / (1 - 0.99 * share)) ** 0.5

    def gain(seeds, n):
        return high * torch.where(seeds.uniform("shade", 1) < share, 0.1, 1.0)

    return parts.faded(lambda s, n: gain(s, n) * parts.turn(s))


def offset(rng):
    step = rng.uniform(-0.5, 0.5)
    return parts.bent(lambda iq: iq * torch.exp(2j * torch.pi * step * torch.arange(iq.shape[1]).double()).to(iq))


def wandering(rng):
    """First-order Gauss-Markov, of which nothing is stated."""
    keep = rng.uniform(0.8, 0.999)

    def gain(seeds, n):
        from scipy.signal import lfilter

        w = seeds.complex_normal("fading", n).numpy()
        w[:, 1:] *= (1 - keep**2) ** 0.5
        return torch.from_numpy(lfilter([1.0], [1.0, -keep], w).astype(np.complex64))

    return parts.faded(gain)


def echoing(rng):
    """Rayleigh taps at whole symbols, with or without a word about them."""
    lags = np.unique(np.r_[0, rng.integers(1, 40, rng.integers(1, 4))])
    power = rng.dirichlet(np.ones(len(lags)))

    def hear(iq, snr_db, seeds):
        h = seeds.complex_normal("fading", len(lags)) * torch.from_numpy(power).float().sqrt()
        late = [torch.nn.functional.pad(iq, (int(lag), 0))[:, : iq.shape[1]] for lag in lags]
        return parts.awgn(sum(h[:, p : p + 1] * x for p, x in enumerate(late)), snr_db, seeds)

    told = {"bandwidth_hz": 1e6, "max_delay_s": lags[-1] * 1e-6} if rng.random() < 0.5 else {}
    return parts.Fault(hear, **told)


def hit(rng):
    share, ratio = log_uniform(rng, 1e-3, 0.2), log_uniform(rng, 2, 1000)
    law = ("impulsive", share, ratio) if rng.random() < 0.7 else "other"
    return parts.noisy(lambda iq, seeds: parts.impulsive(iq, seeds, share, torch.tensor(ratio)), noise_law=law)


def heavy(rng):
    """Student's t in each dimension, or Laplace."""
    if rng.random() < 0.5:
        return parts.noisy(parts.laplacian, noise_law="other")
    freedom = rng.uniform(5, 20)

    def noise(iq, seeds):
        rows = [seeds.numpy("noise", clip).standard_t(freedom, (iq.shape[1], 2)) for clip in seeds.clips]
        return torch.view_as_complex(torch.from_numpy(np.stack(rows) * (0.5 * (freedom - 2) / freedom) ** 0.5)).to(iq)

    return parts.noisy(noise, noise_law="other")


def saturating(rng):
    drive = rng.uniform(0.3, 1.5)

    def bend(iq):
        size = iq.abs().clamp(min=1e-9)
        return iq / size * torch.tanh(drive * size) / np.tanh(drive)

    return parts.bent(bend, linear=False)


def telling(rng):
    """Rayleigh, telling gain, noise and losses."""
    share, length = rng.uniform(0, 0.3), int(rng.integers(1, 100))

    def hear(iq, snr_db, seeds):
        lost = parts.lost_runs(seeds, iq.shape[1], share)
        h = parts.held(seeds, iq.shape[1], length)
        heard = parts.awgn(torch.where(lost, 0, h * iq), snr_db, seeds)
        return ChannelOutput(heard, noise_var=10 ** (-snr_db / 10), gain=torch.where(lost, 0, h), erased=lost)

    return parts.Fault(hear, law="rayleigh", coherence=length, mean_loss=share)


def uneven(rng):
    """Nakagami fading, whose law is not one that can be stated."""
    m = rng.uniform(0.5, 8)
    return parts.faded(lambda s, n: parts.nakagami(s, m))


KINDS = (
    lambda rng: Awgn(),
    lambda rng: Rayleigh(**stands(rng)),
    lambda rng: Rayleigh(**stands(rng)),
    lambda rng: Rician(k=rng.uniform(0, 20), **stands(rng)),
    lambda rng: Rician(k_db=rng.uniform(-10, 20), **stands(rng)),
    lambda rng: Erasure(rng.uniform(0, 0.9), int(rng.integers(1, 300))),
    lambda rng: GilbertElliott(
        rng.uniform(0.001, 0.3),
        rng.uniform(0.01, 1),
        int(rng.integers(1, 100)),
        rng.uniform(0, 0.05),
        rng.uniform(0.2, 1),
    ),
    interferer,
    lambda rng: PhaseNoise(log_uniform(rng, 1e-7, 0.5)),
    lambda rng: from_file("docs/examples/dropouts.py", "Dropouts")(
        rng.uniform(0, 0.5), int(rng.integers(1, 200)), bool(rng.integers(2))
    ),
    lambda rng: from_file("docs/examples/shadowed.py", "Shadowed")(rng.uniform(0, 6), int(rng.integers(1, 500))),
    lambda rng: from_file("semlink/cli/templates/channel.py", "MyChannel")(rng.uniform(0, 0.5)),
    clouded,
    offset,
    wandering,
    echoing,
    hit,
    heavy,
    saturating,
    telling,
    lambda rng: parts.faded(lambda s, n: parts.turn(s), law="constant", coherence="block"),
    uneven,
)
SLOW_KINDS = (lambda rng: Tdl(**multipath(rng)), lambda rng: Cdl(**multipath(rng)))


def right_channel(number):
    """The channel of this number; every fiftieth is multipath."""
    rng = np.random.default_rng([20, number])
    if number % 50 == 49:
        return SLOW_KINDS[number // 50 % 2](rng)
    return KINDS[number % len(KINDS)](rng)
