"""Codecs of video and of pictures on colour: what comes back, what chroma costs, what damage leaves."""

from __future__ import annotations

import io

import numpy as np
import pytest
from skimage.data import astronaut

from semlink.codecs.packetization import framed_size
from semlink.codecs.pictures.codec import PictureCodec
from semlink.codecs.pictures.formats import FORMATS
from semlink.codecs.rate_search import Knob, best_under
from semlink.codecs.specs import JpegSpec
from semlink.codecs.video.eight_bit import as_eight_bit, coded_planes
from semlink.codecs.video.h26x import VideoCodec
from semlink.codecs.video.luma import to_frame
from semlink.colour.conversion import Conversion
from semlink.colour.layout import apart, planes_of, together
from semlink.errors import Infeasible, ScenarioError
from semlink.payload import FrameShape, Packet
from semlink.spec import BuildContext

PHOTO = np.moveaxis(astronaut()[60:133, 190:271], -1, 0).astype(np.float32) / np.float32(255)  # 73 x 81
CLIPS = {
    "gray": PHOTO[None, 1],
    "rgb": together(PHOTO)[None],
    "yuv420": Conversion().frames(PHOTO[:, :72, :80])[None].astype(np.float32),
}
VIDEO = [(standard, colour, "4:2:0") for standard in ("h264", "h265", "av1") for colour in CLIPS]
VIDEO += [("h264", "rgb", "4:4:4"), ("h265", "rgb", "4:4:4")]


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((a.astype(np.float64) - b) ** 2)))


def shape_of(colour: str) -> FrameShape:
    return FrameShape.of(CLIPS[colour].shape, colour)


