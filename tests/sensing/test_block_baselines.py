"""Reconstruction from block measurements without training: smoothed projections, multi-hypothesis prediction."""

from __future__ import annotations

import pytest
import torch
import yaml

from semlink.errors import ScenarioError
from semlink.link.scenario.loader import load_scenario
from semlink.link.sweep.plan import Job
from semlink.link.sweep.run import run
from semlink.payload import Frames
from semlink.seeds import Seeds
from semlink.sensing.block_cs import multi_hypothesis
from semlink.sensing.block_cs.multi_hypothesis import Hypotheses, MultiHypothesisReconstructor, displacements, predict
from semlink.sensing.block_cs.sampler import BlockSampler, grid_of, to_blocks
from semlink.sensing.block_cs.smoothed_projections import (
    BlockTv,
    BlockTvReconstructor,
    CompiledDenoiser,
    Patterns,
    PlainDenoiser,
    between,
    meet,
    readings_by_frame,
    restore,
    smoothed,
    spans,
)


def panning(frames: int = 9, h: int = 64, w: int = 64, step: int = 1) -> Frames:
    """A picture with edges and texture that moves `step` pixels a frame to the left."""
    y, x = torch.meshgrid(torch.arange(float(h)), torch.arange(float(w + step * frames)), indexing="ij")
    wide = 0.5 + 0.15 * torch.sin(x / 3) * torch.cos(y / 5) + 0.2 * ((x // 17 + y // 13) % 2) - 0.1
    return Frames(torch.stack([wide[:, step * t : step * t + w] for t in range(frames)])[None])


def psnr(frames: Frames, clip: Frames, which: slice | list[int] = slice(None)) -> float:
    return float(-10 * (frames.pixels - clip.pixels)[:, which].square().mean().log10())


def gaussian(ratio: float = 0.1, **options) -> BlockSampler:
    return BlockSampler(ratio, weights=None, **options)


@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_meeting_the_measurements_is_the_nearest_way_to_them(scale):
    """Also for rows that are neither orthogonal nor of unit length: the change lies in their span."""
    rows = torch.randn(20, 1024, generator=Seeds(1).torch("rows")) * scale
    frames, y = torch.rand(1, 2, 32, 64), torch.randn(1, 2, 2, 20)
    met = meet(frames, y, Patterns.of(rows))
    torch.testing.assert_close(to_blocks(met) @ rows.T, y, atol=2e-3, rtol=1e-3)
    change = to_blocks(met - frames).view(-1, 1024)
    outside = change - change @ torch.linalg.pinv(rows) @ rows
    assert float(outside.abs().max()) < 1e-3 * float(change.abs().max())


@pytest.mark.parametrize("prior", ["tv", "dct", "both"])
def test_smoothing_beats_the_linear_estimate_and_keeps_every_measurement(prior):
    clip, phi = panning(2), Patterns.of(gaussian(0.3).matrices()[1])
    y = to_blocks(clip.pixels) @ phi.rows.T
    gray = meet(torch.full_like(clip.pixels, 0.45), y, phi)
    found = restore(y, phi, (64, 64), BlockTv(prior, iterations=25))
    assert psnr(Frames(found), clip) > psnr(Frames(gray), clip) + 3
    torch.testing.assert_close(to_blocks(found) @ phi.rows.T, y, atol=1e-4, rtol=1e-4)


def test_frames_smoothed_alone_do_not_see_one_another():
    """The same frame beside another comes out the same; over time it does not."""
    first, second = torch.rand(1, 1, 32, 32), torch.rand(1, 1, 32, 32)
    for settings, differs in ((BlockTv(iterations=3), False), (BlockTv(over_time=True, iterations=3), True)):
        pair = smoothed(torch.cat([first, second], 1), lambda frames: frames, settings)[:, :1]
        twin = smoothed(torch.cat([first, first], 1), lambda frames: frames, settings)[:, :1]
        assert torch.allclose(pair, twin, atol=1e-6) != differs


def test_thresholds_fall_geometrically_and_smooth_what_nothing_holds():
    """Without measurements the denoiser takes noise away; a constant stays as it is."""
    noisy = 0.5 + 0.05 * torch.randn(1, 2, 32, 32, generator=Seeds(1).torch("noise"))
    calm = smoothed(noisy, lambda frames: frames, BlockTv(iterations=10))
    assert float(calm.std()) < 0.2 * float(noisy.std())
    flat = smoothed(torch.full((1, 2, 32, 32), 0.5), lambda frames: frames, BlockTv(iterations=10))
    torch.testing.assert_close(flat, torch.full((1, 2, 32, 32), 0.5))


def test_frames_between_key_frames_lie_on_a_straight_line():
    keys = torch.stack([torch.full((4, 4), value) for value in (0.0, 0.8)])[None]
    line = between(keys, 12, 8)[0, :, 0, 0]
    torch.testing.assert_close(line, torch.tensor([n / 10 for n in range(9)] + [0.8] * 3))


def test_over_time_static_frames_borrow_from_the_key_frames():
    clip, sampler = panning(9, step=0), gaussian(0.02)
    measured = sampler.measure(clip, Seeds(1))
    alone, together = (BlockTvReconstructor(sampler, over).reconstruct(measured) for over in (False, True))
    assert psnr(together, clip) > psnr(alone, clip) + 5
    assert torch.equal(alone.pixels[:, [0, 8]], together.pixels[:, [0, 8]])


def test_displacements_are_symmetric_dense_near_and_sparse_far():
    moves = displacements(2, 7)
    assert {(-dy, -dx) for dy, dx in moves} == set(moves) and len(moves) == 25 + 49 - 9
    assert (
        {(y, x) for y in range(-2, 3) for x in range(-2, 3)} <= set(moves) and (6, -6) in moves and (5, 0) not in moves
    )
    assert displacements(0, 0) == ((0, 0),)


@pytest.mark.source("tramel2011", "Sec. 3")
@pytest.mark.parametrize("ratio", [0.05, 0.4])
def test_the_mixture_is_the_tikhonov_fit_in_closed_form(ratio):
    """One block, one reference, no blending: against the normal equations over all candidates."""
    rng = Seeds(3).torch("fit")
    reference, target = torch.rand(1, 1, 32, 32, generator=rng), torch.rand(1, 1, 32, 32, generator=rng)
    phi = gaussian(ratio).matrices()[1].double()
    settings = Hypotheses(near=1, reach=1, blend=0, weight=0.7, stillness=0.02)
    found = predict(reference.double(), to_blocks(target).double() @ phi.T, phi, settings)
    around = torch.nn.functional.pad(reference, (1, 1, 1, 1), mode="replicate")[0, 0].double()
    moves = displacements(1, 1)
    h = torch.stack([around[1 + dy : 33 + dy, 1 + dx : 33 + dx].flatten() for dy, dx in moves], 1)
    y, a = phi @ target.flatten().double(), phi @ h
    squares = torch.tensor([dy * dy + dx * dx for dy, dx in moves])
    energy = (reference.diff(dim=-1).square().sum() + reference.diff(dim=-2).square().sum()).double() / 2
    g = (y[:, None] - a).square().sum(0) + 0.02 * squares * energy
    g = g + 1e-3 * g.min() + 1e-9
    w = torch.linalg.solve(a.T @ a + 0.7**2 * torch.diag(g), a.T @ y)
    torch.testing.assert_close(found[0, 0].flatten(), h @ w, atol=1e-6, rtol=1e-5)


def test_a_block_that_moved_is_found_where_it_came_from():
    clip = panning(3, step=3)
    sampler = gaussian(0.1, gop=2)
    _, y = readings_by_frame(sampler.measure(clip, Seeds(1)))
    guess = predict(clip.pixels[:, [0, 2]], y, sampler.matrices()[1])
    middle = Frames(clip.pixels[:, 1:2])
    assert psnr(Frames(guess), middle) > psnr(Frames(clip.pixels[:, [0, 2]].mean(1, keepdim=True)), middle) + 8


def test_clips_of_a_batch_and_frames_of_a_group_are_predicted_alone():
    rng = Seeds(1).torch("batch")
    references, y = torch.rand(2, 2, 32, 64, generator=rng), torch.randn(2, 3, 2, 20, generator=rng)
    phi = gaussian(0.02).matrices()[1]
    both = predict(references, y, phi)
    for clip, frame in ((0, 2), (1, 0)):
        alone = predict(references[clip : clip + 1], y[clip : clip + 1, frame : frame + 1], phi)
        torch.testing.assert_close(both[clip, frame], alone[0, 0], atol=1e-5, rtol=1e-4)


def test_blending_turns_the_edges_of_blocks_into_ramps():
    """Two flat blocks of different brightness, predicted from an even reference: one step, or sixteen small ones."""
    phi, reference = gaussian(0.05).matrices()[1], torch.full((1, 1, 32, 64), 0.5)
    target = torch.cat([torch.full((1, 1, 32, 32), level) for level in (0.3, 0.7)], -1)
    y = to_blocks(target) @ phi.T
    steps = {blend: predict(reference, y, phi, Hypotheses(blend=blend)).diff(dim=-1).abs()[0, 0, 5] for blend in (0, 8)}
    height = float(steps[0].max())
    assert height > 0.3 and int((steps[0] > 0.01).sum()) == 1
    torch.testing.assert_close(steps[8][24:39], torch.full((15,), height / 16), atol=0.1 * height / 16, rtol=0)


@pytest.mark.parametrize("frames, size", [(9, (64, 64)), (14, (33, 70)), (2, (32, 32)), (17, (32, 32))])
def test_any_length_and_size_comes_back_whole(frames, size):
    clip, sampler = panning(frames, *size), gaussian(0.1)
    measured = sampler.measure(clip, Seeds(1))
    found = MultiHypothesisReconstructor(sampler, Hypotheses(near=1, reach=3)).reconstruct(measured)
    assert found.pixels.shape == clip.pixels.shape
    assert float(found.pixels.min()) >= 0 and float(found.pixels.max()) <= 1
    assert psnr(found, clip) > psnr(Frames(torch.full_like(clip.pixels, 0.5)), clip) + 3


def test_prediction_beats_smoothing_where_frames_move():
    clip, sampler = panning(9), gaussian(0.03)
    measured, others = sampler.measure(clip, Seeds(1)), [1, 2, 3, 4, 5, 6, 7]
    predicted = MultiHypothesisReconstructor(sampler).reconstruct(measured)
    smooth = BlockTvReconstructor(sampler).reconstruct(measured)
    assert psnr(predicted, clip, others) > psnr(smooth, clip, others) + 2


def test_readings_lie_frame_by_frame_in_raster_order():
    clip, sampler = panning(9, 64, 96), gaussian(0.02)
    y = readings_by_frame(sampler.measure(clip, Seeds(1)))[1]
    assert y.shape == (1, 7, 6, 20) and grid_of(clip.shape) == (2, 3)
    block = clip.pixels[0, 4, 32:64, 32:64].flatten()
    torch.testing.assert_close(y[0, 3, 4], sampler.matrices()[1] @ block, atol=1e-5, rtol=1e-4)


def scenario(tmp_path, *schemes):
    path = tmp_path / "s.yaml"
    source = {"kind": "scenes", "clips": 1, "frames": 9, "size": [64, 64]}
    path.write_text(
        yaml.safe_dump({"name": "s", "source": source, "trials": {"min": 2, "max": 2}, "schemes": list(schemes)})
    )
    return Job(load_scenario(path), tmp_path / "out", tmp_path)


def test_both_kinds_run_from_a_scenario_and_beat_the_linear_estimate(tmp_path):
    sensor = {"kind": "block", "matrix": "learned", "ratio": 0.02}
    kinds = [{"kind": "linear"}, {"kind": "block-tv"}, {"kind": "multi-hypothesis", "reach": 15}]
    entries = [{"name": k["kind"], "kind": "sensing", "sensor": sensor, "reconstruction": k} for k in kinds]
    found = {row.scheme: row.psnr_db for row in run(scenario(tmp_path, *entries)).rows}
    assert found["multi-hypothesis"] > found["block-tv"] > found["linear"]


@pytest.mark.parametrize("kind", ["block-tv", "multi-hypothesis"])
def test_another_sensor_is_refused_by_name(tmp_path, kind):
    sensor = {"kind": "programmable", "mean_count": 1}
    entry = {"name": "x", "kind": "sensing", "sensor": sensor, "reconstruction": {"kind": kind}}
    with pytest.raises(ScenarioError, match=f"{kind}: takes block measurements, got sensor programmable"):
        run(scenario(tmp_path, entry))


@pytest.mark.parametrize("over_time", [False, True])
@pytest.mark.parametrize("prior", ["tv", "dct", "both"])
def test_the_compiled_denoiser_is_the_plain_one(prior, over_time):
    """Two steps each, since total variation goes on from the last; frames that fill no window of four."""
    rng, settings = Seeds(1).torch("denoisers"), BlockTv(prior, over_time)
    plain, fast = PlainDenoiser(settings), CompiledDenoiser(settings)
    for strength, shifts in ((0.2, [[1, 3, 7], [2, 0, 5]]), (0.05, [[3, 7, 0], [0, 4, 1]])):
        frames = torch.rand(2, 6, 32, 96, generator=rng)
        views = shifts if prior != "tv" else []
        found, expected = fast(frames, strength, views), plain(frames, strength, views)
        assert float((expected - frames).abs().max()) > 0.03
        torch.testing.assert_close(found, expected, atol=5e-6, rtol=0)


def test_spans_of_numbers_are_slices():
    assert spans([1, 2, 3, 5, 6]) == [(slice(1, 4), slice(0, 3)), (slice(5, 7), slice(3, 5))]


def test_rounding_does_not_spoil_a_block_that_hardly_moved():
    """Its readings are nearly those of a candidate, which gets all weight; in single precision the fit was lost."""
    rng, phi = Seeds(5).torch("still"), gaussian(0.05).matrices()[1]
    reference = torch.nn.functional.avg_pool2d(torch.rand(1, 1, 70, 70, generator=rng), 7, 1)
    for size in (1e-6, 1e-5, 1e-4):
        target = reference + size * torch.randn(reference.shape, generator=rng)
        y = to_blocks(target) @ phi.T
        found = predict(reference, y, phi)
        exact = predict(reference.double(), y.double(), phi.double())
        torch.testing.assert_close(found.double(), exact, atol=1e-5, rtol=0)


def test_many_readings_are_fitted_as_few_are(monkeypatch):
    """By the fit itself and by its dual, where blocks hardly move and where they are others."""
    rng, phi = Seeds(5).torch("many"), gaussian(0.3).matrices()[1]
    reference = torch.nn.functional.avg_pool2d(torch.rand(1, 2, 38, 38, generator=rng), 7, 1)
    for size in (1e-6, 1e-3, 0.3):
        y = to_blocks(reference[:, :1] + size * torch.randn(1, 3, *reference.shape[2:], generator=rng)) @ phi.T
        monkeypatch.setattr(multi_hypothesis, "MANY", 256)
        fitted = predict(reference, y, phi)
        monkeypatch.setattr(multi_hypothesis, "MANY", 1024)
        torch.testing.assert_close(fitted, predict(reference, y, phi), atol=2e-6, rtol=0)
