"""Planes of frames, and RGB to YCbCr and back, against another implementation."""

from __future__ import annotations

import itertools

import av
import numpy as np
import pytest
import torch
from PIL import Image

from semlink.colour.conversion import LUMA, Conversion, doubled, halved
from semlink.colour.layout import COLOURS, apart, planes_of, stacked, together
from semlink.colour.look import Look
from semlink.errors import InterfaceError
from semlink.payload import Agreement, Frames, FrameShape, Point
from semlink.plain_data import from_bytes, to_bytes

CODE = 1 / 255
ALL = [Conversion(*named) for named in itertools.product(LUMA, ("full", "limited"), ("left", "center"))]


def colours(h: int = 48, w: int = 64) -> np.ndarray:
    """Smooth colours that fill the cube, (2, 3, h, w)."""
    n, t, y, x = np.meshgrid(range(2), range(3), range(h), range(w), indexing="ij")
    return (0.5 + 0.5 * np.sin(n + 2 * t + x / (7 + t) + y / (9 - 2 * t))).astype(np.float32)


def by_swscale(rgb: np.ndarray, to: Conversion, pixel_format: str) -> np.ndarray:
    """An 8-bit picture (h, w, 3) in YCbCr, as FFmpeg converts it."""
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
    names = {"bt601": "ITU601", "bt709": "ITU709"}
    made = frame.reformat(
        format=pixel_format,
        dst_colorspace=names[to.matrix],
        src_color_range="JPEG",
        dst_color_range={"full": "JPEG", "limited": "MPEG"}[to.range],
        interpolation="BILINEAR",
    )
    return made.to_ndarray()


def in_8_bits(values: np.ndarray) -> np.ndarray:
    return np.rint(255 * values).astype(np.uint8)


@pytest.mark.parametrize("to", ALL[::2], ids=str)
def test_matrices_and_ranges_are_those_of_ffmpeg(to):
    rgb = in_8_bits(colours()[0])
    theirs = by_swscale(np.ascontiguousarray(rgb.transpose(1, 2, 0)), to, "yuv444p")
    ours = 255 * to.from_rgb(rgb.astype(np.float32) * CODE)
    assert np.abs(ours - theirs).max() < 1.6  # FFmpeg's tables are of 8 bits
    assert np.abs((ours - theirs).mean((1, 2))).max() < 0.6


def test_bt601_in_full_range_is_that_of_jpeg():
    rgb = in_8_bits(colours()[0]).transpose(1, 2, 0)
    theirs = np.asarray(Image.fromarray(np.ascontiguousarray(rgb)).convert("YCbCr")).transpose(2, 0, 1)
    ours = 255 * Conversion("bt601", "full").from_rgb(rgb.transpose(2, 0, 1).astype(np.float64) * CODE)
    assert np.abs(ours - theirs - 0.5).max() < 0.55  # Pillow cuts off where others round


@pytest.mark.parametrize("to", ALL, ids=str)
def test_there_and_back(to):
    rgb = colours()
    assert np.abs(to.to_rgb(to.from_rgb(rgb)) - rgb).max() < 0.002  # full chroma ends half a code beyond 255
    assert 10 * np.log10(1 / np.square(to.rgb_of(to.frames(rgb)) - rgb).mean()) > 35
    rows = torch.from_numpy(to.frames(rgb))
    assert torch.allclose(to.rgb_of(rows), torch.from_numpy(to.rgb_of(rows.numpy())))
    gray = np.repeat(rgb[:, :1], 3, 1)
    assert np.abs(to.rgb_of(to.frames(gray)) - gray).max() < 1e-6, "what is gray stays gray, also by 4:2:0"


def test_black_white_and_primaries_have_the_codes_of_the_recommendations():
    corners = np.array([[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 0, 1]], np.float64).T[:, None]
    found = 255 * Conversion("bt709", "limited").from_rgb(corners)[:, 0].T
    assert found == pytest.approx(np.array([[16, 128, 128], [235, 128, 128], [63, 102, 240], [32, 240, 118]]), abs=0.5)
    found = 255 * Conversion("bt601", "limited").from_rgb(corners)[:, 0].T
    assert found == pytest.approx(np.array([[16, 128, 128], [235, 128, 128], [81, 90, 240], [41, 240, 110]]), abs=0.6)


