"""Training the code of tokens: its linear start in closed form, resumed runs, an end in time, half precision."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from token_toys import TOKEN_RECIPE, make_token_net, token_recipe, token_task

from semlink.errors import ScenarioError
from semlink.nn.tokens import ResidualBlock
from semlink.training.compact_pack import save_compact, shortened
from semlink.training.data.moving_photographs import MotionSettings, moving_photographs
from semlink.training.data.pack import Pack, load_pack, save_pack
from semlink.training.loop import train
from semlink.training.model_card import verify_weights
from semlink.training.muon import Muon, orthogonal
from semlink.training.recipe import load_recipe
from semlink.training.state import read_facts
from semlink.training.task import build_task
from semlink.training.tokens.clip_settings import TokenClipSettings, stride
from semlink.training.tokens.clips import TokenClips
from semlink.training.tokens.device_clips import DeviceClips, Looks
from semlink.training.tokens.linear_code import linear_code

SHORT = TOKEN_RECIPE["profiles"]["cpu"] | {"steps": 4, "batch": 2, "crop": 32, "validation_crop": 32}


def made_up_pack() -> Pack:
    rng = np.random.default_rng(0)
    shapes = ((20, 48, 56), (1, 70, 80), (16, 40, 40))
    flat = np.concatenate([rng.integers(0, 256, t * h * w, dtype=np.uint8) for t, h, w in shapes])
    return Pack(("a", "b", "c"), shapes, (False, False, True), flat, "made up")


@pytest.fixture
def few_batches_to_begin_with(monkeypatch):
    monkeypatch.setattr("semlink.training.tokens.task.START_BATCHES", 4)


@pytest.fixture
def pack_file(tmp_path) -> Path:
    save_pack(made_up_pack(), tmp_path / "pack.npz")
    return tmp_path / "pack.npz"


def test_the_linear_start_is_the_best_linear_estimate():
    """Against least squares; and of a known covariance all of the estimate's variance lies in its components."""
    rng = np.random.default_rng(1)
    mix = rng.normal(size=(12, 12)) / 3
    v = torch.from_numpy(rng.normal(size=(4000, 12)) @ mix.T + 0.4)
    x = v[:, ::2] + 0.1 * torch.from_numpy(rng.normal(size=(4000, 6)))
    code = linear_code([(x, v)], 6)
    decoded = (x.float() @ code.analysis.T + code.offset) @ code.synthesis.T + code.mean
    padded = torch.cat((x, torch.ones(4000, 1)), 1)
    best = padded @ torch.linalg.lstsq(padded, v).solution
    assert torch.allclose(decoded, best.float(), atol=2e-3)
    assert torch.allclose(code.synthesis.T @ code.synthesis, torch.eye(6), atol=1e-5)
    latents = x.float() @ code.analysis.T + code.offset
    assert torch.allclose(latents.var(0), code.variances, rtol=1e-2) and (code.variances.diff() <= 0).all()


def test_fewer_components_lose_the_least():
    rng = np.random.default_rng(2)
    v = torch.from_numpy(rng.normal(size=(3000, 8)) * np.linspace(2, 0.1, 8))
    code = linear_code([(v, v)], 3)
    lost = v.var(0).sum() - code.variances.sum()
    assert float(lost) == pytest.approx(float(v.var(0)[3:].sum()), rel=0.02)


def test_a_resumed_run_ends_as_an_unbroken_one(tmp_path, pack_file, few_batches_to_begin_with):
    recipe = token_recipe(tmp_path, profiles={"cpu": SHORT | {"checkpoint_every": 2, "log_every": 1}})
    whole = train(recipe, out=tmp_path / "whole", data=pack_file)

    class Killed(Exception):
        pass

    def kill(progress):
        if progress.step >= 3:
            raise Killed

    with pytest.raises(Killed):
        train(recipe, out=tmp_path / "broken", data=pack_file, report=kill)
    assert read_facts(tmp_path / "broken")["step"] == 2
    ended = train(recipe, out=tmp_path / "broken", data=pack_file)
    first, second = load_file(str(whole)), load_file(str(ended))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_run_ends_in_time_with_good_weights(tmp_path, pack_file, few_batches_to_begin_with):
    profile = SHORT | {"steps": 1_000_000, "log_every": 1}
    recipe, steps = token_recipe(tmp_path, profiles={"cpu": profile}), []
    ended = train(recipe, out=tmp_path / "run", data=pack_file, minutes=1 / 60, report=lambda at: steps.append(at))
    assert 1 <= steps[-1].step < 1000 and steps[-1].seconds_left <= 0
    assert verify_weights(ended)["steps"] == steps[-1].step


