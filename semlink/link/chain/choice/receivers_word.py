"""Whether what the receiver says about its noise is true: a few real transmissions against the model.

Random bytes go over the scenario's own chain. Where they arrive much more
seldom or more often than the stated noise lets expect, the SNR by which it is
wrong is found from codings of all kinds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from semlink.link.chain.choice.contenders import Contender
from semlink.link.chain.choice.evidence import Evidence
from semlink.phy.error_curves.fades import Fades

SENT, SENT_BOLDLY = 8, 3
"""Transmissions that try the choice, and a coding that should fail."""
SENT_FIRST = 4, 1
"""So many of them are enough where they end as they mostly should."""
BOLD = 0.02
"""Share of transmissions that may arrive whole where a coding counts as bound to fail."""
DOUBT = 1e-3
"""Chance of what they show below which the receiver's word is not taken."""
SENT_IN_DOUBT = 16
CODINGS_IN_DOUBT = 10
SHIFTS_DB = np.arange(-20.0, 10.25, 0.25)
FLOOR = 0.01


def is_believable(
    able: Sequence[Contender], choice: Contender, fades: Fades, evidence: Evidence, shift_db: float = 0.0
) -> bool:
    """Whether the choice arrives about as often as it should, and what should fail does.

    Args:
        able: all codings, by rising efficiency.
    """
    surely = arriving_whole(choice, fades, shift_db) > 0.5
    if not (surely and _all_whole(choice, evidence)) and _is_odd(choice, fades, evidence, SENT, shift_db):
        return False
    above = (c for c in able if c.efficiency > choice.efficiency and arriving_whole(c, fades, shift_db) <= BOLD)
    bold = next(above, None)
    if bold is None or evidence.delivery(bold.sent, bold.uses, SENT_FIRST[1]) == 0:
        return True
    return not _is_odd(bold, fades, evidence, SENT_BOLDLY, shift_db)


def offset_db(able: Sequence[Contender], fades: Fades, evidence: Evidence, *, chosen: Sequence[Contender]) -> float:
    """By how many dB the symbols are better than the receiver says, as real transmissions have it.

    Codings of all kinds are sent, and those that were `chosen` so far; the middle of what fits best is taken.
    """
    step = max((len(able) - 1) / max(CODINGS_IN_DOUBT - 1, 1), 1)
    tried = [able[round(n * step)] for n in range(min(CODINGS_IN_DOUBT, len(able)))]
    tried += chosen
    arrived = [evidence.delivery(c.sent, c.uses, SENT_IN_DOUBT) for c in tried]

    def surprise(shift_db: float) -> float:
        told = np.array([arriving_whole(c, fades, shift_db) for c in tried]).clip(FLOOR, 1 - FLOOR)
        return -float(np.array(arrived) @ np.log(told) + (1 - np.array(arrived)) @ np.log(1 - told))

    found = np.array([surprise(shift_db) for shift_db in SHIFTS_DB])
    return float(SHIFTS_DB[found <= found.min() + 0.1].mean())


def arriving_whole(contender: Contender, fades: Fades, shift_db: float = 0.0) -> float:
    """The share of transmissions without a lost block, by the model."""
    return float((1 - contender.losses(fades, shift_db)).prod(axis=1).mean())


def _all_whole(choice: Contender, evidence: Evidence) -> bool:
    return evidence.delivery(choice.sent, choice.uses, SENT_FIRST[0]) == 1


def _is_odd(contender: Contender, fades: Fades, evidence: Evidence, sent: int, shift_db: float) -> bool:
    arrived = round(evidence.delivery(contender.sent, contender.uses, sent) * sent)
    share = min(max(arriving_whole(contender, fades, shift_db), 1e-9), 1 - 1e-9)
    return min(stats.binom.cdf(arrived, sent, share), stats.binom.sf(arrived - 1, sent, share)) < DOUBT
