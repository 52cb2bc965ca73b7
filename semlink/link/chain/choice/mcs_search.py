"""Which modulation and code rate to agree on, found before the run.

The choice is made from a model of the link, the run itself is the real chain.
Draws of the scenario's own channel, waveform and estimator say what noise each
symbol meets; error curves of the codings over white noise, read at the
effective SNR of each block, say how often it is lost; clips that are really
damaged say what that costs. What the receiver says about its noise need not be
true, so the choice is tried with random bytes over the real chain; where they
arrive much more seldom or more often than the model has it, all SNRs are
shifted by what explains it best (`receivers_word`), and what the model then
takes has to stand beside the best of what really arrives (`real_deliveries`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from semlink.blocks import CodingBase
from semlink.link.chain.choice.contenders import NONE, SLOTS, Contender, contenders, is_hopeless, worth_trying
from semlink.link.chain.choice.damage import Worth
from semlink.link.chain.choice.evidence import Evidence
from semlink.link.chain.choice.expected_quality import expected_db
from semlink.link.chain.choice.real_deliveries import really_tried
from semlink.link.chain.choice.receivers_word import arriving_whole, is_believable, offset_db
from semlink.payload import Agreement
from semlink.phy.coding.block_coding import efficiency
from semlink.phy.error_curves.fades import Fades
from semlink.seeds import Seeds

FIRST_DRAWS, MOST_DRAWS = 64, 512
"""Draws of the channel: as many as it takes, in doublings."""
MOST_SYMBOLS = 2_400_000
"""Symbols in all draws, once there are `ENOUGH_DRAWS`: so that a choice stays a small part of a run."""
ENOUGH_DRAWS = 128
AT_ONCE, MOST_AT_ONCE = 300_000, 8
"""Symbols of draws that are taken together, and draws."""
ALIKE = 4
"""Draws without any difference after which the channel is taken to stand still."""
CHANCE = 40127
"""Root of the chance with which blocks are lost together in the model."""
CLOSE_DB = 0.1
"""So much better than the choice another coding may be, by two standard errors, when no more draws are taken."""
MOST_DOUBTS = 4
"""Times that the receiver's word is corrected."""
EQUAL_DB = 0.05
"""At a scheme's own rate the most efficient coding so close to the best is taken."""
REFERENCE_RATE = 0.85
TYPICAL_USES = 16 * 1024
"""Length of a transmission where no budget says it."""


def best_choice(
    codings: Mapping[str, CodingBase],
    uses: int | None,
    agreements: Mapping[str, Agreement],
    evidence: Evidence,
    shares: Mapping[str, float] = NONE,
) -> str:
    """The name of the coding that gives the best quality on average.

    Args:
        uses: symbols of the transmission; None where the scheme's own rate says how many bytes there are.
        agreements: under which each coding would be used.
        shares: of the power that is an analogue layer's, by the name of the coding below it.
    Raises:
        Infeasible: `uses` carries no transport block with any of them.
    """
    able = contenders(codings, uses or TYPICAL_USES, shares)
    known = reference(codings)
    worth = Worth(
        known,
        codings[known],
        agreements,
        evidence,
        uses or TYPICAL_USES,
        by_rate=uses is None,
    )
    fades = Fades(able[0].uses, orders(codings.values()))
    choice, shift_db = settled(able, fades, worth, 0.0), 0.0
    doubted: list[Contender] = []
    while len(doubted) < MOST_DOUBTS and not is_believable(able, choice, fades, evidence, shift_db):
        doubted.append(choice)
        shift_db = offset_db(able, fades, evidence, chosen=doubted)
        choice = settled(able, fades, worth, shift_db)
    return choice.name if not doubted else _by_what_arrives(able, [*doubted, choice], fades, worth)


def likely_deliveries(codings: Mapping[str, CodingBase], uses: int, evidence: Evidence) -> dict[str, float]:
    """The share of bursts of `uses` symbols that arrive whole, for each coding that is worth trying.

    Raises:
        Infeasible: as `best_choice`.
    """
    fades = _drawn(Fades(uses, orders(codings.values())), evidence, FIRST_DRAWS)
    tried = worth_trying(contenders(codings, uses), fades)
    return {c.name: arriving_whole(c, fades) for c in tried}


