"""Conformance: noise of the stated power at every SNR and time, white, circular, of the stated law."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import stats

from semlink.blocks import NoiseLaw
from semlink.phy.conformance.chance import (
    correlation_at_lags,
    least_chance,
    mean_and_reach,
    share_limit,
    sigmas,
)
from semlink.phy.conformance.probe import FAINT, Probe
from semlink.phy.conformance.verdict import Check, judged
from semlink.units import from_db, to_db

SNR_TOLERANCE_DB = 0.05
PIECES = 16  # of a clip: pieces of noise are independent, symbols of a burst are not
SCALES = 15
"""Scales tried where the deviation is known poorly."""
KS_SAMPLES = 100_000
SMOOTH_LAGS = 64
OTHERS = ({"trial": 1}, {"trial": 40}, {"root": 1}, {"first": 500})


def snr(probe: Probe) -> Check:
    """Noise power is 10^(-snr/10) per complex use of a unit-power signal."""
    told: list[str] = []
    worst = 0.0, ""
    if bool(probe.silent[probe.own_noise].all()):
        return Check("snr", "skip", "nothing arrives")
    tolerance_db = 0.0
    for asked in probe.snr_db:
        pieces = _piece_powers(probe, noise_at(probe, asked)).flatten()
        power, reach = mean_and_reach(pieces[~pieces.isnan()], len(probe.snr_db))
        if not power > FAINT * from_db(-asked):
            told, worst = [*told, "none"], (-math.inf, f"no noise at {asked:g} dB")
            continue
        allowed_db = max(SNR_TOLERANCE_DB, to_db(1 + min(reach / power, 1e6)))
        off_db = to_db(power) + asked
        told.append(f"{-to_db(power):.2f}")
        tolerance_db = max(tolerance_db, allowed_db)
        if abs(off_db) > max(abs(worst[0]), allowed_db):
            worst = (off_db, f"noise {abs(off_db):.2f} dB too {'strong' if off_db > 0 else 'weak'} at {asked:g} dB")
    measured = f"{' / '.join(told)} dB" + (f": {worst[1]}" if worst[1] else "")
    asked_text = " / ".join(f"{value:g}" for value in probe.snr_db)
    return judged("snr", not worst[1], measured, f"{asked_text} dB within {max(tolerance_db, SNR_TOLERANCE_DB):.2f}")


def steady_noise(probe: Probe) -> Check:
    """Noise is as strong at the end as at the start, in every clip and in every trial."""
    name, expected = "steady noise", "the same power at all times, for all clips and trials"
    powers = _piece_powers(probe, noise_at(probe, probe.snr_db[0]))
    whole = powers[~powers.isnan()]
    if not len(whole) or float(whole.mean()) < FAINT:
        return Check(name, "skip", "no noise")
    mean = float(whole.mean())
    times = torch.linspace(-1, 1, PIECES).double()
    slope = (powers * times).nanmean(1) / times.square().mean()
    rise, reach = mean_and_reach(slope[~slope.isnan()], 2)
    if abs(rise) > max(reach, 0.01 * mean):
        return Check(name, "fail", f"power changes by {2 * rise / mean:+.1%} from start to end", expected)
    parts = {f"part {number + 1} of {PIECES} of a clip": powers[:, number] for number in range(PIECES)}
    if probe.channel.noise_law == "gaussian":
        parts |= {f"clip {number}": row for number, row in enumerate(powers)}
    parts |= _other_powers(probe)
    spread = whole - mean
    for what, values in parts.items():
        values = values[~values.isnan()]
        if len(values) < 2:
            continue
        _, reach = mean_and_reach(spread, 2 * len(parts))
        allowed = reach * math.sqrt(len(whole) / len(values) + 1)
        off = float(values.mean()) - mean
        if abs(off) > max(allowed, 0.01 * mean):
            return Check(name, "fail", f"power {off / mean:+.1%} in {what}", expected)
    return Check(name, "pass", f"from start to end {2 * rise / mean:+.1%}, and the same in other trials", expected)


def white_noise(probe: Probe) -> Check:
    """Noise on one symbol tells nothing about that on any other."""
    noise = noise_at(probe, probe.snr_db[0])[probe.own_noise]
    if float(noise.abs().square().mean()) < FAINT:
        return Check("white noise", "skip", "no noise")
    num = noise.shape[1]
    straight = correlation_at_lags(noise, noise)[1:num]
    mirrored = correlation_at_lags(noise, noise.conj())[1:num]
    found, limit = torch.maximum(straight, mirrored), share_limit(2 * num)
    at = int(found.argmax())
    pairs = len(noise) * (num - 1 - at)
    worst = math.sqrt(float(found[at]) / pairs)
    smooth = float(stats.gamma.sf(float(straight[:SMOOTH_LAGS].sum()) / 2, SMOOTH_LAGS))
    good = float(found[at]) <= limit and smooth > least_chance()
    measured = f"autocorrelation {worst:.4f} at lag {at + 1}"
    if good or float(found[at]) > limit:
        return judged("white noise", good, measured, f"below {math.sqrt(limit / pairs):.4f} at all lags to {num - 1}")
    return Check("white noise", "fail", f"autocorrelation spread over lags to {SMOOTH_LAGS}, p = {smooth:.1g}", "none")


def circular_noise(probe: Probe) -> Check:
    """Mean zero, half of the power in each real dimension, the two uncorrelated."""
    noise = _heard_noise(probe).to(torch.complex128)
    power = float(noise.abs().square().mean()) if len(noise) else 0.0
    if power < FAINT:
        return Check("circular noise", "skip", "no noise")
    limit = sigmas(4) * math.sqrt(float(noise.abs().pow(4).mean()) / power**2 / len(noise))
    lean = float((noise**2).mean().abs()) / power
    mean = float(noise.mean().abs()) / math.sqrt(power)
    share = float(noise.real.square().mean()) / power
    good = lean <= limit and mean <= limit
    measured = f"|E w^2| {lean:.4f}, |E w| {mean:.4f}, {share:.1%} of the power in the real part"
    return judged("circular noise", good, measured, f"below {limit:.4f}, 50%")


def noise_law(probe: Probe) -> Check:
    """Kolmogorov-Smirnov and the fourth moment of both parts, against the law that the channel states."""
    told = probe.channel.noise_law
    noise = _heard_noise(probe)
    if not len(noise) or float(noise.abs().square().mean()) < FAINT:
        return Check("noise law", "skip", "no noise")
    law = stated_law(told)
    if law is None:
        return Check("noise law", "skip", f"law {told!r} is not one the kit knows")
    chances, fourths, good = [], [], True
    for part in (noise.real, noise.imag):
        sample = part.flatten().double()
        spread = float(sample.std())
        if spread < 1e-3 * float(noise.abs().max()):  # the other dimension is for the check on circularity
            continue
        sample = sample / spread
        chances.append(_chance_under(law, sample))
        fourth, reach = mean_and_reach(sample.pow(4), 2)
        reach = max(reach, sigmas(2) * law.fourth_spread / math.sqrt(len(sample)))
        fourths.append(fourth)
        good = good and chances[-1] > least_chance(4) and abs(fourth - law.fourth) <= reach + 0.01 * law.fourth
    measured = f"p = {min(chances):.2g}, E w^4 / (E w^2)^2 = {max(fourths):.2f}"
    advice = "" if told != "gaussian" else "; another law is declared as noise_law"
    return judged("noise law", good, measured, f"{law.name}, p above {least_chance(4):g}, {law.fourth:.2f}{advice}")


def _chance_under(law: StatedLaw, sample: torch.Tensor) -> float:
    """Of Kolmogorov's and Smirnov's distance or a greater one, for a sample over its own standard deviation.

    With rare impulses that deviation is known to a few percent only; the scale within its reach that fits best counts.
    """
    reach = sigmas(4) * math.sqrt((law.fourth - 1) / len(sample)) / 2 if law.share else 0.0
    scales = np.linspace(1 - min(reach, 0.5), 1 + reach, SCALES) if law.share else (1.0,)
    return max(float(stats.kstest(sample[:KS_SAMPLES].numpy() * scale, law.cdf).pvalue) for scale in scales)


class StatedLaw:
    """A normal law, or a mixture of two with mean square 1: a `share` of the symbols is `ratio` times as strong."""

    def __init__(self, name: str, share: float = 0.0, ratio: float = 1.0) -> None:
        self.name, self.share = name, share
        self.low = 1 / (1 - share + share * ratio)
        self.high = ratio * self.low

    def cdf(self, value: np.ndarray) -> np.ndarray:
        """Of one real dimension, over its standard deviation."""
        quiet, loud = (stats.norm.cdf(value / math.sqrt(power)) for power in (self.low, self.high))
        return (1 - self.share) * quiet + self.share * loud

    @property
    def fourth(self) -> float:
        """E w^4."""
        return 3 * ((1 - self.share) * self.low**2 + self.share * self.high**2)

    @property
    def fourth_spread(self) -> float:
        """Standard deviation of w^4."""
        return math.sqrt(105 * ((1 - self.share) * self.low**4 + self.share * self.high**4) - self.fourth**2)


def stated_law(told: NoiseLaw) -> StatedLaw | None:
    """The law that a channel states; None for one that only says that it is another."""
    match told:
        case "gaussian":
            return StatedLaw("normal")
        case ("impulsive", share, ratio):
            return StatedLaw(f"impulsive, {share:g} at {ratio:g} times the power", float(share), float(ratio))
    return None


def noise_at(probe: Probe, snr_db: float) -> torch.Tensor:
    """Noise at `snr_db`; of a channel that never repeats itself, what it adds to silence."""
    if probe.repeatable:
        return probe.first_noise if snr_db == probe.snr_db[0] else probe.noise(snr_db)
    return probe.hear(torch.zeros_like(probe.x), snr_db, probe.seeds()).iq.detach()


def _piece_powers(probe: Probe, noise: torch.Tensor) -> torch.Tensor:
    """Mean power of what is heard, in pieces of the clips with noise of their own: float64 (clip, piece)."""
    kept = probe.own_noise
    length = noise.shape[1] // PIECES
    shape = (len(kept), PIECES, length)
    power = noise[kept, : PIECES * length].abs().double().square().reshape(shape)
    heard = (~probe.silent[kept, : PIECES * length]).reshape(shape)
    return (power * heard).sum(2) / heard.sum(2).double()


def _other_powers(probe: Probe) -> dict[str, torch.Tensor]:
    """Powers of the noise in other trials, under another root seed and for other clips."""
    if not probe.repeatable or bool(probe.silent.any()):
        return {}
    parts = {}
    for change in OTHERS:
        (what, value), *_ = change.items()
        noise = probe.noise(probe.snr_db[0], probe.seeds(**change))
        label = {"trial": f"trial {value}", "root": "another root seed", "first": f"clips from {value} on"}[what]
        parts[label] = _piece_powers(probe, noise).flatten()
    return parts


def _heard_noise(probe: Probe) -> torch.Tensor:
    """Noise at the first SNR, silence and clips that repeat another's left out."""
    return noise_at(probe, probe.snr_db[0])[probe.own_noise][~probe.silent[probe.own_noise]]


EXACT = ()
BY_CHANCE = (snr, steady_noise, white_noise, circular_noise, noise_law)