@pytest.mark.parametrize("size", [(2, 2), (6, 8)])
def test_chroma_is_spread_as_others_do_and_stands_where_it_is_named(size):
    plane = np.random.default_rng(0).random((1, 1, *size))
    theirs = torch.nn.functional.interpolate(torch.from_numpy(plane), scale_factor=2, mode="bilinear")
    assert doubled(plane, "center") == pytest.approx(theirs.numpy())
    assert doubled(plane, "left")[..., ::2] == pytest.approx(doubled(plane, "center")[..., :, ::2] * 0 + _rows(plane))
    ramp = np.tile(np.arange(16.0), (4, 1))
    assert halved(ramp, "center")[0, 1:] == pytest.approx(np.arange(2.5, 16, 2))
    assert halved(ramp, "left")[0, 1:] == pytest.approx(np.arange(2, 16, 2))
    assert doubled(halved(ramp, "left"), "left")[:, 2:-2] == pytest.approx(ramp[:, 2:-2])
    assert doubled(halved(ramp, "center"), "center")[:, 2:-2] == pytest.approx(ramp[:, 2:-2])


def _rows(plane: np.ndarray) -> np.ndarray:
    """The plane at twice the height."""
    size = (2 * plane.shape[-2], plane.shape[-1])
    return torch.nn.functional.interpolate(torch.from_numpy(plane), size=size, mode="bilinear").numpy()


@pytest.mark.parametrize("colour, rows", [("gray", 6), ("rgb", 18), ("yuv420", 9)])
def test_planes_stand_one_above_the_other(colour, rows):
    pixels = np.random.default_rng(1).random((2, rows, 8)).astype(np.float32)
    shape = FrameShape.of(pixels.shape, colour)
    assert (shape.h, shape.w, shape.rows, shape.array) == (6, 8, rows, pixels.shape)
    assert (shape.num_pixels, shape.num_samples) == (96, pixels.size)
    assert np.array_equal(stacked(planes_of(pixels, colour), colour), pixels)
    held = torch.from_numpy(pixels)
    assert torch.equal(stacked(planes_of(held, colour), colour), held)
    assert Frames(held[None], colour).shape == shape and from_bytes(to_bytes(shape)) == shape
    if colour == "rgb":
        assert np.array_equal(together(apart(pixels)), pixels) and apart(pixels).shape == (2, 3, 6, 8)
        assert np.array_equal(apart(pixels)[:, 2], planes_of(pixels, colour)[2])
    assert Look(colour).shown(pixels).shape == (2, 6 if colour == "gray" else 18, 8)


def test_gray_tells_of_no_colour():
    """What is kept, keyed or counted of a gray agreement is what it was before there were colours."""
    gray = FrameShape(2, 4, 6)
    assert repr(gray) == "FrameShape(t=2, h=4, w=6)" and "rgb" in repr(FrameShape(2, 4, 6, "rgb"))
    data = to_bytes(Agreement(gray, Point(1.0, 5)))
    assert b"gray" not in data and len(data) == 209 and from_bytes(data).frames == gray


@pytest.mark.parametrize(
    "wrong, says",
    [
        (lambda: FrameShape(1, 4, 4, "cmyk"), "'cmyk', allowed: gray, rgb, yuv420"),
        (lambda: FrameShape(1, 5, 4, "yuv420"), "5 x 4 in yuv420: .* even height and width"),
        (lambda: FrameShape.of((1, 7, 4), "rgb"), "7 rows in rgb; need a multiple of 3"),
        (lambda: FrameShape.of((1, 7, 4), "yuv420"), "7 rows in yuv420; need a multiple of 3"),
        (lambda: stacked((np.zeros((2, 2)),) * 2, "rgb"), "2 planes in rgb; need 3"),
        (lambda: stacked((np.zeros((4, 4)),) * 3, "yuv420"), "need 2 x 2 behind the first"),
        (lambda: together(np.zeros((4, 2, 2))), "4 planes in rgb"),
    ],
)
def test_what_does_not_fit_is_said(wrong, says):
    with pytest.raises(InterfaceError, match=says):
        wrong()


def test_there_are_three_colours():
    assert COLOURS == ("gray", "rgb", "yuv420")
