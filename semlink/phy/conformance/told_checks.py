"""Conformance: what a channel tells of each transmission - noise, gain, losses - and of itself - capacity, delays."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import stats

from semlink.phy.channels.tapped_delay_line import Echoes, filter_with
from semlink.phy.conformance.chance import least_chance, mean_and_reach
from semlink.phy.conformance.gain_checks import law_sample
from semlink.phy.conformance.noise_checks import PIECES, noise_at
from semlink.phy.conformance.probe import LATE, Probe
from semlink.phy.conformance.verdict import Check, judged
from semlink.units import from_db

TOLD_NOISE = 0.012
CAPACITY = 0.02
POWER_DRAWS = 2048


def told_noise(probe: Probe) -> Check:
    """`ChannelOutput.noise_var` is what noise and interference are, at every SNR and where they are weak and strong."""
    told_at, seen_at, worst, allowed = [], [], 0.0, TOLD_NOISE
    for asked in probe.snr_db:
        heard = probe.loud(asked)
        arrived = ~probe.lost
        if heard.noise_var is None:
            return Check("told noise", "skip", "no noise_var in the answer")
        if not bool(arrived.any()):
            return Check("told noise", "skip", "nothing arrives")
        told = torch.as_tensor(heard.noise_var).detach().double().cpu().expand(heard.iq.shape)
        actual = (noise_at(probe, asked) + probe.own).abs().double().square()
        middle = told[arrived].median()
        for some in (arrived, arrived & (told > middle), arrived & (told < middle)):
            if int(some.sum()) < 1000:
                continue
            pieces = _pieces(torch.where(some, actual, 0)) / _pieces(torch.where(some, told, 0)).clamp(min=1e-30)
            pieces = pieces[_pieces(some.double()) > 0]
            ratio, reach = mean_and_reach(pieces, 3 * len(probe.snr_db))
            allowed = max(allowed, reach)
            if abs(1 / ratio - 1) > max(TOLD_NOISE, reach) and abs(ratio - 1) > abs(worst):
                worst = ratio - 1
                told_at, seen_at = [float(told[some].mean())], [float(actual[some].mean())]
    if worst:
        measured = f"{told_at[0]:.4g} told, {seen_at[0]:.4g} measured"
        return Check("told noise", "fail", measured, f"equal within {TOLD_NOISE:.1%}")
    return Check("told noise", "pass", "as measured at every SNR", f"equal within {allowed:.1%}")


def told_gain(probe: Probe) -> Check:
    """`ChannelOutput.gain` is the gain, and the taps of `Echoes` are the taps."""
    if isinstance(probe.quiet, Echoes):
        return _told_taps(probe, probe.quiet)
    if probe.quiet.gain is None:
        return Check("told gain", "skip", "no gain in the answer")
    if probe.gains is None:
        return Check("told gain", "fail", "one gain per symbol told, echoes heard", "no gain where there are echoes")
    off, arrived = 0.0, ~probe.lost
    for heard in (probe.quiet, probe.loud(probe.snr_db[0])):
        if heard.gain is not None and bool(arrived.any()):
            off = max(off, float((heard.gain.detach() - probe.gains)[arrived].abs().max()))
    return judged("told gain", off < 5e-3 + probe.faint, f"off by {off:.2g} at most", "the gain itself")


def told_erasures(probe: Probe) -> Check:
    """`ChannelOutput.erased` marks symbols that are lost, and none that arrive."""
    erased = probe.quiet.erased
    if erased is None or probe.gains is None:
        return Check("told erasures", "skip", "none told" if erased is None else "echoes: no one gain per symbol")
    if not bool(erased.any()):
        return Check("told erasures", "pass", "none in this transmission")
    power = float((probe.gains.abs().double().square() * erased).sum() / erased.sum())
    measured = f"E|h|^2 = {power:.2g} on symbols named as erased"
    return judged("told erasures", power < 0.5, measured, "0: what is named as erased does not arrive")


def capacity(probe: Probe) -> Check:
    """`capacity(snr_db)` is E log2(1 + snr |h|^2) of the symbols that arrive."""
    channel = probe.channel
    told = {snr_db: channel.capacity(snr_db) for snr_db in (0.0, 10.0, 20.0)}
    if None in told.values():
        return Check("capacity", "skip", "none told")
    if channel.noise_law != "gaussian" or probe.interferes or not channel.linear:
        return Check("capacity", "skip", "not known for other than white Gaussian noise on h x")
    power = law_sample(probe, probe.draws)
    if not len(power):
        return Check("capacity", "skip", "nothing arrives")
    lost = channel.mean_loss if channel.mean_loss is not None else float(probe.lost.double().mean())
    for snr_db, value in told.items():
        bits, reach = mean_and_reach(torch.log2(1 + from_db(snr_db) * power).mean(1), len(told))
        right, allowed = (1 - lost) * bits, max(CAPACITY, reach / bits)
        off = float(value or 0.0) / right - 1 if right > 0 else 0.0
        if abs(off) > allowed:
            measured = f"{value:.3f} bits at {snr_db:g} dB told, {right:.3f} measured"
            return Check("capacity", "fail", measured, f"equal within {allowed:.1%}")
    return Check("capacity", "pass", "E log2(1 + snr |h|^2) at 0, 10 and 20 dB", f"equal within {CAPACITY:.0%}")


def gain_powers(probe: Probe) -> Check:
    """`gain_powers(uses, draws)` has the mean and the law of what is heard."""
    told = probe.channel.gain_powers(512, POWER_DRAWS)
    if told is None:
        return Check("gain powers", "skip", "none told")
    drawn = torch.from_numpy(np.array(told, dtype=np.float64))
    if drawn.ndim != 2 or drawn.shape[0] != POWER_DRAWS:
        return Check("gain powers", "fail", f"shape {tuple(drawn.shape)}", f"({POWER_DRAWS}, point)")
    heard = law_sample(probe, POWER_DRAWS)
    if not len(heard):
        return Check("gain powers", "skip", "nothing arrives")
    chance = float(stats.ks_2samp(drawn[:, 0].numpy(), heard[:, -1].numpy()).pvalue)
    good = chance > least_chance(2)
    mean, reach = mean_and_reach(drawn.mean(1), 4)
    seen, seen_reach = mean_and_reach(heard.mean(1), 4)
    good = good and abs(mean - seen) <= reach + seen_reach + 0.005
    return judged("gain powers", good, f"mean {mean:.3f} told, {seen:.3f} heard, p = {chance:.2g}", "the same law")


def echoes(probe: Probe) -> Check:
    """The last echo comes when `max_delay_s` says."""
    told = probe.told_delay
    if not told:
        heard = "echoes heard, no max_delay_s told" if probe.has_echoes else "no echoes"
        return Check("echoes", "skip", heard)
    quiet = probe.quiet
    if isinstance(quiet, Echoes) and quiet.bandwidth_hz != probe.channel.bandwidth_hz:
        return Check(
            "echoes", "fail", f"bandwidth {quiet.bandwidth_hz:g} Hz in the answer", f"{probe.channel.bandwidth_hz:g} Hz"
        )
    power = probe.response.abs().square().double().mean(0)
    loudest = float(power.sum())
    if loudest <= probe.faint**2:
        return Check("echoes", "skip", "nothing arrives")
    between = power[LATE : LATE + math.ceil(told) + 1]
    whole = bool((power[:LATE] <= 1e-8 * loudest).all()) and float(between.min()) < 1e-8 * loudest or told < 1
    heard = (power[LATE - 1 :] > (1e-7 if whole else 1e-4) * loudest).nonzero()
    last = int(heard.max()) - 1 if len(heard) else 0
    beyond = float(power[LATE + math.ceil(told) + 2 :].sum()) / loudest
    if _at_whole_symbols(power, loudest):
        good = abs(last - told) <= max(0.5, 0.05 * told)
        return judged("echoes", good, f"last echo {last} symbols later", f"{told:.2f}")
    good = beyond < 0.02 and last >= 0.5 * told - 1
    return judged("echoes", good, f"{beyond:.1%} of the power beyond, last echo near {last} symbols", f"{told:.2f}")


def _at_whole_symbols(power: torch.Tensor, loudest: float) -> bool:
    """Whether echoes stand at whole symbols, and are no samples of a band-limited pulse that rings before its time."""
    return bool((power[:LATE] <= 1e-9 * loudest).all())


def _told_taps(probe: Probe, heard: Echoes) -> Check:
    """Filtering with the taps gives what was heard."""
    if heard.taps is None:
        return Check("told gain", "skip", "no taps in the answer")
    again = filter_with(probe.x, heard.taps.detach(), heard.first_lag, heard.stride)
    off = float((again - probe.signal).abs().max()) / max(float(probe.signal.abs().square().mean().sqrt()), 1e-9)
    return judged("told gain", off < 5e-3 + probe.faint, f"taps off by {off:.2g} at most", "the taps themselves")


def _pieces(values: torch.Tensor) -> torch.Tensor:
    """Sums over pieces of the clips: (clip and piece,)."""
    clips, num = values.shape
    length = max(num // PIECES, 1)
    return values[:, : num // length * length].reshape(clips, -1, length).sum(2).flatten()


EXACT = (told_erasures, echoes)
BY_CHANCE = (told_noise, told_gain, capacity, gain_powers)
