"""Conformance: how long the gain stands still, and how fast it moves where a Doppler shift is stated."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import special

from semlink.phy.conformance.chance import mean_and_reach, sigmas
from semlink.phy.conformance.gain_checks import k_of
from semlink.phy.conformance.probe import STILL, Probe
from semlink.phy.conformance.verdict import Check, judged

CLIPS, BATCH = 2048, 64  # transmissions that the speed of the gain is read from
TURN = 0.15  # of a period of the maximum Doppler shift: how far apart two gains are compared
LONGEST_LAG = 2**12
SPECTRUM, SPECTRUM_CLIPS, LEAST_PERIODS = 2**17, 8, 200
EDGE, OUTSIDE = (0.93, 1.04), 1.04  # of the maximum shift
LEAST_EDGE, MOST_OUTSIDE = 0.06, 0.05  # Clarke's spectrum has 0.24 of its power in EDGE, none outside


def coherence(probe: Probe) -> Check:
    """The gain stands still as long as told, and then is another one."""
    told, gains = probe.channel.coherence, probe.gains
    if gains is None:
        return Check("coherence", "skip", "echoes: no one gain per symbol")
    if told is None or not probe.moves:
        return Check("coherence", "skip", f"none told; the gain stands still for {_still_for(gains)} symbols")
    gains = torch.where(probe.lost, complex(math.nan, math.nan), gains)
    length = _told_length(probe, probe.symbols)
    count = probe.symbols // length
    blocks = gains[:, : count * length].reshape(probe.clips, count, length)
    drift = _drift(blocks)
    expected = f"one gain for {told if isinstance(told, str) else f'{told} symbols'}"
    if drift > 10 * STILL * float(probe.gains.abs().max()):  # type: ignore[union-attr]
        return Check("coherence", "fail", f"the gain stands still for {_still_for(gains)} symbols", expected)
    if count == 1 or probe.channel.doppler is not None:
        return Check("coherence", "pass", f"one gain for {length} symbols", expected)
    return _next_block(probe, blocks[..., 0].to(torch.complex128), expected)


def doppler(probe: Probe) -> Check:
    """The gain moves as fast as its stated Doppler shift says: speed of the gain, and the edge of its spectrum."""
    told = probe.channel.doppler
    if told is None:
        return Check("doppler", "skip", "none told")
    if probe.gains is None:
        return Check("doppler", "skip", "echoes: no one gain per symbol")
    if told == 0:
        drift = _drift(probe.gains[:, None, :])
        return judged("doppler", drift < 10 * STILL, f"the gain moves by {drift:.2g}", "0: a gain that stands still")
    length = _told_length(probe, 1)
    speed = _speed(probe, float(told), length)
    periods = SPECTRUM * float(told)
    if speed.verdict == "fail" or probe.quick or periods < LEAST_PERIODS or 2 * length * told > 0.99:
        return speed
    return _spectrum(probe, float(told), length, speed)


def _speed(probe: Probe, told: float, length: int) -> Check:
    """E|h(t + lag) - h(t)|^2 / 2 = 1 - J0(2 pi doppler lag), the line of sight somewhere within the shift."""
    lag = length * max(1, min(round(TURN / told / length), max(LONGEST_LAG // length, 1)))
    clips = CLIPS if not probe.quick else CLIPS // 8
    moved = []
    for first in range(0, clips, BATCH):
        seeds = probe.seeds(first=5000 + first, clips=BATCH, trial=3)
        iq = probe.qpsk(BATCH, max(2 * lag, 256), 5)
        gain = probe.arrived(iq, seeds, state=first) / iq
        step = (gain[:, lag:] - gain[:, :-lag]).abs().double().square()
        there = (gain[:, lag:].abs() > probe.faint) & (gain[:, :-lag].abs() > probe.faint)
        moved.append((step * there).sum(1) / there.sum(1) / 2)
    values = torch.cat(moved)
    found, reach = mean_and_reach(values[~values.isnan()])
    k = k_of(probe.channel.law) or 0.0
    scattered = (1 - float(special.j0(2 * math.pi * told * lag))) / (k + 1)
    turn = min(told * lag, 0.5)
    most = scattered + k / (k + 1) * (1 - math.cos(2 * math.pi * turn))
    slack = 0.01 * scattered
    good = scattered - reach - slack <= found <= most + reach + slack
    ratio = math.sqrt(found / scattered) if k == 0 and told * lag < 0.3 and found > 0 else None
    measured = f"half E|h(t + {lag}) - h(t)|^2 = {found:.4g}" + (f", that of {ratio:.2f} x doppler" if ratio else "")
    expected = f"{scattered:.4g}" + ("" if k == 0 else f" to {most:.4g}") + f" within {reach + slack:.2g}"
    return judged("doppler", good, measured, expected)


def _spectrum(probe: Probe, told: float, length: int, speed: Check) -> Check:
    """Clarke's spectrum ends at the maximum shift, and much of its power lies there."""
    iq = probe.qpsk(SPECTRUM_CLIPS, SPECTRUM, 6)
    gain = (probe.arrived(iq, probe.seeds(first=9000, clips=SPECTRUM_CLIPS)) / iq)[:, ::length].to(torch.complex128)
    window = torch.from_numpy(np.blackman(gain.shape[1]))
    power = torch.fft.fft(gain * window).abs().square()
    if k_of(probe.channel.law):
        power = _without_line(power)
    shift = torch.fft.fftfreq(gain.shape[1]).double().abs() / length / told
    bins = 4 / (SPECTRUM * told)
    total = power.sum()
    edge = float(power[:, (shift > EDGE[0] + bins) & (shift <= EDGE[1] + bins)].sum() / total)
    outside = float(power[:, shift > OUTSIDE + bins].sum() / total)
    good = edge >= LEAST_EDGE and outside <= MOST_OUTSIDE
    measured = f"{edge:.0%} of the power at the edge of the spectrum, {outside:.1%} beyond; {speed.measured}"
    return judged("doppler", good, measured, "Clarke's spectrum: 20 to 30 % at the edge, none beyond")


