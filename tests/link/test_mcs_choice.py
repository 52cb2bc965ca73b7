"""`mcs: best`: the choice against every fixed coding, on links whose expected quality has a closed form."""

from __future__ import annotations

import math

import numpy as np
import own_codings
import pytest
from scipy import integrate, special

import semlink
from semlink.blocks import CodingBase
from semlink.link.chain.choice.mcs_search import TYPICAL_USES, best_choice
from semlink.link.sweep.clips import load_clips
from semlink.link.sweep.grid import grid
from semlink.link.sweep.point_runner import PointRunner
from semlink.payload import Agreement, FrameShape, Point, Terms
from semlink.phy.coding.block_coding import efficiency
from semlink.phy.coding.ldpc_coding import LdpcCoding
from semlink.phy.coding.mcs_tables import mcs_name, mcs_pairs
from semlink.phy.superposition import Superposed, noise_below
from semlink.plugins import adapted
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

    def noise(self, uses: int, draws: range) -> np.ndarray:
        gains = [Seeds(5, (0,), draw).numpy("gain").exponential() if self.fades else 1.0 for draw in draws]
        noise_var = 10 ** (-(self.snr_db + self.stated_db) / 10) / np.array(gains, np.float32)
        return np.repeat(noise_var[:, None], uses, axis=1)

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


def choice(link: Link, uses: int | None = USES, codings=CODINGS) -> str:
    point = Point(link.snr_db, uses) if uses else Point(link.snr_db, None, rate=0.5)
    agreements = {name: Agreement(FRAMES, point, Terms(coding=name)) for name in codings}
    return best_choice(codings, uses, agreements, link)


@pytest.mark.parametrize("snr_db", [-3.0, 1.3, 6.05, 9.0, 13.7, 19.4, 24.0])
def test_no_fixed_coding_is_better_in_white_noise(snr_db):
    link = Link(snr_db, fades=False)
    exact = {name: link.exact_db(name) for name in CODINGS}
    assert exact[choice(link)] > max(exact.values()) - 0.1


def test_clips_larger_than_all_that_arrives_are_left_to_the_codec_to_refuse(monkeypatch):
    """What carries them and never arrives would be a row of noise; what arrives lets the codec say what they take."""
    link = Link(3.0, fades=False)
    monkeypatch.setattr(f"{__name__}.quality_db", lambda num_bytes: -math.inf if num_bytes < 1500 else CLEAN_DB)
    chosen = choice(link)
    assert lost_share(CODINGS[chosen], USES, 3.0) < 0.5 and sum(CODINGS[chosen].block_sizes(USES)) < 1500
    assert any(sum(coding.block_sizes(USES)) > 1600 for coding in CODINGS.values())


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


class Erasing(Link):
    """Three of ten transmissions vanish whole; the others meet white noise."""

    def noise(self, uses: int, draws: range) -> np.ndarray:
        there = [Seeds(6, (0,), draw).numpy("there").random() > 0.3 for draw in draws]
        noise_var = np.where(there, 10 ** (-self.snr_db / 10), np.inf).astype(np.float32)
        return np.repeat(noise_var[:, None], uses, axis=1)

    def delivery(self, coding: LdpcCoding, uses: int, transmissions: int) -> float:
        rng = np.random.default_rng(8)
        shares = (rng.random(transmissions) > 0.3) & (rng.random(transmissions) < whole(coding, uses, self.snr_db))
        return float(shares.mean())


class Unseen(Link):
    """Symbols go missing that nobody tells of: a coding holds where its rate leaves room."""

    def share_whole(self, coding: LdpcCoding) -> float:
        return float(special.ndtr((0.9 - 0.05 * coding.bits_per_symbol - coding.code_rate) / 0.03))

    def delivery(self, coding: LdpcCoding, uses: int, transmissions: int) -> float:
        return float(np.random.default_rng(9).binomial(transmissions, self.share_whole(coding)) / transmissions)

    def expected_db(self, name: str) -> float:
        """Blocks alike and independent of each other, each worth its share."""
        sizes = CODINGS[name].block_sizes(USES)
        clean = quality_db(sum(sizes) - 2 * len(sizes))
        lost = 1 - self.share_whole(CODINGS[name]) ** (1 / len(sizes))
        return clean - lost * (clean - GONE_DB)


def test_where_losses_are_unseen_what_really_arrives_decides():
    """The stated noise would allow 256-QAM at any rate; shifting the SNR alone lands decibels lower."""
    link = Unseen(30.0, fades=False)
    expected = {name: db for name in CODINGS if math.isfinite(db := link.expected_db(name))}
    assert expected[choice(link)] > max(expected.values()) - 0.3


@pytest.mark.parametrize("snr_db", [2.0, 9.0, 16.0])
def test_losses_that_no_coding_mends_move_no_choice(snr_db):
    """What is lost whole is lost to all, so the best of the others is the best: a timid one would gain nothing."""
    link = Erasing(snr_db, fades=False)
    exact = {name: link.exact_db(name) for name in CODINGS}
    assert exact[choice(link)] > max(exact.values()) - 0.1


class OwnRate(Link):
    """The scheme's own rate says how many bytes a clip has; a coding only says how many symbols they take."""

    def damaged(self, agreement: Agreement, lost: tuple[tuple[float, float], ...]) -> float:
        assert agreement.point.budget_uses is None and agreement.point.rate == 0.5
        return CLEAN_DB - sum(last - first for first, last in lost) * (CLEAN_DB - GONE_DB)