def test_clips_depend_on_the_step_alone():
    settings = TokenClipSettings(pool=3, margin=8, still_share=0.7)
    one, other = (TokenClips(made_up_pack(), settings, 32, 5) for _ in range(2))
    for step in (0, 1, 2, 5, 6):
        clips = one.batch(step, 4)
        assert clips.shape == (4, 16, 32, 32) and clips.min() >= 0 and clips.max() <= 1
    assert torch.equal(other.batch(6, 4), one.batch(6, 4)), "whatever was drawn before"
    assert not torch.equal(one.batch(5, 4), one.batch(6, 4))


def test_clips_drawn_on_a_device_are_looks_at_the_pixels():
    settings = TokenClipSettings(still_share=0.0, shrink_share=0.0, strides=[1.0])
    sampler = DeviceClips(made_up_pack(), settings, 32, 5, torch.device("cpu"))
    looks = sampler._real_look(np.random.default_rng(3))
    turned = replace(looks, angle=np.zeros_like(looks.angle))
    shown = (sampler._seen(Looks.stacked([turned]))[0] * 255).numpy()
    video = made_up_pack().items()[0]
    frames = (turned.base - sampler.starts[0]) // (48 * 56)
    top, left = int(turned.rows[0] - 16), int(turned.columns[0] - 16)
    assert np.allclose(shown, video[frames, top : top + 32, left : left + 32], atol=1e-3)


def test_strides_have_their_shares_and_fit_the_video():
    settings, rng = TokenClipSettings(strides=[0.5, 0.3, 0.2]), np.random.default_rng(0)
    drawn = np.bincount([stride(settings, 100, rng) for _ in range(4000)], minlength=4) / 4000
    assert np.abs(drawn - [0, 0.5, 0.3, 0.2]).max() < 0.03
    assert {stride(settings, 31, rng) for _ in range(100)} == {1, 2} and stride(settings, 16, rng) == 1


def test_device_clips_depend_on_the_step_alone():
    settings = TokenClipSettings(still_share=0.7)
    one, other = (DeviceClips(made_up_pack(), settings, 32, 5, torch.device("cpu")) for _ in range(2))
    clips = one.batch(3, 8)
    assert clips.shape == (8, 16, 32, 32) and clips.min() >= 0 and clips.max() <= 1
    one.batch(4, 2)
    assert torch.equal(other.batch(3, 8), clips)


def test_orthogonal_steps():
    """Singular values come near 1, singular vectors stay; a tall matrix is worked on from its other side."""
    rng = torch.Generator().manual_seed(0)
    u, s, v = torch.linalg.svd(torch.randn(3, 12, 40, generator=rng), full_matrices=False)
    matrices = u @ torch.diag_embed(torch.linspace(1.0, 0.05, 12).expand_as(s)) @ v
    found = orthogonal(matrices, 5)
    values = torch.diagonal(u.mT @ found @ v.mT, dim1=1, dim2=2)
    assert ((values > 0.6) & (values < 1.3)).all()
    assert torch.allclose(u @ torch.diag_embed(values) @ v, found, atol=1e-3)
    assert torch.allclose(orthogonal(matrices.mT, 5), found.mT, atol=1e-5)


def test_muon_moves_as_far_as_adam():
    weight = torch.nn.Parameter(torch.zeros(16, 8, 3, 3))
    weight.grad = torch.randn(16, 8, 3, 3, generator=torch.Generator().manual_seed(0)) * 1e-6
    Muon([weight], lr=0.1).step()
    assert float(weight.detach().square().mean().sqrt()) == pytest.approx(0.1 * 0.2, rel=0.3)