@pytest.mark.parametrize(("standard", "colour", "chroma"), VIDEO)
def test_a_video_codec_gives_back_the_colour_it_was_given(standard, colour, chroma):
    codec, clip = VideoCodec(standard, colour=colour, chroma=chroma), CLIPS[colour]
    packets = codec.encode(clip, max_bytes=3000)
    assert framed_size(packets) <= 3000
    found = codec.decode(packets, shape_of(colour))
    assert found.shape == clip.shape and found.dtype == np.float32 and found.min() >= 0 and found.max() <= 1
    assert psnr(found, clip) > (39 if colour == "rgb" else 45)
    for mine, theirs in zip(planes_of(found, colour), planes_of(clip, colour), strict=True):  # no plane is lost
        assert np.corrcoef(mine.ravel(), theirs.ravel())[0, 1] > 0.9
    nothing = codec.decode((), shape_of(colour))
    assert nothing.shape == clip.shape and np.ptp(nothing) < 0.01 and abs(nothing.mean() - 0.5) < 0.01
    hurt = [Packet(p.time, p.data[: len(p.data) // 3] + bytes(40)) for p in packets]
    assert np.isfinite(codec.decode(hurt, shape_of(colour))).all()


@pytest.mark.parametrize(("chroma", "pix_fmt", "most"), [("4:4:4", "yuv444p", 2.5), ("4:2:0", "yuv420p", 12)])
def test_another_implementation_makes_the_same_colours_of_the_planes(chroma, pix_fmt, most):
    """FFmpeg's conversion, BT.709 in full range; half chroma is interpolated otherwise there, so edges differ more."""
    planes = coded_planes(CLIPS["rgb"], "rgb", chroma)
    frame = to_frame([plane[0] for plane in planes], pix_fmt, 0)
    theirs = frame.reformat(format="rgb24", src_colorspace="ITU709", src_color_range="JPEG", dst_color_range="JPEG")
    theirs = np.moveaxis(theirs.to_ndarray(), -1, 0)[:, :73, :81]
    ours = 255 * apart(as_eight_bit(CLIPS["rgb"], "rgb", chroma)[0])
    difference = np.abs(ours - theirs)
    assert np.percentile(difference, 99) <= most and difference.mean() < 1.5


def test_rounding_to_eight_bits_is_all_that_is_lost_without_a_codec():
    assert psnr(as_eight_bit(CLIPS["yuv420"], "yuv420"), CLIPS["yuv420"]) > 58.5
    assert psnr(as_eight_bit(CLIPS["rgb"], "rgb", "4:4:4"), CLIPS["rgb"]) > 53
    half = as_eight_bit(CLIPS["rgb"], "rgb")
    assert half.shape == CLIPS["rgb"].shape and 38 < psnr(half, CLIPS["rgb"]) < 50


@pytest.mark.parametrize(("standard", "colour"), [("h264", "gray"), ("h265", "yuv420"), ("av1", "rgb")])
def test_full_chroma_is_for_rgb_and_for_encoders_that_have_it(standard, colour):
    with pytest.raises(ScenarioError, match="chroma"):
        VideoCodec(standard, colour=colour, chroma="4:4:4")


PICTURES = [(name, colour, None) for name in FORMATS for colour in ("gray", "rgb")]
PICTURES += [("jpeg", "rgb", "4:4:4"), ("avif", "rgb", "4:4:4")]


@pytest.mark.parametrize(("name", "colour", "chroma"), PICTURES)
def test_a_format_fills_its_budget_and_forgives_what_is_lost(name, colour, chroma):
    pytest.importorskip("imagecodecs", reason="imagecodecs is not installed: pip install 'semlink[pictures]'")
    codec, shape = PictureCodec(name, chroma, colour), shape_of(colour)
    clip = np.concatenate([CLIPS[colour], CLIPS[colour][..., ::-1]])
    packets = codec.encode(clip, max_bytes=4500)
    assert 3700 < framed_size(packets) <= 4500 and [p.time for p in packets] == [0, 1]
    shape = FrameShape(2, shape.h, shape.w, colour)
    found = codec.decode(packets, shape)
    assert found.shape == clip.shape and psnr(found, clip) > 33
    np.testing.assert_array_equal(codec.decode(packets[:1], shape)[1], found[0])
    assert (codec.decode((), shape) == 0.5).all()
    for hurt in (b"", b"\0", packets[0].data[:-1], packets[0].data[:9] + b"!" + packets[0].data[10:]):
        assert (codec.decode([Packet(0, hurt), Packet(7, packets[0].data)], shape) == 0.5).all()
    with pytest.raises(Infeasible, match=rf"{name}: even quality [\d.]+ takes"):
        codec.encode(clip, max_bytes=100)


def test_a_file_is_one_that_another_library_reads():
    pytest.importorskip("imagecodecs", reason="imagecodecs is not installed: pip install 'semlink[pictures]'")
    from PIL import Image

    for name in ("jpeg", "webp"):
        codec = PictureCodec(name, None, "rgb")
        (packet,) = codec.encode_at(CLIPS["rgb"], 90)
        theirs = np.moveaxis(np.asarray(Image.open(io.BytesIO(packet.data[4:])).convert("RGB")), -1, 0)
        ours = apart(codec.decode([packet], shape_of("rgb"))[0])
        assert np.abs(255 * ours - theirs).mean() < 0.6


def test_quality_and_chroma_that_a_format_does_not_have_are_refused():
    pytest.importorskip("imagecodecs", reason="imagecodecs is not installed: pip install 'semlink[pictures]'")
    with pytest.raises(ScenarioError, match="allowed: whole numbers from 1 to 100"):
        PictureCodec("jpeg").check_rate(50.5)
    with pytest.raises(ScenarioError, match=r"allowed: 0\.05 to 25"):
        PictureCodec("jpegxl").check_rate(26)
    with pytest.raises(ScenarioError, match="gray frames has none"):
        JpegSpec(kind="jpeg", chroma="4:4:4").build(BuildContext(colour="gray"))


def test_the_error_names_the_quality_as_the_encoder_counts_it():
    with pytest.raises(Infeasible, match="even quality 1 takes 10 bytes"):
        best_under(
            lambda turned: bytes(round(1000 / turned)),
            len,
            3,
            knob=Knob(1, 100, 1, 20),
            start=50,
            name="even quality",
            shown=lambda x: 101 - x,
        )
