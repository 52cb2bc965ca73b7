"""Block error curves in two numbers, what a fade amounts to, and the curves that come with the package."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

from semlink.errors import Infeasible
from semlink.phy.capacity import bicm_capacities, bicm_capacity
from semlink.phy.coding.block_coding import UncodedCoding
from semlink.phy.coding.ldpc_coding import LdpcCoding
from semlink.phy.error_curves import kept as kept_module
from semlink.phy.error_curves.curves import curve_of
from semlink.phy.error_curves.fades import Fades
from semlink.phy.error_curves.information import effective_snr_db, grid_index, information_table
from semlink.phy.error_curves.kept import kept
from semlink.phy.error_curves.measured import measured, transmission_losses
from semlink.phy.error_curves.shipped import shipped
from semlink.phy.error_curves.waterfall import Count, Waterfall, fitted
from semlink.units import from_db


def test_a_curve_is_found_again_from_its_own_counts():
    """Started 1.5 dB away from the truth; the error is that of some hundred blocks."""
    truth, rng = Waterfall(7.3, 0.2), np.random.default_rng(1)
    found = measured(
        lambda snr_db, blocks, number: Count(snr_db, rng.binomial(blocks, truth.bler(snr_db)), blocks),
        Waterfall(8.8, 0.3),
    )
    assert abs(found.middle_db - 7.3) < 0.06 and 0.13 < found.width_db < 0.3


def test_counts_that_are_all_or_nothing_still_give_a_curve():
    found = fitted([Count(1.0, 50, 50), Count(2.0, 0, 50)], Waterfall(1.4, 0.1))
    assert 1.0 < found.middle_db < 2.0 and found.bler(1.0) > 0.97 > 0.03 > found.bler(2.0)


@pytest.mark.parametrize("order", [2, 4, 6, 8])
def test_what_a_symbol_tells_is_the_capacity_of_its_bits(order):
    snr_db = np.array([-12.3, -3.4, 2.2, 8.9, 14.7])
    exact = [bicm_capacity(order, from_db(s)) for s in snr_db]
    assert bicm_capacities(order, 10 ** (snr_db / 10)) == pytest.approx(exact, abs=1e-9)
    table = information_table(order)[grid_index(10 ** (-snr_db / 10))]
    assert table == pytest.approx(exact, abs=2e-3)
    unsaturated = np.array(exact) < 0.98 * order
    back = effective_snr_db(np.array(exact)[unsaturated], order)
    assert back == pytest.approx(snr_db[unsaturated], abs=0.02)


def test_a_bpsk_symbol_is_half_a_qpsk_symbol_of_twice_the_power():
    assert information_table(1)[grid_index(np.array(0.5))] == pytest.approx(bicm_capacity(2, 4.0) / 2, abs=1e-3)


def test_symbols_alike_have_their_own_snr_and_a_silent_half_halves_what_is_told():
    fades = Fades(3000, (4,))
    noise_var = np.full((2, 3000), 0.1)
    noise_var[1, :500] = np.inf
    fades.add(noise_var)
    snr_db = fades.effective_snr_db(4, np.array([0, 1000, 2000, 3000]))
    assert snr_db[0] == pytest.approx([10, 10, 10], abs=0.02)
    assert snr_db[1, 1:] == pytest.approx([10, 10], abs=0.02)
    told = bicm_capacity(4, from_db(float(snr_db[1, 0])))
    assert told == pytest.approx(bicm_capacity(4, 10.0) / 2, abs=0.01)
    assert not fades.stands_still()


def test_white_noise_stands_still():
    fades = Fades(700, (2, 6))
    fades.add(np.full((1, 700), 0.03, np.float32))
    fades.add(np.full((2, 700), 0.03, np.float32))
    assert len(fades) == 3 and fades.stands_still()
    curve, edges = Waterfall(15.0, 0.5), np.array([0.0, 350, 700])
    each = fades.block_losses(2, edges, curve)
    fades.keep_one()
    assert fades.block_losses(2, edges, curve) == pytest.approx(np.broadcast_to(each[0], (1, 2)))
    assert np.ptp(each, axis=0) == pytest.approx([0, 0])


def gains_at(snr_db: float, draws: int, seed: int) -> Fades:
    """Symbols of one Rayleigh gain a draw."""
    fades = Fades(100, (2, 8))
    gains = np.random.default_rng(seed).exponential(size=draws)
    fades.add(np.repeat(from_db(-snr_db) / gains[:, None], 100, axis=1))
    return fades


def test_few_draws_tell_what_a_decibel_costs():
    """Shares of losses at 3 and 4 dB differ by what an exponential law has between them.

    64 draws by themselves know that to a third, for few lie between; each with what lies about it, to half of it.
    """
    edges, exact = np.array([0.0, 100.0]), math.exp(-from_db(3.0 - 13)) - math.exp(-from_db(4.0 - 13))
    smooth, raw = [], []
    for seed in range(60):
        fades = gains_at(13.0, 64, seed)
        low, high = (fades.block_losses(2, edges, Waterfall(middle_db, 0.1)).mean() for middle_db in (3.0, 4.0))
        smooth.append(high - low)
        snr_db = fades.effective_snr_db(2, edges)
        raw.append(((snr_db > 3.0) & (snr_db < 4.0)).mean())
    assert np.std(smooth) < 0.6 * np.std(raw)
    assert np.mean(smooth) == pytest.approx(exact, rel=0.15)


def test_a_channel_of_two_states_keeps_them():
    """Nothing lies about a draw where many are just like it; a third that is lost stays one at any SNR between."""
    fades = Fades(100, (2, 4))
    noise_var = np.full((64, 100), from_db(-12.0))
    noise_var[::3] = from_db(-3.0)
    fades.add(noise_var)
    for middle_db in (4.0, 7.0, 11.0):
        lost = fades.block_losses(4, np.array([0.0, 100.0]), Waterfall(middle_db, 0.1)).mean()
        assert lost == pytest.approx(22 / 64, abs=1e-6)


def test_an_uncoded_block_fails_as_the_error_function_says():
    """QPSK: a block of n bits is whole with (1 - Q(sqrt(snr)))^n; measured by sending."""
    coding = UncodedCoding(2, block_bits=256)
    curve = measured(transmission_losses(coding, 128), Waterfall(9.0, 1.0))
    bits = 8 * coding.block_sizes(128)[0] + 24
    snr_db = np.linspace(0, 15, 3001)
    whole = (1 - special.ndtr(-np.sqrt(10 ** (snr_db / 10)))) ** bits
    assert curve.middle_db == pytest.approx(snr_db[np.argmin(abs(whole - 0.5))], abs=0.25)


@pytest.mark.parametrize(("order", "rate", "symbols"), [(2, 449 / 1024, 1500), (4, 616 / 1024, 700), (6, 0.5, 1000)])
def test_shipped_curves_are_those_of_the_decoder(order, rate, symbols):
    """At the middle half of fresh blocks are lost, at 2.5 widths above it few."""
    coding = LdpcCoding(order, rate)
    curve = shipped(order, rate, symbols)
    assert coding.known_curve(symbols) == (curve.middle_db, curve.width_db)
    lose = transmission_losses(coding, symbols)
    middle, above = lose(curve.middle_db, 60, 901), lose(curve.middle_db + 2.5 * curve.width_db, 60, 902)
    assert 0.2 < middle.lost / middle.blocks < 0.8 and above.lost <= 5


def test_no_shipped_curve_beats_capacity():
    for order in (2, 4, 6, 8):
        for rate in (0.5, 2 / 3, 0.75):
            curve = shipped(order, rate, round(8000 / order / rate))
            assert 0.2 < curve.middle_db - float(effective_snr_db(np.array(order * rate), order)) < 2.5


def test_other_options_are_measured_and_other_lengths_refused():
    assert LdpcCoding(2, 0.5, iterations=5).known_curve(1000) is None
    assert LdpcCoding(2, 0.5, demapper="max-log").known_curve(1000) is None
    assert shipped(2, 0.5, 20) is None and shipped(2, 0.4567, 1000) is None
    with pytest.raises(Infeasible):
        curve_of(LdpcCoding(2, 0.5), 10)


def test_the_cache_only_speeds_up(tmp_path, monkeypatch):
    """The same curve with and without it; a file that was cut short is measured again; the oldest go."""
    made = []

    def make() -> Waterfall:
        made.append(1)
        return Waterfall(1 / 3, 0.1)

    monkeypatch.setenv("SEMLINK_CACHE", str(tmp_path))
    assert kept(("a",), make) == kept(("a",), make) == Waterfall(1 / 3, 0.1) and len(made) == 1
    (file,) = (tmp_path / "error_curves").glob("*.json")
    file.write_text(file.read_text()[:9])
    assert kept(("a",), make) == Waterfall(1 / 3, 0.1) and len(made) == 2
    monkeypatch.setattr(kept_module, "MOST_FILES", 3)
    for number in range(6):
        kept((number,), make)
    assert len(list((tmp_path / "error_curves").glob("*.json"))) == 3
    monkeypatch.setenv("SEMLINK_CACHE", "off")
    assert kept(("a",), make) == Waterfall(1 / 3, 0.1) and len(made) == 9
    file.parent.chmod(0o555)
    monkeypatch.setenv("SEMLINK_CACHE", str(file / "below a file"))
    assert kept(("a",), make) == Waterfall(1 / 3, 0.1) and len(made) == 10
