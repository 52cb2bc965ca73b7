"""The policy of the levels: what its gradient reaches where the best levels are known, and its own recipe."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from semantic_token_toys import (
    SEMANTIC_TOKEN_RECIPE,
    make_semantic_net,
    semantic_token_recipe,
    write_semantic_tokens,
)
from test_tokens_training import made_up_pack

from semlink.codecs.semantic.tokens.allocation import LevelPolicy, log_reference, policy_filled, water_filled
from semlink.codecs.semantic.tokens.networks import Sent
from semlink.errors import TrainingError
from semlink.training.data.pack import save_pack
from semlink.training.loop import train
from semlink.training.model_card import verify_weights
from semlink.training.recipe import load_recipe
from semlink.training.task import build_task
from semlink.training.tokens.policy_gradient import policy_loss
from semlink.training.tokens.rate_draws import RateDraws

RECIPES = Path(__file__).parents[2] / "scenarios/train"
LEVELS = torch.tensor([2, 6, 12, 24, 64])
TEN = torch.tensor([10.0])
CLIPS, SIDE, FADES = 8, 8, 0.06


def falling_errors(hardness: torch.Tensor) -> torch.Tensor:
    """Log errors (b, h, w, levels) that fall by the same share with every symbol: at a price, the best group has
    ln(FADES hardness / price) / FADES symbols."""
    return hardness[..., None] - FADES * LEVELS


def left_out(hardness: torch.Tensor) -> torch.Tensor:
    """What the linear code of the toy leaves out: it gains too little in its first symbols, too much in its last."""
    return (hardness[..., None] - FADES / 10 * LEVELS).exp()


def hard_and_easy(clips: int, rng: torch.Generator) -> torch.Tensor:
    return -5 + 1.5 * torch.randn(clips, SIDE, SIDE, generator=rng)


def learned(predicted_well: bool, times: int, steps: int) -> LevelPolicy:
    """A policy after so many steps on toy groups, which it knows by what the lowest level leaves out."""
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(1)
    policy = LevelPolicy(4, 16, 1, LEVELS.tolist())
    optimiser = torch.optim.Adam(policy.parameters(), 1e-2)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        hardness = hard_and_easy(CLIPS, rng).repeat_interleave(times, 0)
        log_errors = falling_errors(hardness)
        told = log_errors if predicted_well else log_errors[..., :1].expand_as(log_errors).contiguous()
        draws = RateDraws.drawn(CLIPS, [0, 0, 1], [2.0, 60.0], [1e-3, 0.1], LEVELS.tolist(), torch.device("cpu"), rng)
        draws = draws.repeated(times)
        chances = said(policy, hardness, draws.log_price + log_reference(told))
        kept = draws(told, chances.detach())
        error = log_errors.exp().gather(-1, torch.searchsorted(LEVELS, kept)[..., None])[..., 0]
        error = error * torch.empty_like(error).exponential_(generator=rng)
        optimiser.zero_grad()
        policy_loss(Sent(error, told, chances, error, kept), error, draws, times).backward()
        optimiser.step()
        slower.step()
    return policy


def said(policy: LevelPolicy, hardness: torch.Tensor, log_price: torch.Tensor) -> torch.Tensor:
    b, h, w = hardness.shape
    return policy(torch.zeros(b, 4, h, w), left_out(hardness), TEN.expand(b), log_price)


def decibels_lost(policy: LevelPolicy, mean_kept: float) -> tuple[float, float]:
    """PSNR of the best levels at a mean rate less that of the policy, and less that of equal levels of that rate."""
    hardness = hard_and_easy(16, torch.Generator().manual_seed(5))
    log_errors = falling_errors(hardness)
    mean = torch.full((16,), mean_kept)
    with torch.no_grad():
        thresholds = policy.thresholds(torch.zeros(16, 4, SIDE, SIDE), left_out(hardness), TEN.expand(16))
    best, found = water_filled(log_errors, LEVELS, mean), policy_filled(thresholds, LEVELS, mean)
    assert bool((LEVELS[found].float().mean((1, 2)) <= mean_kept).all())
    even = torch.full_like(best, int((mean_kept >= LEVELS).sum()) - 1)
    psnr = [-10 * log_errors.exp().gather(-1, x[..., None]).mean((1, 2, 3)).log10().mean() for x in (best, found, even)]
    return float(psnr[0] - psnr[1]), float(psnr[0] - psnr[2])


def test_the_policy_reaches_the_best_levels_where_they_are_known():
    """By the exact part of its gradient and noisy rewards: within 0.2 dB at every rate, from over 0.5 dB."""
    untrained, policy = (learned(predicted_well=True, times=1, steps=steps) for steps in (0, 300))
    for mean_kept in (6.0, 12.0, 24.0):
        before, lost_evenly = decibels_lost(untrained, mean_kept)
        lost, _ = decibels_lost(policy, mean_kept)
        assert lost_evenly > 2 and before > 0.5 and lost < 0.2


@pytest.mark.slow
def test_rewards_alone_teach_it_where_nothing_is_predicted():
    """The prediction says that symbols gain nothing: what is drawn, and found, must correct all of it."""
    policy = learned(predicted_well=False, times=2, steps=1000)
    assert max(decibels_lost(policy, mean_kept)[0] for mean_kept in (6.0, 12.0, 24.0)) < 0.2


def test_before_training_it_water_fills_what_the_linear_code_leaves_out():
    torch.manual_seed(0)
    policy = LevelPolicy(4, 16, 1, LEVELS.tolist())
    hardness, price = hard_and_easy(1, torch.Generator().manual_seed(5)), torch.tensor([-10.0])
    with torch.no_grad():
        policy.head.leave.weight.zero_()
        likeliest = said(policy, hardness, price).argmax(-1)
    assert len(likeliest.unique()) > 2
    assert torch.equal(likeliest, (left_out(hardness) + price.exp() * LEVELS).argmin(-1))


def policy_recipe(folder: Path, **changes) -> Path:
    """A recipe that goes on from tiny weights with the policy alone."""
    weights = write_semantic_tokens(folder, make_semantic_net())
    short = SEMANTIC_TOKEN_RECIPE["profiles"]["cpu"] | {"steps": 4, "batch": 2, "crop": 32, "validation_crop": 32}
    made = {
        "start": {"weights": weights},
        "options": SEMANTIC_TOKEN_RECIPE["options"] | {"shares": [0, 0, 1], "draws": 2, "foreseen": 1},
        "optimiser": {"learning_rate": 0.01, "warmup": 1, "average": 0.5, "only": ["choose"]},
        "profiles": {"cpu": short | {"checkpoint_every": 2, "log_every": 1}},
    }
    save_pack(made_up_pack(), folder / "pack.npz")
    return semantic_token_recipe(folder, **made | changes)


def test_what_the_recipe_does_not_name_stays_bit_for_bit(tmp_path):
    recipe = policy_recipe(tmp_path)
    path = train(recipe, out=tmp_path / "run", data=tmp_path / "pack.npz")
    before, after = load_file(load_recipe(recipe).start.weights), load_file(str(path))
    moved = {name for name in after if not torch.equal(before[name], after[name])}
    assert moved and all(name.startswith("choose.") for name in moved) and before.keys() == after.keys()


def test_a_killed_run_of_a_part_ends_like_one_that_was_not(tmp_path):
    recipe = policy_recipe(tmp_path)
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


def test_a_part_that_the_model_lacks_is_refused(tmp_path):
    only = {"learning_rate": 0.01, "only": ["policy"]}
    with pytest.raises(TrainingError, match="optimiser.only: the model has no 'policy'; allowed: .*choose"):
        train(policy_recipe(tmp_path, optimiser=only), out=tmp_path / "run", data=tmp_path / "pack.npz")


def test_the_recipe_goes_on_from_the_shipped_network_with_the_policy_alone():
    recipe, base = (load_recipe(RECIPES / f"{name}.yaml") for name in ("semcom_policy_tokens", "semcom_tokens"))
    assert recipe.start.weights == "semcom_tokens" and recipe.optimiser.only == ["choose"]
    assert dict(recipe.model) == dict(base.model)
    model = build_task(recipe.task, recipe.model, recipe.options).build()
    assert {name for name, _ in model.named_parameters() if name.startswith("choose")} == set(recipe.start.skip)


def test_the_shipped_network_is_of_both_recipes():
    card = verify_weights("semcom_tokens")
    recipe, base = (load_recipe(RECIPES / f"{name}.yaml") for name in ("semcom_policy_tokens", "semcom_tokens"))
    assert card["recipe_sha256"] == recipe.digest and card["start"]["recipe_sha256"] == base.digest


@pytest.mark.parametrize("name", ["semcom_noran_tokens", "jscc_tokens"])
def test_its_rivals_answer_their_probes(name):
    assert verify_weights(name)["recipe_sha256"] == load_recipe(RECIPES / f"{name}.yaml").digest