def reference(codings: Mapping[str, CodingBase]) -> str:
    """What carries the clips that are tried: much in few symbols, and nothing where a part of them is silent."""
    plain = [name for name in codings if codings[name].code_rate <= REFERENCE_RATE] or list(codings)
    return max(plain, key=lambda name: (efficiency(codings[name]), name))


def settled(able: Sequence[Contender], fades: Fades, worth: Worth, offset_db: float) -> Contender:
    """The best contender, on as many draws of the channel as it takes to tell.

    Where those that arrive hold no clip, what carries the most: a damaged picture is more than none. If nothing
    of that arrives either, what carries the most of those that do, and the codec says what its clips take.
    """
    draws = max(FIRST_DRAWS, len(fades))
    while True:
        _drawn(fades, worth.evidence, draws)
        tried = worth_trying(able, fades, offset_db)
        chance = Seeds(CHANCE).numpy("link/choice").random((draws, fades.per_draw, SLOTS))
        each = expected_db(tried, fades, offset_db, worth, chance.reshape(-1, SLOTS))
        quality = each.reshape(len(tried), draws, fades.per_draw).mean(axis=2)
        if not np.isfinite(quality).all(axis=1).any():
            most = max(able, key=lambda c: c.data_bytes).measured()
            return max(tried, key=lambda c: c.data_bytes) if is_hopeless(most, fades, offset_db) else most
        best = _best(tried, quality, worth.by_rate)
        if fades.is_settled or draws >= _most_draws(fades.uses) or _is_clear(quality, best):
            return tried[best]
        able = [tried[n] for n in _may_lead(quality, best)]
        draws = min(2 * draws, _most_draws(fades.uses))


def _by_what_arrives(able: Sequence[Contender], chosen: Sequence[Contender], fades: Fades, worth: Worth) -> str:
    """The name of the best of what was really sent, the model's choices among them."""
    tried = really_tried(able, chosen, worth.evidence)
    chance = Seeds(CHANCE).numpy("link/choice").random((FIRST_DRAWS, SLOTS))
    quality = expected_db(tried, fades, 0.0, worth, chance).mean(axis=1)
    return tried[int(quality.argmax())].name if np.isfinite(quality).any() else chosen[-1].name


def _most_draws(uses: int) -> int:
    """A power of two times the first ones."""
    affordable = min(max(MOST_SYMBOLS // uses, ENOUGH_DRAWS), MOST_DRAWS)
    return FIRST_DRAWS << int(np.log2(affordable // FIRST_DRAWS))


def _drawn(fades: Fades, evidence: Evidence, draws: int) -> Fades:
    """`fades` with so many draws; one where all are alike."""
    while len(fades) < draws and not fades.is_settled:
        known = len(fades)
        together = min(max(AT_ONCE // fades.uses, 1), MOST_AT_ONCE, draws - known) if known else ALIKE
        fades.add(evidence.noise(fades.uses, range(known, known + together)))
        if known == 0 and fades.stands_still():
            fades.keep_one()
    return fades


def _best(tried: Sequence[Contender], quality: np.ndarray, by_rate: bool) -> int:
    """The number of the best; among equals the more efficient."""
    mean = quality.mean(axis=1)
    enough = mean >= mean.max() - (EQUAL_DB if by_rate else 0.0)
    return max((n for n in range(len(tried)) if enough[n]), key=lambda n: tried[n].efficiency)


def _may_lead(quality: np.ndarray, best: int) -> list[int]:
    """Those that may still be the best: by three standard errors not behind it."""
    with np.errstate(invalid="ignore"):
        ahead = quality - quality[best]
        reach = ahead.mean(axis=1) + 3 * ahead.std(axis=1, ddof=1) / np.sqrt(ahead.shape[1])
    return [n for n in range(len(quality)) if not reach[n] < 0]


def _is_clear(quality: np.ndarray, best: int) -> bool:
    """Whether no other can be better by more than `CLOSE_DB`."""
    rivals = quality[np.isfinite(quality).all(axis=1)]
    ahead = rivals - quality[best]
    error = ahead.std(axis=1, ddof=1) / np.sqrt(ahead.shape[1])
    return bool((ahead.mean(axis=1) + 2 * error <= CLOSE_DB).all())


def orders(codings: Iterable[CodingBase]) -> tuple[int, ...]:
    return tuple(sorted({coding.bits_per_symbol for coding in codings}))