def test_simulated_motion_moves_and_stands_still():
    rows, columns = np.meshgrid(np.arange(90), np.arange(90), indexing="ij")
    photo = (128 + 60 * np.sin(rows / 4) + 60 * np.sin(columns / 5)).astype(np.uint8)
    still = MotionSettings(static_share=1.0, flicker=0.0)
    moving = MotionSettings(static_share=0.0, flicker=0.0)
    clip = moving_photographs([photo], 8, 40, still, np.random.default_rng(0))
    assert torch.allclose(clip, clip[:1].expand_as(clip), atol=1e-5)
    clip = moving_photographs([photo], 8, 40, moving, np.random.default_rng(0))
    assert clip.shape == (8, 40, 40) and float(clip.diff(dim=0).abs().mean()) > 1e-3


def test_gradients_reach_every_parameter():
    task = token_task()
    torch.manual_seed(0)
    model = task.build()
    model.load_state_dict(make_token_net().state_dict())
    clips = torch.rand(2, 16, 32, 32, generator=torch.Generator().manual_seed(1))
    loss, figures = task.loss(model, clips, 0, torch.Generator().manual_seed(2))
    loss.backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == [] and set(figures) == {"ln_error", "bits_per_token"}


def test_half_precision_is_close_and_masters_stay_whole():
    task, model = token_task(), make_token_net()
    clips = torch.rand(2, 16, 32, 32, generator=torch.Generator().manual_seed(1))
    exact = float(task.loss(model, clips, 0, torch.Generator().manual_seed(2))[0])
    with torch.autocast("cpu", torch.bfloat16):
        half = float(task.loss(model, clips, 0, torch.Generator().manual_seed(2))[0])
    assert half == pytest.approx(exact, abs=0.03)
    assert all(p.dtype == torch.float32 for p in model.parameters())


def test_a_residual_block_begins_near_the_identity():
    x = torch.randn(1, 16, 5, 5)
    assert float((ResidualBlock(16)(x) - x).detach().std()) < 0.05


def test_prices_must_fall():
    options = TOKEN_RECIPE["options"] | {"coarse_price": 0.001, "fine_price": 0.01}
    with pytest.raises(ScenarioError, match="coarse_price above fine_price"):
        build_task("token_compression", TOKEN_RECIPE["model"], options)


def test_the_shipped_recipe_builds():
    recipe = load_recipe(Path(__file__).parents[2] / "scenarios/train/compr_tokens.yaml")
    task = build_task(recipe.task, recipe.model, recipe.options)
    assert task.sizes.readings.width == 160 and sum(p.numel() for p in task.build().parameters()) < 12e6


def test_a_compact_pack_is_the_pack_but_for_jpeg(tmp_path):
    rows, columns = np.meshgrid(np.arange(40), np.arange(56), indexing="ij")
    smooth = (120 + 60 * np.sin(rows / 9) + 40 * np.sin(columns / 11)).astype(np.uint8)
    pixels = np.concatenate([np.tile(smooth, (20, 1, 1)).ravel(), smooth.ravel(), np.tile(smooth, (18, 1, 1)).ravel()])
    pack = Pack(("a", "b", "c"), ((20, 40, 56), (1, 40, 56), (18, 40, 56)), (False, False, True), pixels, "made up")
    size = save_compact(shortened(pack, 16), tmp_path / "small.npz", 90)
    read = load_pack(tmp_path / "small.npz")
    assert read.shapes == ((16, 40, 56), (1, 40, 56), (16, 40, 56)) and size < pixels.size / 2
    assert (read.names, read.held_out, read.terms) == (pack.names, pack.held_out, pack.terms)
    assert np.abs(read.items()[1][0].astype(int) - smooth).mean() < 2


@pytest.mark.slow
def test_compiled_it_gives_the_same_in_float32():
    task, model = token_task(), make_token_net()
    clips = torch.rand(2, 16, 32, 32, generator=torch.Generator().manual_seed(1))
    plain = task.loss(model, clips, 0, torch.Generator().manual_seed(2))[0]
    compiled = task.loss(torch.compile(model), clips, 0, torch.Generator().manual_seed(2))[0]
    assert float(compiled) == pytest.approx(float(plain), abs=1e-3)
