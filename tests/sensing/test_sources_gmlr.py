"""Digits and the wheel of colours: exact motion, no pixel twice the same by mistake, the same for every run."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from semlink.errors import SourceError
from semlink.sensing.sources.synthetic.colour_wheel import RADIUS, SIDE, WheelSource, half_plane, slice_shares, wheel
from semlink.sensing.sources.synthetic.digits import DIGIT, SPEED_PX, DigitSource, bouncing, turned
from semlink.sensing.sources.synthetic.glyph_digits import coverage, draw_digit
from semlink.sensing.specs.sources import DigitsSpec, WheelSpec


@pytest.fixture
def stack(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (30, 28, 28), dtype=np.uint8)
    np.savez(tmp_path / "digits.npz", images=images)
    return tmp_path / "digits.npz"


@pytest.mark.parametrize("motion", ["rotating", "bouncing"])
def test_the_same_clip_however_many_there_are(motion):
    few, many, other = (DigitSource(motion, clips=n, frames=4, seed=seed) for n, seed in ((2, 3), (7, 3), (2, 4)))
    np.testing.assert_array_equal(few.clip(1), many.clip(1))
    assert not np.array_equal(few.clip(1), other.clip(1)) and not np.array_equal(few.clip(0), few.clip(1))
    clip = few.clip(0)
    assert clip.shape == (4, 64, 64) and clip.dtype == np.float32 and clip.min() == 0 and 0.9 < clip.max() <= 1
    assert len({many.name(k) for k in range(7)}) == 7
    with pytest.raises(IndexError):
        few.clip(2)


def test_a_quarter_turn_is_a_quarter_turn():
    clip = DigitSource(clips=1, frames=181, degrees=2.0).clip(0)
    np.testing.assert_allclose(clip[45], np.rot90(clip[0]), atol=1e-5)
    np.testing.assert_allclose(clip[180], clip[0], atol=1e-5)
    assert np.abs(clip[1] - clip[0]).mean() > 1e-3


def test_enlarging_is_linear_interpolation():
    """A ramp stays a ramp away from the border, where the outside is black."""
    ramp = np.tile(np.linspace(0, 1, 28), (28, 1))
    seen = turned(ramp, 0)
    expected = ((np.arange(64) + 0.5) * 28 / 64 - 0.5) / 27
    np.testing.assert_allclose(seen[20, 4:-4], expected[4:-4], atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 60))
def test_bouncing_digits_stay_inside_at_constant_speed(seed, frames):
    places = np.array(bouncing(frames, np.random.default_rng(seed)))
    assert places.min() >= 0 and places.max() <= 64 - DIGIT
    steps = np.hypot(*np.diff(places, axis=0).T)
    assert steps.max() <= SPEED_PX + math.sqrt(2)  # rounding to whole pixels
    away = np.abs(np.diff(places, n=2, axis=0)).max(1) > 2  # a reflection
    assert away.sum() <= 4 * (1 + frames * SPEED_PX / (64 - DIGIT))


def test_bouncing_digits_are_the_bitmaps_themselves(stack):
    source = DigitSource("bouncing", clips=3, frames=5, digits=1, path=str(stack))
    images = (np.load(stack)["images"] / np.float32(255)).astype(np.float32)
    frame = source.clip(2)[3]
    found = [
        number
        for number, image in enumerate(images)
        if any(
            np.array_equal(frame[y : y + 28, x : x + 28], image.astype(np.float32))
            for y in range(37)
            for x in range(37)
        )
    ]
    assert len(found) == 1


def test_no_bitmap_twice_and_only_from_the_range(stack):
    source = DigitSource("bouncing", clips=5, frames=1, path=f"{stack}[20:30]")
    drawn = [bitmap.tobytes() for k in range(5) for bitmap in source._bitmaps(k)]
    allowed = {image.tobytes() for image in np.load(stack)["images"][20:].astype(np.float32) / np.float32(255)}
    assert len(set(drawn)) == 10 and set(drawn) == allowed


def test_ten_clips_from_fonts_show_the_ten_digits():
    """Drawn again by their class: each clip is one of ten, none is missing."""
    source = DigitSource(clips=10, frames=1)
    assert len({source.clip(k).tobytes() for k in range(10)}) == 10


@pytest.mark.parametrize("digit", range(10))
def test_glyphs_are_fitted_and_centred_like_mnist(digit):
    image = draw_digit(digit, np.random.default_rng(digit))
    assert image.shape == (28, 28) and image.min() >= 0 and image.max() <= 1
    grid = np.arange(28) + 0.5
    assert abs(image.sum(0) @ grid / image.sum() - 14) < 0.4 and abs(image.sum(1) @ grid / image.sum() - 14) < 0.4
    lit = np.argwhere(image > 0.3)
    assert 15 <= np.ptp(lit, axis=0).max() + 1 <= 22
    assert 0.04 < image.mean() < 0.35


def test_coverage_of_a_square_with_a_hole():
    square = np.array([[1.5, 1], [5, 1], [5, 5], [1.5, 5.0]])
    hole = np.array([[2, 2], [4, 2], [4, 4], [2, 4.0]])
    ink = coverage([square, hole], 6)
    assert ink[1].tolist() == [0, 0.5, 1, 1, 1, 0] and ink[2].tolist() == [0, 0.5, 0, 0, 1, 0]
    assert ink.sum() == pytest.approx(3.5 * 4 - 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"motion": "flying"}, "got 'flying', allowed: rotating, bouncing"),
        ({"digits": 2}, "got 2, allowed: 1 for rotating digits"),
        ({"motion": "bouncing", "digits": 3}, "got 3, allowed: 1 or 2 for bouncing"),
        ({"frames": 0}, "source frames: got 0"),
        ({"degrees": math.inf}, "source degrees: got inf"),
        ({"path": "nowhere.npz"}, "nowhere.npz: cannot be read as a stack of pictures"),
    ],
)
def test_wrong_digit_options_are_refused(options, message):
    with pytest.raises(SourceError, match=message):
        DigitSource(**options)


def test_a_file_of_other_or_too_few_pictures_is_refused(stack, tmp_path):
    with pytest.raises(SourceError, match="30 digits found, 16 clips need 32"):
        DigitSource("bouncing", clips=16, path=str(stack))
    np.savez(tmp_path / "large.npz", images=np.zeros((3, 32, 32), np.uint8))
    with pytest.raises(SourceError, match="pictures of 32x32, need 28x28"):
        DigitSource(path=str(tmp_path / "large.npz"))


def test_specs_build_them():
    assert DigitsSpec(kind="digits", motion="bouncing", frames=20).build() == DigitSource("bouncing", frames=20)
    assert WheelSpec(kind="wheel", frames=3).build().clip(0).shape == (3, 192, 64)


@pytest.mark.parametrize(("slices", "degrees"), [(12, 0.0), (12, 7.3), (4, 40.0), (30, 1.0)])
def test_pixels_are_area_averages(slices, degrees):
    """Against 40 x 40 samples of each pixel: what is missing is the samples' own error at the borders."""
    many = 40
    axis = (np.arange(SIDE * many) + 0.5) / many - SIDE / 2
    x, y = np.meshgrid(axis, -axis)
    angle = np.degrees(np.arctan2(y, x)) - degrees
    number = np.floor(angle % 360 / (360 / slices)).astype(int) % slices
    inside = np.hypot(x, y) <= RADIUS
    shares = slice_shares(slices, math.radians(degrees))
    for k in (0, 1, slices - 1):
        sampled = ((number == k) & inside).reshape(SIDE, many, SIDE, many).mean((1, 3))
        np.testing.assert_allclose(shares[k], sampled, atol=1.5 / many)
        assert shares[k].sum() == pytest.approx(math.pi * RADIUS**2 / slices, rel=2e-3)


