"""Measured on the chain's own wire: error rates against closed form, blocks, bytes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy.special import erfc

from semlink.errors import Infeasible
from semlink.payload import Received
from semlink.phy.channels.awgn import Awgn
from semlink.phy.coding.block_coding import UncodedCoding
from semlink.phy.coding.convolutional import ConvolutionalCoding, convolve, viterbi
from semlink.phy.coding.ldpc_coding import LdpcCoding
from semlink.phy.qam import demap, map_bits
from semlink.phy.waveforms.plain import Plain
from semlink.seeds import Seeds
from semlink.units import from_db


def q(x: float) -> float:
    return 0.5 * erfc(x / 2**0.5)


def closed_form(bits_per_symbol: int, snr: float) -> float:
    """Bit error rate of Gray QPSK and 16-QAM at Es/N0 = snr."""
    if bits_per_symbol == 2:
        return q(snr**0.5)
    d = (snr / 5) ** 0.5
    return (3 * q(d) + 2 * q(3 * d) - q(5 * d)) / 4


@pytest.mark.source("cho2002", "eqs. (9)-(10)")
@pytest.mark.parametrize("bits_per_symbol", [2, 4])
@pytest.mark.parametrize("snr_db", [0.0, 2.0, 4.0, 6.0, 8.0, 10.0])
def test_uncoded_error_rate_on_the_wire(bits_per_symbol, snr_db):
    count = 200_000
    bits = np.random.default_rng(5).integers(0, 2, (1, count), dtype=np.uint8)
    iq = torch.from_numpy(map_bits(bits, bits_per_symbol))
    waveform = Plain()
    received = waveform.demodulate(Awgn()(iq, snr_db, Seeds(11)), snr_db)
    llr = demap(received.iq.numpy(), received.noise_var.numpy(), bits_per_symbol)
    errors = int(((llr < 0) != bits).sum())
    p = closed_form(bits_per_symbol, from_db(snr_db))
    # bits of one symbol err together at most, so the spread is that of whole symbols
    assert abs(errors - count * p) < 4 * (count * p * (1 - p) * bits_per_symbol / 2) ** 0.5 + 1


codings = st.sampled_from(
    [LdpcCoding(4, 2 / 3, 2048), LdpcCoding(2, 0.3, 1024), LdpcCoding(6, 0.8), UncodedCoding(4), ConvolutionalCoding(2)]
)


@settings(max_examples=40, deadline=None)
@given(codings, st.integers(400, 4000), st.randoms(use_true_random=False))
def test_blocks_come_back_and_the_ledger_is_exact(coding, uses, random):
    blocks = [random.randbytes(room) for room in coding.block_sizes(uses)]
    flow = coding.send(blocks, uses)
    assert flow.payload.iq.shape == (1, uses) and flow.ledger.symbols == uses
    assert flow.ledger.spent_on("payload") * coding.bits_per_symbol == 8 * sum(coding.block_sizes(uses))
    received = Received(flow.payload.iq, torch.full((1, uses), 1e-4))
    assert coding.receive(received) == tuple(blocks)


@settings(max_examples=60, deadline=None)
@given(codings, st.integers(20, 9000))
def test_as_few_uses_as_hold_the_bytes(coding, num_bytes):
    uses = coding.uses_for(num_bytes, per_block=2)
    assert sum(room - 2 for room in coding.block_sizes(uses)) >= num_bytes


def test_information_bits_never_exceed_the_rate():
    for uses in (300, 1000, 6291, 25165):
        for coding in (LdpcCoding(4, 2 / 3), LdpcCoding(2, 0.2), LdpcCoding(8, 0.9)):
            for cut in coding.cuts(uses):
                crc = coding.code_for(cut.room, cut.symbols).num_crc
                assert 8 * cut.room + crc <= coding.rate * cut.symbols * coding.bits_per_symbol
                assert 8 * cut.room + crc > coding.rate * cut.symbols * coding.bits_per_symbol - 8 * 8


def test_noise_loses_blocks_and_no_wrong_block_passes():
    coding = LdpcCoding(4, 2 / 3, 1024)
    uses = 12_000
    random = np.random.default_rng(2)
    blocks = [random.bytes(room) for room in coding.block_sizes(uses)]
    iq = coding.send(blocks, uses).payload.iq
    heard = Awgn()(iq, 8.3, Seeds(2))
    out = coding.receive(Plain().demodulate(heard, 8.3))
    assert 0 < sum(b is None for b in out) < len(blocks)
    assert all(b is None or b == sent for b, sent in zip(out, blocks))


def test_nothing_fits_into_too_few_uses():
    with pytest.raises(Infeasible, match="carry no transport block"):
        LdpcCoding(2, 0.1).block_sizes(60)


@pytest.mark.source("viterbi1967", "section III")
def test_viterbi_agrees_with_commpy_and_mends_errors():
    from commpy.channelcoding import Trellis, conv_encode

    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, (3, 120), dtype=np.uint8)
    bits[:, -6:] = 0
    coded = convolve(bits)
    # commpy numbers a generator's taps from the oldest input on, hence the mirrored octals
    trellis = Trellis(np.array([6]), np.array([[0o155, 0o117]]))
    for row, ours in zip(bits, coded):
        assert np.array_equal(conv_encode(row, trellis, "cont")[:240], ours)
    llr = (1.0 - 2.0 * coded) + 0.5 * rng.standard_normal(coded.shape)
    assert ((llr < 0) != coded).mean() > 0.01
    assert np.array_equal(viterbi(llr), bits)
