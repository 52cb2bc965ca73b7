"""Conformance: what a channel tells of each transmission - noise, gain, erasures - and of itself.

Of itself: capacity, delays, losses and interference; long-term shares are read from as many symbols as they need.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from scipy import stats

from semlink.blocks import LossChain
from semlink.phy.channels.tapped_delay_line import Echoes, filter_with
from semlink.phy.conformance.chance import ENOUGH, least_chance, mean_and_reach
from semlink.phy.conformance.gain_checks import law_sample
from semlink.phy.conformance.noise_checks import PIECES, noise_at
from semlink.phy.conformance.probe import FAINT, LATE, Probe
from semlink.phy.conformance.verdict import Check, judged
from semlink.units import from_db

TOLD_NOISE = 0.012
CAPACITY = 0.02
POWER_DRAWS = 8192
CLIPS, SYMBOLS, MOST = 32, 2**15, 24  # of a piece of the survey, and how many pieces
ONE_PIECE = 2**12
EVERY = 64  # clips in which a place that is always lost is lost
RARE = 10.0
"""So many rare events are expected where seeing none has a chance below one in ten thousand."""


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
    heard = law_sample(probe, probe.draws)
    if not len(heard):
        return Check("gain powers", "skip", "nothing arrives")
    chance = float(stats.ks_2samp(drawn[:, 0].numpy(), heard[:, -1].numpy()).pvalue)
    mean, reach = mean_and_reach(drawn.mean(1), 2)
    good = chance > least_chance(2) and abs(mean - 1) <= reach + 0.01
    seen = float(heard.mean())
    return judged("gain powers", good, f"mean {mean:.3f} told, {seen:.3f} heard, p = {chance:.2g}", "1, the same law")


def echoes(probe: Probe) -> Check:
    """The last echo comes when `max_delay_s` says."""
    told = probe.told_delay
    if not told:
        return Check("echoes", "skip", "echoes heard, no max_delay_s told" if probe.has_echoes else "no echoes")
    quiet = probe.quiet
    if isinstance(quiet, Echoes) and quiet.bandwidth_hz != probe.channel.bandwidth_hz:
        return Check(
            "echoes", "fail", f"bandwidth {quiet.bandwidth_hz:g} Hz in the answer", f"{probe.channel.bandwidth_hz:g} Hz"
        )
    power = probe.response.abs().square().double().mean(0)
    loudest = float(power.sum())
    if loudest <= probe.faint**2:
        return Check("echoes", "skip", "nothing arrives")
    whole = _at_whole_symbols(power, loudest)
    heard = (power[LATE - 1 :] > (1e-7 if whole else 1e-4) * loudest).nonzero()
    last = int(heard.max()) - 1 if len(heard) else 0
    beyond = float(power[LATE + math.ceil(told) + 2 :].sum()) / loudest
    if whole:
        good = abs(last - told) <= max(0.5, 0.05 * told)
        return judged("echoes", good, f"last echo {last} symbols later", f"{told:.2f}")
    good = beyond < 0.02 and last >= 0.5 * told - 1
    return judged("echoes", good, f"{beyond:.1%} of the power beyond, last echo near {last} symbols", f"{told:.2f}")


def losses(probe: Probe) -> Check:
    """Symbols are lost by chance, and as many as `mean_loss` says."""
    if probe.gains is None and not bool(probe.lost.any()):
        return Check("losses", "skip", "echoes: no one gain per symbol")
    always = probe.lost.all(0)
    lost = float(probe.lost.double().mean())
    if bool(always.any()) and lost < 0.6:
        for trial in range(1, max(EVERY // probe.clips, 2)):
            always &= _lost(probe, probe.x, trial).all(0)
        if bool(always.any()):
            at = int(always.nonzero()[0])
            return Check("losses", "fail", f"symbol {at} is lost in every clip and trial", "losses by chance")
    told = probe.channel.mean_loss
    if told is None:
        return Check("losses", "pass", f"{lost:.1%} of the symbols, none told" if lost else "none", "losses by chance")
    shares: list[torch.Tensor] = []
    for seeds_trial, iq in _survey(probe):
        shares.append(_lost(probe, iq, seeds_trial).double().mean(1))
        every = torch.cat(shares)
        if float(every.std()) / math.sqrt(len(every)) <= ENOUGH * told:
            break
    found, reach = mean_and_reach(torch.cat(shares))
    good = abs(found - told) <= reach + 1e-6
    return judged("losses", good, f"{found:.3%} of the symbols", f"{told:.3%} within {reach:.3%}")


def loss_chain(probe: Probe) -> Check:
    """Losses follow each other as the chain of `loss_chain()` has it."""
    chain = probe.channel.loss_chain()
    if chain is None:
        return Check("loss chain", "skip", "none told")
    pairs, wanted = [], _both_lost(chain)
    for trial, iq in _survey(probe):
        lost = _lost(probe, iq, trial)
        count = lost.shape[1] // chain.block
        if count < 2:
            return Check("loss chain", "skip", "blocks too long to look at")
        blocks = lost[:, : count * chain.block].reshape(len(lost), count, chain.block)
        if bool((blocks.any(2) != blocks.all(2)).any()):
            return Check("loss chain", "fail", "a block is lost in part", f"blocks of {chain.block} lost whole")
        state = blocks[..., 0].double()
        pairs.append((state[:, 1:] * state[:, :-1]).mean(1))
        every = torch.cat(pairs)
        if float(every.std()) / math.sqrt(len(every)) <= ENOUGH * wanted:
            break
    found, reach = mean_and_reach(torch.cat(pairs))
    reach = max(reach, RARE / (sum(map(len, pairs)) * (count - 1)))
    good = abs(found - wanted) <= reach + 1e-6
    return judged("loss chain", good, f"two blocks running lost: {found:.4%}", f"{wanted:.4%} within {reach:.4%}")


def interference(probe: Probe) -> Check:
    """What a channel adds besides noise is what it says it adds."""
    told = probe.channel.interference_var
    if not told:
        power = probe.own.abs().double().square()
        measured = f"power {float(power.mean()):.3g} for silence without noise"
        return judged("interference", float(power.mean()) <= FAINT, measured, "none is declared")
    powers: list[torch.Tensor] = []
    for trial, iq in _survey(probe):
        seeds = probe.seeds(first=20_000 + CLIPS * trial, clips=len(iq), trial=trial)
        powers.append(
            probe.hear(torch.zeros_like(iq), probe.quiet_db, seeds).iq.detach().abs().double().square().mean(1)
        )
        every = torch.cat(powers)
        if float(every.std()) / math.sqrt(len(every)) <= ENOUGH * told:
            break
    found, reach = mean_and_reach(torch.cat(powers))
    good = abs(found - told) <= reach + 2e-3 * told
    return judged("interference", good, f"power {found:.4g}", f"{told:.4g} within {reach + 2e-3 * told:.2g}")


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


def _survey(probe: Probe) -> Iterator[tuple[int, torch.Tensor]]:
    """Trial and symbols of each piece of the survey."""
    iq = probe.qpsk(CLIPS, ONE_PIECE if probe.quick else SYMBOLS, 8)
    for number in range(1 if probe.quick else MOST):
        yield 1 + number, iq


def _lost(probe: Probe, iq: torch.Tensor, trial: int) -> torch.Tensor:
    """Which symbols do not arrive in a trial: bool (clip, symbol)."""
    seeds = probe.seeds(first=20_000 + CLIPS * trial, clips=len(iq), trial=trial)
    heard = probe.hear(iq, probe.quiet_db, seeds)
    own = probe.hear(torch.zeros_like(iq), probe.quiet_db, seeds).iq if probe.interferes else 0
    lost = (heard.iq - own).detach().abs() <= probe.faint
    return lost if heard.erased is None else lost | heard.erased


def _both_lost(chain: LossChain) -> float:
    """Chance that a block and the next one are lost."""
    turns = chain.p_gb + chain.p_bg
    good, bad = chain.p_bg / turns, chain.p_gb / turns
    after_good = (1 - chain.p_gb) * chain.loss_good + chain.p_gb * chain.loss_bad
    after_bad = chain.p_bg * chain.loss_good + (1 - chain.p_bg) * chain.loss_bad
    return good * chain.loss_good * after_good + bad * chain.loss_bad * after_bad


EXACT = (told_erasures, echoes)
BY_CHANCE = (told_noise, told_gain, capacity, gain_powers, losses, loss_chain, interference)
