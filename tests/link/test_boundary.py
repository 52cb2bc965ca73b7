"""Cheats are caught: free symbols, extra power, receivers that reach for the source, impossible channels."""

from __future__ import annotations

import pytest
import torch
import toys

from semlink.errors import BoundaryError, BudgetExceeded, ChannelFault, LedgerMismatch
from semlink.link.chain.link import Link
from semlink.link.chain.referee import all_finite
from semlink.link.chain.transmit import run_clip
from semlink.payload import Agreement, Frames, Point
from semlink.phy.channels.awgn import Awgn
from semlink.phy.waveforms.plain import Plain
from semlink.seeds import Seeds


@pytest.fixture
def clip() -> Frames:
    return Frames(torch.from_numpy(toys.Ramps().clip(0)[None]))


def send(scheme: type, clip: Frames, channel=None, **options):
    link = Link(scheme(), scheme(), Plain(), channel or Awgn())
    agreement = Agreement(clip.shape, Point(10.0, 1000))
    return run_clip(link, clip, agreement, Seeds(1), **options)


def test_an_honest_scheme_passes(clip):
    outcome = send(toys.Direct, clip, budget=1000, audit=True)
    assert outcome.ledger.symbols == 4 * 8 * 8 / 2
    assert float((outcome.frames.pixels - clip.pixels).square().mean()) < 0.06


def test_a_symbol_nobody_paid_for(clip):
    with pytest.raises(LedgerMismatch, match="129 symbols reached the antenna, the ledger has 128"):
        send(toys.FreeRider, clip)


def test_too_much_power(clip):
    with pytest.raises(LedgerMismatch, match="average power at the antenna is 2.000, allowed is 1"):
        send(toys.Loud, clip)


def test_more_symbols_than_the_budget(clip):
    with pytest.raises(BudgetExceeded, match="128 symbols reached the antenna, the budget is 100"):
        send(toys.Direct, clip, budget=100)


def test_a_receiver_that_reads_a_global(clip):
    with pytest.raises(BoundaryError, match="did not reach its antenna"):
        send(toys.Peeper, clip, audit=True)


def test_a_receiver_that_is_merely_random_is_told_so(clip):
    with pytest.raises(BoundaryError, match="gives other frames each time .* it draws at random"):
        send(toys.Dicer, clip, audit=True)


def test_a_receiver_that_hopes_to_be_the_transmitter_gets_nothing(clip):
    outcome = send(toys.Keeper, clip, audit=True)
    assert torch.equal(outcome.frames.pixels, torch.full_like(clip.pixels, 0.5))


@pytest.mark.parametrize(
    "how, says",
    [
        ("nan", "NaN or infinite"),
        ("inf", "NaN or infinite"),
        ("longer", r"from \(1, 128\) to \(1, 256\)"),
        ("real", "need complex"),
        ("nothing", "NoneType"),
    ],
)
def test_a_channel_that_cannot_be_true(clip, how, says):
    with pytest.raises(ChannelFault, match=says):
        send(toys.Direct, clip, channel=toys.Broken(how))


@pytest.mark.parametrize("bad", [(float("nan"), 0.0), (float("inf"), 0.0), (float("inf"), -float("inf"))])
def test_one_number_that_is_none_is_found_and_large_ones_are_no_fault(bad):
    large = torch.full((4,), 3e38)  # their sum is none
    assert all_finite(large) and all_finite(torch.zeros(0))
    large[:2] = torch.tensor(bad)
    assert not all_finite(large)
