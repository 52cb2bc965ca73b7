"""Clips from files: exact frames, luma as coded, where clips begin, what is said about bad input."""

from __future__ import annotations

import os
import pickle
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from semlink.errors import SourceError
from semlink.sensing.sources.clips import Cutting, cover, shares, starts
from semlink.sensing.sources.files.dataset import DatasetSource, layout_of
from semlink.sensing.sources.files.file_search import braces, natural
from semlink.sensing.sources.files.images import gray_of_rgb, gray_picture
from semlink.sensing.sources.files.raw_video import PIXEL_FORMATS, bytes_per_frame
from semlink.sensing.sources.files.video_file import luma_of, open_video
from semlink.sensing.sources.files.video_source import VideoSource
from semlink.sensing.sources.motion import motion_class, motion_of

H, W, FRAMES = 48, 64, 50
DATA = Path(os.environ.get("SEMLINK_DATA", Path(__file__).parents[3] / "shared" / "data"))
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="no shared data (set SEMLINK_DATA)")


def pictures(num: int = FRAMES, h: int = H, w: int = W) -> np.ndarray:
    """uint8 (t, h, w), each frame different, values 0 and 255 included."""
    y, x, t = np.mgrid[:h, :w, :num][0], np.mgrid[:h, :w, :num][1], np.mgrid[:h, :w, :num][2]
    wave = 127.5 + 150 * np.sin(0.21 * x + 0.13 * y + 0.9 * t) * np.cos(0.05 * y * x / 8 - 0.2 * t)
    return np.clip(np.moveaxis(wave, 2, 0), 0, 255).astype(np.uint8)


def yuv_frame(luma: np.ndarray, pixel_format: str) -> av.VideoFrame:
    frame = av.VideoFrame(luma.shape[1], luma.shape[0], pixel_format)
    for number, plane in enumerate(frame.planes):
        wide = np.uint16 if "10" in pixel_format else np.uint8
        rows = np.full(
            (plane.height, plane.line_size // np.dtype(wide).itemsize), 512 if wide is np.uint16 else 128, wide
        )
        if number == 0:
            rows[:, : luma.shape[1]] = luma
        plane.update(rows.tobytes())
    return frame


def write(path: Path, frames: np.ndarray, codec: str, pixel_format: str, container: str | None = None, **options: str):
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], pixel_format
        stream.options = options
        for number, luma in enumerate(frames):
            frame = yuv_frame(luma, pixel_format)
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> dict[str, Path]:
    folder, frames = tmp_path_factory.mktemp("films"), pictures()
    x265 = "keyint=9:open-gop=1:log-level=none:pools=none"
    return {
        "ffv1": write(folder / "lossless.mkv", frames, "ffv1", "gray"),
        "h264": write(folder / "open_gop.mp4", frames, "libx264", "yuv420p", g="9", **{"x264-params": "open-gop=1"}),
        "refresh": write(
            folder / "refresh.mkv", frames, "libx264", "yuv420p", g="9", **{"x264-params": "intra-refresh=1"}
        ),
        "h265": write(folder / "leading.mkv", frames, "libx265", "yuv420p", **{"x265-params": x265}),
        "annexb": write(folder / "stream.264", frames, "libx264", "yuv420p", "h264", g="9"),
        "mpeg4": write(folder / "xvid.avi", frames, "mpeg4", "yuv420p", g="9", bf="2"),
    }


