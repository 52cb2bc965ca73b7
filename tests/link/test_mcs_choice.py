"""`mcs: best`: the choice against every fixed coding, on links whose expected quality has a closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, special

from semlink.link.chain.choice.mcs_search import best_choice
from semlink.payload import Agreement, FrameShape, Point, Terms
from semlink.phy.coding.block_coding import efficiency
from semlink.phy.coding.ldpc_coding import LdpcCoding
from semlink.phy.coding.mcs_tables import mcs_name, mcs_pairs
from semlink.seeds import Seeds

CODINGS = {mcs_name(order, rate): LdpcCoding(order, rate) for order, rate in mcs_pairs(2, every_rate=False)}
FRAMES = FrameShape(16, 64, 64)
USES = 3000
CLEAN_DB, GONE_DB, OCTAVE_DB = 30.0, 12.0, 4.0


def quality_db(num_bytes: float) -> float:
    """4 dB an octave; less than 100 bytes carry nothing."""
    return -math.inf if num_bytes < 100 else CLEAN_DB + OCTAVE_DB * math.log2(num_bytes / 1000)


class Link:
    """Numbers as a calibration gives them: a gain that stands still over each draw, and clips of known quality.

    `stated_db` is by how much the receiver believes its symbols to be better than they are.
    """

    def __init__(self, snr_db: float, *, fades: bool, stated_db: float = 0.0) -> None:
        self.snr_db, self.fades, self.stated_db = snr_db, fades, stated_db

    def noise(self, uses: int, draw: int) -> np.ndarray:
        gain = Seeds(5, (0,), draw).numpy("gain").exponential() if self.fades else 1.0
        return np.full(uses, 10 ** (-(self.snr_db + self.stated_db) / 10) / gain, np.float32)

    def delivery(self, coding: LdpcCoding, uses: int, transmissions: int) -> float:
        rng, arrived = np.random.default_rng(7), 0
        for _ in range(transmissions):
            gain = rng.exponential() if self.fades else 1.0
            arrived += rng.random() < whole(coding, uses, self.snr_db + 10 * math.log10(gain))
        return arrived / transmissions

    def damaged(self, agreement: Agreement, lost: tuple[tuple[float, float], ...]) -> float:
        """What is lost costs its share of what there is to lose."""
        sizes = CODINGS[agreement.terms.coding].block_sizes(agreement.point.budget_uses)
        clean = quality_db(sum(sizes) - 2 * len(sizes))
        return clean - sum(last - first for first, last in lost) * max(clean - GONE_DB, 0)

    def quality(self, agreement: Agreement, delivery: float | None = None) -> float:
        raise AssertionError("the choice is made from the model")

    def exact_db(self, name: str) -> float:
        """What a coding gives on average, by quadrature over the gain."""
        coding = CODINGS[name]
        sizes = coding.block_sizes(USES)
        clean = quality_db(sum(sizes) - 2 * len(sizes))

        def kept(gain: float) -> float:
            return 1 - lost_share(coding, USES, self.snr_db + 10 * math.log10(max(gain, 1e-9)))

        if not self.fades:
            share = kept(1.0)
        else:
            edge = 10 ** ((coding.known_curve(int(max(coding.block_symbols(USES))))[0] - self.snr_db) / 10)
            share = integrate.quad(lambda g: kept(g) * math.exp(-g), 0, 3 * edge, points=[edge], limit=200)[0]
            share += math.exp(-3 * edge)
        return GONE_DB + share * (clean - GONE_DB)


def lost_share(coding: LdpcCoding, uses: int, snr_db: float) -> float:
    middle_db, width_db = coding.known_curve(int(max(coding.block_symbols(uses))))
    return float(special.ndtr((middle_db - snr_db) / width_db))


def whole(coding: LdpcCoding, uses: int, snr_db: float) -> float:
    return (1 - lost_share(coding, uses, snr_db)) ** len(coding.block_sizes(uses))


def choice(link: Link) -> str:
    point = Point(link.snr_db, USES)
    agreements = {name: Agreement(FRAMES, point, Terms(coding=name)) for name in CODINGS}
    return best_choice(CODINGS, USES, agreements, link)


@pytest.mark.parametrize("snr_db", [-3.0, 1.3, 6.05, 9.0, 13.7, 19.4, 24.0])
def test_no_fixed_coding_is_better_in_white_noise(snr_db):
    link = Link(snr_db, fades=False)
    exact = {name: link.exact_db(name) for name in CODINGS}
    assert exact[choice(link)] > max(exact.values()) - 0.1


@pytest.mark.parametrize("snr_db", [5.0, 12.0, 20.0])
def test_no_fixed_coding_is_better_where_the_gain_fades_slowly(snr_db):
    """The most efficient one that mostly arrives would be up to decibels worse."""
    link = Link(snr_db, fades=True)
    exact = {name: link.exact_db(name) for name in CODINGS}
    assert exact[choice(link)] > max(exact.values()) - 0.3


@pytest.mark.parametrize("stated_db", [-3.0, 3.0])
def test_a_receiver_that_states_its_noise_wrongly_is_found_out(stated_db):
    """Real transmissions tell: without them the choice would lose everything, or carry too little."""
    link = Link(9.0, fades=False, stated_db=stated_db)
    found, honest = choice(link), choice(Link(9.0, fades=False))
    assert abs(math.log2(efficiency(CODINGS[found]) / efficiency(CODINGS[honest]))) < 0.25
    assert lost_share(CODINGS[found], USES, 9.0) < 0.05
