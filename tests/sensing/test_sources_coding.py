"""How files are coded: range of luma, orientation, interlacing, several streams, gaps, names with brackets."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from semlink.errors import SourceError
from semlink.sensing.sources.clips import Clip
from semlink.sensing.sources.files.dataset import DatasetSource
from semlink.sensing.sources.files.images import gaps
from semlink.sensing.sources.files.orientation import orientation_in, turned
from semlink.sensing.sources.files.video_source import VideoSource
from semlink.sensing.sources.luma_range import Coded, converted

H, W = 32, 48
RAMP = np.linspace(16, 235, H * W).round().reshape(H, W).astype(np.uint8)


def film(path: Path, luma: np.ndarray = RAMP, *, color_range: int = 0, streams: int = 1, **options: str) -> Path:
    """Three equal frames of 4:2:0 video; further streams are darker by 8."""
    with av.open(str(path), "w") as container:
        made = []
        for _ in range(streams):
            stream = container.add_stream("ffv1" if path.suffix == ".mkv" else "libx264", rate=25, options=options)
            stream.width, stream.height, stream.pix_fmt = luma.shape[1], luma.shape[0], "yuv420p"
            stream.codec_context.color_range = color_range
            made.append(stream)
        for number, stream in enumerate(made):
            rows, columns = luma.shape
            planes = np.full((rows * 3 // 2, columns), 128, np.uint8)
            planes[:rows] = luma - 8 * number
            for pts in range(3):
                frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
                frame.pts, frame.color_range = pts, color_range
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("color_range", "told"), [(0, "unspecified"), (1, "limited"), (2, "full")])
def test_the_range_of_a_video_is_told_and_converted(tmp_path, color_range, told):
    """Black and white of limited range are 16 and 235 of 255 in eight bits [bt709]."""
    path = film(tmp_path / "film.mkv", color_range=color_range)
    coded, full, limited = (VideoSource(str(path), frames=2, range=way) for way in ("as-coded", "full", "limited"))
    assert coded.facts(0) == {"range": told} and not coded.cautions()
    np.testing.assert_array_equal(coded.clip(0)[1], RAMP.astype(np.float32) / np.float32(255))
    stretched, squeezed = (RAMP - 16.0) / 219, (16 + 219 * (RAMP / 255.0)) / 255
    np.testing.assert_allclose(full.clip(0)[0], RAMP / 255 if told == "full" else stretched, atol=1e-6)
    np.testing.assert_allclose(limited.clip(0)[0], squeezed if told == "full" else RAMP / 255, atol=1e-6)


def test_ten_bits_have_black_at_64_and_white_at_940():
    luma = np.array([0, 64, 502, 940, 1023], np.float32) / np.float32(1023)
    np.testing.assert_allclose(converted(luma, Coded("limited", 10), "full"), [0, 0, 0.5, 1, 1], atol=1e-6)
    back = converted(np.array([0.0, 1.0], np.float32), Coded("full", 10), "limited") * 1023
    np.testing.assert_allclose(back, [64, 940], atol=1e-3)


def test_ffmpegs_own_conversion_agrees(tmp_path):
    path = film(tmp_path / "film.mkv", color_range=1)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        theirs = frame.reformat(format="yuvj420p", src_color_range=1, dst_color_range=2).to_ndarray()[:H]
    ours = VideoSource(str(path), frames=1, range="full").clip(0)[0]
    assert np.abs(ours * 255 - theirs).max() <= 1.0


def test_mixed_ranges_warn_until_one_is_asked_for(tmp_path):
    film(tmp_path / "a.mkv", color_range=1)
    film(tmp_path / "b.mkv", color_range=2)
    options = {"path": str(tmp_path), "frames": 1, "clips": 2}
    (line,) = VideoSource(**options).cautions()
    assert "limited range (1, such as a@0) stand beside clips of full range (1, such as b@0); range: full" in line
    assert VideoSource(**options, range="full").cautions() == ()
    assert DatasetSource(**options, range="full").cautions() == () and DatasetSource(**options).cautions() == (line,)
    with pytest.raises(SourceError, match="source range: got 'tv', allowed: as-coded, full, limited"):
        VideoSource(**options, range="tv")


ONE = 1 << 16
MATRICES = {  # a, b, c, d of the display matrix, and what numpy makes of a frame
    "as it is": ((1, 0, 0, 1), lambda x: x),
    "clockwise": ((0, 1, -1, 0), lambda x: np.rot90(x, -1)),
    "upside down": ((-1, 0, 0, -1), lambda x: np.rot90(x, 2)),
    "counter-clockwise": ((0, -1, 1, 0), np.rot90),
    "mirrored": ((-1, 0, 0, 1), np.fliplr),
    "flipped": ((1, 0, 0, -1), np.flipud),
    "transposed": ((0, 1, 1, 0), np.transpose),
}


@pytest.mark.parametrize(("numbers", "expected"), MATRICES.values(), ids=MATRICES)
def test_a_display_matrix_moves_every_pixel_to_its_place(numbers, expected):
    """Column p of row q is shown in column a p + c q of row b p + d q, counted from the least."""
    a, b, c, d = numbers
    frame = np.arange(12.0).reshape(3, 4)
    rows, columns = np.indices(frame.shape)
    across, down = a * columns + c * rows, b * columns + d * rows
    shown = np.empty((np.ptp(down) + 1, np.ptp(across) + 1))
    shown[down - down.min(), across - across.min()] = frame
    matrix = np.array([a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30])
    np.testing.assert_array_equal(turned(frame, orientation_in(matrix)), shown)
    np.testing.assert_array_equal(shown, expected(frame))


@pytest.mark.parametrize("name", ["clockwise", "counter-clockwise", "upside down", "mirrored"])
def test_the_rotation_flag_of_a_phones_video_is_applied(tmp_path, name):
    """The flag is the matrix of the track header (`tkhd`); written into the file by hand."""
    plain = film(tmp_path / "plain.mp4", qp="0")
    (a, b, c, d), expected = MATRICES[name]
    data = plain.read_bytes()
    unit = np.array([ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30], ">i4").tobytes()
    place = data.index(unit, data.index(b"tkhd"))
    turn = np.array([a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30], ">i4").tobytes()
    (tmp_path / "phone.mp4").write_bytes(data[:place] + turn + data[place + len(turn) :])
    upright, shown = (VideoSource(str(tmp_path / f"{stem}.mp4"), frames=2) for stem in ("plain", "phone"))
    np.testing.assert_array_equal(shown.clip(0)[1], expected(upright.clip(0)[1]))
    colours = [VideoSource(str(tmp_path / f"{stem}.mp4"), frames=1, planes=3).clip(0) for stem in ("plain", "phone")]
    np.testing.assert_array_equal(
        colours[1][0], np.concatenate([expected(plane) for plane in np.split(colours[0][0], 3)])
    )


EXIF = {  # of the tag Orientation: where the first row and the first column of the file are seen
    1: lambda x: x, 2: np.fliplr, 3: lambda x: np.rot90(x, 2), 4: np.flipud,
    5: np.transpose, 6: lambda x: np.rot90(x, -1), 7: lambda x: np.rot90(x, 2).T, 8: np.rot90,
}  # fmt: skip


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("tag", EXIF)
def test_the_orientation_of_pictures_is_applied(tmp_path, tag, suffix):
    exif = Image.Exif()
    exif[0x0112] = tag
    rng = np.random.default_rng(0)
    stored = rng.integers(0, 256, (24, 40, 3), dtype=np.uint8)
    for name, options in (("plain", {}), ("turned", {"exif": exif})):
        (tmp_path / name).mkdir()
        Image.fromarray(stored).save(tmp_path / name / f"0{suffix}", **options)
    plain, shown = (VideoSource(str(tmp_path / name), frames=1).clip(0)[0] for name in ("plain", "turned"))
    np.testing.assert_array_equal(shown, EXIF[tag](plain))
    colour = VideoSource(str(tmp_path / "turned"), frames=1, planes=3).clip(0)[0]
    assert colour.shape == (3 * shown.shape[0], shown.shape[1])


def test_interlaced_video_is_said(tmp_path):
    path = film(tmp_path / "film.mp4", **{"x264-params": "interlaced=1"})
    (line,) = VideoSource(str(path), frames=1).cautions()
    assert line == f"{path}: is interlaced; frames are read as coded, the lines of two moments in each"


def test_of_several_video_streams_the_first_is_read_and_that_is_said(tmp_path):
    path = film(tmp_path / "film.mkv", streams=2)
    first, second = VideoSource(str(path), frames=1), VideoSource(str(path), frames=1, stream=1)
    (line,) = first.cautions()
    assert "holds 2 video streams, the first is read" in line and second.cautions() == ()
    np.testing.assert_allclose(first.clip(0) - second.clip(0), 8 / 255, atol=1e-6)
    with pytest.raises(SourceError, match=r"source stream: got 2, allowed: 0 to 1"):
        VideoSource(str(path), frames=1, stream=2)


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ([1, 2, 3, 4], None),
        ([0, 5, 10, 15], None),
        ([7], None),
        ([1, 2, 4, 5], "missing between f2.png and f4.png;"),
        ([1, 2, 4, 5, 9], "missing between f2.png and f4.png, and 1 more gaps;"),
    ],
)
def test_gaps_in_numbered_pictures_are_said(numbers, says):
    found = list(gaps([Path(f"walk/f{number}.png") for number in numbers]))
    assert (not found) if says is None else (len(found) == 1 and says in found[0] and found[0].startswith("walk: "))


def test_pictures_without_numbers_have_no_gaps():
    assert not list(gaps([Path(f"{name}.png") for name in ("a1x", "b2", "c9")]))


@pytest.mark.parametrize("folder", ["take [2]", "[a]", "a[!b]", "{x}[1-3]"])
def test_brackets_in_names_that_are_there_are_letters(tmp_path, folder):
    (tmp_path / folder / "deep").mkdir(parents=True)
    film(tmp_path / folder / "film [1].mkv")
    film(tmp_path / folder / "deep/film [2].mkv")
    paths = [folder, f"{folder}/film [1].mkv", f"{folder}/*.mkv", f"{folder}/**/*.mkv", f"{folder}/film [[]*"]
    sizes = [len(VideoSource(str(tmp_path / path), frames=1, clips=None)) for path in paths if "{" not in path]
    assert sizes == [1, 1, 1, 2, 1] or "{" in folder
    assert len(VideoSource(str(tmp_path / folder), frames=1, clips=None)) == 1
    assert isinstance(VideoSource(str(tmp_path / folder), frames=1).plan[0], Clip)


def test_brackets_elsewhere_are_still_a_class_of_letters(tmp_path):
    for name in ("a1", "a2", "a3"):
        film(tmp_path / f"{name}.mkv")
    assert len(VideoSource(str(tmp_path / "a[12].mkv"), frames=1, clips=None)) == 2