def decoded(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([luma_of(frame) for frame in container.decode(video=0)])


@pytest.mark.parametrize("kind", ["ffv1", "h264", "refresh", "h265", "annexb", "mpeg4"])
def test_any_frame_is_that_of_a_full_decode(films, kind):
    everything, reel = decoded(films[kind]), open_video(films[kind])
    assert reel.num_frames == len(everything) == FRAMES
    for first in range(0, FRAMES - 8, 3):
        wanted = range(first, first + 8, 3)
        np.testing.assert_array_equal(np.stack(list(reel.read(wanted))), everything[wanted.start : wanted.stop : 3])


def test_a_late_frame_is_reached_without_decoding_the_file(films, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "semlink.sensing.sources.files.video_file.luma_of", lambda frame: seen.append(frame.pts) or luma_of(frame)
    )
    reel = open_video(films["h264"])
    monkeypatch.setattr(
        "semlink.sensing.sources.files.video_file._from_beginning", None
    )  # would fail if it were called
    assert len(list(reel.read(range(40, 44)))) == len(seen) == 4


def test_lossless_gray_comes_back_to_the_bit(films):
    source = VideoSource(str(films["ffv1"]), frames=FRAMES)
    np.testing.assert_array_equal(source.clip(0), pictures() / np.float32(255))
    assert source.clip(0).dtype == np.float32


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p", "yuv422p", "yuv444p"])
def test_no_range_is_stretched(tmp_path, pixel_format):
    ramp = np.tile(np.arange(256, dtype=np.uint8), (3, 16, 1))
    codec = "mjpeg" if pixel_format == "yuvj420p" else "ffv1"
    options = {"qmin": "1", "q": "1"} if codec == "mjpeg" else {}
    clip = VideoSource(str(write(tmp_path / "ramp.avi", ramp, codec, pixel_format, **options)), frames=3).clip(0)
    coding_error = 2 if codec == "mjpeg" else 1e-4  # a stretch of 16..235 would move the ends by 16
    assert np.abs(clip * 255 - ramp).max() <= coding_error


def test_a_nearly_lossless_h264_clip_exceeds_48_db(tmp_path):
    smooth = np.stack([np.tile((np.arange(W) * 2 + 3 * t + 16).astype(np.uint8), (H, 1)) for t in range(4)])
    clip = VideoSource(str(write(tmp_path / "a.mp4", smooth, "libx264", "yuv420p", crf="1")), frames=4).clip(0)
    assert 10 * np.log10(1 / np.mean((clip - smooth / 255) ** 2)) > 48


def test_ten_bits_are_divided_by_1023(tmp_path):
    luma = np.linspace(64, 940, H * W).astype(np.uint16).reshape(1, H, W)
    clip = VideoSource(str(write(tmp_path / "deep.mkv", luma, "ffv1", "yuv420p10le")), frames=1).clip(0)
    np.testing.assert_array_equal(clip, luma.astype(np.float32) / np.float32(1023))


@pytest.mark.parametrize("pixel_format", ["yuyv422", "uyvy422", "nv12", "gray16le", "gray10be", "ya8", "p010le"])
def test_rarer_layouts_give_the_same_luma(pixel_format):
    luma = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (H, 1))
    if pixel_format.startswith(("gray", "ya")):
        frame, step = av.VideoFrame.from_ndarray(luma, "gray").reformat(format=pixel_format), 1 / 255
    else:
        frame, step = yuv_frame(luma, "yuv420p").reformat(format=pixel_format), 1 / 255
    assert frame.format.name == pixel_format
    np.testing.assert_allclose(luma_of(frame), luma / 255, atol=step)


BARS = np.repeat(np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]], np.uint8), 4, axis=0)


def colour_bars(pixel_format: str) -> av.VideoFrame:
    """Four bars, 16 pixels high: red, green, blue, white at full scale."""
    rgb = np.tile(BARS, (16, 1, 1))
    if pixel_format == "pal8":
        palette = np.zeros((256, 4), np.uint8)
        palette[:4] = np.column_stack([np.full(4, 255), BARS[::4]])
        return av.VideoFrame.from_ndarray((np.tile(np.arange(4, dtype=np.uint8).repeat(4), (16, 1)), palette), "pal8")
    if pixel_format == "gbrp10le":
        return av.VideoFrame.from_ndarray(rgb.astype(np.uint16) // 255 * 1023, "gbrp10le")
    if pixel_format == "rgb48le":
        return av.VideoFrame.from_ndarray(rgb.astype(np.uint16) * 257, "rgb48le")
    return av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format=pixel_format)


@pytest.mark.parametrize("pixel_format", ["rgb24", "bgr0", "gbrp", "gbrp10le", "rgb48le", "pal8"])
@pytest.mark.source("bt709", "item 3.2")
def test_rgb_is_weighted(pixel_format):
    frame = colour_bars(pixel_format)
    assert frame.format.name == pixel_format
    np.testing.assert_allclose(luma_of(frame)[0, ::4], [0.2126, 0.7152, 0.0722, 1.0], atol=1e-6)