def test_slices_fill_the_disc():
    shares = slice_shares(12, 0.4)
    axis = np.arange(SIDE) + 0.5 - SIDE / 2
    x, y = np.meshgrid(axis, axis)
    np.testing.assert_allclose(shares.sum(0), half_plane(RADIUS - np.hypot(x, y), x, y), atol=1e-9)


def test_a_turn_by_one_slice_passes_the_colours_on():
    begin, later = slice_shares(12, 0.2), slice_shares(12, 0.2 + math.radians(30))
    np.testing.assert_allclose(later, np.roll(begin, -1, axis=0), atol=1e-9)
    np.testing.assert_allclose(wheel(12, 365), wheel(12, 5), atol=1e-6)
    assert np.abs(wheel(12, 35) - wheel(12, 5)).max() > 0.4


def test_planes_stand_one_above_the_other():
    clip = WheelSource(frames=2).clip(0)
    assert clip.shape == (2, 3 * 64, 64) and clip.dtype == np.float32
    np.testing.assert_array_equal(clip[1].reshape(3, 64, 64), wheel(12, 1.0))
    right = clip[0].reshape(3, 64, 64)[:, 29, 55]  # in slice 0, which begins at the right: red
    assert right.tolist() == pytest.approx([1, 0, 0], abs=1e-6)
    with pytest.raises(SourceError, match="source slices: got 3"):
        WheelSource(slices=3)


def test_half_planes_at_their_limits():
    one = np.ones(5)
    depth = np.array([-2.0, -0.5, 0, 0.25, 2])
    np.testing.assert_allclose(half_plane(depth, one, 0 * one), [0, 0, 0.5, 0.75, 1], atol=1e-6)
    corner = half_plane(np.array([-math.sqrt(0.5) + math.sqrt(0.5) / 2]), one[:1], one[:1])
    np.testing.assert_allclose(corner, [0.125], atol=1e-9)  # a triangle with legs of half a pixel
