"""The shipped decoder on tokens: black stays black, and a map that nobody trained for is served."""

from __future__ import annotations

import pytest
import torch

from semlink.payload import Frames
from semlink.seeds import Seeds
from semlink.sensing.programmable.exposure import ReadNoise, expose, exposure_gain
from semlink.sensing.programmable.reconstructors import GapTvReconstructor
from semlink.sensing.programmable.sensor import ProgrammableSensor, RatioMap
from semlink.sensing.programmable.tokens.cosine import frames_of
from semlink.sensing.programmable.tokens.readings import brightness
from semlink.sensing.programmable.tokens.reconstructor import TokenReconstructor, load_tokens_decoder

WEIGHTS = "sensor_decoder_tokens"
STRANGE = ((4, 0, 1, 2), (1, 8, 1, 0), (2, 1, 4, 1), (0, 2, 1, 4))


def scene(black: float = 0.5) -> torch.Tensor:
    """Soft waves that glide (1, 16, 64, 64), a part of the picture black."""
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    times = torch.arange(16.0).view(-1, 1, 1)
    waves = 0.5 + 0.3 * torch.sin((rows + 1.5 * times) / 3) * torch.cos(columns / 4)
    return torch.where(columns < 64 * (1 - black), waves, torch.zeros(()))[None]


def psnr_db(frames: torch.Tensor, clip: torch.Tensor) -> float:
    return float(-10 * (frames - clip).square().mean().log10())


@pytest.mark.parametrize("level", [1.0, 0.05])
def test_black_stays_black_and_dark_stays_dark(level):
    clip = level * scene()
    measured = ProgrammableSensor(RatioMap(count=1)).measure(Frames(clip), Seeds(1))
    restored = TokenReconstructor(WEIGHTS).reconstruct(measured).pixels
    assert restored[..., 36:].mean() < 0.01
    assert abs(float(restored[..., :28].mean() - clip[..., :28].mean())) < 0.01


@pytest.mark.slow
def test_a_map_that_nobody_trained_for_is_served_better_than_by_its_linear_estimate_and_kept_to():
    """Better than total variation too; and what comes out would have been read much the same."""
    clip, ratio_map = scene(black=0.0), RatioMap(tile=STRANGE)
    measured = ProgrammableSensor(ratio_map).measure(Frames(clip), Seeds(1))
    restored = TokenReconstructor(WEIGHTS).reconstruct(measured).pixels
    net, counts = load_tokens_decoder(WEIGHTS).net, measured.counts
    light = brightness(measured.slots, counts, float(net.mean))
    start = net.start(counts[:8, :8], ReadNoise()).without_motion()
    linear = (frames_of(start.estimate(light)[0], 16) + net.mean).clamp(0, 1)
    plain = GapTvReconstructor().reconstruct(measured).pixels
    assert psnr_db(restored, clip) > max(psnr_db(linear, clip), psnr_db(plain, clip))
    gain = exposure_gain(counts, 16)
    missed = torch.where(gain > 0, (expose(restored, counts) - measured.slots) / gain.clamp_min(1), 0)
    assert missed.square().mean().sqrt() < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("masked", [False, True])
def test_maps_from_pixel_to_pixel_and_the_aperture_are_served(masked):
    clip = scene(black=0.0)
    sensor = ProgrammableSensor(RatioMap(random_mean=1.5), masked=masked)
    measured = sensor.measure(Frames(clip), Seeds(1))
    restored = TokenReconstructor(WEIGHTS, masked=masked).reconstruct(measured).pixels
    plain = GapTvReconstructor(masked=masked).reconstruct(measured).pixels
    assert psnr_db(restored, clip) > psnr_db(plain, clip) - 0.5
