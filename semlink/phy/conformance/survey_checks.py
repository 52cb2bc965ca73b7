"""Conformance: long-term shares and levels that are stated - losses and interference - from as many symbols as it takes."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from semlink.blocks import LossChain
from semlink.phy.conformance.chance import ENOUGH, mean_and_reach
from semlink.phy.conformance.probe import FAINT, Probe
from semlink.phy.conformance.verdict import Check, judged

CLIPS, SYMBOLS, MOST = 32, 2**15, 24  # of a piece of the survey, and how many pieces
ONE_PIECE = 2**12
EVERY = 64  # clips in which a place that is always lost is lost


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
    for seeds_trial, iq in _pieces(probe):
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
    for trial, iq in _pieces(probe):
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
    for trial, iq in _pieces(probe):
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


def _pieces(probe: Probe) -> Iterator[tuple[int, torch.Tensor]]:
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


EXACT = ()
BY_CHANCE = (losses, loss_chain, interference)
