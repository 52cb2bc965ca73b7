"""Gray by nature, sent in colour: SoftCast turns and stacks planes, delta-sigma codes them as one tall picture."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.data import astronaut

from semlink.codecs.analogue.softcast import _TURN, SoftCast
from semlink.codecs.delta_sigma.codec import DeltaSigmaCodec
from semlink.colour.conversion import Conversion
from semlink.colour.layout import planes_of, together
from semlink.payload import FrameShape

RGB = np.moveaxis(astronaut()[64:128, 96:176], -1, 0).astype(np.float32) / np.float32(255)
CLIPS = {"rgb": together(RGB)[None], "yuv420": Conversion().frames(RGB)[None].astype(np.float32)}
NOISE = 0.05


def sent(codec: SoftCast, clip: np.ndarray, num_reals: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    side, numbers = codec.encode(clip, num_reals=num_reals, side_bytes=60, noise_var=NOISE)
    assert len(numbers) <= num_reals and np.mean(numbers**2) <= 1
    heard = numbers + rng.normal(0, NOISE**0.5, len(numbers))
    found = codec.decode(side, heard, np.full(len(numbers), NOISE), clip.shape, noise_var=NOISE)
    assert found is not None and found.shape == clip.shape and found.dtype == np.float32
    return found


@pytest.mark.parametrize("options", [{}, {"transform": "klt", "block": 8}])
@pytest.mark.parametrize("colour", CLIPS)
def test_softcast_gives_colour_back(colour, options):
    clip = CLIPS[colour]
    codec = SoftCast(colour=colour, **options)
    side, numbers = codec.encode(clip, num_reals=4 * clip.size, side_bytes=4000, noise_var=1e-9)
    whole = codec.decode(side, numbers, np.full(len(numbers), 1e-9), clip.shape, noise_var=1e-9)
    assert np.abs(whole - clip).max() < 1e-4
    for mine, theirs in zip(planes_of(sent(codec, clip, clip.size // 4), colour), planes_of(clip, colour), strict=True):
        assert np.corrcoef(mine.ravel(), theirs.ravel())[0, 1] > 0.7


def test_planes_that_are_turned_are_worth_more_than_a_tall_gray_picture():
    """The turn keeps distances, so nothing but the gathering of energy can bring this."""
    np.testing.assert_allclose(_TURN @ _TURN.T, np.eye(3), atol=1e-12)
    clip = CLIPS["rgb"]
    errors = [np.mean((sent(SoftCast(colour=as_), clip, clip.size // 8) - clip) ** 2) for as_ in ("rgb", "gray")]
    assert 10 * np.log10(errors[1] / errors[0]) > 1


@pytest.mark.parametrize("colour", CLIPS)
def test_delta_sigma_codes_planes_as_one_tall_picture(colour):
    clip = CLIPS[colour]
    codec = DeltaSigmaCodec("delta_sigma", colour=colour)
    packets = codec.encode_at(clip, 16)
    found = codec.decode(packets, FrameShape.of(clip.shape, colour))
    assert found.shape == clip.shape and -10 * np.log10(np.mean((found - clip) ** 2)) > 20
