"""The digital header of analogue schemes: charges, round trips, losses, margins."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings, strategies as st

from semlink.errors import Infeasible, InterfaceError
from semlink.link.schemes.coded_header import MARGINS_DB, CodedHeader, calibrated
from semlink.payload import Received
from semlink.phy.channels.awgn import Awgn
from semlink.phy.coding.ldpc_coding import LdpcCoding
from semlink.phy.coding.snr_thresholds import block_error_rate
from semlink.seeds import Seeds
from semlink.units import noise_var_from_snr

PAPER = CodedHeader(fixed=LdpcCoding(4, 2 / 3))


def over_noise(iq: torch.Tensor, snr_db: float, trial: int = 0) -> Received:
    heard = Awgn()(iq, snr_db, Seeds(1, (0,), trial))
    return Received(heard.iq, torch.full(iq.shape, noise_var_from_snr(snr_db)))


def some_bytes(count: int) -> bytes:
    return Seeds(3).numpy("bytes").bytes(count)


@pytest.mark.parametrize("snr_db", [-2, 3, 8, 12, 16, 20, 25])
@pytest.mark.parametrize("num_bytes", [1, 20, 100, 1500])
def test_round_trip(snr_db, num_bytes):
    path, data = CodedHeader(), some_bytes(num_bytes)
    flow = path.send(data, snr_db)
    assert path.receive(over_noise(flow.payload.iq, snr_db), num_bytes, snr_db) == data


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3000), st.floats(-15, 30), st.floats(0, 10))
def test_every_symbol_is_charged(num_bytes, snr_db, margin_db):
    path = CodedHeader(margin_db)
    flow = path.send(bytes(num_bytes), snr_db)
    spent, order = flow.ledger.by_purpose(), path.coding(num_bytes, snr_db).bits_per_symbol
    assert flow.ledger.symbols == flow.payload.iq.shape[1] == path.uses(num_bytes, snr_db)
    assert spent["side_info"] == Fraction(8 * num_bytes, order)
    assert spent["payload"] == 0 and spent["crc"] >= Fraction(16, order)
    assert spent["header"] * order % 8 == 0


def test_the_papers_side_information():
    """2048 bits of a rate map in 16-QAM 2/3: 768 uses, and the CRC of the block.

    Source: [zhang2024crl, Sec. IV].
    """
    flow = PAPER.send(some_bytes(256), 10.0)
    assert flow.ledger.spent_on("side_info") == 512 and flow.ledger.spent_on("crc") == 4
    assert flow.ledger.symbols == -(-(2048 + 16) * 3 // 8) == 774


@pytest.mark.parametrize(("num_bytes", "snr_db"), [(16, 0.0), (30, 9.5), (100, 13.0)])
def test_losses_are_rare_at_the_threshold(num_bytes, snr_db):
    coding = CodedHeader().coding(num_bytes, snr_db)
    assert block_error_rate(coding, coding.uses_for(num_bytes), snr_db, 1000) <= 0.006


@pytest.mark.parametrize(("num_bytes", "threshold_db"), [(16, 0.0), (64, 7.5), (256, 12.0)])
def test_the_table_does_not_idle(num_bytes, threshold_db):
    """A decibel below its threshold a coding loses several times what is allowed."""
    coding = CodedHeader().coding(num_bytes, threshold_db)
    assert coding != CodedHeader().coding(num_bytes, threshold_db - 0.1)
    assert block_error_rate(coding, coding.uses_for(num_bytes), threshold_db - 1.0, 1000) > 0.004


def test_a_lost_header_is_none():
    flow = CodedHeader().send(some_bytes(40), 10.0)
    assert CodedHeader().receive(over_noise(flow.payload.iq, -5.0), 40, 10.0) is None
    nothing = Received(torch.zeros_like(flow.payload.iq), torch.full(flow.payload.iq.shape, torch.inf))
    assert CodedHeader().receive(nothing, 40, 10.0) is None


def test_one_lost_block_of_several_loses_the_header():
    data, path = some_bytes(2500), CodedHeader()
    heard = over_noise(path.send(data, 10.0).payload.iq, 10.0)
    assert path.blocks(2500, 10.0) == 3 and path.receive(heard, 2500, 10.0) == data
    heard.noise_var[:, -900:] = torch.inf
    assert path.receive(heard, 2500, 10.0) is None


def test_what_follows_the_header_does_not_matter():
    data, path = some_bytes(30), CodedHeader()
    iq = path.send(data, 6.0).payload.iq
    behind = torch.cat([iq, torch.ones(1, 100, dtype=iq.dtype)], 1)
    assert path.receive(over_noise(behind, 6.0), 30, 6.0) == data
    with pytest.raises(InterfaceError, match="data symbols"):
        path.receive(over_noise(iq[:, :-1], 6.0), 30, 6.0)


def test_more_margin_costs_more_and_carries_further():
    uses = [CodedHeader(margin_db).uses(50, 12.0) for margin_db in MARGINS_DB]
    assert uses == sorted(uses) and uses[-1] > 5 * uses[0]
    robust, data = CodedHeader(10.0), some_bytes(50)
    assert robust.receive(over_noise(robust.send(data, 12.0).payload.iq, 2.0), 50, 12.0) == data
    plain = CodedHeader()
    assert plain.receive(over_noise(plain.send(data, 12.0).payload.iq, 2.0), 50, 12.0) is None


@settings(max_examples=40, deadline=None)
@given(st.integers(60, 5000), st.floats(0, 25))
def test_the_longest_header_within_some_uses(uses, snr_db):
    path = CodedHeader()
    try:
        most = path.most_bytes(uses, snr_db)
    except Infeasible:
        assert path.uses(1, snr_db) > uses
        return
    assert path.uses(most, snr_db) <= uses
    assert all(path.uses(more, snr_db) > uses for more in range(most + 1, most + 40))


def test_bad_calls():
    with pytest.raises(ValueError, match="0 bytes; need 1 or more"):
        CodedHeader().send(b"", 10.0)
    with pytest.raises(Infeasible, match="10 channel uses carry no header at 0 dB"):
        CodedHeader().most_bytes(10, 0.0)


@dataclass
class Fading:
    """A calibration in which a coding arrives as far as it lies below a gain that fades by up to `depth_db`."""

    depth_db: float
    snr_db: float
    tried: list = field(default_factory=list)

    def delivery(self, coding, uses, transmissions):
        self.tried.append(coding)
        floor_db = self.snr_db - self.depth_db
        return 1.0 if coding.bits_per_symbol * coding.code_rate <= CodedHeader().coding(50, floor_db).rate * 2 else 0.5


def test_the_calibrated_margin_is_the_smallest_that_delivers():
    path = calibrated(CodedHeader(), 50, 12.0, Fading(9.0, 12.0), most_uses=10_000)
    assert 8 <= path.margin_db <= 10 and calibrated(path, 50, 12.0, Fading(9.0, 12.0), most_uses=10_000) == path


def test_the_calibrated_margin_stays_within_its_uses():
    path = calibrated(CodedHeader(), 50, 12.0, Fading(9.0, 12.0), most_uses=300)
    assert path.uses(50, 12.0) <= 300 and path.margin_db > 0
    assert CodedHeader(MARGINS_DB[MARGINS_DB.index(path.margin_db) + 1]).uses(50, 12.0) > 300
