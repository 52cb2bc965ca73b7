"""The differential modulator: its gradient, its spectrum, its baseline."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import welch

from semlink.codecs.delta_sigma.modulator import bit_gradient, modulate, states

LONG = 4096


def codes(*shape: int, reach: float = 0.6, seed: int = 0) -> torch.Tensor:
    return (2 * torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 1) * reach


@pytest.mark.source("sun2020framediff", "supplement, eq. (A.7)")
@pytest.mark.parametrize("back", [0, 1, 2, 3, 7])
def test_the_gradient_is_that_of_the_paper(back):
    code = codes(5, 12, reach=1.5).requires_grad_(True)
    expected = bit_gradient(states(code.detach(), 1, -1), back)
    for m in range(back, 12):
        (found,) = torch.autograd.grad(modulate(code, 1, -1)[:, m].sum(), code)
        torch.testing.assert_close(found[:, m - back], expected[:, m - back], atol=1e-6, rtol=0)
        assert not found[:, m + 1 :].any()


@pytest.mark.source("sun2020framediff", "supplement, eq. (B.1)")
def test_second_order_sensitivities_follow_their_own_recurrence():
    """d[i] = 2 a[i-1] d[i-1] - a[i-2] d[i-2], a = tanh(y)^2: not those of first order, and of either sign."""
    code = codes(64, 10).requires_grad_(True)
    y = states(code.detach(), 2, -1)
    a = torch.tanh(y).square()
    sensitivity = [torch.ones(64, dtype=torch.float64)]
    sensitivity.append(2 * a[:, 0] * sensitivity[0])
    for i in range(2, 10):
        sensitivity.append(2 * a[:, i - 1] * sensitivity[-1] - a[:, i - 2] * sensitivity[-2])
    for m in range(10):
        (found,) = torch.autograd.grad(modulate(code, 2, -1)[:, m].sum(), code)
        torch.testing.assert_close(found[:, 0], (1 - a[:, m]) * sensitivity[m], atol=1e-9, rtol=1e-9)
    assert torch.stack(sensitivity).min() < 0


@pytest.mark.source("sun2020framediff", "supplement, eqs. (B.2)-(B.4)")
@pytest.mark.parametrize("order", [1, 2])
def test_the_error_is_the_difference_of_the_quantisers_own(order):
    code = codes(3, 200, reach=0.5)
    y, b = states(code, order, 1), modulate(code, order, 1)
    own = np.diff(np.pad((b - y).numpy(), ((0, 0), (order, 0))), n=order)
    np.testing.assert_allclose((b - code).numpy(), own, atol=1e-9)


@pytest.mark.source("sun2020framediff", "supplement, eq. (B.4)")
@pytest.mark.parametrize("order, slope", [(0, 0.0), (1, 6.02), (2, 12.04)])
def test_noise_rises_by_six_decibels_an_octave_and_order(order, slope):
    """Codes wander slowly, with dither, so that the quantiser's own error is white; 0.5 dB is the fit's scatter."""
    generator = np.random.default_rng(1)
    slow = np.cumsum(generator.normal(0, 0.01, (96, LONG)), 1)
    code = torch.from_numpy(0.4 * np.sin(slow) + generator.uniform(-0.2, 0.2, slow.shape))
    if order == 0:
        code = torch.from_numpy(generator.uniform(-1, 1, slow.shape))
    frequency, power = welch((modulate(code, order, 1) - code).numpy(), nperseg=512, axis=1)
    band = (frequency > 1 / 64) & (frequency < 1 / 12)  # sin(pi f) is pi f there
    fit = np.polyfit(np.log2(frequency[band]), 10 * np.log10(power.mean(0)[band]), 1)[0]
    assert fit == pytest.approx(slope, abs=0.8)


def test_a_constant_is_kept_to_one_part_in_the_length():
    """The sum of first-order errors is the last state's error, which is at most 1 for codes within 1."""
    code = codes(200, 1, reach=1.0).expand(200, 64)
    assert (modulate(code, 1, 1).mean(1) - code[:, 0]).abs().max() <= 1 / 64
    assert (modulate(code, 0, 1).mean(1) - code[:, 0]).abs().max() > 0.9


def test_second_order_states_stay_small_for_codes_as_the_codec_makes_them():
    code = codes(500, 64, reach=0.7)
    assert states(code, 1, 1).abs().max() < 2 and states(code, 2, 1).abs().max() < 6


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("dim", [0, 1, 3])
def test_the_axis_is_free_and_the_others_are_independent(order, dim):
    code = codes(4, 5, 6, 7, seed=order)
    moved = modulate(code.movedim(dim, -1).contiguous(), order, -1).movedim(-1, dim)
    assert torch.equal(modulate(code, order, dim), moved)
    other = (dim + 1) % 4
    alone = modulate(code.narrow(other, 2, 1), order, dim)
    assert torch.equal(alone, modulate(code, order, dim).narrow(other, 2, 1))


def test_order_zero_is_the_plain_sign():
    code = torch.tensor([-0.2, 0.0, 0.3, -3.0])
    assert modulate(code, 0, 0).tolist() == [-1, 1, 1, -1]


def test_an_unknown_order_is_named():
    with pytest.raises(ValueError, match="got 3; allowed: 0"):
        modulate(torch.zeros(4), 3, 0)
