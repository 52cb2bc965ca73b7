"""Pictures as clips of one frame: what is read, what is refused, and colour from video files."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import semlink
from semlink.colour.conversion import Conversion
from semlink.colour.layout import planes_of
from semlink.errors import MemoryShort, SourceError
from semlink.sensing.sources.files.images import gray_picture
from semlink.sensing.sources.files.video_source import VideoSource
from semlink.sensing.sources.pictures.found import BUILT_IN
from semlink.sensing.sources.pictures.source import ImageSource

RGB = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def saved(folder, name: str, picture: Image.Image | None = None, **options) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    (picture or Image.fromarray(RGB)).save(path, **options)
    return str(path)


def test_built_in_photographs_have_their_own_sizes_and_need_no_file():
    source = ImageSource(colour="yuv420")
    assert [source.name(n) for n in range(len(source))] == list(BUILT_IN) and not source.sizes_agree
    clips = [source.clip(n) for n in range(len(source))]
    assert [clip.shape for clip in clips] == [(1, 768, 512), (1, 450, 450), (1, 600, 600), (1, 750, 740)]
    assert "chelsea and 1 more lose a last row or column" in source.cautions()[0]
    alike = ImageSource(size=(64, 96), crop="resize", clips=2)
    assert alike.sizes_agree and [alike.clip(n).shape for n in range(2)] == [(1, 192, 96)] * 2
    assert [alike.name(n) for n in range(2)] == ["astronaut", "coffee"]


def test_pixels_are_those_of_the_file(tmp_path):
    path = saved(tmp_path, "a.png")
    gray, rgb, yuv = (ImageSource((path,), colour=colour).clip(0) for colour in ("gray", "rgb", "yuv420"))
    expected = RGB.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(rgb[0], expected.reshape(60, 30))
    np.testing.assert_array_equal(yuv[0], Conversion().frames(expected))
    assert gray[0] == pytest.approx(np.tensordot([0.2126, 0.7152, 0.0722], expected, 1), abs=1e-6)
    flat = saved(tmp_path, "g.png", Image.fromarray(RGB[..., 0]))
    np.testing.assert_array_equal(ImageSource((flat,)).clip(0)[0], np.concatenate([expected[0]] * 3))


def test_what_loses_nothing_is_taken(tmp_path):
    few = Image.fromarray(RGB).quantize(16)
    palette = saved(tmp_path, "p.png", few)
    opaque = saved(tmp_path, "o.png", Image.fromarray(RGB).convert("RGBA"))
    webp = saved(tmp_path, "w.webp", lossless=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = saved(tmp_path, "t.jpg", exif=exif, quality=95)
    sources = [ImageSource((path,)) for path in (palette, opaque, webp, turned)]
    assert [source.sizes for source in sources] == [((20, 30),)] * 3 + [((30, 20),)]
    shown = [np.uint8(255 * source.clip(0)[0] + 0.5) for source in sources]
    assert np.array_equal(shown[0], np.concatenate(list(np.asarray(few.convert("RGB")).transpose(2, 0, 1))))
    assert np.array_equal(shown[1], shown[2]) and shown[3].shape == (90, 20)


def bad(folder, kind: str) -> str:
    half = np.full((20, 30, 4), 100, np.uint8)
    wide = np.arange(600, dtype=np.uint16).reshape(20, 30) * 100
    if kind == "text":
        (folder / "x.png").write_text("no picture at all\n")
        return str(folder / "x.png")
    if kind == "truncated":
        path = saved(folder, "x.png")
        data = (folder / "x.png").read_bytes()
        (folder / "x.png").write_bytes(data[: len(data) // 2])
        return path
    if kind == "16-bit colour":
        coder = av.CodecContext.create("png", "w")
        coder.width, coder.height, coder.pix_fmt, coder.time_base = 30, 20, "rgb48be", Fraction(1, 25)
        frame = av.VideoFrame.from_ndarray(np.stack([wide] * 3, -1), format="rgb48le").reformat(format="rgb48be")
        (folder / "x.png").write_bytes(b"".join(map(bytes, [*coder.encode(frame), *coder.encode(None)])))
        return str(folder / "x.png")
    if kind == "animated":
        return saved(folder, "x.webp", save_all=True, append_images=[Image.fromarray(RGB[::-1].copy())])
    made = {
        "alpha": ("x.png", Image.fromarray(half)),
        "palette with a hole": ("x.png", Image.fromarray(RGB).quantize(4)),
        "cmyk": ("x.jpg", Image.fromarray(RGB).convert("CMYK")),
        "16-bit gray": ("x.png", Image.fromarray(wide)),
        "1x1": ("x.png", Image.fromarray(RGB[:1, :1])),
    }[kind]
    return saved(folder, *made, **({"transparency": 0} if "hole" in kind else {}))


@pytest.mark.parametrize(
    "kind, says",
    [
        ("alpha", "is transparent in places, .*; save it as an RGB or gray picture of 8 bits"),
        ("palette with a hole", "is transparent in places"),
        ("cmyk", "is in CMYK, which needs a profile"),
        ("16-bit gray", "more than 8 bits a sample"),
        ("16-bit colour", "more than 8 bits a sample"),
        ("1x1", r"1x1 \(height x width\) pixels; allowed: 8 to 16,384 on a side"),
        ("truncated", "cannot be read as a picture: .*truncated"),
        ("animated", "holds 2 frames; kind images takes stills"),
        ("text", "cannot be read as a picture: cannot identify"),
    ],
)
def test_bad_pictures_are_one_line_each(tmp_path, kind, says):
    path = bad(tmp_path, kind)
    with pytest.raises(SourceError, match=says) as told:
        ImageSource((path,)).clip(0)
    assert path in str(told.value) and "\n" not in str(told.value)


def test_large_pictures_are_refused_where_memory_is_short(tmp_path, monkeypatch):
    path = saved(tmp_path, "large.png")
    data = bytearray((tmp_path / "large.png").read_bytes())
    data[16:24] = struct.pack(">II", 8000, 6000)  # of the head alone, which is all that is read before
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    (tmp_path / "large.png").write_bytes(data)
    assert ImageSource((path,)).sizes == ((6000, 8000),)
    monkeypatch.setattr("semlink.memory.spare_bytes", lambda: 10**9)
    with pytest.raises(MemoryShort, match="1 picture of up to 6000x8000 pixels takes? 5"):
        ImageSource((path,))


@pytest.mark.parametrize(
    "files, path",
    [
        (["kodim01.png", "kodim02.png"], ""),  # Kodak
        (["valid/a.png", "valid/b.png"], ""),  # CLIC, DIV2K
        (["a.jpg", "sub/b.jpg", "sub/c.webp"], "sub/*"),
    ],
)
def test_folders_as_data_sets_have_them(tmp_path, files, path):
    for name in files:
        saved(tmp_path, name)
    assert len(ImageSource((str(tmp_path / path),))) == 2


def test_cifar_10_in_its_binary_version(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (3, 3, 32, 32), dtype=np.uint8)
    records = np.concatenate([np.array([[3], [9], [0]], np.uint8), pixels.reshape(3, -1)], 1)
    (tmp_path / "test_batch.bin").write_bytes(records.tobytes())
    source = ImageSource((str(tmp_path),), clips=2, pick="first")
    assert [source.name(n) for n in range(2)] == ["test_batch@0", "test_batch@1"]
    np.testing.assert_array_equal(source.clip(1)[0], pixels[1].reshape(96, 32) / np.float32(255))
    (tmp_path / "test_batch.bin").write_bytes(b"\x0b" * 3073)
    with pytest.raises(SourceError, match="no batch of CIFAR-10"):
        ImageSource((str(tmp_path),))
    (tmp_path / "python").mkdir()
    (tmp_path / "python" / "data_batch_1").write_bytes(b"\x80\x04")
    for place in (tmp_path / "python", tmp_path / "python" / "data_batch_1"):
        with pytest.raises(SourceError, match="pickles, which can run code, and are not read; take its binary version"):
            ImageSource((str(place),))


@pytest.mark.parametrize(
    "options, says",
    [
        ({"path": ("nowhere",)}, "nowhere: no such file or folder; built in are astronaut"),
        ({"clips": 5}, "got 5, and there are 4 pictures"),
        ({"colour": "yuv420", "size": (9, 8)}, "chroma of half the size: need even"),
        ({"colour": "cmyk"}, "got 'cmyk', allowed: gray, rgb, yuv420"),
    ],
)
def test_wrong_options_are_said(options, says):
    with pytest.raises(SourceError, match=says):
        ImageSource(**options)


# video


def film(path, pixel_format="yuv420p", colorspace=1, size=(24, 32)) -> np.ndarray:
    """A lossless film of smooth colours; its frames as they were given to the encoder."""
    y, x = np.mgrid[: size[0], : size[1]]
    frames = []
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = size[1], size[0], pixel_format
        stream.codec_context.colorspace, stream.codec_context.color_range = colorspace, 1
        for n in range(3):
            waves = [128 + 100 * np.sin((x + n) / 9), 128 + 90 * np.cos(y / 7), 128 + 90 * np.sin((x + y) / 11)]
            frame = av.VideoFrame.from_ndarray(np.stack(waves, -1).astype(np.uint8), format="rgb24")
            frame = frame.reformat(format=pixel_format, dst_colorspace="ITU709", dst_color_range="MPEG")
            frames.append(frame.to_ndarray() if size[0] % 2 == 0 else np.zeros(1))
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return np.stack(frames)


def test_yuv420_is_what_the_file_holds(tmp_path):
    path = tmp_path / "a.mkv"
    coded = film(path)
    source = VideoSource(str(path), frames=3, colour="yuv420")
    assert source.conversion == Conversion("bt709", "limited")
    for n, (y, u, v) in enumerate(zip(*planes_of(source.clip(0), "yuv420"))):
        whole = np.concatenate([plane.ravel() for plane in (y, u, v)])
        np.testing.assert_array_equal(np.rint(255 * whole), coded[n].ravel())
    raw = tmp_path / "a_32x24.yuv"
    raw.write_bytes(coded.tobytes())
    np.testing.assert_array_equal(VideoSource(str(raw), frames=3, colour="yuv420").clip(0), source.clip(0))
    rgb = VideoSource(str(path), frames=3, colour="rgb")
    error = np.square(source.look.rgb(source.clip(0)) - rgb.look.rgb(rgb.clip(0))).mean()
    assert rgb.conversion == Conversion("bt709", "full") and -10 * np.log10(error) > 32  # FFmpeg repeats chroma
    full = VideoSource(str(path), frames=3, colour="yuv420", range="full")
    assert full.conversion == Conversion("bt709", "full")
    assert full.look.rgb(full.clip(0)) == pytest.approx(source.look.rgb(source.clip(0)), abs=0.01)


@pytest.mark.parametrize("crop", ["center", "resize", "stretch"])
def test_chroma_is_brought_to_size_with_its_luma(tmp_path, crop):
    film(tmp_path / "a.mkv", size=(48, 64))
    options = {"frames": 2, "size": (24, 36), "crop": crop}
    yuv, rgb = (VideoSource(str(tmp_path / "a.mkv"), colour=colour, **options) for colour in ("yuv420", "rgb"))
    assert yuv.clip(0).shape == (2, 36, 36)
    assert -10 * np.log10(np.square(yuv.look.rgb(yuv.clip(0)) - rgb.look.rgb(rgb.clip(0))).mean()) > 32


def test_a_file_in_444_becomes_420_by_the_named_matrix(tmp_path):
    film(tmp_path / "a.mkv", "yuv444p", colorspace=2)
    said, named = (VideoSource(str(tmp_path / "a.mkv"), frames=1, colour="yuv420", matrix=m) for m in (None, "bt709"))
    assert (said.conversion, named.conversion) == (Conversion("bt601", "full"), Conversion("bt709", "full"))
    assert said.clip(0) == pytest.approx(named.clip(0), abs=0.02), "the way to RGB and back is by one matrix"
    colours = [source.look.rgb(source.clip(0)) for source in (said, named)]
    assert not np.allclose(*colours, atol=0.02)


def test_files_of_other_matrices_are_not_mixed(tmp_path):
    film(tmp_path / "a.mkv")
    film(tmp_path / "b.mkv", colorspace=6)
    with pytest.raises(SourceError, match="b.mkv: is of bt601 in limited range, .*set source.matrix and source.range"):
        VideoSource(str(tmp_path), frames=1, clips=2, colour="yuv420")
    assert VideoSource(str(tmp_path), frames=1, clips=2, colour="yuv420", matrix="bt709").conversion.matrix == "bt709"


def test_planes_of_another_matrix_want_a_name(tmp_path):
    film(tmp_path / "a.mkv", colorspace=9)
    with pytest.raises(SourceError, match="a.mkv: is of another matrix than BT.601 and BT.709; set source.colour: rgb"):
        VideoSource(str(tmp_path / "a.mkv"), frames=1, colour="yuv420")
    assert VideoSource(str(tmp_path / "a.mkv"), frames=1, colour="yuv420", matrix="bt709").clip(0).shape == (1, 36, 32)
    assert VideoSource(str(tmp_path / "a.mkv"), frames=1, colour="rgb").clip(0).shape == (1, 72, 32)


def test_odd_sizes_and_three_planes_are_refused_in_yuv420(tmp_path):
    film(tmp_path / "a.mkv", size=(23, 32))
    with pytest.raises(
        SourceError, match="frames are 23x32 .* chroma of half the size; set an even size, or colour: rgb"
    ):
        VideoSource(str(tmp_path / "a.mkv"), frames=1, colour="yuv420").clip(0)
    with pytest.raises(SourceError, match="planes: got 3 with colour rgb"):
        VideoSource(str(tmp_path / "a.mkv"), frames=1, colour="rgb", planes=3)


def test_nothing_but_png_jpeg_and_webp_is_read_whatever_a_file_is_called(tmp_path, monkeypatch):
    """Pillow's readers of other formats start programs: of EPS, Ghostscript."""
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *given, **more: pytest.fail("a program is started"))
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n%%EOF\n"
    (tmp_path / "eps.png").write_bytes(eps)
    Image.new("RGB", (64, 64)).save(tmp_path / "bmp.png", "bmp")
    for name in ("eps.png", "bmp.png"):
        with pytest.raises(SourceError, match=f"{name}: cannot be read"):
            ImageSource((str(tmp_path / name),))
        with pytest.raises(SourceError, match=name):
            gray_picture(tmp_path / name)


def test_pillow_is_told_everywhere_which_formats_it_may_read():
    package = Path(semlink.__file__).parent
    calls = [line for path in package.rglob("*.py") for line in path.read_text().splitlines() if "Image.open(" in line]
    assert calls and all("formats=" in line for line in calls)