@given(st.integers(0, 65535))
def test_equal_channels_keep_their_value(value):
    gray = gray_of_rgb(np.full((1, 1, 3), value, np.uint16), peak=65535)
    assert gray[0, 0] == np.float32(value / 65535) <= 1


@pytest.mark.parametrize("pixel_format", PIXEL_FORMATS)
def test_headerless_video_against_ffmpeg(tmp_path, pixel_format):
    """FFmpeg's own rawvideo demuxer says where the planes lie, odd sizes included."""
    h, w = 17, 21
    peak = next((2**bits - 1 for bits in (10, 12, 16) if pixel_format.endswith(f"{bits}le")), 255)
    path = tmp_path / "clip.yuv"
    values = np.random.default_rng(1).integers(
        0, peak + 1, 3 * bytes_per_frame(pixel_format, (h, w)) // (1 + (peak > 255))
    )
    path.write_bytes(values.astype("<u2" if peak > 255 else "u1").tobytes())
    clip = VideoSource(str(path), frames=3, pixel_format=pixel_format, raw_size=(h, w)).clip(0)
    options = {"video_size": f"{w}x{h}", "pixel_format": pixel_format}
    with av.open(str(path), format="rawvideo", options=options) as container:
        expected = np.stack([luma_of(frame) for frame in container.decode(video=0)])
    np.testing.assert_array_equal(clip, expected)


def save_frames(folder: Path, frames: np.ndarray, suffix: str = ".png", name: str = "frame{}") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / (name.format(number + 1) + suffix), quality=95)
    return folder


def test_a_folder_of_pictures_is_read_in_natural_order(tmp_path):
    frames = pictures(12)
    save_frames(tmp_path / "walk", frames)  # frame1 .. frame12, unpadded
    source = VideoSource(str(tmp_path / "walk"), frames=12)
    np.testing.assert_array_equal(source.clip(0), frames / np.float32(255))
    assert source.name(0) == "walk@0"
    by_glob = VideoSource(str(tmp_path / "walk" / "*.png"), frames=12)
    np.testing.assert_array_equal(by_glob.clip(0), source.clip(0))


def test_picture_modes(tmp_path):
    gray = pictures(1)[0]
    colour = np.stack([gray, gray.T.copy().reshape(gray.shape), 255 - gray], axis=-1)
    Image.fromarray(colour).save(tmp_path / "rgb.png")
    Image.fromarray(colour).convert("P").save(tmp_path / "palette.png")
    Image.fromarray(np.dstack([colour, gray])).save(tmp_path / "rgba.png")
    Image.fromarray(gray.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    Image.fromarray(np.dstack([gray, gray])).save(tmp_path / "alpha.png")
    Image.fromarray(gray > 127).save(tmp_path / "bits.png")
    weighted = colour @ np.array([0.2126, 0.7152, 0.0722]) / 255
    np.testing.assert_allclose(gray_picture(tmp_path / "rgb.png"), weighted, atol=1e-6)
    np.testing.assert_array_equal(gray_picture(tmp_path / "rgba.png"), gray_picture(tmp_path / "rgb.png"))
    np.testing.assert_allclose(gray_picture(tmp_path / "deep.png"), gray / 255, atol=1e-6)
    np.testing.assert_allclose(gray_picture(tmp_path / "alpha.png"), gray / 255, atol=1e-6)
    np.testing.assert_array_equal(gray_picture(tmp_path / "bits.png"), gray > 127)
    assert np.abs(gray_picture(tmp_path / "palette.png") - weighted).mean() < 0.1


class Film:
    """A reel of numbered frames, without a file."""

    where = Path("film")

    def __init__(self, num_frames: int, size: tuple[int, int] = (H, W)) -> None:
        self.num_frames, self.size = num_frames, size


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 400),
    st.integers(1, 9),
    st.integers(1, 20),
    st.integers(1, 4),
    st.sampled_from(["even", "first", "seed"]),
)
def test_clips_never_overlap_and_lie_within_the_file(found, count, frames, stride, pick):
    cutting = Cutting(frames=frames, stride=stride, pick=pick, seed=3)
    if count * cutting.span > found:
        with pytest.raises(SourceError, match=f"film: {found} frames found"):
            starts(Film(found), count, cutting)
        return
    begins = starts(Film(found), count, cutting)
    assert len(begins) == count and begins[0] >= 0 and begins[-1] + cutting.span <= found
    assert all(later - earlier >= cutting.span for earlier, later in zip(begins, begins[1:]))


