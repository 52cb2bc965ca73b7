"""Two layers on the same channel uses: power, what noise each meets, and error curves under interference."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from semlink.payload import Received
from semlink.phy.coding.ldpc_coding import LdpcCoding
from semlink.phy.error_curves.curves import guessed
from semlink.phy.error_curves.measured import transmission_losses
from semlink.phy.superposition import Superposed, analogue_part, digital_part, noise_below, superposed
from semlink.units import from_db

N = 200_000
NOISE_VAR = 0.07


def white(seed: int, power: float = 1.0) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return math.sqrt(power / 2) * torch.view_as_complex(torch.randn(1, N, 2, generator=rng))


def mean_square(iq: torch.Tensor) -> float:
    return float(iq.abs().double().square().mean())


@pytest.mark.parametrize("share", [0.01, 0.3])
def test_power_and_the_noise_that_each_layer_meets(share):
    """Sample means of exponential variables scatter by 1 / sqrt(N)."""
    digital, analogue = white(1), white(2)
    sent = superposed(digital, analogue, share)
    close = {"rel": 5 / math.sqrt(N)}
    assert mean_square(sent) == pytest.approx(1, **close)
    received = Received(sent + white(3, NOISE_VAR), torch.full((1, N), NOISE_VAR))
    below = digital_part(received, share)
    assert float(below.noise_var[0, 0]) == pytest.approx((NOISE_VAR + share) / (1 - share), rel=1e-6)
    assert mean_square(below.iq - digital) == pytest.approx(float(below.noise_var[0, 0]), **close)
    above = analogue_part(received, digital, share)
    assert float(above.noise_var[0, 0]) == pytest.approx(NOISE_VAR / share, rel=1e-6)
    assert mean_square(above.iq - analogue) == pytest.approx(NOISE_VAR / share, **close)


def test_what_never_arrived_stays_so():
    received = Received(torch.zeros(1, 2, dtype=torch.complex64), torch.tensor([[0.1, math.inf]]))
    assert math.isinf(digital_part(received, 0.1).noise_var[0, 1])
    assert math.isinf(analogue_part(received, torch.ones(1, 2), 0.1).noise_var[0, 1])


@pytest.mark.parametrize("share", [0.02, 0.08])
def test_blocks_below_a_layer_are_lost_as_often_as_their_noise_says(share):
    """Half of the blocks at the middle of the coding's own curve, at the noise that they meet; five sigmas."""
    coding, uses, blocks = LdpcCoding(4, 490 / 1024), 1024, 200
    needs_db = guessed(coding, uses).middle_db
    noise_var = (1 - share) * from_db(-needs_db) - share
    assert noise_below(np.array(noise_var), share) == pytest.approx(from_db(-needs_db))
    count = transmission_losses(Superposed(coding, share), uses)(-10 * math.log10(noise_var), blocks, 3)
    tolerance = 5 * math.sqrt(0.25 / count.blocks) + 0.06  # the curve itself is fitted
    assert abs(count.lost / count.blocks - 0.5) < tolerance


def test_a_superposed_coding_is_the_coding_with_noise_above_it():
    plain, share, uses = LdpcCoding(4, 0.5), 0.04, 3000
    coding, rng = Superposed(plain, share), np.random.default_rng(4)
    assert coding.block_sizes(uses) == plain.block_sizes(uses)
    assert tuple(coding.block_symbols(uses)) == tuple(plain.block_symbols(uses))
    blocks = [rng.bytes(size) for size in plain.block_sizes(uses)]
    flow, alone = coding.send(blocks, uses), plain.send(blocks, uses)
    assert flow.ledger == alone.ledger and torch.equal(flow.payload.iq, coding.send(blocks, uses).payload.iq)
    above = analogue_part(Received(flow.payload.iq, torch.zeros(1, uses)), alone.payload.iq, share).iq
    assert mean_square(above) == pytest.approx(1, rel=5 / math.sqrt(uses))
    arrived = coding.receive(Received(flow.payload.iq, torch.full((1, uses), 1e-3)))
    assert list(arrived) == blocks
