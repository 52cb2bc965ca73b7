"""Colour clips: planes R, G, B one above the other, from pictures and from video; and frames stretched to a size."""

from __future__ import annotations

import av
import numpy as np
import pytest
from PIL import Image

from semlink.errors import SourceError
from semlink.sensing.sources.files.video_source import VideoSource
from semlink.sensing.specs.sources import VideoSpec

FRAMES = np.random.default_rng(0).integers(0, 256, (40, 24, 32, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    for number, rgb in enumerate(FRAMES[:4]):
        Image.fromarray(rgb).save(tmp_path / f"{number}.png")
    return tmp_path


def stacked(rgb: np.ndarray) -> np.ndarray:
    return np.concatenate([rgb[..., plane] for plane in range(3)]).astype(np.float32) / 255


def test_pictures_in_colour(folder):
    clip = VideoSpec(kind="video", path=str(folder), frames=4, planes=3).build().clip(0)
    np.testing.assert_array_equal(clip, np.stack([stacked(rgb) for rgb in FRAMES[:4]]))


def test_gray_pictures_have_three_equal_planes(tmp_path):
    Image.fromarray(FRAMES[0, ..., 0]).save(tmp_path / "0.png")
    gray, colour = (VideoSource(str(tmp_path), frames=1, planes=planes).clip(0) for planes in (1, 3))
    np.testing.assert_array_equal(colour, np.concatenate([gray] * 3, axis=1))


@pytest.mark.parametrize("first", [0, 36])
def test_video_in_colour_from_the_beginning_and_after_a_seek(tmp_path, first):
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "bgr0"
        for rgb in FRAMES:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="bgr0")))
        out.mux(stream.encode())
    source = VideoSource(str(path), frames=4, clips=10, pick="first", planes=3)
    np.testing.assert_array_equal(source.clip(first // 4)[2], stacked(FRAMES[first + 2]))


def test_each_plane_is_brought_to_size_by_itself(folder):
    clip = VideoSource(str(folder), frames=2, size=(12, 16), crop="resize", planes=3).clip(0)
    assert clip.shape == (2, 36, 16)
    for plane in range(3):
        for number in range(2):
            image = Image.fromarray(FRAMES[number, ..., plane].astype(np.float32) / 255)
            alone = np.asarray(image.resize((16, 12), Image.Resampling.BICUBIC)).clip(0, 1)
            np.testing.assert_allclose(clip[number, 12 * plane : 12 * plane + 12], alone, atol=1e-6)


def test_stretching_keeps_all_of_the_frame(tmp_path):
    """A ramp from border to border is still one, at half the width and the full height."""
    ramp = np.tile(np.arange(64, dtype=np.uint8) * 4, (16, 1))
    Image.fromarray(ramp).save(tmp_path / "0.png")
    stretched, cut = (
        VideoSource(str(tmp_path), frames=1, size=(16, 32), crop=crop).clip(0)[0] for crop in ("stretch", "center")
    )
    np.testing.assert_allclose(stretched[:, 3:-3], np.tile((np.arange(32) * 8 + 2) / 255, (16, 1))[:, 3:-3], atol=1e-3)
    assert np.ptp(stretched) > 1.9 * np.ptp(cut)


def test_wrong_planes_are_refused(tmp_path, folder):
    with pytest.raises(SourceError, match=r"source planes: got 2, allowed: 1 \(gray\) or 3"):
        VideoSource(str(folder), frames=1, planes=2)
    (tmp_path / "x.yuv").write_bytes(bytes(600))
    with pytest.raises(SourceError, match="headerless gray read as rgb; allowed: gray, and yuv420"):
        VideoSource(str(tmp_path / "x.yuv"), frames=1, planes=3, pixel_format="gray", raw_size=(10, 20))