def test_where_clips_begin():
    assert starts(Film(100), 3, Cutting(frames=10)) == (0, 45, 90)
    assert starts(Film(100), 1, Cutting(frames=10)) == (0,)
    assert starts(Film(100), 3, Cutting(frames=10, pick="first", stride=2)) == (0, 19, 38)
    seeded = [starts(Film(1000), 4, Cutting(frames=10, pick="seed", seed=seed), "a") for seed in (1, 1, 2)]
    assert seeded[0] == seeded[1] != seeded[2]


@given(st.integers(1, 60), st.integers(1, 12))
def test_clips_are_shared_out_evenly(clips, reels):
    given_out = shares(clips, reels)
    assert sum(given_out) == clips and max(given_out) - min(given_out) <= 1
    assert list(given_out) == sorted(given_out, reverse=True)


def test_clips_are_dealt_round_robin(films):
    folder = films["ffv1"].parent
    source = VideoSource(str(folder / "{open_gop.mp4,lossless.mkv}"), frames=16, clips=5)
    names = [source.name(number) for number in range(len(source))]
    assert names == ["lossless@0", "open_gop@0", "lossless@17", "open_gop@34", "lossless@34"]
    np.testing.assert_array_equal(source.clip(4), pictures()[34:50] / np.float32(255))
    assert len(VideoSource(str(folder / "*"), frames=16, clips=None)) == len(films)


def test_stride_takes_every_other_frame(films):
    clip = VideoSource(str(films["ffv1"]), frames=16, stride=3).clip(0)
    np.testing.assert_array_equal(clip, pictures()[:46:3] / np.float32(255))


def test_names_stay_unique_when_stems_agree(tmp_path):
    for folder in ("one", "two"):
        save_frames(tmp_path / folder / "walk", pictures(2))
    source = VideoSource([str(tmp_path / "one" / "walk"), str(tmp_path / "two" / "walk")], frames=2, clips=2)
    assert [source.name(0), source.name(1)] == ["one_walk@0", "two_walk@0"]


def test_braces_and_natural_order():
    assert braces("c/{a,b{1,2}}.mkv") == ("c/a.mkv", "c/b1.mkv", "c/b2.mkv")
    assert braces("plain") == ("plain",) and braces("{only}") == ("{only}",)
    assert [path.name for path in natural(map(Path, ["f10", "f9", "f1", "g2"]))] == ["f1", "f9", "f10", "g2"]


def test_centre_crop(films):
    clip = VideoSource(str(films["ffv1"]), frames=2, size=(32, 31)).clip(0)
    np.testing.assert_array_equal(clip, pictures()[:2, 8:40, 16:47] / np.float32(255))


def test_resize_covers_and_does_not_alias():
    y, x = np.mgrid[:240, :432] / 240
    smooth = (0.5 + 0.3 * np.sin(3 * x) * np.cos(2 * y)).astype(np.float32)
    larger = cover(smooth, (256, 256))
    scale = 240 / 256
    yy, xx = (np.mgrid[:256, :256] + 0.5) * scale - 0.5
    expected = 0.5 + 0.3 * np.sin(3 * (xx + 96) / 240) * np.cos(2 * yy / 240)
    np.testing.assert_allclose(larger[2:-2, 2:-2], expected[2:-2, 2:-2], atol=1e-4)
    checks = np.indices((240, 432)).sum(0) % 2
    assert np.abs(cover(checks.astype(np.float32), (60, 60)) - 0.5).max() < 0.02