@pytest.mark.parametrize("snr_db", [1.3, 9.0, 19.4])
def test_at_a_rate_of_its_own_a_scheme_takes_the_most_efficient_coding_that_arrives(snr_db):
    found = choice(OwnRate(snr_db, fades=False), None)
    kept = {name: 1 - lost_share(coding, TYPICAL_USES, snr_db) for name, coding in CODINGS.items()}
    assert (1 - kept[found]) * (CLEAN_DB - GONE_DB) < 0.1
    surer = [efficiency(CODINGS[name]) for name in CODINGS if (1 - kept[name]) * (CLEAN_DB - GONE_DB) < 0.02]
    assert efficiency(CODINGS[found]) >= max(surer)


OWN_USES = 40_000


def lost_repeated(times: int, snr_db: float) -> float:
    """Exactly: each of the bits is wrong with chance Q(sqrt(2 times snr))."""
    wrong = special.ndtr(-math.sqrt(2 * times * 10 ** (snr_db / 10)))
    return 1 - (1 - wrong) ** own_codings.BITS


class Repeats(Link):
    """White noise, and clips in a user's codings."""

    def delivery(self, coding: CodingBase, uses: int, transmissions: int) -> float:
        share = (1 - lost_repeated(coding.times, self.snr_db)) ** len(coding.block_sizes(uses))
        return float((np.random.default_rng(9).random(transmissions) < share).mean())

    def damaged(self, agreement: Agreement, lost: tuple[tuple[float, float], ...]) -> float:
        clean = self.clean_db(agreement.terms.coding, agreement.point.budget_uses)
        return clean - sum(last - first for first, last in lost) * max(clean - GONE_DB, 0)

    def exact_db(self, name: str) -> float:
        clean = self.clean_db(name, OWN_USES)
        return GONE_DB + (1 - lost_repeated(int(name), self.snr_db)) * (clean - GONE_DB)

    @staticmethod
    def clean_db(name: str, uses: int) -> float:
        return quality_db((own_codings.DATA - 2) * len(own_codings.CODINGS[name].block_sizes(uses)))


@pytest.mark.parametrize("snr_db", [-3.0, 1.0, 6.0])
def test_codings_of_a_users_own_are_measured(snr_db):
    """Their error curves are known to nobody; they come from what they send and receive."""
    link, codings = Repeats(snr_db, fades=False), {n: adapted("coding", c) for n, c in own_codings.CODINGS.items()}
    exact = {name: link.exact_db(name) for name in codings}
    assert exact[choice(link, OWN_USES, codings)] > max(exact.values()) - 0.1


def test_a_users_scheme_chooses_among_its_own_codings(tmp_path):
    """By the real chain: a coding without a base, a hash or a known curve, in an agreement of free terms."""
    scenario = semlink.load(
        {
            "name": "own",
            "source": {"kind": "scenes", "clips": 2, "frames": 2, "size": [32, 32]},
            "channel": {"kind": "awgn"},
            "sweep": {"snr_db": [-2, 9], "budget": [2.5]},
            "schemes": [{"name": "picks", "kind": f"{own_codings.__file__}:Picks"}],
        }
    )
    runner = PointRunner.of(scenario, load_clips(scenario, None), tmp_path, None)
    low, high = (runner.deals(runner.link(point), point)[0].settled for point in grid(scenario))
    assert int(low.agreement.terms["coding"]) >= 5
    assert int(high.agreement.terms["coding"]) <= 2
    assert low.choice_bits == pytest.approx(math.log2(len(own_codings.CODINGS)))


class Layered(Link):
    """White noise, where what is sent stands below an analogue layer."""

    def delivery(self, coding: Superposed, uses: int, transmissions: int) -> float:
        below_db = -10 * math.log10(noise_below(np.array(10 ** (-self.snr_db / 10)), coding.share))
        return Link(below_db, fades=False).delivery(coding.coding, uses, transmissions)


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_below_an_analogue_layer_no_fixed_coding_is_better(share):
    """The noise that the receiver states is not what a demapper meets there."""
    snr_db = 13.0
    below_db = -10 * math.log10(noise_below(np.array(10 ** (-snr_db / 10)), share))
    point = Point(snr_db, USES)
    agreements = {name: Agreement(FRAMES, point, Terms(coding=name)) for name in CODINGS}
    shares = dict.fromkeys(CODINGS, share)
    chosen = best_choice(CODINGS, USES, agreements, Layered(snr_db, fades=False), shares)
    alone = Link(below_db, fades=False)
    exact = {name: alone.exact_db(name) for name in CODINGS}
    assert exact[chosen] > max(exact.values()) - 0.1
    assert exact[choice(Link(snr_db, fades=False))] < GONE_DB + 1, "chosen for the layer's absence it would be lost"


def test_a_calibration_says_what_it_is_at(tmp_path):
    scenario = {
        "name": "said",
        "source": {"kind": "scenes", "clips": 1, "frames": 2, "size": [64, 64]},
        "channel": {"kind": "rayleigh", "coherence": 100},
        "waveform": {"kind": "single-carrier", "coherence": 100, "pilot_spacing": 50, "pilot_block": 2},
        "sweep": {"snr_db": [15], "budget": [0.1]},
        "schemes": [
            {"name": "a", "kind": "digital", "codec": {"kind": "h264"}, "coding": {"kind": "ldpc", "mcs": "best"}}
        ],
        "metrics": ["psnr"],
        "trials": {"min": 1, "max": 1},
    }
    told: list[str] = []
    semlink.run(scenario, tmp_path / "out", progress=lambda name, done, total: told.append(name))
    said = {part.split(", ")[-1] for part in told}
    assert {"choosing: draw 4 of the channel", "choosing: damaging clips", "choosing: transmission 1"} <= said
