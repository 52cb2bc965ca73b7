"""Conformance: noise of the stated power, white, circular, Gaussian, and blind to the batch."""

from __future__ import annotations

import math

import torch
from scipy import stats

from semlink.phy.conformance.probe import FAINT, SIGMAS, Probe
from semlink.phy.conformance.verdict import Check, judged
from semlink.units import from_db, to_db

SNR_TOLERANCE_DB = 0.05
LAGS = 16
LEAST_CHANCE = 5.7e-7  # five sigma
KS_SAMPLES = 100_000


def snr(probe: Probe) -> Check:
    """Noise power is 10^(-snr/10) per complex use of a unit-power signal."""
    told, worst, arrived = [], (0.0, ""), ~probe.lost
    num = int(arrived[probe.own_noise].sum())
    if num == 0:
        return Check("snr", "skip", "nothing arrives")
    tolerance_db = max(SNR_TOLERANCE_DB, 10 * math.log10(1 + SIGMAS / math.sqrt(num)))
    for asked in probe.snr_db:
        power = float(_noise(probe, asked)[arrived].abs().double().square().mean())
        off_db = to_db(power) + asked
        told.append(f"{-to_db(power):.2f}" if power > FAINT * from_db(-asked) else "none")
        if abs(off_db) > abs(worst[0]):
            worst = (off_db, f"noise {abs(off_db):.2f} dB too {'strong' if off_db > 0 else 'weak'} at {asked:g} dB")
    good = abs(worst[0]) <= tolerance_db
    measured = f"{' / '.join(told)} dB" + ("" if good else f": {worst[1]}")
    asked_text = " / ".join(f"{value:g}" for value in probe.snr_db)
    return judged("snr", good, measured, f"{asked_text} dB within {tolerance_db:.2f}")


def white_noise(probe: Probe) -> Check:
    """Noise on one symbol tells nothing about that on the next ones."""
    noise, arrived = _noise(probe, probe.snr_db[0])[probe.own_noise], ~probe.lost[probe.own_noise]
    noise = (noise * arrived).to(torch.complex128)
    power = float(noise.abs().square().sum())
    if power < FAINT:
        return Check("white noise", "skip", "no noise")
    worst, at, limit = 0.0, 0, 0.0
    for lag in range(1, LAGS + 1):
        pairs = int((arrived[:, lag:] & arrived[:, :-lag]).sum())
        if pairs < 1000:
            continue
        value = float((noise[:, lag:] * noise[:, :-lag].conj()).sum().abs()) / pairs * int(arrived.sum()) / power
        bound = SIGMAS / math.sqrt(pairs)
        if value / bound > worst / max(limit, 1e-12) or limit == 0:
            worst, at, limit = value, lag, bound
    good = worst <= limit
    return judged(
        "white noise", good, f"autocorrelation {worst:.4f} at lag {at}", f"below {limit:.4f} at lags to {LAGS}"
    )


def circular_noise(probe: Probe) -> Check:
    """Mean zero, half of the power in each real dimension, the two uncorrelated."""
    noise = _arrived_noise(probe).to(torch.complex128)
    power = float(noise.abs().square().mean()) if len(noise) else 0.0
    if power < FAINT:
        return Check("circular noise", "skip", "no noise")
    limit = SIGMAS * math.sqrt(2 / len(noise))
    lean = float((noise**2).mean().abs()) / power
    mean = float(noise.mean().abs()) / math.sqrt(power)
    share = float(noise.real.square().mean()) / power
    good = lean <= limit and mean <= limit
    measured = f"|E w^2| {lean:.4f}, |E w| {mean:.4f}, {share:.1%} of the power in the real part"
    return judged("circular noise", good, measured, f"below {limit:.4f}, 50%")


def gaussian_noise(probe: Probe) -> Check:
    """Kolmogorov-Smirnov on both parts against the normal law."""
    noise = _arrived_noise(probe)
    if not len(noise) or float(noise.abs().square().mean()) < FAINT:
        return Check("gaussian noise", "skip", "no noise")
    chances = []
    for part in (noise.real, noise.imag):
        sample = part.flatten()[:KS_SAMPLES].double()
        spread = float(sample.std())
        if spread > 1e-3 * float(noise.abs().max()):  # the other dimension is for the check on circularity
            chances.append(float(stats.kstest(sample.numpy() / spread, "norm").pvalue))
    good = min(chances) > LEAST_CHANCE
    return judged("gaussian noise", good, f"p = {min(chances):.2g}", f"above {LEAST_CHANCE:g}")


