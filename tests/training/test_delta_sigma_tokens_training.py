"""Training the delta-sigma codec on tokens: its linear beginning, what is drawn, what is minimised, what is refused."""

from __future__ import annotations

import pytest
import torch
from delta_sigma_toys import TOKEN_OPTIONS, TOKENS, scene, stirred_token_bits

from semlink.errors import ScenarioError
from semlink.training.task import build_task


def small_task(**options):
    return build_task("token_delta_sigma", TOKENS, TOKEN_OPTIONS | options)


def clips() -> torch.Tensor:
    return torch.from_numpy(scene(frames=4, h=24, w=32))[None].repeat(3, 1, 1, 1)


class OneScene:
    """A sampler that always draws the same clips."""

    def batch(self, step: int, size: int) -> torch.Tensor:
        return clips()[:1]


def test_it_begins_at_a_linear_code_of_its_clips():
    """Of first groups and of later ones: without any step, blocks of the clips are far better than gray."""
    task = small_task()
    torch.manual_seed(0)
    model = task.build()
    task.begin(model, OneScene())
    assert all(bool(own.detach().any()) for part in (0, 1) for own in model.linear(part))
    gray = float(-10 * (clips() - 0.5).square().mean().log10())
    assert task.validate(model, clips()[:1])["psnr_l32_db"] > gray + 3


@pytest.mark.parametrize("noisy", [0.0, 1.0])
def test_gradients_reach_all_parts(noisy):
    """Noisy steps are not coded, so the contexts learn nothing from them."""
    import copy

    task = small_task(noisy=noisy, coded=1.0)
    model = copy.deepcopy(stirred_token_bits()).requires_grad_(True)
    loss, figures = task.loss(model, clips(), 0, torch.Generator().manual_seed(3))
    loss.backward()
    without = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
    assert {name.split(".")[0] for name in without} == ({"contexts"} if noisy else set())
    assert ("bits" in figures) == (not noisy)
    if not noisy:
        assert 0 < figures["plain_bits"] <= 24 and 0 < figures["bits"] < 2 * figures["plain_bits"]


def test_the_linear_code_moves_slowly():
    """It has a rate of its own, and every parameter one optimiser."""
    model = stirred_token_bits()
    (optimiser,) = small_task(linear_rate=0.1).optimisers(model, 1e-2)
    rates = {id(p): group["lr"] for group in optimiser.param_groups for p in group["params"]}
    assert set(rates) == {id(p) for p in model.parameters()}
    assert rates[id(model.analysis)] == rates[id(model.synthesis)] == pytest.approx(1e-3)
    assert rates[id(model.encode_enter.weight)] == 1e-2


def test_training_lowers_what_is_minimised():
    """A few steps on the same clips and draws."""
    import copy

    task = small_task(noisy=0.0)
    model = copy.deepcopy(stirred_token_bits()).requires_grad_(True)
    (optimiser,) = task.optimisers(model, 3e-3)
    losses = []
    for _ in range(12):
        loss, _ = task.loss(model, clips(), 0, torch.Generator().manual_seed(1))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 0.05


@pytest.mark.parametrize(
    "model, options, said",
    [
        ({}, {"kept": [0, 4]}, "options.kept: got .* within 1 to 12"),
        ({}, {"kept": [2, 13]}, "options.kept: got .* within 1 to 12"),
        ({}, {"levels": [5, 4]}, "options.levels: got .* within 0 to 63"),
        ({"order": 3}, {}, "model.order: got 3"),
        ({"scan": "rows"}, {}, "model.scan: got 'rows'"),
    ],
)
def test_wrong_recipes(model, options, said):
    with pytest.raises(ScenarioError, match=said):
        build_task("token_delta_sigma", TOKENS | model, TOKEN_OPTIONS | options)