def test_motion():
    still, ramp = np.ones((4, 8, 8), np.float32), np.arange(4, dtype=np.float32)[:, None, None] * np.ones((1, 8, 8))
    assert motion_of(still) == motion_of(still[:1]) == 0 and motion_of(ramp / 100) == pytest.approx(0.01)
    assert [motion_class(ramp * level / 255) for level in (5.9, 6.1, 11.9, 12.1)] == [
        "slow",
        "medium",
        "medium",
        "fast",
    ]


def test_data_set_layouts(tmp_path):
    frames = pictures(4)
    for name in ("bike1", "bike10", "bike2"):
        save_frames(tmp_path / "nfs" / name / "240" / name, frames, ".jpg", "{:05}")
        save_frames(tmp_path / "nfs" / name / "30" / name, frames[:1], ".jpg", "{:05}")
    for name in ("bear", "camel"):
        save_frames(tmp_path / "davis" / "JPEGImages" / "480p" / name, frames, ".jpg")
        save_frames(tmp_path / "davis" / "Annotations" / "480p" / name, frames)
    for name in ("Archery/v_Archery_g01_c01", "Diving/v_Diving_g02_c03"):
        (tmp_path / "ucf" / name).parent.mkdir(parents=True)
        write(tmp_path / "ucf" / f"{name}.avi", frames, "mpeg4", "yuv420p")
    save_frames(tmp_path / "own" / "deep" / "walk", frames)
    write(tmp_path / "own" / "film.mkv", frames, "ffv1", "gray")

    def names(root: str, **options) -> list[str]:
        source = DatasetSource(str(tmp_path / root), frames=options.pop("frames", 4), clips=None, **options)
        assert all(source.clip(number).shape[1:] == (H, W) for number in range(len(source)))
        return [source.name(number) for number in range(len(source))]

    assert [layout_of(tmp_path / root) for root in ("nfs", "davis", "ucf", "own")] == [
        "nfs",
        "davis",
        "ucf101",
        "folders",
    ]
    assert names("nfs") == ["bike1@0", "bike2@0", "bike10@0"]
    assert len(names("nfs", variant="30", frames=1)) == 3
    assert names("davis") == ["bear@0", "camel@0"]
    assert names("ucf") == ["v_Archery_g01_c01@0", "v_Diving_g02_c03@0"]
    assert sorted(names("own")) == ["film@0", "walk@0"]
    assert names("nfs", videos=("bike10",)) == ["bike10@0"]
    assert sorted(names("nfs", pick="seed", seed=4)) == ["bike10@0", "bike1@0", "bike2@0"]


