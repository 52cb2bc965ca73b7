"""HARQ: what combining gains, what repeats cost, and what passes between the two ends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import toys
from small_runs import job, rows

from semlink.errors import BoundaryError, InterfaceError
from semlink.feedback import Burst, BurstContext, Feedback
from semlink.flow import Flow
from semlink.ledger import Charge, Ledger
from semlink.link.chain.interactive import check_same_beginning
from semlink.link.chain.link import Link
from semlink.link.chain.transmit import run_clip
from semlink.link.schemes.digital.burst_schedule import Rules
from semlink.link.schemes.digital.interactive import InteractiveScheme
from semlink.link.schemes.digital.scheme import DigitalScheme
from semlink.link.sweep.run import run
from semlink.payload import Agreement, ChannelOutput, Frames, Point, Received, Symbols
from semlink.phy.channels.awgn import Awgn, add_noise
from semlink.phy.channels.erasures import Erasure, GilbertElliott
from semlink.phy.channels.fading import Rayleigh, Rician
from semlink.phy.channels.interference import Interference
from semlink.phy.channels.phase_noise import PhaseNoise
from semlink.phy.coding.harq import combined, nothing_heard, repeat, symbols_of, version
from semlink.phy.coding.ldpc_coding import LdpcCoding
from semlink.phy.coding.link_adaptation import Harq
from semlink.phy.waveforms.ofdm import Ofdm
from semlink.phy.waveforms.plain import Plain
from semlink.phy.waveforms.single_carrier import SingleCarrier
from semlink.seeds import Seeds
from semlink.units import noise_var_from_snr

CODING = LdpcCoding(2, 0.5, 512)
CHASE = Harq("chase", reserve=0.4)


@pytest.fixture
def clip() -> Frames:
    return Frames(torch.from_numpy(toys.Ramps().clip(0)[None]))


def heard(flow: Flow[Symbols], snr_db: float, trial: int) -> Received:
    noise_var = noise_var_from_snr(snr_db)
    iq = add_noise(flow.payload.iq, noise_var, Seeds(3, (0,), trial), "phy/noise")
    return Received(iq, torch.full(iq.shape, noise_var))


def loss_after(coding: LdpcCoding, snr_db: float, kind: str, transmissions: int, uses: int) -> tuple[float, int]:
    """Share of blocks that fail after `transmissions` of each, all of them sent every time; number of blocks."""
    random = np.random.default_rng(8)
    blocks = [random.bytes(room) for room in coding.block_sizes(uses)]
    soft = combined(nothing_heard(coding, uses), heard(coding.send(blocks, uses), snr_db, 0), range(len(blocks)), 0)
    for sent in range(1, transmissions):
        rv = version(kind, sent)
        again = {n: blocks[n] for n in soft.missing}
        if again:
            soft = combined(soft, heard(repeat(coding, uses, again, rv), snr_db, sent), soft.missing, rv)
    for number, block in enumerate(soft.data):
        assert block in (None, blocks[number])
    return len(soft.missing) / len(blocks), len(blocks)


@pytest.mark.source("chase1985", "combining: the SNRs of the repeats add up")
@pytest.mark.parametrize("bits_per_symbol, rate, snr_db", [(2, 0.5, 0.9), (2, 0.75, 3.7)])
def test_chase_combining_is_worth_three_decibels(bits_per_symbol, rate, snr_db):
    coding = LdpcCoding(bits_per_symbol, rate, 512)
    uses = 400 * 512 // (bits_per_symbol * 1)
    once, count = loss_after(coding, snr_db, "chase", 1, uses)
    # P(both fail) at 3 dB less is P(fail) of the sum, since a sum that passes had a first part that failed
    twice, _ = loss_after(coding, snr_db - 10 * np.log10(2), "chase", 2, uses)
    spread = 4 * (once * (1 - once) * 2 / count) ** 0.5
    assert 0.1 < once < 0.9 and abs(once - twice) < spread


@pytest.mark.source("3gpp38212", "5.4.2.1")
def test_incremental_redundancy_beats_chase_where_the_rate_is_high():
    coding = LdpcCoding(2, 0.85, 1024)
    uses = 200 * 600
    losses = {kind: [loss_after(coding, snr, kind, 2, uses)[0] for snr in (0.5, 1.5, 2.5)] for kind in ("ir", "chase")}
    assert all(ir <= chase for ir, chase in zip(losses["ir"], losses["chase"]))
    assert losses["ir"][1] < 0.1 < 0.9 < losses["chase"][1]


class DeafAt:
    """A channel without noise that loses some stretches of symbols, and says so."""

    def __init__(self, *stretches: tuple[int, int]) -> None:
        self.stretches = stretches

    def __call__(self, iq, snr_db, seeds):
        erased = torch.zeros(iq.shape, dtype=torch.bool)
        for start, stop in self.stretches:
            erased[:, start:stop] = True
        return ChannelOutput(iq.masked_fill(erased, 0), noise_var=1e-6, erased=erased)


def talk(clip: Frames, channel, harq: Harq = CHASE, budget: int | None = 1500, **options):
    """One clip with HARQ over a channel without pilots."""
    scheme = [InteractiveScheme(toys.Thumbnails(), {"only": CODING}, Rules(harq)) for _ in range(2)]
    link = Link(scheme[0], scheme[1], options.pop("waveform", Plain()), channel)
    point = replace(link.point(options.pop("snr_db", 10.0), budget, None), rate=None if budget else 8.0)
    agreed = scheme[0].agree(clip.shape, point, None)
    return run_clip(link, clip, agreed, options.pop("seeds", Seeds(5)), budget=budget, audit=True)


def first_blocks(clip: Frames) -> tuple[int, ...]:
    """Symbols of the blocks of the first burst, as many as reach the antenna where nothing is lost."""
    outcome = talk(clip, DeafAt())
    return symbols_of(replace(CODING, block_bits=min(512, int(599 * 1.0))), int(outcome.ledger.symbols))


def test_where_nothing_is_lost_nothing_is_repeated(clip):
    outcome = talk(clip, DeafAt())
    assert outcome.lost == 0 and outcome.ledger.spent_on("retransmission") == 0
    plain = DigitalScheme(toys.Thumbnails(), {"only": CODING})
    link = Link(plain, plain, Plain(), DeafAt())
    alone = run_clip(link, clip, plain.agree(clip.shape, Point(10.0, 900), None), Seeds(5))
    assert alone.ledger.by_purpose() == outcome.ledger.by_purpose()
    assert torch.equal(alone.frames.pixels, outcome.frames.pixels)
    assert len(outcome.feedback) == 1 and outcome.feedback[0] == Feedback((True,) * outcome.blocks)


@pytest.mark.parametrize("lost", [(0,), (1,), (0, 1)])
def test_what_is_repeated_is_charged_to_the_symbol(clip, lost):
    sizes = first_blocks(clip)
    starts = np.cumsum([0, *sizes])
    channel = DeafAt(*((int(starts[n]), int(starts[n + 1])) for n in lost))
    outcome, whole = talk(clip, channel), talk(clip, DeafAt())
    assert outcome.lost == 0 and torch.equal(outcome.frames.pixels, whole.frames.pixels)
    assert outcome.ledger.spent_on("retransmission") == sum(sizes[n] for n in lost)
    first = {p: n for p, n in outcome.ledger.by_purpose().items() if p != "retransmission"}
    assert first == {p: n for p, n in whole.ledger.by_purpose().items() if p != "retransmission"}
    acks = tuple(n not in lost for n in range(len(sizes)))
    assert [f.acks for f in outcome.feedback] == [acks, (True,) * len(lost)]
    assert sum(f.bits for f in outcome.feedback) == len(sizes) + len(lost)


def test_zeros_are_not_taken_for_a_message():
    """Zeros pass every CRC; an erased block decodes to them, and a block of them may be sent."""
    uses = 2000
    for content in (b"\0", b"x"):
        blocks = [content * room for room in CODING.block_sizes(uses)]
        flow = CODING.send(blocks, uses)
        whole = Received(flow.payload.iq, torch.full((1, uses), 0.1))
        assert CODING.receive(whole) == tuple(blocks)
        nothing = Received(torch.zeros_like(flow.payload.iq), torch.full((1, uses), torch.inf))
        assert CODING.receive(nothing) == (None,) * len(blocks)
        soft = combined(nothing_heard(CODING, uses), nothing, range(len(blocks)), 0)
        assert soft.missing == tuple(range(len(blocks)))
        again = repeat(CODING, uses, dict(enumerate(blocks)), 0)
        assert combined(soft, heard(again, 10.0, 1), soft.missing, 0).data == tuple(blocks)


def test_it_gives_up_after_so_many_transmissions(clip):
    outcome = talk(clip, DeafAt((0, 10**6)), Harq(transmissions=3), budget=None)
    blocks = len(outcome.feedback[0].acks)
    assert [len(f.acks) for f in outcome.feedback] == [blocks] * 3 and outcome.lost == outcome.blocks == blocks
    assert outcome.ledger.spent_on("retransmission") * 3 == outcome.ledger.symbols * 2


def test_it_ends_where_the_budget_does(clip):
    outcome = talk(clip, DeafAt((0, 10**6)), Harq(reserve=0.4, transmissions=16))
    assert outcome.ledger.symbols <= 1500 and outcome.lost == outcome.blocks
    assert outcome.ledger.spent_on("retransmission") == outcome.ledger.symbols / 2


@pytest.mark.parametrize(
    "waveform", [SingleCarrier(pilot_spacing=50), Ofdm(64, design_doppler_hz=0.0), SingleCarrier(doppler=0.001)]
)
def test_budgets_hold_with_pilots_and_prefixes_in_every_burst(clip, waveform):
    for budget in (2000, 2311):
        outcome = talk(clip, DeafAt((0, 10**6)), Harq(reserve=0.5, transmissions=8), budget, waveform=waveform)
        assert outcome.ledger.symbols <= budget and len(outcome.feedback) > 1
        assert outcome.ledger.spent_on("retransmission") > 0 and outcome.ledger.spent_on("pilot") > 0


@pytest.mark.slow
def test_pilots_go_on_where_the_last_burst_ended(clip):
    """A gain that stands still for 300 symbols from the first one sent on, whatever burst they belong to."""
    waveform = SingleCarrier(pilot_spacing=294, pilot_block=6, coherence=300)
    repeated = lost = 0
    harq, channel = Harq(reserve=0.5, transmissions=8), Rayleigh(coherence=300)
    for trial in range(8):
        outcome = talk(clip, channel, harq, waveform=waveform, snr_db=9.0, seeds=Seeds(5, (0,), trial))
        assert outcome.ledger.spent_on("pilot") == 6 * -(-int(outcome.ledger.symbols) // 300)
        repeated += len(outcome.feedback) > 1
        lost += outcome.lost
    assert repeated > 1 and lost == 0


@pytest.mark.parametrize(
    "channel",
    [
        Awgn(),
        Rayleigh(),
        Rayleigh(64),
        Rayleigh("symbol"),
        Rayleigh(doppler=0.003),
        Rician(k=3.0, coherence=50),
        Rician(k=3.0, doppler=0.01),
        Erasure(0.2, 7),
        GilbertElliott(0.1, 0.3, 5),
        Interference(3.0, "tone"),
        Interference(3.0, "burst"),
        Interference(3.0, "qam"),
        PhaseNoise(1e-4),
    ],
    ids=lambda c: repr(c)[:40],
)
def test_channels_draw_their_chance_in_the_order_of_time(channel):
    iq = Seeds(1).complex_normal("x", 5000)
    whole, part = channel(iq, 10.0, Seeds(2)), channel(iq[:, :1234], 10.0, Seeds(2))
    check_same_beginning(whole.iq[:, : 1234 + 32], torch.nn.functional.pad(part.iq, (0, 32)), "this")


@pytest.mark.slow
@pytest.mark.parametrize("speed_kmh", [0.0, 60.0])
def test_multipath_leaves_its_beginning_alone_and_can_be_cut(speed_kmh):
    from semlink.phy.channels.multipath_38901 import Tdl

    waveform, channel = Ofdm(estimator="genie"), Tdl(speed_kmh=speed_kmh)
    iq = Seeds(1).complex_normal("x", 137 * 20)
    whole, part = channel(iq, 60.0, Seeds(2)), channel(iq[:, : 137 * 8], 60.0, Seeds(2))
    check_same_beginning(whole.iq, part.iq, "tdl")
    grid = waveform.demodulate(whole, 60.0)
    rest = waveform.demodulate(whole.after(137 * 14), 60.0)
    assert torch.allclose(rest.iq, grid.iq[:, -rest.iq.shape[1] :], atol=0.05)


class Shifty:
    """A channel whose noise depends on how much is sent."""

    def __call__(self, iq, snr_db, seeds):
        return add_noise(iq, 2.0, Seeds(iq.shape[1]), "phy/noise")


def test_a_channel_that_changes_the_past_is_refused(clip):
    with pytest.raises(InterfaceError, match="channel shifty delivers other symbols when more of them follow"):
        talk(clip, Shifty(), Harq(transmissions=3), budget=None)


class Chatty(toys.Direct):
    """An analogue picture in halves; its receiver misbehaves as told."""

    def __init__(self, how: str = "") -> None:
        self.how = how

    def next_burst(self, frames, agreement, seeds, past, opening):
        toys.LEFT_BEHIND["frames"] = frames.pixels
        if len(past) == 2 and self.how != "endless":
            return None
        half = toys.analogue(frames)[:, 64 * (len(past) % 2) :][:, :64]
        iq = half / half.abs().square().mean().sqrt()
        return Flow(Symbols(iq), Ledger((Charge("tests/chatty", "payload", 63 if self.how == "free" else 64),)))

    def listen(self, bursts, agreement):
        if self.how == "telepathy":
            return Feedback((bool(toys.LEFT_BEHIND["frames"].mean() > 0.5),))
        return "hello" if self.how == "words" else Feedback((True,), 12)

    def receive(self, bursts, agreement):
        if self.how == "peeping":
            return Frames(toys.LEFT_BEHIND["frames"].clone())
        return toys.picture(torch.cat([b.received.iq for b in bursts], dim=1), agreement.frames)


def chat(clip: Frames, how: str):
    link = Link(Chatty(how), Chatty(how), Plain(), toys.Quiet())
    return run_clip(link, clip, Agreement(clip.shape, Point(10.0, 128)), Seeds(1), budget=128, audit=True)


def test_any_scheme_may_talk_back(clip):
    outcome = chat(clip, "")
    assert outcome.ledger.symbols == 128 and len(outcome.feedback) == 2
    assert sum(f.bits for f in outcome.feedback) == 2 * (1 + 6)


@pytest.mark.parametrize(
    "how, fault, says",
    [
        ("peeping", BoundaryError, "did not reach its antenna"),
        ("telepathy", BoundaryError, "did not reach its antenna"),
        ("words", InterfaceError, "returned str; need Feedback"),
        ("free", Exception, "64 symbols reached the antenna, the ledger has 63"),
        ("endless", Exception, "the budget is 128"),
    ],
)
def test_schemes_that_talk_back_are_refereed_too(clip, how, fault, says):
    with pytest.raises(fault, match=says):
        chat(clip, how)


def test_a_burst_knows_its_length():
    assert Burst(Received(torch.zeros(1, 7, dtype=torch.complex64), torch.ones(1, 7)), BurstContext()).symbols == 7


@pytest.mark.slow  # test_pictures.py has it of schemes that send once
def test_one_and_two_workers_hear_the_same(tmp_path):
    codec = {"kind": f"{toys.__file__}:Thumbnails", "gop": 2}
    ldpc = {"kind": "ldpc", "block_bits": 512}
    fixed = ldpc | {"modulation": "16qam", "rate": "1/2"}
    schemes = [
        {"name": n, "kind": "digital", "codec": {"kind": codec["kind"]}, "coding": c}
        for n, c in {
            "chase": fixed | {"harq": {"kind": "chase", "reserve": 0.5}},
            "ir": fixed | {"harq": {"reserve": 0.5}},
            "adaptive": ldpc | {"mcs": "adaptive", "table": 1},
        }.items()
    ]
    options = {"channel": {"kind": "rayleigh", "coherence": 300}, "schemes": schemes}
    options["sweep"] = {"snr_db": [12], "budget": [0.1]}
    run(job(tmp_path, "one", **options), workers=1)
    run(job(tmp_path, "two", **options), workers=2)
    assert (tmp_path / "one" / "curves.csv").read_bytes() == (tmp_path / "two" / "curves.csv").read_bytes()
    for row in rows(tmp_path / "one"):
        assert "feedback without error or charge" in row["note"]
        parts = ("payload", "parity", "crc", "pilot", "header", "side_info", "retransmission")
        assert sum(float(row[k]) for k in parts) == pytest.approx(float(row["channel_uses"]), abs=0.02)
    assert float(rows(tmp_path / "one")[1]["retransmission"]) > 0
