"""What is kept of a reception: true to the air by closed forms, and without a trace in any number."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import toys
from small_runs import job
from test_link_adaptation import Grains, adaptive_link

from semlink.blocks import ChannelBase, SymbolPart
from semlink.caching import Memo
from semlink.errors import InterfaceError
from semlink.link.api.replay import packets_of
from semlink.link.chain.calibration import LinkCalibration
from semlink.link.chain.link import Link
from semlink.link.chain.reception import reception_of
from semlink.link.chain.transmission import Transmission, parts_of
from semlink.link.chain.transmit import run_clip
from semlink.link.page.sections.reception import drawn, words_of
from semlink.link.results.media.reception import ARRIVED, LATER, LOST, UNSAID, Receptions
from semlink.link.schemes.digital.burst_schedule import Rules
from semlink.link.schemes.digital.interactive import InteractiveScheme
from semlink.link.schemes.digital.scheme import DigitalScheme
from semlink.link.sweep import point_runner
from semlink.link.sweep.run import run
from semlink.payload import Delivered, Frames
from semlink.phy.channels.awgn import Awgn
from semlink.phy.channels.fading import Rayleigh
from semlink.phy.channels.multipath_38901 import Tdl
from semlink.phy.coding.ldpc_coding import LdpcCoding
from semlink.phy.coding.link_adaptation import Harq
from semlink.phy.waveforms.ofdm import Ofdm
from semlink.phy.waveforms.plain import Plain
from semlink.phy.waveforms.single_carrier import SingleCarrier
from semlink.plugins import adapted
from semlink.seeds import Seeds
from semlink.units import from_db

QPSK = LdpcCoding(2, 0.5, 512)


@pytest.fixture
def clip() -> Frames:
    return Frames(torch.from_numpy(toys.Ramps().clip(0)[None]))


def digital(channel, coding=QPSK, waveform=None) -> Link:
    ends = [DigitalScheme(Grains(), {"only": coding}) for _ in range(2)]
    return Link(ends[0], ends[1], waveform or Plain(), channel)


def watched(link: Link, clip: Frames, snr_db: float, uses: int = 6000) -> Transmission:
    """A transmission, with the numbers of one that nobody watches."""
    point = link.point(snr_db, uses, None, clip.shape)
    agreed = link.transmitter.agree(clip.shape, point, LinkCalibration(link, [clip], 77, snr_db, Memo(9)))
    seen: list[Transmission] = []
    outcome = run_clip(link, clip, agreed, Seeds(5), budget=uses, observe=seen.append)
    alone = run_clip(link, clip, agreed, Seeds(5), budget=uses)
    assert torch.equal(outcome.frames.pixels, alone.frames.pixels) and outcome.ledger == alone.ledger
    assert torch.equal(seen[0].delivered.frames.pixels, outcome.frames.pixels) and seen[0].ledger == outcome.ledger
    return seen[0]


class Silenced(ChannelBase):
    """White noise, and nothing at all from one symbol to another."""

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last = first, last

    def __call__(self, iq, snr_db, seeds):
        heard = Awgn()(iq, snr_db, seeds)
        erased = torch.zeros(iq.shape, dtype=torch.bool)
        erased[:, self.first : self.last] = True
        return replace(heard, iq=heard.iq.masked_fill(erased, 0), erased=erased)


# over white noise


@pytest.mark.parametrize("snr_db", [0.0, 4.0])
def test_wrong_bits_and_snr_are_those_of_white_noise(clip, snr_db):
    """QPSK: a bit is on the wrong side with chance Q(sqrt(snr)), here of 12,000 bits."""
    link = digital(Awgn())
    found = reception_of(link, watched(link, clip, snr_db), "ramp0")
    expected = 0.5 * math.erfc(math.sqrt(from_db(snr_db) / 2))
    assert found.llrs.bits == 2 * found.symbols
    assert found.llrs.wrong == pytest.approx(expected, abs=4 * math.sqrt(expected / found.llrs.bits))
    assert found.measured_db == pytest.approx(snr_db, abs=4 * 4.34 / math.sqrt(found.symbols))
    assert found.believed_db == pytest.approx(snr_db, abs=1e-4)
    assert (found.clip, found.asked_db, found.unheard) == ("ramp0", snr_db, 0)
    assert np.isnan(found.gain_db).all()  # white noise has no gain to tell of


def test_an_llr_is_the_logarithm_of_the_chances(clip):
    """Of bits with LLR L, e^L times as many were sent as 0: 16-QAM, bins with 100 bits of either kind."""
    link = digital(Awgn(), LdpcCoding(4, 0.5, 512))
    llrs = reception_of(link, watched(link, clip, 4.0, 14_000)).llrs
    full = (llrs.zeros > 100) & (llrs.ones > 100)
    middle = (llrs.edges[:-1] + llrs.edges[1:]) / 2
    assert full.sum() > 8
    np.testing.assert_allclose(np.log(llrs.zeros[full] / llrs.ones[full]), middle[full], atol=0.45)


def test_sampled_symbols_are_points_before_the_air_and_noise_around_them_behind_it(clip):
    link = digital(Awgn())
    (scatter,) = reception_of(link, watched(link, clip, 4.0)).scatters
    assert len(scatter.sent) == 1500 and 5900 < scatter.symbols <= 6000 and scatter.name == "transport blocks"
    np.testing.assert_allclose(np.abs(scatter.sent[:, None] - scatter.points).min(1), 0, atol=1e-6)
    assert np.mean(np.abs(scatter.received - scatter.sent) ** 2) == pytest.approx(from_db(-4.0), rel=0.1)


# lost blocks


@pytest.mark.parametrize("first, last", [(0, 900), (2000, 2700), (3100, 6000)])
def test_the_blocks_that_are_marked_are_those_that_were_silenced(clip, first, last):
    link = digital(Silenced(first, last))
    found = reception_of(link, watched(link, clip, 8.0))
    shares = [max(min(last, stop) - max(first, start), 0) / (stop - start) for start, stop in found.blocks]
    assert found.told == len(found.blocks) == 12 and found.blocks[-1, 1] == found.symbols
    assert all(fate == LOST for fate, share in zip(found.fates, shares) if share > 0.5)
    assert all(fate == ARRIVED for fate, share in zip(found.fates, shares) if share < 0.2)
    assert (found.fates == LOST).sum() == found.lost > 0
    assert found.unheard == pytest.approx((min(last, found.symbols) - first) / found.symbols)


def test_a_block_that_is_sent_again_is_failed_first_and_lost_only_if_it_stays_so(clip):
    ends = [InteractiveScheme(Grains(), {"only": QPSK}, Rules(Harq("ir"))) for _ in range(2)]
    link = Link(ends[0], ends[1], Plain(), Silenced(1000, 1400))
    seen = watched(link, clip, 8.0)
    found = reception_of(link, seen)
    first = found.blocks[:, 0] < found.bursts[1]
    silent = (found.blocks[:, 0] < 1400) & (found.blocks[:, 1] > 1000)
    assert len(seen.bursts) > 1 and found.lost == 0
    assert (found.fates[first & ~silent] == ARRIVED).all() and (found.fates[first & silent] != LOST).all()
    assert LATER in found.fates[first & silent] and (found.fates[~first] == ARRIVED).any()
    assert found.symbols == sum(burst.symbols for burst in seen.bursts) == round(found.blocks[-1, 1])
    assert {s.name for s in found.scatters} == {"transport blocks", "transport blocks sent again"}
    packed, arrived = packets_of(link, seen)
    shown = Grains().decode(packed, clip.shape)
    assert packed == arrived and np.array_equal(shown, seen.delivered.frames.pixels[0].numpy())
    gone = replace(seen, delivered=replace(seen.delivered, lost=1, failed=(2,)))
    assert 0 < len(packets_of(link, gone)[1]) < len(packed)


def test_a_receiver_that_does_not_say_which_blocks_failed(clip):
    link = digital(Silenced(0, 900))
    seen = watched(link, clip, 8.0)
    silent = replace(seen, delivered=replace(seen.delivered, failed=()))
    assert (reception_of(link, silent).fates == UNSAID).all()


@pytest.mark.parametrize("failed", [(0,), (0, 0), (0, 7), (-1, 2)])
def test_lost_blocks_that_cannot_be_are_refused(failed):
    from semlink.link.chain.air import as_delivered

    frames = Frames(torch.zeros(1, 1, 2, 2))
    assert as_delivered(Delivered(frames, 5, 2, (1, 4))).failed == (1, 4)
    with pytest.raises(InterfaceError, match="need each of the 2 lost ones once, from 0 to 4"):
        as_delivered(Delivered(frames, 5, 2, failed))


# gains


@pytest.mark.parametrize(
    "channel, waveform",
    [
        (Rayleigh(doppler=0.002), SingleCarrier(pilot_spacing=60, estimator="genie")),
        pytest.param(Tdl("A", 100), Ofdm(estimator="genie"), marks=pytest.mark.slow),
        (Rayleigh(300), Ofdm(estimator="genie")),
    ],
)
def test_the_gain_is_the_one_that_a_genie_receiver_reads(clip, channel, waveform):
    link = digital(channel, waveform=waveform.designed_for(channel))
    seen = watched(link, clip, 20.0)
    csi = seen.bursts[0].received.genie["csi"][0]
    gain = seen.bursts[0].true_gain(link.waveform)
    torch.testing.assert_close(gain, csi[: len(gain)])
    found = reception_of(link, seen)
    expected = 20 * np.log10(np.abs(gain.numpy()))[found.at]
    np.testing.assert_allclose(found.gain_db, np.maximum(expected, -60), atol=1e-4)
    if isinstance(waveform, SingleCarrier):  # its receiver knows the gain and counts on nothing else
        np.testing.assert_allclose(found.believed_gain_db, found.gain_db, atol=1e-3)


@pytest.mark.parametrize("moves", [{"coherence": 1000}, {"doppler": 1e-3}])
def test_gains_follow_one_another_over_bursts(clip, moves):
    """Whether the pilots of a burst run on from the last one (blocks) or begin anew (Doppler)."""
    link = adaptive_link(Rayleigh(**moves), 1, SingleCarrier(pilot_spacing=60, **moves), Harq("ir"))
    assert link.waveform.continues == ("coherence" in moves)
    seen = watched(link, clip, 18.0)
    found = reception_of(link, seen)
    good = found.gain_db > -5
    assert len(found.bursts) >= 4 and found.symbols == sum(burst.symbols for burst in seen.bursts)
    assert np.median(np.abs(found.gain_db - found.believed_gain_db)[good]) < 0.8
    assert found.measured_db == pytest.approx(found.believed_db, abs=1.0)


# in a run


def test_no_number_of_a_run_depends_on_it(tmp_path, monkeypatch):
    small = {"sweep": {"snr_db": [8], "budget": [0.08]}, "trials": {"min": 1, "max": 1}}
    run(job(tmp_path, "kept", **small))
    monkeypatch.setattr(point_runner, "reception_of", lambda *given: pytest.fail("watched"))
    monkeypatch.setattr(point_runner.PointRunner, "trial", unwatched(point_runner.PointRunner.trial))
    run(job(tmp_path, "not", **small))
    for file in (tmp_path / "kept/curves.csv", *(tmp_path / "kept/points").iterdir()):
        assert file.read_bytes() == (tmp_path / "not" / file.relative_to(tmp_path / "kept")).read_bytes()
    kept = sorted((tmp_path / "kept/pictures").glob("*.reception.npz"))
    assert len(kept) == 2 and not list((tmp_path / "not/pictures").glob("*.reception.npz"))
    assert max(file.stat().st_size for file in kept) < 20_000


def unwatched(trial):
    return lambda self, link, deals, number, audited, observe=None: trial(self, link, deals, number, audited)


def test_a_scheme_that_says_nothing_has_its_symbols_kept_all_the_same(clip):
    scheme = adapted("scheme", toys.Direct())
    link = Link(scheme, scheme, Plain(), Awgn())
    found = reception_of(link, watched(link, clip, 10.0, 200))
    (scatter,) = found.scatters
    assert scatter.name == "symbols" and len(scatter.points) == 0 and found.llrs is None and len(found.blocks) == 0
    assert found.measured_db == pytest.approx(10.0, abs=1.6)


def test_a_scheme_that_tells_of_other_symbols_is_refused(clip):
    class Boaster(toys.Direct):
        def symbol_parts(self, sent, agreement):
            return [SymbolPart("mine", 7)]

    scheme = adapted("scheme", Boaster())
    link = Link(scheme, scheme, Plain(), Awgn())
    with pytest.raises(InterfaceError, match="told of 7 symbols; need the 128"):
        parts_of(scheme, watched(link, clip, 10.0, 200))


def test_a_reception_read_is_the_one_written(clip, tmp_path):
    link = digital(Silenced(0, 900))
    made = reception_of(link, watched(link, clip, 8.0), "ramp0")
    store = Receptions(tmp_path)
    assert store.read("k") is None
    store.write("k", made)
    found = store.read("k")
    for name in ("clip", "symbols", "asked_db", "measured_db", "believed_db", "unheard", "bursts", "told", "lost"):
        assert getattr(found, name) == getattr(made, name), name
    for name in ("at", "gain_db", "believed_gain_db", "blocks", "fates"):
        np.testing.assert_allclose(getattr(found, name), getattr(made, name), rtol=1e-3, atol=1e-3)
    for name in ("sent", "received", "points"):
        np.testing.assert_allclose(getattr(found.scatters[0], name), getattr(made.scatters[0], name), atol=3e-3)
    np.testing.assert_array_equal(found.llrs.zeros, made.llrs.zeros)
    assert found.llrs.wrong == made.llrs.wrong


@pytest.mark.parametrize(
    "harm",
    [
        {"fates": np.array([9], np.uint8)},
        {"fates": np.zeros((3, 3), np.uint8)},
        {"blocks": np.zeros((2, 3), np.float32)},
        {"gain_db": np.zeros(3, np.float16)},
        {"received": np.zeros((3, 2), np.float16)},
        {"sent": np.full((1500, 2), np.nan, np.float16)},
        {"llr_counts": np.zeros((2, 7), np.uint32)},
        {"words": np.array("{}")},
        {"words": np.array("[1, 2]")},
    ],
)
def test_a_file_that_does_not_fit_together_counts_as_none(clip, tmp_path, harm):
    link = digital(Awgn())
    store = Receptions(tmp_path)
    store.write("k", reception_of(link, watched(link, clip, 8.0)))
    with np.load(store.path("k")) as file:
        kept = dict(file)
    np.savez(store.path("k"), **kept)
    assert store.read("k") is not None
    np.savez(store.path("k"), **(kept | harm))
    assert store.read("k") is None
    store.path("k").write_bytes(b"PK half")
    assert store.read("k") is None


# in the page


def test_the_page_says_what_one_sees(clip):
    said = " ".join(words_of(reception_of(*pair(digital(Silenced(0, 900)), clip, 8.0))))
    assert said.startswith("5,948 data symbols of clip ramp0 in one burst, first trial. SNR asked for 8.0\xa0dB")
    assert "15\xa0% of the symbols never arrived." in said and "2 of 12 blocks were lost (17\xa0% of the time)." in said
    said = " ".join(words_of(reception_of(*pair(digital(Awgn()), clip, 8.0))))
    assert said.endswith("All 12 blocks arrived.")


def pair(link: Link, clip: Frames, snr_db: float) -> tuple[Link, Transmission, str]:
    return link, watched(link, clip, snr_db), "ramp0"


def test_many_points_have_fewer_symbols_each_in_the_page(clip):
    found = reception_of(*pair(digital(Awgn()), clip, 8.0))
    whole, few = (drawn(found, most) for most in (5000, 150))
    assert [len(shown["scatters"][0]["wrong"]) for shown in (whole, few)] == [1500, 150]
    assert len(json.dumps(few)) < 5000