@pytest.mark.source("bossen2013", "table of sequences")
def test_hevc_sequences_say_their_size_in_their_name(tmp_path):
    rng, clips = np.random.default_rng(0), {}
    for name, (h, w) in (("C/BasketballDrill_832x480_50", (480, 832)), ("D/BQSquare_416x240_60", (240, 416))):
        clips[name] = rng.integers(0, 256, (2, h, w), np.uint8)
        chroma = np.full((2, h * w // 2), 128, np.uint8)
        (tmp_path / name).parent.mkdir()
        (tmp_path / f"{name}.yuv").write_bytes(np.concatenate((clips[name].reshape(2, -1), chroma), 1).tobytes())
    ten = rng.integers(0, 1024, (1, 16 * 16 * 3 // 2)).astype("<u2")
    (tmp_path / "Nebuta_16x16_60_10bit.yuv").write_bytes(ten.tobytes())
    source = DatasetSource(str(tmp_path), frames=2, layout="hevc", variant="C", size=(64, 64), clips=None)
    assert [source.name(n) for n in range(len(source))] == ["BasketballDrill_832x480_50@0"]
    middle = clips["C/BasketballDrill_832x480_50"][:, 208:272, 384:448]
    np.testing.assert_array_equal(source.clip(0), (middle / np.float32(255)).astype(np.float32))
    every = DatasetSource(str(tmp_path), frames=1, layout="hevc", size=(16, 16), clips=None)
    assert len(every) == 3
    deep = VideoSource(str(tmp_path / "Nebuta_16x16_60_10bit.yuv"), frames=1).clip(0)
    np.testing.assert_allclose(deep[0].ravel(), ten[0, :256] / 1023, atol=1e-7)
    for variant, said in (("B", "no file of class B named like"), ("Z", "got 'Z' in layout hevc; allowed: B, C, D, E")):
        with pytest.raises(SourceError, match=said):
            DatasetSource(str(tmp_path), frames=1, layout="hevc", variant=variant)


def test_sources_are_plain_values(films):
    source = VideoSource(str(films["ffv1"]), frames=8, size=[32, 32], clips=2, pick="seed")
    again = pickle.loads(pickle.dumps(source))
    assert again == source == eval(repr(source)) and hash(again) == hash(source)
    np.testing.assert_array_equal(again.clip(1), source.clip(1))


def cut_off(path: Path, share: float) -> Path:
    short = path.with_name(f"cut_{share}_{path.name}")
    short.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return short


def test_a_truncated_video_gives_the_frames_it_still_has(films):
    path = cut_off(films["ffv1"], 0.5)
    found = open_video(path).num_frames
    assert 10 < found < 40
    clip = VideoSource(str(path), frames=found).clip(0)
    np.testing.assert_array_equal(clip, pictures()[:found] / np.float32(255))
    with pytest.raises(SourceError, match=rf"cut_0.5.*: {found} frames found, 1 clip of {found + 1} frames"):
        VideoSource(str(path), frames=found + 1)
    path.unlink()


def test_damage_inside_a_file_is_told_when_it_is_met(tmp_path):
    path = write(tmp_path / "a.mkv", pictures(), "libx264", "yuv420p", g="9")
    source = VideoSource(str(path), frames=FRAMES)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(SourceError, match=r"a.mkv: (frame \d+ cannot be decoded|cannot be read as video)"):
        source.clip(0)
    path.unlink()
    with pytest.raises(SourceError, match=r"a.mkv: cannot be read: No such file"):
        source.clip(0)


@pytest.fixture
def shelf(tmp_path, films) -> Path:
    """A folder of bad things."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "nested" / "inner").mkdir(parents=True)
    (tmp_path / "notes.mkv").write_text("this is not a video\n" * 20)
    (tmp_path / "zero.mp4").touch()
    (tmp_path / "odd.yuv").write_bytes(bytes(1000))
    save_frames(tmp_path / "mixed", pictures(2))
    (tmp_path / "mixed" / "clip.mkv").write_bytes(films["ffv1"].read_bytes())
    save_frames(tmp_path / "sizes", pictures(2))
    Image.fromarray(pictures(1, 20, 20)[0]).save(tmp_path / "sizes" / "frame3.png")
    save_frames(tmp_path / "broken", pictures(2))
    (tmp_path / "broken" / "frame3.png").write_bytes((tmp_path / "broken" / "frame1.png").read_bytes()[:200])
    with wave.open(str(tmp_path / "sound.avi"), "wb") as sound:
        sound.setparams((1, 2, 8000, 800, "NONE", ""))
        sound.writeframes(bytes(1600))
    return tmp_path


RAW = {"pixel_format": "yuv420p", "raw_size": (48, 64)}


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("gone.mkv", {}, "gone.mkv: no such file or folder"),
        ("*.mov", {}, r"\*.mov: matches no file"),
        ("{a,b}.mkv", {}, r"\{a,b\}.mkv: matches no file"),
        ("empty", {}, "empty: holds no video and no PNG or JPEG pictures$"),
        ("nested", {}, "nested: holds no video.*use kind: dataset"),
        ("notes.mkv", {}, "notes.mkv: cannot be read as video: Invalid data"),
        ("zero.mp4", {}, "zero.mp4: cannot be read as video"),
        ("sound.avi", {}, "sound.avi: holds no video stream"),
        ("mixed", {}, "mixed: holds 1 videos and 2 pictures; say which with a glob"),
        ("sizes", {"frames": 3}, r"frame3.png: 20x20 \(height x width\), but frame1.png of the same video is 48x64"),
        ("broken", {"frames": 3}, "frame3.png: cannot be read as a picture"),
        ("mixed/*.mkv", {"frames": 51}, "clip.mkv: 50 frames found, 1 clip of 51 frames .* need 51; at most 50"),
        ("mixed/*.mkv", {"clips": 4}, "4 clips of 16 frames without overlap need 64; at most 3 clips fit"),
        ("mixed/*.mkv", {"stride": 4}, "1 clip of 16 frames at stride 4 .* need 61; at most 13 frames fit"),
        ("mixed/*.mkv", {"size": (64, 64)}, r"frames are 48x64 \(height x width\), too small for size 64x64"),
        ("odd.yuv", {}, "odd.yuv: headerless video needs pixel_format"),
        ("odd.yuv", RAW, "odd.yuv: 1000 bytes are not a whole number of yuv420p frames of 48x64 .*4608 bytes each"),
        ("odd.yuv", RAW | {"pixel_format": "yuv9"}, "pixel_format: got 'yuv9', allowed: gray, gray10le"),
        ("odd.yuv", RAW | {"raw_size": (0, 64)}, r"raw_size \(height\): got 0, need a whole number of at least 1"),
        ("mixed/*.mkv", {"frames": 0}, "frames: got 0, need a whole number of at least 1"),
        ("mixed/*.mkv", {"frames": 2.5}, "frames: got 2.5"),
        ("mixed/*.mkv", {"clips": True}, "clips: got True"),
        ("mixed/*.mkv", {"stride": -1}, "stride: got -1"),
        ("mixed/*.mkv", {"size": (0, 4)}, r"size \(height\): got 0"),
        ("mixed/*.mkv", {"size": 256}, r"size: got 256, need \[height, width\]"),
        ("mixed/*.mkv", {"crop": "fit"}, "crop: got 'fit', allowed: center, resize"),
        ("mixed/*.mkv", {"pick": "last"}, "pick: got 'last', allowed: even, seed, first"),
    ],
)  # fmt: skip
def test_bad_input_is_told_in_one_line(shelf, path, options, message):
    with pytest.raises(SourceError, match=message) as caught:
        VideoSource(str(shelf / path), **options).clip(0)
    assert "\n" not in str(caught.value)


def test_other_bad_input(shelf, tmp_path):
    with pytest.raises(SourceError, match="path: is empty"):
        VideoSource([])
    with pytest.raises(SourceError, match="path: got 3"):
        VideoSource(3)
    with pytest.raises(SourceError, match="gone: no such folder"):
        DatasetSource(str(tmp_path / "gone"))
    with pytest.raises(SourceError, match="nested: no videos found in layout folders"):
        DatasetSource(str(tmp_path / "nested"))
    with pytest.raises(SourceError, match="sizes: no video called nobody; there are sizes"):
        DatasetSource(str(tmp_path / "sizes"), frames=1, videos=("nobody",))
    with pytest.raises(SourceError, match="layout: got 'kitti', allowed: auto"):
        DatasetSource(str(tmp_path / "sizes"), layout="kitti")
    other = save_frames(tmp_path / "other", pictures(2, 32, 32))
    with pytest.raises(SourceError, match="other: frames are 32x32, those of .* 48x64 .*set size"):
        VideoSource([str(tmp_path / "sizes"), str(other)], frames=2, clips=2)


@needs_data
def test_cif_clips_keep_their_coded_range():
    clip = VideoSource(str(DATA / "video" / "dev" / "{akiyo,foreman,paris}_cif14.mkv"), frames=14, clips=3).clip(0)
    assert clip.shape == (14, 288, 352) and round(float(clip.min()) * 255) == 16 and clip.max() * 255 <= 235.5


@needs_data
@pytest.mark.slow
def test_motion_classes_part_the_real_clips_into_thirds():
    counts = {"slow": 0, "medium": 0, "fast": 0}
    for path in sorted((DATA / "video").glob("*/*.mkv")):
        reel = open_video(path)
        clips = max(reel.num_frames // 16, 1)
        source = VideoSource(str(path), frames=min(16, reel.num_frames), size=(240, 240), clips=clips, pick="first")
        for number in range(clips):
            counts[motion_class(source.clip(number))] += 1
    assert all(0.25 < count / sum(counts.values()) < 0.42 for count in counts.values()), counts
