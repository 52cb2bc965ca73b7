"""Conformance: average power, the law of the gain, its phase, and how long it stands still."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import special, stats

from semlink.phy.capacity import gain_law
from semlink.phy.conformance.noise_checks import LEAST_CHANCE
from semlink.phy.conformance.probe import SIGMAS, Probe
from semlink.phy.conformance.verdict import Check, judged

STILL = 1e-3  # relative change of a gain that stands still, in float32


def power_in(probe: Probe) -> Check:
    """What the kit sends has power 1."""
    power = float(probe.x.abs().double().square().mean())
    return judged("power in", abs(power - 1) < 1e-6, f"E|x|^2 = {power:.4f}", "1")


def power_out(probe: Probe) -> Check:
    """The signal leaves with the power it came with, losses aside."""
    power = _kept(probe).abs().square()
    if len(power) == 0:
        return Check("power out", "skip", "nothing arrives")
    mean = float(power.mean())
    limit = SIGMAS * float(power.std()) / math.sqrt(len(power)) + 2e-3
    told, lost = probe.channel.mean_loss, float(probe.lost.double().mean())
    good = abs(mean - 1) <= limit
    loss = f", {lost:.1%} of the symbols lost" if lost else ""
    if told is not None:
        share = probe.lost.double().mean(1)
        slack = SIGMAS * float(share.std()) / math.sqrt(probe.clips) + 1e-6
        good = good and abs(lost - told) <= slack
        loss += f" (told {told:.1%})"
    return judged("power out", good, f"E|h|^2 = {mean:.3f}{loss}", f"1 within {limit:.3f}")


def fading_law(probe: Probe) -> Check:
    """Kolmogorov-Smirnov of |h|^2 against the law that the channel names."""
    told, gains = probe.channel.law, _kept(probe)
    power = gains.abs().square().numpy()
    if told is None:
        if not probe.fades:
            return Check("fading law", "skip", "constant |h|, no law named")
        chance = stats.kstest(power, "expon").pvalue
        looks = "could be Rayleigh" if chance > LEAST_CHANCE else "is not Rayleigh"
        return Check("fading law", "skip", f"no law named; {looks} (p = {chance:.2g})")
    if told == "constant":
        spread = float(np.ptp(power))
        return judged("fading law", spread < STILL, f"|h|^2 varies by {spread:.1g}", "constant |h|")
    k = _k_of(told)
    if k is None:
        return Check("fading law", "skip", f"law {told!r} is not one the kit knows")
    chance = float(stats.kstest(power, gain_law(k).cdf).pvalue)
    name = "Rayleigh" if k == 0 else f"Rician, K = {k:.3g}"
    good = chance > LEAST_CHANCE
    return judged("fading law", good, f"p = {chance:.2g} over {len(power)} draws", f"{name}, p above {LEAST_CHANCE:g}")


def phase(probe: Probe) -> Check:
    """A gain that fades has a phase: uniform for Rayleigh, never on one line."""
    gains = _kept(probe)
    if not probe.fades and probe.channel.law is None:
        return Check("phase", "skip", "|h| does not fade")
    turned = gains / gains.abs().clamp(min=1e-12)
    if not probe.fades:
        turned = probe.gains[:, -1] / probe.gains[:, -1].abs() if probe.gains is not None else turned
        return Check("phase", "pass", f"constant |h|, phase spread {float((turned - turned[0]).abs().max()):.2g}")
    line = float((turned**2).mean().abs())  # 1 if all gains lie on one line through 0
    if line > 1 - 1e-4:
        same = float(turned.mean().abs()) > 0.99
        what = "|h| without phase: every gain has the same phase" if same else "a real gain: phases 0 and pi only"
        return Check("phase", "fail", what, "a complex gain")
    if probe.channel.law != "rayleigh":
        return Check("phase", "pass", f"phases spread, |E e^2j phi| = {line:.2f}", "a complex gain")
    chance = float(stats.kstest(turned.angle().numpy(), "uniform", (-math.pi, 2 * math.pi)).pvalue)
    good = chance > LEAST_CHANCE
    return judged("phase", good, f"p = {chance:.2g}", f"uniform, p above {LEAST_CHANCE:g}")


def coherence(probe: Probe) -> Check:
    """The gain stands still as long as told, and then is another one."""
    told, gains = probe.channel.coherence, probe.gains
    if not (told is None or told in ("symbol", "block") or (isinstance(told, int) and told >= 1)):
        return Check("coherence", "skip", f"coherence {told!r} is not a number of symbols, 'symbol' or 'block'")
    if gains is None:
        return Check("coherence", "skip", "echoes: no one gain per symbol")
    if told is None or not probe.fades:
        return Check("coherence", "skip", f"none told; the gain stands still for {_still_for(gains)} symbols")
    length = 1 if told == "symbol" else probe.symbols if told == "block" else min(int(told), probe.symbols)
    count = probe.symbols // length
    blocks = gains[:, : count * length].reshape(probe.clips, count, length)
    drift = float((blocks - blocks[..., :1]).abs().max())
    expected = f"one gain for {told if isinstance(told, str) else f'{told} symbols'}"
    if drift > STILL * float(gains.abs().max()):
        return Check("coherence", "fail", f"the gain stands still for {_still_for(gains)} symbols", expected)
    if count == 1:
        return Check("coherence", "pass", f"one gain for all {probe.symbols} symbols", expected)
    return _next_block(probe, blocks[..., 0].to(torch.complex128), length, expected)


def told_gain(probe: Probe) -> Check:
    """`ChannelOutput.gain` is the gain."""
    told = probe.quiet.gain
    if told is None:
        return Check("told gain", "skip", "no gain in the answer")
    if probe.gains is None:
        return Check("told gain", "fail", "one gain per symbol told, echoes heard", "no gain where there are echoes")
    off = float((told.detach() - probe.gains)[~probe.lost].abs().max()) if bool((~probe.lost).any()) else 0.0
    return judged("told gain", off < 1e-2, f"off by {off:.2g} at most", "the gain itself")


def _next_block(probe: Probe, gain: torch.Tensor, length: int, expected: str) -> Check:
    """Correlation of neighbouring blocks: none, or Clarke's where a Doppler shift is told."""
    doppler = probe.channel.doppler
    centred = gain - gain.mean() if doppler is None else gain
    products = (centred[:, 1:] * centred[:, :-1].conj()).mean(1) / centred.abs().square().mean()
    found = complex(products.mean())
    spread = SIGMAS / math.sqrt(products.numel() * (gain.shape[1] - 1))
    if doppler is None:
        good, limit = abs(found) <= spread, spread
        return judged(
            "coherence",
            good,
            f"neighbouring blocks correlate by {abs(found):.4f}",
            f"{expected}, then another: below {limit:.4f}",
        )
    law = probe.channel.law
    if law not in ("rayleigh",):
        return Check("coherence", "skip", f"neighbouring blocks correlate by {abs(found):.4f}", "no spectrum named")
    want = float(special.j0(2 * math.pi * doppler * length))
    slack = SIGMAS * float(products.real.std()) / math.sqrt(probe.clips) + 0.02
    good = abs(found.real - want) <= slack
    return judged(
        "coherence",
        good,
        f"neighbouring blocks correlate by {found.real:.3f}",
        f"J0(2 pi doppler) = {want:.3f} within {slack:.3f}",
    )


def _k_of(law: object) -> float | None:
    """K-factor of the law a channel names, None if it is neither Rayleigh nor Rician."""
    if law == "rayleigh":
        return 0.0
    rician = isinstance(law, tuple) and len(law) == 2 and law[0] == "rician" and isinstance(law[1], int | float)
    return float(law[1]) if rician else None  # type: ignore[index]


def _kept(probe: Probe) -> torch.Tensor:
    """The drawn gains of transmissions that arrived."""
    gains = probe.drawn_gains
    return gains[gains.abs() > 1e-9]


def _still_for(gains: torch.Tensor) -> int:
    """Symbols until the gain of the first clip changes."""
    moved = ((gains[0] - gains[0, 0]).abs() > STILL * gains[0].abs().max()).nonzero()
    return int(moved[0, 0]) if len(moved) else gains.shape[1]


CHECKS = (power_in, power_out, fading_law, phase, coherence, told_gain)
