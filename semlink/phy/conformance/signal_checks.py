"""Conformance: what becomes of the symbols - in time, linear, blind to the batch, with the SNR kept out of the gain."""

from __future__ import annotations

import torch

from semlink.phy.conformance.chance import alike, share_limit
from semlink.phy.conformance.probe import LATE, Probe
from semlink.phy.conformance.verdict import Check, judged
from semlink.units import to_db

SPREAD = 8  # symbols that a band-limited echo is heard before and after its delay
LOUD = 6.0  # how much stronger than its average a waveform's peak may be
BENT = 2e-3  # relative error of a straight line, in float32


def in_time(probe: Probe) -> Check:
    """A symbol is heard at its own time, its echoes after it."""
    expected = "each symbol at its own time, its echoes after it"
    power = probe.response.abs().square().double()
    heard = power[power.sum(1) > probe.faint**2]
    if not len(heard):
        return Check("in time", "skip", "nothing arrives")
    latest = LATE + round(probe.told_delay) + SPREAD if probe.told_delay else LATE
    earliest = LATE - SPREAD if probe.told_delay else LATE
    share = heard[:, earliest : latest + 1].sum(1) / heard.sum(1)
    if float(share.max()) < 1e-3:
        shift = int(heard.sum(0).argmax()) - LATE
        late = "late" if shift > 0 else "early"
        return Check("in time", "fail", f"symbols arrive {abs(shift)} symbols {late}", expected)
    if not probe.has_echoes:
        return Check("in time", "pass", "no echoes", expected)
    if not probe.told_delay:
        told = "max_delay_s is not told, so no waveform is refused for it"
        return Check("in time", "pass", f"echoes up to {_last(heard)} symbols later; {told}", expected)
    return judged("in time", float(share.min()) > 0.99, f"{share.min():.1%} of the power in time", expected)


def linear(probe: Probe) -> Check:
    """Twice the symbols, twice the output; turned symbols, a turned output; a sum, the sum."""
    expected = "h x: neither clipped nor conjugated; else linear = False"
    if not probe.channel.linear:
        return Check("linear", "skip", "declared as not linear")
    if not probe.repeatable:
        return Check("linear", "skip", "not repeatable, see hidden seed")
    seeds = probe.seeds(clips=4)
    one, other = probe.gaussian(4, 1024, 1), probe.gaussian(4, 1024, 2)
    alone, beside = probe.arrived(one, seeds), probe.arrived(other, seeds)
    size = float(alone.abs().square().mean().sqrt())
    if size <= probe.faint:
        return Check("linear", "skip", "nothing arrives")
    tried = {
        f"{LOUD:g} times the signal": (LOUD * one, LOUD * alone, LOUD),
        "a tenth of the signal": (0.1 * one, 0.1 * alone, 0.1),
        "the signal turned by 90 degrees": (1j * one, 1j * alone, 1.0),
        "the conjugate beside the signal": (one + 1j * other, alone + 1j * beside, 1.0),
    }
    for what, (iq, right, scale) in tried.items():
        off = float((probe.arrived(iq, seeds) - right).abs().max()) / (size * scale)
        if off > BENT + 20 * probe.faint / scale:
            return Check("linear", "fail", f"off by {off:.2g} of the signal for {what}", expected)
    return Check("linear", "pass", f"scaled by 0.1 to {LOUD:g}, turned, added", expected)


def noise_and_signal(probe: Probe) -> Check:
    """Noise does not depend on the symbols, nor the gain on the SNR."""
    name, expected = "noise and signal", "noise that knows nothing of the signal, a gain that knows nothing of the SNR"
    if not probe.repeatable:
        return Check(name, "skip", "not repeatable, see hidden seed")
    arrives = probe.signal[~probe.lost]
    for asked in probe.snr_db:
        noise = probe.noise(asked)[~probe.lost]
        for signal in (arrives, arrives.conj()):
            if alike(noise, signal) > share_limit(2 * len(probe.snr_db)):
                part = complex((noise * signal.conj()).sum() / signal.abs().square().sum())
                what = "signal" if signal is arrives else "conjugate of the signal"
                return Check(name, "fail", f"{abs(part):.2g} of the {what} in the noise at {asked:g} dB", expected)
    if not probe.channel.linear:
        return Check(name, "pass", "noise unrelated to the signal; declared as not linear", expected)
    seeds, asked = probe.seeds(clips=4), probe.snr_db[0]
    first, second = (
        (probe.hear(iq, asked, seeds).iq - probe.hear(iq, probe.quiet_db, seeds).iq).detach()
        for iq in (probe.qpsk(4, 2048, 3), probe.gaussian(4, 2048, 3))
    )
    size = float(first.abs().square().mean().sqrt())
    off = float((first - second).abs().square().mean().sqrt()) / max(size, 1e-9)
    return judged(
        name,
        off < 1e-2,
        f"other noise for another signal: {off:.2g} of it" if off >= 1e-2 else "the same noise for every signal",
        expected,
    )


def batch_power(probe: Probe) -> Check:
    """Noise and gain do not follow the power of the batch, of a clip, or of what comes later."""
    expected = "noise and gain blind to the power of the batch"
    if not probe.repeatable:
        return Check("batch power", "skip", "not repeatable, see hidden seed")
    asked = probe.snr_db[0]
    before, after = probe.first_noise, probe.noise(asked, scale=2.0)
    size = before.abs().square().mean().clamp(min=1e-30)
    if probe.channel.linear and float((after - before).abs().square().mean() / size) > 1e-4:
        ratio_db = to_db(float(after.abs().square().mean() / size))
        return Check("batch power", "fail", f"noise moves by {ratio_db:+.2f} dB for a signal of +6.02 dB", expected)
    for what, louder in (("other clips", _louder_clips(probe)), ("later symbols", _louder_symbols(probe))):
        iq, kept = louder
        moved = float((probe.loud_for(iq) - probe.loud_for(probe.x))[kept].abs().max())
        if moved > 1e-3:
            return Check("batch power", "fail", f"output moves by {moved:.3f} where only {what} got louder", expected)
    return Check("batch power", "pass", "unmoved by +6 dB on all, on other clips, on later symbols", expected)


def _last(power: torch.Tensor) -> int:
    """Lag of the last echo above -50 dB."""
    mean = power.mean(0)
    return int((mean > 1e-5 * mean.sum()).nonzero().max()) - LATE


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


EXACT = (in_time, linear, batch_power)
BY_CHANCE = (noise_and_signal,)
