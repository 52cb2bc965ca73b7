"""Conformance: average power, the law of the gain, its phase, and whether the noise knows of it."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import integrate, stats

from semlink.phy.capacity import gain_law
from semlink.phy.conformance.chance import (
    ENOUGH,
    correlation_at_lags,
    least_chance,
    mean_and_reach,
    share_limit,
    sigmas,
)
from semlink.phy.conformance.probe import STILL, Probe
from semlink.phy.conformance.verdict import Check, judged

MOST = 4  # times the draws asked for, where a law varies so much that 10 % would not show
LAW_DRAWS = 3  # times the draws asked for, for a law that is stated
NOISE_DRAWS = 2048
SLACK = 2e-3


def power_out(probe: Probe) -> Check:
    """The signal leaves with the power it came with, losses aside, early and late in a transmission."""
    times = 1
    while True:
        power = _arrived(probe, probe.draws * times)
        if not len(power):
            return Check("power out", "skip", "nothing arrives")
        error = float(power.std()) / math.sqrt(len(power)) if len(power) > 1 else math.inf
        if error <= ENOUGH or times >= MOST or probe.quick:
            break
        times *= 2
    mean, reach = mean_and_reach(power, 2)
    slack = SLACK if not probe.has_echoes else 0.02  # what a cut sinc leaves out
    lost = float(probe.lost.double().mean())
    loss = f", {lost:.1%} of the symbols lost" if lost else ""
    if abs(mean - 1) > reach + slack:
        return Check("power out", "fail", f"E|h|^2 = {mean:.3f}{loss}", f"1 within {reach + slack:.3f}")
    late, late_reach = _late_power(probe)
    measured = f"E|h|^2 = {mean:.3f}{loss}"
    if abs(late) > late_reach + slack:
        return Check("power out", "fail", f"{measured}, and {2 * late:+.1%} from start to end", "the same at all times")
    return Check("power out", "pass", measured, f"1 within {reach + slack:.3f}")


def fading_law(probe: Probe) -> Check:
    """The law of |h|^2 against the one that the channel names: Kolmogorov-Smirnov, E ln |h|^2 and the variance."""
    told = probe.channel.law
    if told == "constant":
        size = probe.kept_gains.abs().square()
        spread = float(size.max() - size.min()) if len(size) else 0.0
        return judged("fading law", spread < STILL, f"|h|^2 varies by {spread:.1g}", "constant |h|")
    k = k_of(told)
    if k is None and told is not None:
        return Check("fading law", "skip", f"law {told!r} is not one the kit knows")
    if k is None and not probe.fades:
        return Check("fading law", "skip", "constant |h|, no law named")
    power = law_sample(probe, probe.draws * (LAW_DRAWS if k is not None and not probe.quick else 1))
    if k is None:
        chance = stats.kstest(power[:, -1].numpy(), "expon").pvalue
        looks = "could be Rayleigh" if chance > least_chance() else "is not Rayleigh"
        return Check("fading law", "skip", f"no law named; {looks} (p = {chance:.2g})")
    return against_law(power, k)


def against_law(power: torch.Tensor, k: float) -> Check:
    """Powers (draw, look), draws independent, against a Rician law; Rayleigh for `k` 0."""
    law, relative = gain_law(k), power / power.mean()
    chance = float(stats.kstest(relative[:, -1].numpy(), law.cdf).pvalue)
    good = chance > least_chance(3)
    log_mean = _mean_log(k)
    variance = float(law.var())
    log, log_reach = mean_and_reach(relative.clamp(min=1e-12).log().mean(1), 3)
    square, square_reach = mean_and_reach((relative - 1).square().mean(1), 3)
    good = good and abs(log - log_mean) <= log_reach + 1e-3 and abs(square - variance) <= square_reach + 1e-3
    name = "Rayleigh" if k == 0 else f"Rician, K = {k:.3g}"
    measured = f"p = {chance:.2g} over {len(power)} draws, E ln|h|^2 = {log:.3f}, var |h|^2 = {square:.3f}"
    expected = f"{name}: p above {least_chance(3):.1g}, {log_mean:.3f}, {variance:.3f}"
    return judged("fading law", good, measured, expected)


def phase(probe: Probe) -> Check:
    """A gain that fades has a phase: uniform for Rayleigh, never on one line; one that does not is 1."""
    gains = probe.kept_gains
    if not len(gains):
        return Check("phase", "skip", "nothing arrives")
    turned = gains / gains.abs()
    if not probe.fades:
        return _turn(probe, turned)
    line = float((turned**2).mean().abs())  # 1 if all gains lie on one line through 0
    if line > 1 - 1e-4:
        same = float(turned.mean().abs()) > 0.99
        what = "|h| without phase: every gain has the same phase" if same else "a real gain: phases 0 and pi only"
        return Check("phase", "fail", what, "a complex gain")
    if probe.channel.law != "rayleigh":
        return Check("phase", "pass", f"phases spread, |E e^2j phi| = {line:.2f}", "a complex gain")
    chance = float(stats.kstest(turned.angle().numpy(), "uniform", (-math.pi, 2 * math.pi)).pvalue)
    power = gains.abs().square()
    lean = float((gains**2).mean().abs() / power.mean())
    limit = sigmas(4) * math.sqrt(float(power.square().mean()) / len(gains)) / float(power.mean())
    good = chance > least_chance(2) and lean <= limit
    expected = f"uniform, p above {least_chance(2):g}, |E h^2| below {limit:.3f}"
    return judged("phase", good, f"p = {chance:.2g}, |E h^2| = {lean:.3f}", expected)


def noise_and_fading(probe: Probe) -> Check:
    """The noise knows nothing of the gain: they have streams of their own."""
    name, expected = "noise and fading", "streams of their own, noise that does not follow the gain"
    if not probe.moves or not probe.repeatable:
        return Check(name, "skip", "the gain does not fade" if probe.repeatable else "not repeatable, see hidden seed")
    drawn = probe.draws_made.with_noise(min(probe.draws, NOISE_DRAWS))
    assert drawn.noise is not None
    if float(drawn.noise.abs().square().mean()) < 1e-7:
        return Check(name, "skip", "no noise")
    told = _ranks(drawn.gain[:, [0, 1, 2, -1]], products=False)
    heard = _ranks(drawn.noise, products=True)
    found = (told.T @ heard).abs() / len(told)
    limit = sigmas(max(found.numel(), 1)) / math.sqrt(len(told)) if len(told) > 30 else 1.0
    most = float(found.max()) if found.numel() else 0.0
    if most > limit:
        return Check(name, "fail", f"gain and noise correlate by {most:.3f}", f"{expected}: below {limit:.3f}")
    if probe.gains is None:
        return Check(name, "pass", f"correlation {most:.3f} at most", f"below {limit:.3f}")
    gains = torch.where(probe.lost, 0, probe.gains)[probe.own_noise].to(torch.complex128)
    noise = probe.first_noise[probe.own_noise].to(torch.complex128)
    both = [correlation_at_lags(gains, other) for other in (noise, noise.conj())]
    worst, at = (float(value) for value in torch.maximum(*both).max(0))
    lag = int(at) if at < noise.shape[1] else int(at) - 2 * noise.shape[1]
    if worst > share_limit(4 * noise.shape[1]):
        return Check(name, "fail", f"the noise follows the gain {lag} symbols away", expected)
    return Check(name, "pass", f"correlation {most:.3f} at most", f"below {limit:.3f}")


def k_of(law: object) -> float | None:
    """K-factor of the law a channel names, None if it is neither Rayleigh nor Rician."""
    if law == "rayleigh":
        return 0.0
    rician = isinstance(law, tuple) and len(law) == 2 and law[0] == "rician" and isinstance(law[1], int | float)
    return float(law[1]) if rician else None  # type: ignore[index]


def law_sample(probe: Probe, num: int) -> torch.Tensor:
    """|h|^2 of draws that arrived, of one symbol or of every carrier: float64 (draw, look)."""
    gains = probe.draws_made.upto(num).gain
    gains = gains if probe.has_echoes else gains[:, -1:]
    power = gains.abs().square().double()
    return power[power[:, -1] > probe.faint**2]


def _arrived(probe: Probe, num: int) -> torch.Tensor:
    power = probe.draws_made.upto(num).power
    return power[power > probe.faint**2]


def _late_power(probe: Probe) -> tuple[float, float]:
    """How much |h|^2 grows from the first to the last quarter of a clip, over their sum, and how far chance goes."""
    power, quarter = probe.signal.abs().double().square(), probe.symbols // 4
    kept = (~probe.lost).double()
    ends = [(power * kept)[:, part].sum(1) / kept[:, part].sum(1) for part in (slice(quarter), slice(-quarter, None))]
    rise = (ends[1] - ends[0]) / (ends[1] + ends[0])
    rise = rise[~rise.isnan()]
    return (0.0, 0.0) if len(rise) < 4 else _student(rise)


def _student(values: torch.Tensor) -> tuple[float, float]:
    """Mean of a few values and how far from the truth it strays."""
    limit = float(stats.t.isf(least_chance(4) / 2, len(values) - 1))
    return float(values.mean()), limit * float(values.std()) / math.sqrt(len(values))


def _turn(probe: Probe, turned: torch.Tensor) -> Check:
    """Of a gain that does not fade: the same turn for every symbol is a rotation that no receiver expects."""
    seen = turned
    if probe.gains is not None:
        late = probe.gains[~probe.lost].to(torch.complex128)
        seen = torch.cat([turned, late / late.abs()])
    spread = float((seen - seen[0]).abs().max())
    angle = math.degrees(float(seen[0].angle()))
    if probe.gains is not None and spread < 10 * STILL and abs(complex(seen.mean()) - 1) > 2 * STILL:
        return Check("phase", "fail", f"every symbol is turned by {angle:.1f} degrees", "0, or a phase by chance")
    return Check("phase", "pass", f"constant |h|, phase spread {spread:.2g}", "0, or a phase by chance")


def _mean_log(k: float) -> float:
    """E ln |h|^2 at E|h|^2 = 1."""
    if k == 0:
        return -float(np.euler_gamma)
    law = gain_law(k)
    edges = law.ppf([1e-12, 0.01, 0.5, 0.99, 1 - 1e-12])
    return float(
        sum(integrate.quad(lambda g: math.log(g) * law.pdf(g), low, high)[0] for low, high in zip(edges, edges[1:]))
    )


def _ranks(values: torch.Tensor, *, products: bool) -> torch.Tensor:
    """Ranks of real and imaginary parts and of their squares, mean 0 and variance 1: float64 (draw, feature)."""
    parts = [values.real, values.imag, values.abs().square()]
    parts += [values.real.square(), values.imag.square()] if products else []
    columns = torch.cat(parts, dim=1).double().numpy()
    columns = columns[:, np.ptp(columns, axis=0) > STILL]
    ranks = torch.from_numpy(stats.rankdata(columns, axis=0)) if columns.size else torch.zeros(len(columns), 0).double()
    ranks = ranks - ranks.mean(0)
    return ranks / ranks.square().mean(0).sqrt().clamp(min=1e-12)


EXACT = ()
BY_CHANCE = (power_out, fading_law, phase, noise_and_fading)
