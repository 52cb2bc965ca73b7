"""The semantic networks: where they start, what they are told, what they are trained for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from semantic_toys import MODEL, semantic_recipe
from training_toys import small_pack

from semlink.codecs.readings_domain import denormalise_readings, normalise_readings, taken
from semlink.codecs.readings_klt import VideoModel, reading_basis
from semlink.codecs.semantic.networks import SYMBOLS, SemanticDecoder, SemanticEncoder, SemanticSize, start_gains
from semlink.codecs.semantic.rate_allocation import RateAllocation, draw_levels, explored, log_probability, prefix_mask
from semlink.sensing.programmable.exposure import expose
from semlink.sensing.programmable.initial_reconstruction import initial_reconstruction
from semlink.training.loop import train
from semlink.training.tasks.semantic import SemanticTask, policy_loss
from semlink.training.tasks.semantic_channel import over_block_fading, over_white_noise

TILE = ((1, 2, 2, 4), (2, 4, 4, 2), (2, 1, 2, 4), (2, 4, 2, 2))
COUNTS = torch.tensor(TILE).repeat(8, 8)


def readings(seed: int = 0, clips: int = 2) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(clips, 16, 8, 8, generator=rng)
    frames = torch.nn.functional.interpolate(coarse, size=(32, 32), mode="bilinear")
    return expose(frames, COUNTS)


def test_error_in_the_readings_domain_is_error_of_the_initial_reconstruction():
    a, b = readings(1), readings(2)
    apart = (normalise_readings(a, COUNTS) - normalise_readings(b, COUNTS)).square().sum()
    in_video = (initial_reconstruction(a, COUNTS) - initial_reconstruction(b, COUNTS)).square().sum()
    assert apart == pytest.approx(float(in_video), rel=1e-4)
    assert torch.allclose(denormalise_readings(normalise_readings(a, COUNTS), COUNTS), a, atol=1e-5)


def test_the_basis_is_orthonormal_and_touches_no_empty_slot():
    basis = reading_basis(TILE, 8, 16)
    flat = basis.vectors.flatten(1)
    assert torch.allclose(flat @ flat.T, torch.eye(len(flat)), atol=1e-5)
    assert len(flat) == 4 * sum(map(sum, TILE)) == int(taken(COUNTS[:8, :8], 8).sum())
    assert float((basis.vectors * ~taken(COUNTS[:8, :8], 8)).abs().max()) == 0
    assert bool((basis.variances.diff() <= 1e-9).all())


def test_the_basis_holds_the_variances_of_its_model():
    model = VideoModel(0.04, 0.9, 0.8)
    basis = reading_basis([[4, 2], [1, 8]], 2, 16, model)
    rng = np.random.default_rng(0)
    lags = [np.abs(np.subtract.outer(np.arange(n), np.arange(n))) for n in (16, 2, 2)]
    factors = [np.linalg.cholesky(c**lag) for c, lag in zip((0.8, 0.9, 0.9), lags)]
    video = np.einsum("ti,yj,xk,nijk->ntyx", *factors, rng.standard_normal((20000, 16, 2, 2))) * 0.2
    counts = torch.tensor([[4, 2], [1, 8]])
    x = normalise_readings(expose(torch.from_numpy(video).float(), counts), counts)
    x = x - x.mean(0)
    found = torch.einsum("nsyx,ksyx->nk", x, basis.vectors).var(0)
    assert torch.allclose(found, basis.variances, rtol=0.06)


def test_the_published_encoder_has_its_size():
    """1.21 million parameters at width 16, four blocks a level [zhang2024crl, Sec. III-B; linear path left out]."""
    encoder = SemanticEncoder(SemanticSize(), TILE)
    own = [p.numel() for name, p in encoder.named_parameters() if not name.startswith(("linear", "gain", "condition"))]
    assert sum(own) == 1_214_828


def untrained_pair() -> tuple[SemanticEncoder, SemanticDecoder]:
    torch.manual_seed(0)
    return SemanticEncoder(SemanticSize(**MODEL), TILE), SemanticDecoder(SemanticSize(**MODEL), TILE)


@torch.no_grad()
def test_training_starts_at_the_linear_estimate():
    """Without noise what was sent comes back as its projection; with noise shrunk by v / (v + noise)."""
    encoder, decoder = untrained_pair()
    x, snr = normalise_readings(readings(), COUNTS), torch.tensor([3.0, 17.0])
    symbols = encoder(x, snr)
    basis = reading_basis(TILE, 8, 16)
    kept = torch.nn.functional.conv2d(x, basis.vectors[:24], stride=8)
    sent = prefix_mask(torch.full((2, 4, 4), 24))
    clean = decoder(symbols, sent, torch.zeros_like(symbols), snr)
    projected = torch.nn.functional.conv_transpose2d(kept, basis.vectors[:24], stride=8)
    assert torch.allclose(clean, projected, atol=1e-4)
    noisy = decoder(symbols, sent, torch.full_like(symbols, 0.5), snr)
    prior = start_gains(basis)[:24].square() * basis.variances[:24]
    shrunk = torch.nn.functional.conv_transpose2d(
        kept * (prior / (prior + 0.5))[:, None, None], basis.vectors[:24], stride=8
    )
    assert torch.allclose(noisy, shrunk, atol=1e-4)


@torch.no_grad()
def test_symbols_that_were_not_sent_or_did_not_arrive_change_nothing():
    encoder, decoder = untrained_pair()
    decoder.leave.weight.normal_(0, 0.1)
    x, snr = normalise_readings(readings(), COUNTS), torch.tensor([10.0, 10.0])
    symbols, noise = encoder(x, snr), torch.full((2, SYMBOLS, 4, 4), 0.1)
    sent = prefix_mask(torch.full((2, 4, 4), 12))
    usual = decoder(symbols, sent, noise, snr)
    assert torch.equal(usual, decoder(symbols + 7 * (1 - sent), sent, noise, snr))
    lost = noise.clone()
    lost[:, :, 1] = torch.inf
    there = decoder(symbols, sent, lost, snr)
    symbols[:, :, 1] = -5.0
    assert torch.equal(there, decoder(symbols, sent, lost, snr)) and bool(there.isfinite().all())


@pytest.mark.parametrize("channel", [over_white_noise, over_block_fading])
def test_the_training_channel_is_as_noisy_as_it_says(channel):
    """Noise per real symbol is 10^(-SNR/10) of the power of those sent [zhang2024crl, Sec. III-B, erratum]."""
    rng = torch.Generator().manual_seed(1)
    symbols = 3 * torch.randn(8, SYMBOLS, 32, 32, generator=rng)
    sent = prefix_mask(torch.randint(1, 5, (8, 32, 32), generator=rng) * 12)
    snr = torch.linspace(0, 14, 8)
    received, noise_var = channel(symbols, sent, snr, rng)
    off = ((received - symbols) * sent).square()
    axes = (1, 2, 3)
    if channel is over_white_noise:
        power = (symbols * sent).square().sum(axes) / sent.sum(axes)
        assert torch.allclose(off.sum(axes) / sent.sum(axes), power * 10 ** (-snr / 10), rtol=0.02)
    believed = (off / noise_var * sent).sum(axes) / sent.sum(axes)
    assert torch.allclose(believed.mean(), torch.tensor(1.0), atol=0.15)


def test_two_draws_give_the_gradient_of_the_expected_reward():
    """Against the exact one, from the rewards of all four levels everywhere."""
    rng = torch.Generator().manual_seed(4)
    scores = torch.randn(1, 4, 6, 6, generator=rng, requires_grad=True)
    reward = torch.randn(1, 4, 6, 6, generator=rng)
    expected = (scores.softmax(1) * reward).sum()
    (exact,) = torch.autograd.grad(-expected, scores)
    policy = scores.log_softmax(1)
    losses = []
    for _ in range(3000):
        levels = [draw_levels(policy, rng) for _ in range(2)]
        losses.append(policy_loss(policy, levels, [reward.gather(1, f[:, None] - 1)[:, 0] for f in levels]))
    (sampled,) = torch.autograd.grad(torch.stack(losses).mean(), scores)
    assert torch.nn.functional.cosine_similarity(exact.flatten(), sampled.flatten(), 0) > 0.99


def test_exploration_keeps_every_level_alive():
    certain = torch.tensor([0.0, -50.0, -50.0, -50.0]).view(1, 4, 1, 1).log_softmax(1)
    chances = explored(certain).exp().flatten()
    assert torch.allclose(chances, torch.tensor([0.7, 0.1, 0.1, 0.1]), atol=1e-6)
    levels = torch.tensor([[[3]]])
    assert float(log_probability(explored(certain), levels)) == pytest.approx(np.log(0.1), rel=1e-5)


def test_the_policy_sends_no_gradient_to_the_encoder():
    symbols = torch.randn(1, SYMBOLS, 3, 3, requires_grad=True)
    told = torch.tensor([10.0]), torch.tensor([-2.0]), torch.tensor([12])
    RateAllocation()(symbols, *told).exp().square().sum().backward()
    assert symbols.grad is None


def task(**options) -> SemanticTask:
    return SemanticTask.from_recipe(MODEL, options)


def test_rewards_follow_error_and_price():
    error = torch.zeros(1, 16, 16, 16)
    error[..., :8, :8] = 4.0
    levels = torch.tensor([[[1, 2], [3, 4]]])
    of_clip = task().rewards(error, levels, torch.tensor([0.5]))[0]
    assert of_clip.flatten().tolist() == pytest.approx([-4.5, -1.0, -1.5, -2.0], abs=1e-4)
    of_block = task(quality="block").rewards(error, levels, torch.tensor([0.0]))[0]
    assert float(of_block[0, 0]) == pytest.approx(-np.log(4 + 1e-6)) and float(of_block[1, 1]) == pytest.approx(
        -np.log(1e-6)
    )


@pytest.mark.parametrize(
    "options",
    [
        {"allocation": "learned", "loss": "task", "even_share": 0.0},
        {"allocation": "uniform", "loss": "readings", "fading": True},
        {"allocation": "mixed", "loss": "task", "joint": True},
    ],
)
def test_every_part_that_should_learn_gets_a_gradient(options):
    made = task(**options)
    torch.manual_seed(0)
    model = made.build()
    for layer in (model.sce.leave, model.scd.leave):
        torch.nn.init.normal_(layer.weight, std=0.05)
    clips = torch.rand(2, 16, 16, 16, generator=torch.Generator().manual_seed(1))
    loss, _ = made.loss(model, clips, 0, torch.Generator().manual_seed(2))
    loss.backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None]
    expected = [] if options["allocation"] == "learned" else [n for n, _ in model.named_parameters() if n[:4] == "ran."]
    assert silent == expected
    assert ("decoder.leave.weight" in dict(model.named_parameters())) == options.get("joint", False)


@pytest.mark.slow
def test_a_short_training_gains_on_its_start(tmp_path):
    recipe = semantic_recipe(tmp_path, allocation="mixed")
    made = train(recipe, out=tmp_path / "run", data=small_pack_file(tmp_path), steps=60)
    rows = (made.parent / "curves.csv").read_text().splitlines()
    losses = [float(row.split(",")[1]) for row in rows[1:]]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.1


def small_pack_file(folder):
    from semlink.training.data.pack import save_pack

    path = folder / "pack.npz"
    save_pack(small_pack(), path)
    return path


@pytest.mark.slow  # test_semantic_policy_training.py has it where the best is known
def test_the_policy_alone_learns_where_levels_pay():
    """From the rewards of all levels, with encoder and decoder at rest; uneven scenes get uneven rates."""
    made = task(allocation="learned", learns="policy", policy="exact", prices=[0.03, 0.03], policy_rate=1e-3)
    torch.manual_seed(0)
    model = made.build()
    before = {name: p.clone() for name, p in model.named_parameters()}
    rng = torch.Generator().manual_seed(1)
    clips = torch.full((2, 16, 32, 32), 0.5)
    clips[..., :16] += 0.3 * torch.sin(torch.arange(16.0) * 1.1) * torch.sin(torch.arange(32.0) * 0.9)[:, None]
    (optimiser,) = made.optimisers(model, 1e-3)
    for step in range(40):
        loss, _ = made.loss(model, clips, step, torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert moved and all(name.startswith("ran.") for name in moved)
    counts = made.options.sensor.counts(clips)
    x = normalise_readings(made.options.sensor.sense(clips, counts, rng), counts)
    snr, told = torch.tensor([10.0, 10.0]), (torch.full((2,), float(np.log(0.03))), torch.tensor([12, 12]))
    chances = model.ran(model.sce(x, snr), snr, *told).exp().detach()
    level = (chances * torch.arange(1, 5)[:, None, None]).sum(1)
    assert float(level[..., 0].mean()) > float(level[..., -1].mean()) + 0.3


def test_rewards_of_all_levels_are_measured_against_one_mean():
    errors = torch.rand(2, 4, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    rewards = task().rewards_of_levels(errors, torch.tensor([0.0, 0.3]))
    assert float(rewards[0].mean()) == pytest.approx(-1.0, abs=1e-4)
    assert float(rewards[1].mean()) == pytest.approx(-1.0 - 0.3 * 2.5, abs=1e-4)
