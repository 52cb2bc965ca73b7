"""Block sampling: the operator, its patterns, which frames are key frames, and what a linear estimate can do."""

from __future__ import annotations

import math

import pytest
import torch
from safetensors.torch import save_file
from training_toys import RECIPE, write_recipe

from semlink.errors import InterfaceError, ModelError
from semlink.payload import Frames, FrameShape, Projections
from semlink.seeds import Seeds
from semlink.sensing.block_cs.basis import BlockBasis, linear_estimate, load_basis
from semlink.sensing.block_cs.patterns import load_patterns
from semlink.sensing.block_cs.reconstructors import LinearBlockReconstructor
from semlink.sensing.block_cs.sampler import (
    BlockSampler,
    from_blocks,
    gaussian_rows,
    key_frames,
    references,
    rows_of,
    to_blocks,
)
from semlink.sensing.sources.synthetic.scenes import SceneSource
from semlink.training.data.pack import Pack, save_pack
from semlink.training.loop import train

MATRICES = {"learned": {}, "gaussian": {"weights": None, "seed": 3}}


def noise(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=Seeds(seed).torch("noise"), dtype=torch.float64).float()


def scene(frames: int = 9, side: int = 64) -> Frames:
    return Frames(torch.from_numpy(SceneSource(clips=1, frames=frames, size=(side, side)).clip(0))[None])


def mse(frames: Frames, clip: Frames, which: list[int]) -> float:
    return float((frames.pixels - clip.pixels)[:, which].square().mean())


@pytest.mark.parametrize("options", MATRICES.values(), ids=MATRICES)
@pytest.mark.parametrize("size", [(64, 32), (40, 70)], ids=["whole blocks", "padded"])
def test_the_adjoint_is_the_adjoint(options, size):
    """<Ax, y> = <x, A'y>, also where edge pixels are repeated to fill blocks."""
    sampler = BlockSampler(0.03, **options)
    x = noise(2, 11, *size)
    readings = sampler.measure(Frames(x), Seeds(1))
    y = tuple(noise(*part.shape, seed=2) for part in readings.parts)
    left = sum(float((a.double() * b).sum()) for a, b in zip(readings.parts, y))
    right = float((x.double() * sampler.adjoint(Projections(y, readings.frames))).sum())
    scale = math.sqrt(sum(float(a.square().sum() * b.square().sum()) for a, b in zip(readings.parts, y)))
    assert abs(left - right) < 1e-5 * scale


