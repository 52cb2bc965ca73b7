"""The decoder on tokens: its estimate in closed form, what motion adds, and what is kept to the readings."""

from __future__ import annotations

from functools import cache

import pytest
import torch

from semlink.sensing.programmable.aperture import binary_aperture
from semlink.sensing.programmable.exposure import ReadNoise, expose, exposure_gain, read_out
from semlink.sensing.programmable.tokens.blockwise_start import BlockwiseStart
from semlink.sensing.programmable.tokens.cosine import SIDE, coefficients, frames_of
from semlink.sensing.programmable.tokens.linear_start import MARGIN, WINDOW, LinearStart
from semlink.sensing.programmable.tokens.network import DecoderSizes, TokenDecoder
from semlink.sensing.programmable.tokens.readings import brightness
from semlink.sensing.programmable.tokens.reconstructor import LoadedDecoder

NOISE = ReadNoise()
TILE = ((2, 1, 0, 1), (0, 4, 1, 2), (1, 2, 8, 1), (4, 0, 1, 1))
MEAN = 0.4


def falling(t: torch.Tensor, y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """A covariance of pixels by their distance, one product in time and space."""
    return 0.03 * torch.exp(-t / 12) * torch.exp(-(y + x) / 9)


@cache
def net() -> TokenDecoder:
    """A small network that has not been trained, so what it adds is nothing."""
    torch.manual_seed(0)
    at = torch.arange(float(WINDOW))
    covariance = falling(torch.arange(16.0)[:, None, None], at[:, None], at)
    made = TokenDecoder(DecoderSizes(channels=16, blocks=1, corrected=64)).begin(MEAN, covariance)
    return made.eval().requires_grad_(False)


def block_of(tile) -> torch.Tensor:
    table = torch.tensor(tile)
    return table.repeat(SIDE // len(table), SIDE // table.shape[1])


@cache
def start_of(tile) -> LinearStart:
    return net().start(block_of(tile), NOISE)


def sensed(frames: torch.Tensor, counts: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Brightness less the mean of noisy readings of clips (b, 16, h, w)."""
    normal = torch.randn(len(frames), 8, *counts.shape, generator=torch.Generator().manual_seed(1))
    return brightness(read_out(frames, counts, normal, noise=NOISE, mask=mask), counts, MEAN, mask)


def best_estimate(light: torch.Tensor, counts: torch.Tensor, top: int, mask=None) -> torch.Tensor:
    """The 8x8 block at (`top`, `top`) of a small frame by least squares over all its pixels: (16, 8, 8)."""
    h, w = counts.shape
    t, y, x = torch.meshgrid(*(torch.arange(float(side)) for side in (16, h, w)), indexing="ij")
    places = torch.stack((t, y, x)).flatten(1).double()
    far = (places[:, :, None] - places[:, None]).abs()
    covariance = falling(*far)
    shares = torch.eye(16 * h * w, dtype=torch.float64).view(-1, 16, h, w)
    gain = exposure_gain(counts, 16, mask).double()
    exposed = (expose(shares, counts, mask) / gain.clamp_min(1)).flatten(1).T
    taken = (gain > 0).flatten()
    full = (16 / gain.clamp_min(1)).flatten()
    noise = full**2 * (MEAN / full * NOISE.shot**2 + NOISE.read**2)
    exposed, noise = exposed[taken], noise[taken]
    seen = exposed @ covariance @ exposed.T + torch.diag(noise)
    found = covariance @ exposed.T @ torch.linalg.solve(seen, light[0].flatten()[taken].double())
    return found.view(16, h, w)[:, top : top + SIDE, top : top + SIDE].float()


def smooth_clip(h: int, w: int, pace: float = 0.0, seed: int = 0) -> torch.Tensor:
    """A random picture that glides along rows (1, 16, h, w)."""
    wide = torch.randn(h, w + 16 * 4 + 40, generator=torch.Generator().manual_seed(seed))
    for _ in range(3):
        wide = torch.nn.functional.avg_pool2d(wide[None], 3, 1, 1)[0]
    whole = (MEAN + 1.2 * wide).clamp(0, 1)
    return torch.stack([whole[:, round(20 + pace * t) : round(20 + pace * t) + w] for t in range(16)])[None]


def test_cosine_coefficients_are_orthonormal_and_come_back():
    frames = torch.rand(2, 16, 24, 32, generator=torch.Generator().manual_seed(0))
    found = coefficients(frames)
    assert found.shape == (2, 3, 4, 1024)
    assert float(found.square().sum()) == pytest.approx(float(frames.square().sum()), rel=1e-5)
    assert torch.allclose(frames_of(found, 16), frames, atol=1e-5)


@pytest.mark.parametrize("tile", [((1,),), ((2, 0), (0, 1))])
def test_the_start_is_the_best_linear_estimate_of_a_window(tile):
    """Against least squares over every pixel of the window; the middle block of 3x3 sees its margin."""
    counts = block_of(tile).repeat(3, 3)
    light = sensed(torch.rand(1, 16, 24, 24, generator=torch.Generator().manual_seed(2)), counts)
    found = frames_of(start_of(tile).without_motion().estimate(light)[0], 16)[0]
    cut = slice(SIDE - MARGIN, 2 * SIDE + MARGIN)
    best = best_estimate(light[..., cut, cut], counts[cut, cut], MARGIN)
    assert torch.allclose(found[:, SIDE:-SIDE, SIDE:-SIDE], best, atol=2e-4)
    alone = best_estimate(light[..., :SIDE, :SIDE], counts[:SIDE, :SIDE], 0)
    assert torch.allclose(found[:, :SIDE, :SIDE], alone, atol=2e-4), "at the border a block stands alone"


@pytest.mark.parametrize("masked", [False, True])
def test_blocks_of_their_own_have_the_best_linear_estimate_of_each(masked):
    counts = torch.randint(0, 3, (8, 16), generator=torch.Generator().manual_seed(3))
    mask = binary_aperture(16, 8, 16) if masked else None
    light = sensed(torch.rand(1, 16, 8, 16, generator=torch.Generator().manual_seed(4)), counts, mask)
    start = BlockwiseStart(counts, mask, net().prior(NOISE), net().order)
    found = frames_of(start.estimate(light)[0], 16)[0]
    for left in (0, SIDE):
        cut = slice(left, left + SIDE)
        own = None if mask is None else mask[..., cut]
        best = best_estimate(light[..., cut], counts[:, cut], 0, own)
        assert torch.allclose(found[..., cut], best, atol=2e-3)


def test_a_correction_is_kept_to_the_readings():
    """What is added anywhere changes what the readings would have been by far less than it would by itself."""
    added = torch.randn(1, 2, 3, 64, generator=torch.Generator().manual_seed(5)) * net().spread
    counts = block_of(TILE).repeat(2, 3)
    gain = exposure_gain(counts, 16).clamp_min(1)
    whole = torch.zeros(1, 2, 3, 1024)
    whole[..., net().order] = added
    for start in (start_of(TILE), BlockwiseStart(counts, None, net().prior(NOISE), net().order)):
        raw, kept = (expose(frames_of(c, 16), counts) / gain for c in (whole, start.keep(added)))
        assert kept.square().mean() < 0.03 * raw.square().mean()


def test_what_no_reading_sees_may_be_added():
    """With one exposure for all frames the readings say nothing of what changes over time."""
    unseen = net().order >= SIDE * SIDE  # frequencies in time above 0
    added = torch.randn(1, 2, 3, 64, generator=torch.Generator().manual_seed(6)) * unseen
    kept = start_of(((1,),)).keep(added)
    assert unseen.any() and torch.allclose(kept[..., net().order], added, atol=1e-5)


def test_both_starts_agree_where_a_map_repeats():
    counts = block_of(TILE).repeat(2, 2)  # all four blocks lie at the border
    light = sensed(smooth_clip(16, 16), counts)
    one, other = start_of(TILE), BlockwiseStart(counts, None, net().prior(NOISE), net().order)
    assert torch.allclose(one.estimate(light)[0], other.estimate(light)[0], atol=1e-2)
    assert one.known.shape == other.known.shape and (one.known >= other.known - 1e-3).all(), "a margin helps"


def test_what_glides_is_seen_to_glide_and_better_for_it():
    frames, counts = smooth_clip(40, 64, pace=1.5), block_of(((4,),)).repeat(5, 8)
    light, start = sensed(frames, counts), start_of(((4,),))
    error = {}
    for name, each in (("still", start.without_motion()), ("moving", start)):
        found, chances = each.estimate(light)
        error[name] = (frames_of(found, 16) + MEAN - frames)[..., SIDE:-SIDE, SIDE:-SIDE].square().mean()
        assert torch.allclose(chances.sum(-1), torch.ones(1, 5, 8), atol=1e-5)
    assert error["moving"] < 0.8 * error["still"]
    assert (chances[0, :, 0, -1] == 1).all(), "at the border nothing is said of motion"


@pytest.mark.parametrize(("h", "w"), [(16, 24), (21, 30), (5, 9)])
def test_frames_of_any_size_come_out_of_that_size(h, w):
    loaded, clip = LoadedDecoder(net(), {}), smooth_clip(h, w)
    for counts in (torch.ones(h, w, dtype=torch.long), torch.randint(0, 3, (h, w))):
        frames = loaded.frames(sensed(clip, counts), counts, None, NOISE)
        assert frames.shape == clip.shape and frames.min() >= 0 and frames.max() <= 1
        assert (frames - clip).square().mean() < 0.02


def test_maps_met_last_are_kept():
    loaded = LoadedDecoder(net(), {})
    counts = torch.ones(16, 16, dtype=torch.long)
    first, second = (loaded.frames(sensed(smooth_clip(16, 16), counts), counts, None, NOISE) for _ in range(2))
    assert torch.equal(first, second) and len(loaded.starts) == 1