def batch_power(probe: Probe) -> Check:
    """A channel does not look at how strong the signal, the other symbols or the other clips are."""
    expected = "noise and gain blind to the power of the batch"
    if not probe.repeatable:
        return Check("batch power", "skip", "not repeatable, see hidden seed", expected)
    asked = probe.snr_db[0]
    before, after = probe.first_noise, probe.noise(asked, scale=2.0)
    change = float((after - before).abs().square().mean() / before.abs().square().mean().clamp(min=1e-30))
    if change > 1e-4:
        ratio_db = to_db(float(after.abs().square().mean() / before.abs().square().mean().clamp(min=1e-30)))
        return Check("batch power", "fail", f"noise moves by {ratio_db:+.2f} dB for a signal of +6.02 dB", expected)
    for what, louder in (("other clips", _louder_clips(probe)), ("later symbols", _louder_symbols(probe))):
        iq, kept = louder
        heard = probe.hear(iq, asked, probe.seeds()).iq.detach()
        usual = probe.loud(asked).iq.detach()
        moved = float((heard - usual)[kept].abs().max())
        if moved > 1e-3:
            return Check("batch power", "fail", f"output moves by {moved:.3f} where only {what} got louder", expected)
    return Check("batch power", "pass", "unmoved by +6 dB on all, on other clips, on later symbols", expected)


def interference(probe: Probe) -> Check:
    """What a channel adds besides noise is what it says it adds."""
    power = probe.own.abs().double().square().mean(1)
    mean, told = float(power.mean()), probe.channel.interference_var
    if not told:
        good = mean <= FAINT
        return judged("interference", good, f"power {mean:.3g} for silence without noise", "none is declared")
    limit = SIGMAS * float(power.std()) / math.sqrt(probe.clips) + 1e-3 * told
    good = abs(mean - told) <= limit
    return judged("interference", good, f"power {mean:.4f}", f"{told:.4f} within {limit:.4f}")


def told_noise(probe: Probe) -> Check:
    """`ChannelOutput.noise_var` is what the noise and interference are."""
    asked = probe.snr_db[0]
    heard = probe.loud(asked)
    if heard.noise_var is None:
        return Check("told noise", "skip", "no noise_var in the answer")
    arrived = ~probe.lost
    if not bool(arrived.any()):
        return Check("told noise", "skip", "nothing arrives")
    told = torch.as_tensor(heard.noise_var).double().expand(heard.iq.shape)[arrived].mean()
    actual = _noise(probe, asked) + probe.own
    seen = actual[arrived].abs().double().square()
    per_clip = (actual * arrived).abs().double().square().sum(1) / arrived.sum(1).clamp(min=1)
    limit = max(0.012, SIGMAS * float(per_clip.std() / per_clip.mean()) / math.sqrt(probe.clips))
    off = float(told / seen.mean()) - 1
    good = abs(off) <= limit
    return judged("told noise", good, f"{told:.4f} told, {seen.mean():.4f} measured", f"equal within {limit:.1%}")


def _noise(probe: Probe, snr_db: float) -> torch.Tensor:
    """Noise at `snr_db`; of a channel that never repeats itself, what it adds to silence."""
    if probe.repeatable:
        return probe.first_noise if snr_db == probe.snr_db[0] else probe.noise(snr_db)
    return probe.hear(torch.zeros_like(probe.x), snr_db, probe.seeds()).iq.detach()


def _arrived_noise(probe: Probe) -> torch.Tensor:
    """Noise at the first SNR on symbols that arrived, clips that repeat another's left out."""
    return _noise(probe, probe.snr_db[0])[probe.own_noise][~probe.lost[probe.own_noise]]


def _louder_clips(probe: Probe) -> tuple[torch.Tensor, torch.Tensor]:
    """All clips but the first twice as strong; what must not move."""
    iq, kept = 2 * probe.x, torch.zeros(probe.x.shape, dtype=torch.bool)
    iq[0], kept[0] = probe.x[0], True
    return iq, kept


def _louder_symbols(probe: Probe) -> tuple[torch.Tensor, torch.Tensor]:
    """The second half of every clip twice as strong; what must not move."""
    half = probe.symbols // 2
    iq, kept = probe.x.clone(), torch.zeros(probe.x.shape, dtype=torch.bool)
    iq[:, half:] *= 2
    kept[:, : half // 2] = True  # echoes reach forward a little at most
    return iq, kept


CHECKS = (snr, white_noise, circular_noise, gaussian_noise, batch_power, interference, told_noise)
