"""An MCS that follows the channel; outage and bounds on fading channels against closed form."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
import toys
from scipy import integrate
from sheets import view
from small_runs import job, records as points_of

from semlink.blocks import ChannelBase
from semlink.caching import Memo
from semlink.errors import Infeasible, ResultsError, ScenarioError
from semlink.feedback import SNR_BITS
from semlink.link.chain.calibration import LinkCalibration
from semlink.link.chain.link import Link
from semlink.link.chain.transmit import run_clip
from semlink.link.metrics.registry import PSNR
from semlink.link.plots.curves.over_time import time_sheet
from semlink.link.plots.curves.quantity import quantity_of
from semlink.link.plots.curves.scene import scene
from semlink.link.results.finished import read_run
from semlink.link.results.rows import Row, from_json, to_json, write_csv
from semlink.link.scenario.build import build_link
from semlink.link.schemes.digital.burst_schedule import BurstTerms, Rules
from semlink.link.schemes.digital.interactive import InteractiveScheme
from semlink.link.schemes.digital.mcs_ladder import pick, threshold_ladder
from semlink.link.schemes.digital.spec import DigitalSpec
from semlink.link.sweep.plan import plan
from semlink.link.sweep.run import run
from semlink.payload import Frames, FrameShape, Packet, Point
from semlink.phy.bounds.rate_bounds import (
    CapacityBound,
    FiniteBlocklengthBound,
    OutageCapacityBound,
    _gain_powers,
    block_outage_rate,
)
from semlink.phy.capacity import cm_capacity, gain_law, normal_approximation, outage_capacity, shannon
from semlink.phy.channels.awgn import Awgn
from semlink.phy.channels.erasures import Erasure
from semlink.phy.channels.fading import Rayleigh, Rician
from semlink.phy.channels.interference import Interference
from semlink.phy.channels.phase_noise import PhaseNoise
from semlink.phy.coding.ldpc_coding import LdpcCoding
from semlink.phy.coding.link_adaptation import Adaptive, Harq
from semlink.phy.coding.mcs_tables import mcs_name, mcs_table
from semlink.phy.coding.snr_thresholds import _is_carried, block_error_rate, blocks_tried, threshold_snr_db
from semlink.phy.coding.transport_block import TransportBlock
from semlink.phy.effective_snr import effective_snr_db, quantised, whole_db
from semlink.phy.qam import demap, map_bits
from semlink.phy.specs.channels import RayleighSpec
from semlink.phy.specs.waveforms import PlainSpec
from semlink.phy.waveforms.plain import Plain
from semlink.phy.waveforms.single_carrier import SingleCarrier
from semlink.seeds import Seeds
from semlink.units import from_db

TABLE = {
    mcs_name(c.bits_per_symbol, c.rate): c for c in (LdpcCoding(m.bits_per_symbol, m.rate, 1024) for m in mcs_table(1))
}
COARSE = dict(list(TABLE.items())[::3])
"""Every third row: their thresholds are found in a third of the time."""


@pytest.fixture
def clip() -> Frames:
    return Frames(torch.from_numpy(toys.Ramps().clip(0)[None]))


@pytest.mark.source("tse2005", "eq. (5.54)")
@pytest.mark.parametrize("snr_db", [6.0, 10.0, 14.0])
def test_outage_of_a_fixed_mcs_on_block_rayleigh(snr_db):
    """The block error rate is that of white noise, averaged over the exponential law of |h|^2.

    And a good code fails where |h|^2 snr falls below the SNR whose capacity is its rate, a dB or two more.
    """
    block, count = LdpcCoding(2, 0.5).transport_block(48, 400), 3000
    bits = np.random.default_rng(4).integers(0, 2, (count, block.num_bits), dtype=np.uint8)
    seeds = Seeds(6, tuple(range(count)))
    iq = torch.from_numpy(map_bits(block.encode(bits), 2))
    heard = Rayleigh()(iq, snr_db, seeds)
    gain = heard.gain.abs().square().numpy()
    equal = (heard.iq / heard.gain).numpy().astype(np.complex64)
    lost = float(1 - block.decode(demap(equal, (1 / from_db(snr_db) / gain).astype(np.float32), 2)).ok.mean())

    snrs_db = np.arange(-3.0, 4.5, 0.5)
    white = [block_error_rate(LdpcCoding(2, 0.5), 400, float(s), 400) for s in snrs_db]
    curve = np.interp(levels := np.linspace(-40, 10, 4000), snrs_db, white)
    density = np.exp(-from_db_array(levels) / from_db(snr_db)) / from_db(snr_db) * from_db_array(levels)
    expected = float(np.trapezoid(curve * density * math.log(10) / 10, levels))
    assert abs(lost - expected) < 4 * (expected * (1 - expected) / count) ** 0.5 + 0.005

    rate = 2 * 0.5
    theory = [1 - math.exp(-(2**rate - 1) * margin / from_db(snr_db)) for margin in (1.0, from_db(2.0))]
    assert theory[0] - 0.01 < lost < theory[1] + 0.01


def from_db_array(levels: np.ndarray) -> np.ndarray:
    return 10 ** (levels / 10)


@pytest.mark.parametrize("name", ["qpsk 120/1024", "qpsk 602/1024", "16qam 490/1024", "64qam 772/1024"])
def test_thresholds_are_where_the_error_rate_falls_below_the_target(name):
    coding = TABLE[name]
    symbols = coding.cuts(2400)[0].symbols
    threshold = threshold_snr_db(coding, symbols, 0.1)
    assert block_error_rate(coding, symbols, threshold, 512) < 0.15
    assert block_error_rate(coding, symbols, threshold - 1, 512) > 0.05
    rate = coding.bits_per_symbol * coding.rate
    assert cm_capacity(coding.bits_per_symbol, from_db(threshold)) > rate
    assert cm_capacity(coding.bits_per_symbol, from_db(threshold - 3.5)) < rate


def test_a_stricter_target_asks_for_no_less():
    coding = TABLE["16qam 490/1024"]
    assert threshold_snr_db(coding, 500, 1e-2) >= threshold_snr_db(coding, 500, 0.3)


def test_what_the_target_misses_by_far_is_not_tried_to_the_end(monkeypatch):
    """A rare target takes 2,048 blocks, and lost ones take longest; the verdict is that of all of them."""
    decoded, given = [], TransportBlock.decode_symbols
    monkeypatch.setattr(
        TransportBlock,
        "decode_symbols",
        lambda self, heard, *rest, **options: decoded.append(len(heard)) or given(self, heard, *rest, **options),
    )
    coding = LdpcCoding(2, 0.5)
    for snr_db, blocks in ((-2, 128), (4, 2048)):
        decoded.clear()
        carried = _is_carried.__wrapped__(coding, 60, snr_db, blocks_tried(1e-3), 1e-3)
        assert sum(decoded) == blocks and carried == (block_error_rate(coding, 60, snr_db, 2048) <= 1e-3)


@pytest.mark.parametrize("target, said", [(0.006, False), (0.005, True)])
def test_a_target_too_rare_for_the_blocks_that_are_tried_is_said_before_the_run(tmp_path, target, said):
    coding = {"kind": "ldpc", "mcs": "adaptive", "target_bler": target}
    scheme = {"name": "rare", "kind": "digital", "codec": {"kind": "h264"}, "coding": coding}
    warned = plan(job(tmp_path, schemes=[scheme], channel={"kind": "rayleigh"})).warnings
    lines = [line for line in warned if "target_bler" in line]
    assert len(lines) == said
    if said:
        assert lines[0].startswith("scheme 'rare': coding.target_bler: 0.005: thresholds rest on 2048 blocks")
        assert "10 may be lost" in lines[0] and "about a minute" in lines[0]


def test_a_ladder_holds_no_step_that_another_one_beats():
    ladder = threshold_ladder(TABLE, 2400, 0.1)
    thresholds = [threshold for _, threshold in ladder]
    rates = [TABLE[name].bits_per_symbol * TABLE[name].rate for name, _ in ladder]
    assert thresholds == sorted(set(thresholds)) and rates == sorted(set(rates)) and len(ladder) > 12
    assert [pick(ladder, t) for t in thresholds] == [name for name, _ in ladder]
    assert pick(ladder, -30) == ladder[0][0] and pick(ladder, 60) == ladder[-1][0]
    with pytest.raises(Infeasible, match="5 channel uses carry no transport block"):
        threshold_ladder(TABLE, 5, 0.1)


@pytest.mark.parametrize("snr_db", [-7.3, 0.0, 12.0, 25.9])
def test_equal_symbols_have_their_own_snr(snr_db):
    noise_var = torch.full((1, 50), from_db(-snr_db))
    assert effective_snr_db(noise_var) == pytest.approx(snr_db, abs=1e-5)
    assert whole_db(noise_var) == math.floor(snr_db)
    half = torch.cat([noise_var, torch.full((1, 50), torch.inf)], dim=1)
    assert effective_snr_db(half) == pytest.approx(10 * math.log10((1 + from_db(snr_db)) ** 0.5 - 1), abs=1e-5)


def test_a_report_fits_into_its_bits():
    values = {quantised(snr_db) for snr_db in np.arange(-90.0, 90.0, 0.25)} | {quantised(-math.inf)}
    assert len(values) <= 2**SNR_BITS and quantised(9.99) == 9 and quantised(-0.5) == -1


class Grains:
    """Each frame as a packet of evenly spaced pixels, as many as fit: every budget is filled to the byte."""

    def __repr__(self) -> str:
        return "Grains()"

    def encode(self, clip, *, max_bytes: int):
        size = max_bytes // len(clip) - 4
        if size < 8:
            raise Infeasible(f"{max_bytes} bytes are too few")
        return tuple(Packet(t, spaced(frame, size)) for t, frame in enumerate(clip))

    def decode(self, packets, shape):
        frames = np.full((shape.t, shape.h * shape.w), 0.5, np.float32)
        for packet in packets:
            values = np.frombuffer(packet.data, np.uint8) / 255
            frames[packet.time] = values[np.arange(frames.shape[1]) * len(values) // frames.shape[1]]
        return frames.reshape(shape.t, shape.h, shape.w)


def spaced(frame: np.ndarray, size: int) -> bytes:
    places = np.linspace(0, frame.size - 1, size).astype(int)
    return np.round(frame.ravel()[places] * 255).astype(np.uint8).tobytes()


def adaptive_link(channel, delay: int, waveform=None, harq: Harq | None = None, **options) -> Link:
    rules = Rules(harq, Adaptive(delay, **options), 1)
    ends = [InteractiveScheme(Grains(), COARSE, rules) for _ in range(2)]
    return Link(ends[0], ends[1], waveform or SingleCarrier(pilot_spacing=60), channel)


def outcomes(clip: Frames, link: Link, snr_db: float, trials: int, uses: int = 4000):
    calibration = LinkCalibration(link, [clip], 77, snr_db, Memo(9))
    point = link.point(snr_db, uses, None, clip.shape)
    agreed = link.transmitter.agree(clip.shape, point, calibration)
    return [
        run_clip(link, clip, agreed, Seeds(5, (0,), trial), budget=uses, audit=trial == 0) for trial in range(trials)
    ]


def test_better_channels_get_a_higher_mcs(clip):
    shares, psnrs = [], []
    for snr_db in (2.0, 10.0, 18.0):
        (outcome,) = outcomes(clip, adaptive_link(Awgn(), 1), snr_db, 1)
        assert outcome.lost == 0 and [f.acks for f in outcome.feedback] == [()] * 4
        assert all(abs(f.snr_db - snr_db) <= 1 for f in outcome.feedback)
        shares.append(float(outcome.ledger.spent_on("payload") / outcome.ledger.symbols))
        psnrs.append(-10 * math.log10(float((outcome.frames.pixels - clip.pixels).square().mean())))
        assert 3850 < outcome.ledger.symbols <= 4000
    assert psnrs == sorted(psnrs) and shares == sorted(shares)


@pytest.mark.slow
def test_old_reports_mislead_where_the_gain_moves_on(clip):
    """With a gain that changes at every group a report of the last group is worth nothing."""
    lost = {}
    for coherence in (1000, 4000):
        for delay in (0, 1):
            waveform = SingleCarrier(pilot_spacing=96, pilot_block=4, coherence=coherence)
            link = adaptive_link(Rayleigh(coherence), delay, waveform)
            results = outcomes(clip, link, 15.0, 12)
            lost[coherence, delay] = sum(r.lost for r in results) / sum(r.blocks for r in results)
            assert all(r.genie == (("snr_ahead",) if delay == 0 else ()) for r in results)
    assert lost[1000, 1] > lost[1000, 0] + 0.15
    assert lost[4000, 1] < lost[1000, 1] - 0.1


@pytest.mark.slow
def test_a_backoff_loses_less(clip):
    losses = []
    for backoff_db in (0.0, 6.0):
        waveform = SingleCarrier(pilot_spacing=96, pilot_block=4, coherence=1000)
        results = outcomes(clip, adaptive_link(Rayleigh(1000), 1, waveform, backoff_db=backoff_db), 15.0, 12)
        losses.append(sum(r.lost for r in results) / sum(r.blocks for r in results))
    assert losses[1] < losses[0] - 0.05


def test_the_start_is_what_the_law_of_the_channel_allows():
    link = adaptive_link(Rayleigh(), 1, SingleCarrier())
    calibration = LinkCalibration(link, [], 77, 20.0, Memo(9))
    tenth = calibration.starting_snr_db(500, 0.1)
    exact = 20 + 10 * math.log10(-math.log(0.9))
    assert abs(tenth - exact) < 2.5 and calibration.starting_snr_db(500, 0.5) > tenth


def test_adaptation_goes_with_harq(clip):
    waveform = SingleCarrier(pilot_spacing=96, pilot_block=4, coherence=500)
    harq = Harq("chase", reserve=0.5)
    results = outcomes(clip, adaptive_link(Rayleigh(500), 1, waveform, harq), 15.0, 6)
    assert sum(float(r.ledger.spent_on("retransmission")) for r in results) > 0
    alone = outcomes(clip, adaptive_link(Rayleigh(500), 1, waveform), 15.0, 6)
    rate = [sum(r.lost for r in some) / sum(r.blocks for r in some) for some in (results, alone)]
    assert rate[0] < rate[1]


class FadesOut:
    """Quiet, but deaf from one symbol to another."""

    def __init__(self, start: int, stop: int) -> None:
        self.span = start, stop

    def __call__(self, iq, snr_db, seeds):
        from semlink.payload import ChannelOutput

        erased = torch.zeros(iq.shape, dtype=torch.bool)
        erased[:, self.span[0] : self.span[1]] = True
        return ChannelOutput(iq.masked_fill(erased, 0), noise_var=0.05, erased=erased)


def test_a_lost_group_shows_the_last_picture_before_it(clip):
    whole, holed = (
        outcomes(clip, adaptive_link(channel, 1, Plain()), 13.0, 1)[0].frames.pixels[0]
        for channel in (FadesOut(0, 0), FadesOut(1000, 2000))
    )
    assert torch.equal(holed[0], whole[0]) and torch.equal(holed[1], holed[0]) and not torch.equal(whole[1], whole[0])


def test_a_group_that_does_not_fit_is_left_out_and_time_goes_on(clip):
    """After a report of a dead channel the most robust MCS carries too little for any picture."""
    (outcome,) = outcomes(clip, adaptive_link(FadesOut(0, 250), 1, Plain()), 13.0, 1, uses=1000)
    assert [f.snr_db for f in outcome.feedback][:2] == [-15, 13] and len(outcome.feedback) == 4
    assert outcome.ledger.symbols <= 1000 and outcome.lost > 0
    assert not torch.equal(outcome.frames.pixels[0, 2], outcome.frames.pixels[0, 1])


def test_points_tell_losses_and_quality_over_time(tmp_path):
    codec = {"kind": f"{toys.__file__}:Thumbnails"}
    fixed = {"kind": "ldpc", "modulation": "qpsk", "rate": "1/2", "block_bits": 512}
    schemes = [{"name": "x", "kind": "digital", "codec": codec, "coding": fixed | {"harq": {"reserve": 0.5}}}]
    channel = {"kind": "rayleigh", "coherence": 300}
    made = job(tmp_path, schemes=schemes, channel=channel, sweep={"snr_db": [8], "budget": [0.1]})
    (row,) = run(made).rows
    (record,) = points_of(tmp_path / "out")
    clips = record["clips"]
    assert row.bler == sum(sum(c["lost"]) for c in clips) / sum(sum(c["blocks"]) for c in clips)
    assert row.outage == pytest.approx(np.mean([c["outage"] for c in clips]))
    for clip in clips:
        low, high = clip["outage_ci95"]
        assert low <= clip["outage"] <= high and clip["outage"] == np.mean(np.array(clip["lost"]) > 0)
        assert len(clip["psnr_by_frame"]) == 4 and len(clip["feedback_bits"]) == row.trials
        mse = np.mean([10 ** (-v / 10) for v in clip["psnr_by_frame"]])
        assert -10 * math.log10(mse) == pytest.approx(np.mean(clip["psnr_db"]), abs=1.5)
    assert f"{np.mean([b for c in clips for b in c['feedback_bits']]):.1f} bits a clip" in row.note


def time_record(scheme: str, snr_db: float, group_frames: int, level: float) -> dict:
    row = Row(scheme, "rayleigh", snr_db, 0.1, psnr_db=level - 4, clips=2, trials=1)
    clips = [
        {"name": f"c{n}", "motion": "slow", "psnr_db": [level - 5 + n], "channel_uses": [0.0]}
        | {"psnr_by_frame": [level + n] * 8, "psnr_of_first_trial": [level - 5 + n] * 8}
        for n in (0, 2)
    ]
    head = {"scheme": scheme, "channel": "rayleigh", "snr_db": snr_db, "budget": 0.1, "rate": None, "bound": False}
    return head | {"row": to_json(row), "group_frames": group_frames, "clips": clips, "genie": []}


def test_quality_over_time_is_drawn_where_there_are_groups(tmp_path):
    (tmp_path / "points").mkdir()
    records = [time_record(s, snr_db, 4, 20 + snr_db) for s in ("a", "b") for snr_db in (1.0, 2.0, 3.0)]
    for number, record in enumerate([*records, time_record("old", 2.0, 4, 50.0)]):
        (tmp_path / "points" / f"{number}.json").write_text(json.dumps(record))
    write_csv([from_json(record["row"]) for record in records], tmp_path / "curves.csv")
    sheet = time_sheet(scene(read_run(tmp_path), quantity_of(PSNR), view()))
    assert [panel.title[-6:] for panel in sheet.panels] == [", mean", "ission"]
    for panel, level in zip(sheet.panels, (23.0, 17.0)):
        assert [curve.label for curve in panel.curves] == ["a", "b"]
        assert all(curve.y == (level,) * 8 and curve.x == tuple(range(8)) for curve in panel.curves)
    for path in (tmp_path / "points").iterdir():
        path.write_text(path.read_text().replace('"group_frames": 4', '"group_frames": 8'))
    assert time_sheet(scene(read_run(tmp_path), quantity_of(PSNR), view())) is None
    (tmp_path / "points" / "0.json").write_text("{")
    with pytest.raises(ResultsError, match="damaged record"):
        read_run(tmp_path)


def digital(**coding) -> DigitalSpec:
    return DigitalSpec(name="x", kind="digital", codec={"kind": "h264", "gop": 4}, coding={"kind": "ldpc"} | coding)


@pytest.mark.parametrize(
    "coding, says",
    [
        ({"mcs": "adaptive", "csi_delay": -1}, "greater than or equal to 0"),
        ({"mcs": "adaptive", "target_bler": 0.9}, "less than or equal to 0.5"),
        ({"mcs": "best", "csi_delay": 2}, "csi_delay is for mcs: adaptive; got mcs: best"),
        ({"modulation": "qpsk", "rate": 0.5, "backoff_db": 1}, "backoff_db is for mcs: adaptive; got mcs: None"),
        ({"mcs": 3, "harq": {"transmissions": 1}}, "greater than or equal to 2"),
        ({"mcs": 3, "harq": {"reserve": 1.0}}, "less than 1"),
        ({"mcs": 3, "harq": {"kind": "ack"}}, "'ir' or 'chase'"),
    ],
)
def test_options_that_make_no_sense(coding, says):
    with pytest.raises(ValueError, match=says):
        digital(**coding)


def test_adapting_without_pilots_is_refused():
    with pytest.raises(ScenarioError, match="'x' on rayleigh: mcs: adaptive measures the SNR on pilots"):
        build_link(digital(mcs="adaptive"), RayleighSpec(kind="rayleigh"), PlainSpec(), streams=None, folder=None)


def test_groups_share_the_budget_alike():
    rules = Rules(Harq(reserve=0.25), Adaptive(), 8)
    frames, point = FrameShape(20, 64, 64), Point(10.0, 3003)
    assert rules.num_groups(frames) == 3 and rules.share(frames, point) == 1001
    assert rules.first_uses(frames, point) == 750
    assert [rules.shape_of(g, frames).t for g in range(3)] == [8, 8, 4]
    short = rules.fitted({"x": LdpcCoding(4, 0.5, 8192)}, frames, point)["x"]
    assert max(cut.symbols for cut in short.cuts(750)) <= 1001 - 750


# bounds


def test_capacity_knows_the_channel():
    uses, snr_db = 1000, 10.0
    assert CapacityBound().bits(uses, snr_db, Awgn()) == pytest.approx(1000 * shannon(10.0))
    faded = CapacityBound().bits(uses, snr_db, Rayleigh())
    exact, _ = integrate.quad(lambda g: math.log2(1 + 10 * g) * math.exp(-g), 0, 60)
    assert faded == pytest.approx(1000 * exact, rel=1e-6)
    assert CapacityBound().bits(uses, snr_db, Erasure(0.25)) == pytest.approx(750 * shannon(10.0))
    assert CapacityBound().bits(uses, snr_db, Interference(3.0)) == pytest.approx(1000 * shannon(10.0))
    assert CapacityBound().bits(uses, snr_db, PhaseNoise(1e-3)) == pytest.approx(1000 * shannon(10.0))
    with pytest.raises(Infeasible, match="no capacity is known for silent"):
        CapacityBound().bits(uses, snr_db, Silent())


class Silent(ChannelBase):
    """A channel that states nothing but a law."""

    def __init__(self, law=None) -> None:
        self.law = law

    def __call__(self, iq, snr_db, seeds):
        return iq


@pytest.mark.parametrize("channel", [Awgn(), Interference(3.0), PhaseNoise(1e-3)])
def test_one_code_word_over_a_gain_that_never_falls(channel):
    assert FiniteBlocklengthBound().bits(1000, 10.0, channel) == 1000 * normal_approximation(10.0, 1000, 1e-3)
    assert OutageCapacityBound().bits(1000, 10.0, channel) == pytest.approx(1000 * shannon(10.0))


@pytest.mark.source("caire1998", "sec. III")
@pytest.mark.parametrize(
    "channel", [Awgn(), Rayleigh(), Rician(k=3.0), Erasure(0.25), PhaseNoise(1e-3), Interference(3.0)]
)
def test_constellations_carry_less_than_capacity_and_bits_by_themselves_less_still(channel):
    capacity = CapacityBound().bits(1, 8.0, channel)
    cm = [CapacityBound(bits).bits(1, 8.0, channel) for bits in (2, 4, 6, 8)]
    bicm = [CapacityBound(bits, bitwise=True).bits(1, 8.0, channel) for bits in (2, 4, 6, 8)]
    assert cm == sorted(cm) and cm[-1] < capacity
    assert all(b <= c + 1e-9 for b, c in zip(bicm, cm)) and bicm[0] == pytest.approx(cm[0])
    assert CapacityBound(10).bits(1, 60.0, Awgn()) == pytest.approx(10.0)


def test_mean_over_the_gain_agrees_with_the_closed_form():
    for channel in (Rayleigh(), Rician(k=3.0)):
        for snr_db in (-5.0, 10.0, 30.0):
            powers, shares = _gain_powers(channel)
            mean = sum(share * shannon(from_db(snr_db) * power) for power, share in zip(powers, shares))
            assert mean == pytest.approx(channel.capacity(snr_db), abs=1e-3)


@pytest.mark.source("tse2005", "eq. (5.57)")
def test_outage_capacity_of_one_block():
    bound = OutageCapacityBound(0.1)
    assert bound.bits(1000, 10.0, Rayleigh()) == pytest.approx(1000 * math.log2(1 - 10 * math.log(0.9)))
    assert bound.bits(1000, 10.0, Rayleigh(5000)) == bound.bits(1000, 10.0, Rayleigh())
    assert bound.bits(1000, 10.0, Rician(k=4.0)) == pytest.approx(1000 * outage_capacity(10.0, 0.1, 4.0))
    uses = bound.uses(2000, 10.0, Rayleigh())
    assert bound.bits(uses - 1, 10.0, Rayleigh()) < 2000 <= bound.bits(uses, 10.0, Rayleigh())


def test_outage_capacity_of_two_blocks_against_quadrature():
    snr, outage = 10.0, 0.1
    rate = block_outage_rate(snr, outage, 0.0, 2)

    def second_falls_short(g: float) -> float:
        return float(gain_law(0).cdf((2 ** (2 * rate) / (1 + snr * g) - 1) / snr))

    found, _ = integrate.quad(lambda g: second_falls_short(g) * math.exp(-g), 0, (2 ** (2 * rate) - 1) / snr)
    assert found == pytest.approx(outage, abs=4 * (outage * (1 - outage) / 2**18) ** 0.5)


def test_more_blocks_bring_the_outage_capacity_to_the_ergodic_one():
    rates = [block_outage_rate(10.0, 0.1, 0.0, blocks) for blocks in (1, 2, 4, 8, 16, 17, 64, 4096)]
    assert rates == sorted(rates) and rates[5] - rates[4] < 0.02
    assert rates[-1] == pytest.approx(CapacityBound().bits(1, 10.0, Rayleigh()), abs=0.03)
    assert OutageCapacityBound().bits(1000, 10.0, Rayleigh("symbol")) == pytest.approx(
        1000 * block_outage_rate(10.0, 0.1, 0.0, 1000)
    )


@pytest.mark.parametrize("bound", [OutageCapacityBound(), FiniteBlocklengthBound()])
def test_one_transmission_needs_to_know_how_the_gain_varies(bound):
    with pytest.raises(Infeasible, match="how the gain of silent varies within a transmission is not known"):
        bound.bits(1000, 10.0, Silent("rayleigh"))


def test_a_plain_agreement_has_no_ladder(clip):
    scheme = InteractiveScheme(toys.Thumbnails(), {"only": LdpcCoding(2, 0.5)}, Rules(Harq()))
    assert scheme.agree(clip.shape, Point(10.0, 2000), None).terms == BurstTerms(ladder=(), start_snr_db=0)