def test_readings_are_inner_products_of_one_block():
    sampler, x = BlockSampler(0.05), noise(1, 9, 64, 96)
    parts = sampler.measure(Frames(x), Seeds(1)).parts
    assert [part.shape for part in parts] == [(1, 512, 2 * 6), (1, 51, 7 * 6)]
    key, rest = sampler.matrices()
    torch.testing.assert_close(parts[0][0, :, 6 + 4], key @ x[0, 8, 32:64, 32:64].flatten(), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(parts[1][0, :, 6 * 2 + 2], rest @ x[0, 3, :32, 64:].flatten(), atol=1e-4, rtol=1e-4)


@pytest.mark.source("zhang2023hitvcsnet", "Sec. 3.1: 32 x 32 blocks, ratios 0.5 and 0.01 to 0.2")
@pytest.mark.parametrize("ratio, rows", [(0.01, 10), (0.05, 51), (0.1, 102), (0.2, 204), (0.5, 512), (1.0, 1024)])
def test_a_ratio_gives_the_whole_patterns_below_it(ratio, rows):
    assert rows_of(ratio) == rows
    assert BlockSampler(ratio).matrices()[1].shape == (rows, 1024)


@pytest.mark.parametrize("options", MATRICES.values(), ids=MATRICES)
def test_patterns_are_orthonormal(options):
    for rows in BlockSampler(0.1, **options).matrices():
        torch.testing.assert_close(rows @ rows.T, torch.eye(len(rows)), atol=2e-6, rtol=0)


def test_all_patterns_give_the_frames_back():
    clip = Frames(noise(1, 3, 40, 50).mul(0.1).add(0.5).clamp(0, 1))
    for options in MATRICES.values():
        sampler = BlockSampler(1.0, 1.0, 2, **options)
        found = LinearBlockReconstructor(sampler).reconstruct(sampler.measure(clip, Seeds(1)))
        torch.testing.assert_close(found.pixels, clip.pixels, atol=2e-4, rtol=0)


def test_padding_repeats_the_edge_and_is_cut_away():
    sampler, x = BlockSampler(0.1), noise(1, 9, 40, 33)
    wide = torch.nn.functional.pad(x, (0, 31, 0, 24), mode="replicate")
    small, large = sampler.measure(Frames(x), Seeds(1)), sampler.measure(Frames(wide), Seeds(1))
    for a, b in zip(small.parts, large.parts):
        torch.testing.assert_close(a, b)
    torch.testing.assert_close(from_blocks(to_blocks(x), FrameShape(9, 40, 33)), x)
    shown = LinearBlockReconstructor(sampler).reconstruct(small).pixels
    torch.testing.assert_close(shown, LinearBlockReconstructor(sampler).reconstruct(large).pixels[..., :40, :33])


# patterns


def test_principal_components_are_the_best_patterns_of_any_number():
    """Mean squared error with m rows is the power left over, and no other m rows leave less."""
    mix = noise(1024, 1024) * torch.logspace(0, -3, 1024)
    moment = mix.double().T @ mix.double() / 1024
    basis = BlockBasis().take(moment)

    def left(rows: torch.Tensor) -> float:
        """Error of blocks with these second moments after the best linear estimate from their readings."""
        rows = rows.double()
        lift = linear_estimate(rows.float(), moment).double()
        error = torch.eye(1024, dtype=torch.float64) - lift @ rows
        return float((error @ moment @ error.T).trace())

    power = torch.linalg.eigvalsh(moment).flip(0)
    for m in (10, 102):
        assert left(basis.rows[:m]) == pytest.approx(float(power[m:].sum()), rel=1e-3)
        assert left(gaussian_rows(m, 0)) > 1.05 * left(basis.rows[:m])
    worse = basis.rows[:102].clone()
    worse[50] = basis.rows[300]
    assert left(worse) > left(basis.rows[:102])
    torch.testing.assert_close(linear_estimate(basis.rows[:102], moment), basis.rows[:102].T, atol=1e-4, rtol=0)
    torch.testing.assert_close(basis.moment(), moment, atol=1e-5 * float(power[0]), rtol=0)


def test_the_shipped_basis_is_in_order_and_knows_video_better_than_gaussian_patterns():
    power = load_basis("blocks").power
    assert bool((power[:600].diff() <= 1e-3 * power[:599]).all()) and float(power[:10].sum() / power.sum()) > 0.95
    clip = scene()
    for ratio in (0.01, 0.1):
        errors = []
        for options in MATRICES.values():
            sampler = BlockSampler(ratio, **options)
            errors.append(
                mse(LinearBlockReconstructor(sampler).reconstruct(sampler.measure(clip, Seeds(1))), clip, [3])
            )
        assert errors[0] < 0.8 * errors[1]


def test_behind_gaussian_patterns_the_linear_estimate_beats_the_transpose():
    clip, sampler = scene(), BlockSampler(0.1, weights=None)
    readings = sampler.measure(clip, Seeds(1))
    linear = LinearBlockReconstructor(sampler).reconstruct(readings)
    assert mse(linear, clip, [1, 2]) < 0.25 * mse(Frames(sampler.adjoint(readings)), clip, [1, 2])


def test_gaussian_patterns_follow_from_the_seed_and_key_frames_have_their_own():
    key, rest = BlockSampler(0.1, weights=None, seed=5).matrices()
    again = BlockSampler(0.1, weights=None, seed=5).matrices()
    assert torch.equal(key, again[0]) and torch.equal(rest, again[1])
    assert not torch.equal(rest, BlockSampler(0.1, weights=None, seed=6).matrices()[1])
    assert not torch.allclose(key[:102], rest, atol=1e-2)


@pytest.mark.slow
def test_training_finds_the_principal_components_of_its_blocks(tmp_path):
    """Against an eigendecomposition of the moments of all batches, drawn again."""
    import numpy as np

    from semlink.training.data.clip_sampler import ClipSampler, ClipSettings

    rng = np.random.default_rng(0)
    walk = rng.integers(-9, 10, (4, 80, 80)).cumsum(1).cumsum(2).clip(-900, 900) // 8 + 128
    pack = Pack(("a",), ((4, 80, 80),), (False,), walk.clip(0, 255).astype(np.uint8).ravel())
    save_pack(pack, tmp_path / "pack.npz")
    profile = RECIPE["profiles"]["cpu"] | {"steps": 3, "batch": 8, "crop": 64, "validate_every": 3}
    recipe = write_recipe(
        tmp_path, task="block_basis", model={}, options={}, clips={"frames": 2, "crop": 64}, profiles={"cpu": profile}
    )
    path = train(recipe, out=tmp_path / "run", data=tmp_path / "pack.npz")
    sampler = ClipSampler(pack, ClipSettings(frames=2, crop=64), 1)
    blocks = torch.cat([to_blocks(sampler.batch(step, 8)).flatten(0, 2) for step in range(3)]).double()
    best = torch.linalg.eigvalsh(blocks.T @ blocks / len(blocks)).flip(0)
    rows = load_basis(str(path)).rows[:10].double()
    error = (blocks - blocks @ rows.T @ rows).square().sum(1).mean()
    assert float(error) == pytest.approx(float(best[10:].sum()), rel=0.02)


# which frame is what


@pytest.mark.source("zhang2023hitvcsnet", "Sec. 3.1: key frames of this and of the next group")
@pytest.mark.parametrize(
    "frames, keys", [(9, [0, 8]), (14, [0, 8]), (16, [0, 8]), (17, [0, 8, 16]), (8, [0]), (2, [0])]
)
def test_key_frames_and_references(frames, keys):
    assert list(key_frames(frames, 8)) == keys
    pairs = references(frames, 8)
    for number, (before, behind) in enumerate(pairs):
        assert keys[before] == max(k for k in keys if k <= number)
        later = [k for k in keys if k >= number]
        assert keys[behind] == (later[0] if later else keys[-1])
    kinds = BlockSampler().frame_kinds(FrameShape(frames, 32, 32))
    assert [number for number, kind in enumerate(kinds) if kind == "key"] == keys


def test_the_key_frame_of_the_next_group_stands_behind_this_one():
    assert references(14, 8)[1:9] == ((0, 1),) * 7 + ((1, 1),)
    assert references(14, 8)[9:] == ((1, 1),) * 5


@pytest.mark.parametrize("frames, keys", [(9, 2), (14, 2), (17, 3), (16, 2)])
def test_the_cost_counts_every_reading(frames, keys):
    shape = FrameShape(frames, 288, 352)
    sampler = BlockSampler(0.1)
    assert sampler.measurements_per_pixel(shape) == pytest.approx(
        99 * (512 * keys + 102 * (frames - keys)) / (288 * 352)
    )
    parts = sampler.measure(Frames(torch.zeros(1, frames, 33, 32)), Seeds(1)).parts
    small = FrameShape(frames, 33, 32)
    assert sampler.measurements_per_pixel(small) * 33 * 32 == pytest.approx(sum(part[0].numel() for part in parts))


# bad input


@pytest.mark.parametrize(
    "options, message",
    [
        ({"ratio": 0.0009}, "ratio 0.0009 gives 0 patterns of 1024; allowed: 0.0010"),
        ({"ratio": 1.5}, "ratio 1.5 gives 1536 patterns"),
        ({"key_ratio": 0.0}, "key_ratio 0 gives 0 patterns"),
        ({"ratio": -1.0}, "ratio -1 gives 0 patterns"),
        ({"gop": 1}, "gop 1 leaves no frame between key frames"),
    ],
)
def test_a_sampler_that_measures_nothing_is_refused(options, message):
    with pytest.raises(InterfaceError, match=message):
        BlockSampler(**options)


def test_a_clip_of_key_frames_alone_is_refused():
    with pytest.raises(InterfaceError, match="clip of 1 frame is all key frames"):
        BlockSampler().measure(Frames(torch.zeros(1, 1, 32, 32)), Seeds(1))


def test_patterns_come_from_a_basis_only():
    with pytest.raises(ModelError, match="sensor_decoder.packed: weights for 'reconstruction'"):
        load_patterns("sensor_decoder", 512, 10)
    with pytest.raises(ModelError, match="no such file"):
        BlockSampler(weights="nothing").matrices()


def test_a_damaged_basis_is_refused(tmp_path):
    from semlink.weights.cards import SHIPPED
    from semlink.weights.tensors import read_tensors

    tensors = read_tensors(SHIPPED / "blocks.packed")
    tensors["rows"][0, 0] += 0.5
    save_file(tensors, str(tmp_path / "blocks.safetensors"))
    (tmp_path / "blocks.json").write_text((SHIPPED / "blocks.json").read_text())
    with pytest.raises(ModelError, match="not those of the card"):
        load_basis(str(tmp_path / "blocks.safetensors"))