def _without_line(power: torch.Tensor) -> torch.Tensor:
    """The spectrum (clip, bin) without the line of sight, its strongest line."""
    power, num = power.clone(), power.shape[1]
    at = power.argmax(1)
    for offset in range(-4, 5):
        power[torch.arange(len(power)), (at + offset) % num] = 0
    return power


def _told_length(probe: Probe, of_block: int) -> int:
    """Symbols with one gain, as told; `of_block` for a whole clip."""
    told = probe.channel.coherence
    if told == "block":
        return of_block
    return min(told, probe.symbols) if isinstance(told, int) else 1


def _drift(blocks: torch.Tensor) -> float:
    """How far gains (clip, block, symbol) move within a block, lost symbols (NaN) aside."""
    highest = [part.nan_to_num(-math.inf).amax(-1) for part in (blocks.real, blocks.imag)]
    lowest = [part.nan_to_num(math.inf).amin(-1) for part in (blocks.real, blocks.imag)]
    return max(float((high - low).clamp(min=0).max()) for high, low in zip(highest, lowest))


def _next_block(probe: Probe, gain: torch.Tensor, expected: str) -> Check:
    """Neighbouring blocks are unrelated."""
    gain = torch.where(gain.real.isnan(), gain.real.nanmean() + 0j, gain)
    centred = gain - gain.mean()
    products = centred[:, 1:] * centred[:, :-1].conj()
    found = float(products.mean().abs() / centred.abs().square().mean())
    spread = math.sqrt(float(products.abs().square().mean() / products.numel()))
    limit = sigmas(2) * spread / float(centred.abs().square().mean())
    measured = f"neighbouring blocks correlate by {found:.4f}"
    return judged("coherence", found <= limit, measured, f"{expected}, then another: below {limit:.4f}")


def _still_for(gains: torch.Tensor) -> int:
    """Symbols until the gain of the first clip changes."""
    moved = ((gains[0] - gains[0, 0]).abs() > STILL * gains[0].abs().nan_to_num().max()).nonzero()
    return int(moved[0, 0]) if len(moved) else gains.shape[1]


EXACT = ()
BY_CHANCE = (coherence, doppler)
