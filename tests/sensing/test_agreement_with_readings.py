"""Frames of another brightness than the readings over whole regions are brought back, all others stay to the bit."""

from __future__ import annotations

import pytest
import torch

from semlink.payload import Frames
from semlink.seeds import Seeds
from semlink.sensing.programmable.agreement_with_readings import kept_to_readings
from semlink.sensing.programmable.aperture import binary_aperture
from semlink.sensing.programmable.exposure import ReadNoise, read_out
from semlink.sensing.programmable.reconstructors import DeepReconstructor
from semlink.sensing.programmable.sensor import ProgrammableSensor, RatioMap

NOISE = ReadNoise()


def scene() -> torch.Tensor:
    """Soft waves (1, 16, 64, 64), half of the picture black."""
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    times = torch.arange(16.0).view(-1, 1, 1)
    waves = 0.5 + 0.3 * torch.sin((rows + times) / 7) * torch.cos(columns / 9)
    return torch.where(columns < 32, waves, torch.zeros(()))[None]


def readings(frames: torch.Tensor, counts: torch.Tensor, mask=None) -> torch.Tensor:
    normal = torch.randn(1, 8, 64, 64, generator=torch.Generator().manual_seed(0))
    return read_out(frames, counts, normal, noise=NOISE, mask=mask)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_region_gone_gray_is_black_again(count, masked):
    frames, counts = scene(), torch.full((64, 64), count)
    mask = binary_aperture(16, 64, 64) if masked else None
    gray = frames.clone()
    gray[..., 40:] += 0.25
    mended = kept_to_readings(gray, readings(frames, counts, mask), counts, mask)
    assert (mended - frames)[..., 46:58].abs().mean() < 0.02


@pytest.mark.parametrize("count", [1, 2, 4])
def test_frames_that_agree_stay_to_the_bit(count):
    frames, counts = scene(), torch.full((64, 64), count)
    rough = frames + 0.02 * torch.randn(frames.shape, generator=torch.Generator().manual_seed(1)) + 0.01
    assert torch.equal(kept_to_readings(rough, readings(frames, counts), counts), rough)


def test_pixels_that_read_nothing_take_what_their_neighbours_say():
    frames, counts = scene(), torch.full((64, 64), 4)
    counts[::2, ::2] = 0
    gray = frames + 0.25
    mended = kept_to_readings(gray, readings(frames, counts), counts)
    assert (mended - frames)[..., 6:-6, 6:-6].abs().mean() < 0.05


def test_the_shipped_decoder_keeps_black_black():
    """Photographs have hardly any large black region; without the readings' word it would be a quarter of white."""
    measured = ProgrammableSensor(RatioMap(count=4)).measure(Frames(scene()), Seeds(1))
    restored = DeepReconstructor("sensor").reconstruct(measured).pixels
    assert restored[..., 40:].mean() < 0.05
