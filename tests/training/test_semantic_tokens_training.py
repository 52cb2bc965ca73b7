"""Training semantic tokens: gradients, rates that are drawn, the policy's gradient, a resumed run, the recipes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from semantic_token_toys import SEMANTIC_TOKEN_RECIPE, make_semantic_net, semantic_token_recipe, semantic_token_task
from test_tokens_training import made_up_pack
from token_toys import DriftingShapes

from semlink.codecs.semantic.tokens.allocation import EXPLORED
from semlink.codecs.semantic.tokens.networks import Arrived, Sent
from semlink.errors import ScenarioError
from semlink.training.data.pack import save_pack
from semlink.training.loop import train
from semlink.training.recipe import load_recipe
from semlink.training.task import build_task
from semlink.training.tasks.semantic_channel import over_block_fading, over_white_noise
from semlink.training.tokens.policy_gradient import policy_loss
from semlink.training.tokens.rate_draws import EVEN, FILLED, POLICY, RateDraws
from semlink.training.tokens.semantic_task import over_air

SHORT = SEMANTIC_TOKEN_RECIPE["profiles"]["cpu"] | {"steps": 4, "batch": 2, "crop": 32, "validation_crop": 32}
RECIPES = Path(__file__).parents[2] / "scenarios/train"


def fresh(**options):
    task = semantic_token_task(options)
    model = task.build()
    model.load_state_dict(make_semantic_net().state_dict())
    return task, model


@pytest.mark.parametrize("fading", [0.0, 1.0])
def test_gradients_reach_every_parameter(fading):
    task, model = fresh(fading=fading)
    clips = DriftingShapes().batch(3, 6)
    loss, figures = task.loss(model, clips, 0, torch.Generator().manual_seed(2))
    loss.backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == [] and set(figures) == {"ln_error", "policy_short"}


def test_even_rates_train_no_choice():
    task, model = fresh(allocation="uniform")
    task.loss(model, DriftingShapes().batch(3, 4), 0, torch.Generator().manual_seed(2))[0].backward()
    silent = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is None}
    assert silent == {"predict", "choose"}


def test_the_choice_sends_no_gradient_to_the_encoder():
    task, model = fresh()
    x = torch.randn(1, 4, 4, 160, requires_grad=True)
    seen, left_out = model.before_point(x), model.left_out(x)
    told = torch.tensor([10.0]), torch.tensor([-4.0])
    (model.predict(seen, left_out, told[0]).sum() + model.choose(seen, left_out, *told).square().sum()).backward()
    assert x.grad is None


def draws(modes: list[int], kept: float = 20.0, seed: int = 0) -> RateDraws:
    clips = len(modes)
    rng = torch.Generator().manual_seed(seed)
    table = torch.tensor([2, 6, 12, 24, 64])
    return RateDraws(torch.tensor(modes), torch.full((clips,), kept), torch.full((clips,), -4.0), table, rng)


def test_every_way_of_drawing_rates_gives_its_own():
    log_errors = -torch.rand(3, 6, 6, 5, generator=torch.Generator().manual_seed(1)).cumsum(-1)
    certain = torch.full((3, 6, 6, 5), -20.0)
    certain[..., 2] = 0.0
    kept = draws([EVEN, FILLED, POLICY])(log_errors, certain)
    assert kept[0].unique().tolist() == [20]
    assert float(kept[1].float().mean()) == pytest.approx(20, rel=0.35) and len(kept[1].unique()) > 2
    assert float((kept[2] == 12).float().mean()) > 0.5 and set(kept[1:].unique().tolist()) <= {2, 6, 12, 24, 64}


def test_shares_and_ranges_are_kept():
    found = RateDraws.drawn(
        4000, [0.5, 0.2, 0.3], [2.0, 60.0], [0.01, 0.1], [2, 64], torch.device("cpu"), torch.Generator().manual_seed(0)
    )
    shares = torch.bincount(found.modes, minlength=3) / 4000
    assert torch.allclose(shares, torch.tensor([0.5, 0.2, 0.3]), atol=0.03)
    assert float(found.mean_kept.min()) >= 2 and float(found.mean_kept.max()) <= 60
    assert float(found.mean_kept.log().mean()) == pytest.approx(
        0.5 * float(torch.tensor([2.0, 60.0]).log().sum()), abs=0.05
    )
    assert float(found.log_price.min()) > -4.61 and float(found.log_price.max()) < -2.3


def test_the_policy_follows_the_gradient_of_the_expected_reward():
    """Against the exact one, where errors are known at every level; the prediction is off, and does not matter."""
    rng, clips = torch.Generator().manual_seed(4), 4000
    table = torch.tensor([2, 6, 12])
    log_errors = -torch.rand(1, 4, 4, 3, generator=rng).cumsum(-1)
    scores = torch.randn(1, 4, 4, 3, generator=rng, requires_grad=True)
    drawn = replace(draws([POLICY] * clips), levels=table, log_price=torch.full((clips,), -3.0))
    chances = scores.log_softmax(-1).expand(clips, -1, -1, -1)
    every = log_errors.expand(clips, -1, -1, -1)
    kept = drawn(every, chances.detach())
    error = every.exp().gather(-1, torch.searchsorted(table, kept)[..., None])[..., 0]
    off = torch.randn(1, 4, 4, 3, generator=rng).expand_as(every) / 2
    loss = policy_loss(Sent(error, every + off, chances, error, kept), error, drawn)
    (sampled,) = torch.autograd.grad(loss, scores)
    price = float(torch.tensor(-3.0).exp() * (every + off)[0, ..., 0].exp().mean())
    reward = -log_errors.exp() - price * table
    explored = (1 - EXPLORED) * scores.softmax(-1) + EXPLORED / 3
    (exact,) = torch.autograd.grad(-(explored * reward).sum(), scores)
    assert torch.nn.functional.cosine_similarity(exact.flatten(), sampled.flatten(), 0) > 0.95


def test_the_prediction_aims_at_the_mean_error():
    """Its loss is least where the prediction is the mean of the errors."""
    task = semantic_token_task()
    errors = torch.tensor([0.001, 0.004, 0.01]).view(1, 1, 3)
    kept = torch.full((1, 1, 3), 12)

    def loss(log_error: float) -> float:
        predicted = torch.full((1, 1, 3, 5), log_error)
        return float(task.prediction_loss(Sent(errors, predicted, predicted, errors, kept), errors))

    best = float((errors.mean() + 1e-5).log())
    assert loss(best) < loss(best + 0.05) and loss(best) < loss(best - 0.05)


@pytest.mark.parametrize("channel", [over_white_noise, over_block_fading])
def test_the_air_of_training_tells_power_and_noise(channel):
    kept = torch.full((2, 8, 8), 24)
    symbols = 3 * torch.randn(2, 8, 8, 64, generator=torch.Generator().manual_seed(0))
    arrived = over_air(channel, torch.tensor([10.0, 10.0]), torch.Generator().manual_seed(1))(symbols, kept)
    assert isinstance(arrived, Arrived) and torch.allclose(arrived.power, torch.tensor(9.0), rtol=0.1)
    off = (arrived.symbols - symbols)[..., :24].square() / arrived.noise_var[..., :24]
    assert float(off.mean()) == pytest.approx(1.0, abs=0.2)


def test_a_killed_run_ends_like_one_that_was_not(tmp_path, monkeypatch):
    monkeypatch.setattr("semlink.training.tokens.semantic_task.START_BATCHES", 4)
    save_pack(made_up_pack(), tmp_path / "pack.npz")
    recipe = semantic_token_recipe(tmp_path, profiles={"cpu": SHORT | {"checkpoint_every": 2, "log_every": 1}})
    whole = train(recipe, out=tmp_path / "whole", data=tmp_path / "pack.npz")

    class Killed(Exception):
        pass

    def kill(progress):
        if progress.step >= 3:
            raise Killed

    with pytest.raises(Killed):
        train(recipe, out=tmp_path / "broken", data=tmp_path / "pack.npz", report=kill)
    ended = train(recipe, out=tmp_path / "broken", data=tmp_path / "pack.npz")
    first, second = load_file(str(whole)), load_file(str(ended))
    assert all(torch.equal(first[key], second[key]) for key in first)
    header = (tmp_path / "whole/curves.csv").read_text().splitlines()[0]
    assert "psnr_even_48_10dB" in header and "psnr_filled_48_10dB" in header and "psnr_policy_48_10dB" in header


@pytest.mark.parametrize("name", ["semcom_tokens", "semcom_noran_tokens", "jscc_tokens"])
def test_recipes_build_and_share_trunk_and_training(name):
    recipe, base = (load_recipe(RECIPES / f"{one}.yaml") for one in (name, "semcom_tokens"))
    task = build_task(recipe.task, recipe.model, recipe.options)
    assert sum(p.numel() for p in task.build().parameters()) < 12e6
    assert recipe.profiles == base.profiles and recipe.optimiser == base.optimiser
    without = ("allocation", "writes")
    assert {k: v for k, v in recipe.options.items() if k not in without} == {
        k: v for k, v in base.options.items() if k not in without
    }
    assert {k: v for k, v in recipe.model.items() if k not in without} == dict(base.model)


def test_options_that_mean_nothing_are_refused():
    with pytest.raises(ScenarioError, match="allowed: chosen or uniform"):
        semantic_token_task({"allocation": "searched"})
    with pytest.raises(ScenarioError, match="options.snr_db: got 20 to 0"):
        semantic_token_task({"snr_db": [20, 0]})


@pytest.mark.slow
def test_compiled_it_gives_the_same_in_float32():
    task, model = fresh()
    clips = DriftingShapes().batch(3, 2)
    plain = task.loss(model, clips, 0, torch.Generator().manual_seed(2))[0]
    compiled = task.loss(torch.compile(model), clips, 0, torch.Generator().manual_seed(2))[0]
    assert float(compiled) == pytest.approx(float(plain), abs=1e-3)
