"""Programs whose command lines are known: a scenario names one by `program`, or writes its own `encode` and `decode`.

What stands in braces is filled in: `{input}` and `{output}` are files, `{quality}` the number that is turned, and
`{width}`, `{height}`, `{frames}` and `{fps}` those of the clip as the program gets it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from semlink.errors import nearest

__all__ = ["FILLED", "PROGRAMS", "Cut", "KnownProgram", "Pictures", "Program", "words_of"]

FILLED = ("input", "output", "quality", "width", "height", "frames", "fps")
"""What stands in braces in the words of a command."""
KnownProgram = Literal["vvenc", "ffmpeg-vvc", "vtm", "hm", "bpg"]
"""Keys of `PROGRAMS`."""
Pictures = Literal["y4m", "yuv420", "gray", "png"]
"""Files that programs read and write: y4m, raw 4:2:0 of 8 bits, raw gray of 8 bits, or a PNG a frame."""
Cut = Literal["whole", "nal", "hevc", "vvc"]
"""How a stream becomes packets: as one, or one for each unit behind a start code; of H.265 and VVC without the units
that tell a decoder nothing (access unit delimiters, supplemental messages, filler)."""


@dataclass(frozen=True, slots=True)
class Program:
    """How a program is run.

    Attributes:
        encode, decode: the command's words, with what is filled in.
        finest, coarsest, step: of `{quality}`; the first is the best picture.
        octave: how far it is turned for half the bytes, roughly.
        pictures: the format of frames.
        suffix: of the coded file.
        cut: how its stream becomes packets.
        multiple: rows and columns are padded to a multiple of it.
    """

    encode: tuple[str, ...]
    decode: tuple[str, ...]
    finest: float
    coarsest: float
    step: float = 1.0
    octave: float = 6.0
    pictures: Pictures = "y4m"
    suffix: str = ".bin"
    cut: Cut = "whole"
    multiple: int = 8


def words_of(command: str | Sequence[str]) -> list[str]:
    """A command as words; text is split where a shell would split it, and nothing else of a shell is done.

    Raises:
        ValueError: no word, a NUL in one, a quote that does not end, or unknown braces.
    """
    words = shlex.split(command) if isinstance(command, str) else list(command)
    if not words or not words[0] or any("\0" in word for word in words):
        raise ValueError(f"got {command!r}; need a program and its words")
    unknown = [name for word in words for name in re.findall(r"\{(\w+)\}", word) if name not in FILLED]
    if unknown:
        near = nearest(unknown[0], FILLED)
        hint = f"; did you mean {{{near}}}?" if near else ""
        raise ValueError(f"unknown {{{unknown[0]}}}; known are {', '.join(f'{{{name}}}' for name in FILLED)}{hint}")
    return words


_RAW_SIZE = ("-s", "{width}x{height}", "-r", "{fps}")
PROGRAMS: dict[str, Program] = {
    "vvenc": Program(
        ("vvencapp", "-i", "{input}", *_RAW_SIZE, "-f", "{frames}", "-c", "yuv420", "--preset", "medium")
        + ("-q", "{quality}", "-t", "1", "-o", "{output}"),
        ("vvdecapp", "-b", "{input}", "-t", "1", "-o", "{output}"),
        *(10, 63),
        pictures="yuv420",
        suffix=".266",
        cut="vvc",
    ),
    "ffmpeg-vvc": Program(
        ("ffmpeg", "-nostdin", "-y", "-f", "yuv4mpegpipe", "-i", "{input}", "-c:v", "libvvenc", "-qp", "{quality}")
        + ("-qpa", "0", "-preset", "medium", "-threads", "1", "-f", "vvc", "{output}"),
        ("ffmpeg", "-nostdin", "-y", "-f", "vvc", "-i", "{input}", "-fps_mode", "passthrough", "-strict", "-1")
        + ("-f", "yuv4mpegpipe", "{output}"),
        *(10, 63),
        suffix=".266",
        cut="vvc",
    ),
    "vtm": Program(
        ("EncoderApp", "-c", "encoder_randomaccess_vtm.cfg", "-i", "{input}", "-wdt", "{width}", "-hgt", "{height}")
        + ("-fr", "{fps}", "-f", "{frames}", "-q", "{quality}", "-b", "{output}", "-o", "/dev/null"),
        ("DecoderApp", "-b", "{input}", "-o", "{output}", "-d", "8"),
        *(10, 63),
        pictures="yuv420",
        suffix=".266",
        cut="vvc",
    ),
    "hm": Program(
        ("TAppEncoder", "-c", "encoder_randomaccess_main.cfg", "-i", "{input}", "-wdt", "{width}", "-hgt", "{height}")
        + ("-fr", "{fps}", "-f", "{frames}", "-q", "{quality}", "-b", "{output}", "-o", "/dev/null"),
        ("TAppDecoder", "-b", "{input}", "-o", "{output}", "-d", "8"),
        *(10, 51),
        pictures="yuv420",
        suffix=".265",
        cut="hevc",
    ),
    "bpg": Program(
        ("bpgenc", "-q", "{quality}", "-f", "420", "-o", "{output}", "{input}"),
        ("bpgdec", "-o", "{output}", "{input}"),
        *(10, 51),
        pictures="png",
        suffix=".bpg",
        multiple=1,
    ),
}
