"""A codec that is two programs: its budget, its packets, what damage leaves, and every way in which a program fails."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import semlink
from semlink.codecs.command.codec import CommandCodec, _cut, _joined
from semlink.codecs.command.pictures import Unreadable, read_pictures, write_pictures
from semlink.codecs.command.programs import PROGRAMS
from semlink.codecs.packetization import framed_size
from semlink.codecs.specs import CommandSpec
from semlink.errors import Infeasible, InterfaceError, ScenarioError
from semlink.payload import FrameShape, Packet
from semlink.plugins.trust.permission import commands_allowed
from semlink.spec import BuildContext

CODEC = (Path(__file__).parents[1] / "toys/command_toy.py").read_text()
SHAPE = FrameShape(3, 16, 24)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "codec.py").write_text(CODEC)
    return tmp_path


def spec(encode: str = "enc", decode: str = "dec", **options) -> CommandSpec:
    words = {
        name: [sys.executable, "-S", "codec.py", mode, "{input}", "{output}", quality]
        for name, mode, quality in (("encode", encode, "{quality}"), ("decode", decode, "0"))
    }
    with commands_allowed():
        return CommandSpec(**{"kind": "command", "quality": [1, 128], "pictures": "gray", **words, **options})


def codec(place: Path, *modes: str, **options) -> CommandCodec:
    found = spec(*modes, **options).build(BuildContext(folder=place))
    assert isinstance(found, CommandCodec)
    return found


def clip() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.clip(np.linspace(0.1, 0.9, 24) + rng.normal(0, 0.02, (3, 16, 24)), 0, 1).astype(np.float32)


def test_what_is_decoded_is_what_the_programs_make_of_it(place):
    packets = codec(place).encode_at(clip(), 1)
    assert len(packets) == 1
    np.testing.assert_array_equal(
        codec(place).decode(packets, SHAPE), np.rint(clip() * 255).astype(np.float32) / np.float32(255)
    )
    coarse = codec(place).decode(codec(place).encode_at(clip(), 32), SHAPE)
    assert 1 / 255 < np.abs(coarse - clip()).max() <= 17 / 255


def test_a_budget_is_met_from_below_and_refused_where_nothing_fits(place):
    made = codec(place)
    sizes = {quality: framed_size(made.encode_at(clip(), quality)) for quality in (1, 128)}
    middle = (sizes[1] + sizes[128]) // 2
    assert sizes[128] < framed_size(made.encode(clip(), max_bytes=middle)) <= middle < sizes[1]
    with pytest.raises(Infeasible, match=r"even quality 128 takes [0-9]+ bytes"):
        made.encode(clip(), max_bytes=10)


def test_where_more_is_better_the_knob_turns_the_other_way(place):
    made = codec(place, quality=[128, 1])
    fine, coarse = made.encode(clip(), max_bytes=5000), made.encode_at(clip(), 128)
    assert len(fine[0].data) <= len(coarse[0].data)
    assert (
        made._quality.told(1) == 128 and made._quality.told(128) == 1
    )  # the knob's finest is what the program calls 128


def test_what_is_lost_or_damaged_is_shown_as_gray_and_never_raises(place):
    made = codec(place)
    whole = made.encode_at(clip(), 8)
    for packets in ((), (Packet(0, b""),), (Packet(0, b"\0" * 40),), (Packet(0, whole[0].data[:-9]),)):
        np.testing.assert_array_equal(made.decode(packets, SHAPE), np.full((3, 16, 24), 0.5, np.float32))


def test_pictures_are_packets_of_their_own_and_the_last_one_stands_in(place):
    made = codec(place, "png", "png", pictures="png", suffix=".png")
    packets = made.encode_at(clip(), 1)
    assert [packet.time for packet in packets] == [0, 1, 2]
    shown = made.decode([packets[0], packets[2]], SHAPE)
    exact = np.rint(clip() * 255).astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(shown, exact[[0, 0, 2]])


@pytest.mark.parametrize(
    ("modes", "options", "message"),
    [
        (("fail", "dec"), {}, r"encoder python\S* ended with code 1: .*no such luck"),
        (("hang", "dec"), {"timeout_s": 0.5}, r"encoder python\S* has not ended after 0.5 s"),
        (("none", "dec"), {}, r"encoder python\S* wrote no stream"),
        (("much", "dec"), {}, r"encoder python\S* wrote 10,000,000 bytes for"),
        (("enc", "fail"), {}, r"decoder python\S* ended with code 1"),
        (("enc", "none"), {}, r"decoder python\S* wrote no frames"),
        (("enc", "much"), {}, r"decoder python\S* wrote 10,000,000 bytes for 3 frames"),
        (("enc", "short"), {}, r"decoder python\S* wrote [0-9]+ bytes, no whole number of frames"),
        (("enc", "dec"), {"pictures": "png"}, r"decoder python\S* wrote something else than a whole PNG"),
    ],
)
def test_what_a_program_does_wrong_is_said_before_the_work(place, modes, options, message):
    started = time.monotonic()
    with pytest.raises(InterfaceError, match=message) as caught:
        codec(place, *modes, **options).check_rate(None, SHAPE)
    assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value)
    assert time.monotonic() - started < 300


@pytest.mark.skipif(os.name != "posix", reason="processes are found in /proc")
def test_nothing_that_a_program_started_is_left(place):
    with pytest.raises(InterfaceError):
        codec(place, "hang", timeout_s=0.5).encode_at(clip(), 1)
    left = [
        p for p in Path("/proc").glob("[0-9]*/cmdline") if str(place).encode() in _words(p) and b"hang" in _words(p)
    ]
    assert not left


def _words(cmdline: Path) -> bytes:
    try:
        return cmdline.read_bytes()
    except OSError:
        return b""


def test_programs_see_a_clean_environment(place, monkeypatch):
    monkeypatch.setenv("AWS_SECRET", "x")
    seen = codec(place, "env").encode_at(clip(), 1)[0].data.decode()
    assert "AWS_SECRET" not in seen and "PATH" in seen and "OMP_NUM_THREADS" in seen


def test_programs_run_for_nobody_who_has_not_said_so(place):
    tree = {
        "name": "x",
        "source": {"kind": "scenes", "frames": 2, "size": [32, 32], "clips": 1},
        "channel": {"kind": "awgn"},
        "sweep": {"snr_db": 9, "budget": 0.5},
        "schemes": [
            {
                "name": "a",
                "kind": "digital",
                "codec": {"kind": "command", "program": "vvenc"},
                "coding": {"kind": "ldpc", "mcs": 4},
            }
        ],
    }
    with pytest.raises(ScenarioError, match="'vvencapp', which is refused here without --allow-commands"):
        semlink.load(tree)
    with pytest.raises(ScenarioError, match="'vvencapp', which is refused here$"):
        semlink.load(tree, commands=True, plugins=False)
    assert semlink.load(tree, commands=True).schemes[0].codec.commands == PROGRAMS["vvenc"]


def test_a_program_that_is_not_here_is_named_and_one_that_is_counts_with_its_content(place):
    with commands_allowed():
        absent = CommandSpec(kind="command", encode="no-such-thing {input}", decode="x", quality=[1, 2])
        with pytest.raises(ScenarioError, match="no program 'no-such-thing' here; install it, or say where it is"):
            absent.build(BuildContext(folder=place))
        with pytest.raises(ValueError, match="needs encode, decode and quality, or program: one of vvenc"):
            CommandSpec(kind="command", encode="a")
        with pytest.raises(ValueError, match=r"unknown \{outptu\}; known are \{input\}, .*; did you mean \{output\}\?"):
            CommandSpec(kind="command", encode="a {outptu}", decode="b", quality=[1, 2])
    files: set[tuple[str, Path]] = set()
    before = spec().build(BuildContext(folder=place, files=files))
    assert {name for name, _ in files} == {sys.executable, "codec.py"}
    (place / "codec.py").write_text(CODEC + "\n# edited\n")
    assert spec().build(BuildContext(folder=place)).versions != before.versions


def test_units_of_vvc_that_tell_nothing_are_not_sent():
    units = [bytes((0, kind << 3 | 1, 7)) for kind in (15, 16, 20, 7, 23, 2)]
    stream = b"".join(b"\0\0\0\1" + unit for unit in units)
    packets = _cut(stream, "vvc")
    assert [packet.data for packet in packets] == [units[0], units[1], units[3], units[5]]
    assert _joined(packets[1:3], "vvc") == b"\0\0\0\1" + units[1] + b"\0\0\0\1" + units[3]
    assert len(_cut(stream, "nal")) == 6 and _cut(stream, "whole")[0].data == stream


@pytest.mark.parametrize("kind", ["y4m", "yuv420", "gray"])
def test_files_of_frames_come_back_as_they_were(tmp_path, kind):
    luma = np.random.default_rng(1).integers(0, 256, (3, 7, 9), dtype=np.uint8)
    write_pictures(luma, tmp_path / "f", kind, 25.0)
    np.testing.assert_array_equal(np.rint(read_pictures(tmp_path / "f", kind, (3, 7, 9)) * 255), luma)


@pytest.mark.parametrize(
    ("colours", "bits"), [("420p10", 10), ("mono", 8), ("444", 8), ("422p12", 12), ("420jpeg", 8), ("mono16", 16)]
)
def test_y4m_of_more_bits_and_other_colours_is_read_to_the_same_luma(tmp_path, colours, bits):
    luma = np.random.default_rng(2).integers(0, 256, (2, 6, 8), dtype=np.uint16) << (bits - 8)
    chroma = {"m": 0, "0": 24, "4": 96, "2": 48}["m" if colours.startswith("m") else colours[2]]
    planes = [np.concatenate((frame.ravel(), np.zeros(chroma, np.uint16))) for frame in luma]
    body = b"".join(b"FRAME\n" + p.astype("<u2" if bits > 8 else np.uint8).tobytes() for p in planes)
    (tmp_path / "f").write_bytes(f"YUV4MPEG2 W8 H6 F25:1 C{colours}\n".encode() + body)
    np.testing.assert_array_equal(
        np.rint(read_pictures(tmp_path / "f", "y4m", (2, 6, 8)) * 255), (luma >> (bits - 8)).astype(float)
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "wrote an empty file"),
        (b"RIFF....", "something else than y4m"),
        (b"YUV4MPEG2 W9 H6 F25:1\nFRAME\n", "frames of 6x9; need 6x8"),
        (b"YUV4MPEG2 W8 H6 F25:1 C411\nFRAME\n", "colours '411'"),
        (b"YUV4MPEG2 W8 H6 F25:1 C420\nFRAME\nxx", "without a whole frame"),
        (b"YUV4MPEG2 W8 H6" + b" " * 400_000, "where at most"),
    ],
)
def test_files_that_are_no_frames_are_told(tmp_path, data, message):
    (tmp_path / "f").write_bytes(data)
    with pytest.raises(Unreadable, match=message):
        read_pictures(tmp_path / "f", "y4m", (2, 6, 8))


@pytest.mark.slow
def test_vvc_of_a_static_ffmpeg_is_below_h265s_bytes_at_its_quality():
    """Where a static FFmpeg with libvvenc is installed, as the package imageio-ffmpeg brings it."""
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    with commands_allowed():
        vvc = CommandSpec(kind="command", program="ffmpeg-vvc", executables={"ffmpeg": ffmpeg}).build()
    y, x = np.mgrid[:128, :128]
    scene = [0.5 + 0.2 * np.sin((x + 2 * k) / 9) * np.cos((y - k) / 7) + 0.1 * np.sin(x * y / 900) for k in range(16)]
    frames, shape = np.stack(scene).astype(np.float32), FrameShape(16, 128, 128)
    packets = vvc.encode(frames, max_bytes=1500)
    error = float(np.mean((vvc.decode(packets, shape) - frames) ** 2))
    assert framed_size(packets) <= 1500 and error < 1e-2
    damaged = vvc.decode(packets[: len(packets) // 2], shape)
    assert damaged.shape == frames.shape and np.isfinite(damaged).all()
