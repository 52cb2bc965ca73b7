"""Frames as files that programs read and write: y4m, raw 4:2:0, raw gray, PNG.

Only luma counts. What programs read has 8 bits, full range, and neutral chroma where the format has any; what they
wrote may have more bits. Nothing here trusts a file: its size is looked at before it is read.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from semlink.codecs.command.programs import Pictures

__all__ = ["Unreadable", "read_pictures", "write_pictures"]

NEUTRAL = 128
Y4M_HEAD = 512
MOST_FRAMES_MORE = 2
"""A program may write twice the frames and bytes that are asked of it before it is refused."""


class Unreadable(Exception):
    """What is wrong with a file of frames, in words that follow its program's name."""


def write_pictures(luma: np.ndarray, path: Path, pictures: Pictures, fps: float) -> None:
    """Write uint8 (t, h, w); of PNG the first frame alone."""
    t, h, w = luma.shape
    chroma = bytes((NEUTRAL,)) * (2 * -(-h // 2) * -(-w // 2))
    if pictures == "png":
        Image.fromarray(luma[0]).save(path, format="PNG")
    elif pictures == "gray":
        path.write_bytes(luma.tobytes())
    elif pictures == "yuv420":
        path.write_bytes(b"".join(frame.tobytes() + chroma for frame in luma))
    else:
        head = f"YUV4MPEG2 W{w} H{h} F{round(fps * 1000)}:1000 Ip A1:1 C420mpeg2\n".encode()
        path.write_bytes(head + b"".join(b"FRAME\n" + frame.tobytes() + chroma for frame in luma))


def read_pictures(path: Path, pictures: Pictures, shape: tuple[int, int, int]) -> np.ndarray:
    """Luma of the frames in a file: float32 (n, h, w) in [0, 1], n from 1 to that of `shape` (t, h, w).

    Raises:
        Unreadable: missing, empty, far too large, or frames of another size.
    """
    t, h, w = shape
    try:
        size = path.stat().st_size
    except OSError:
        raise Unreadable("wrote no frames") from None
    if size == 0:
        raise Unreadable("wrote an empty file of frames")
    most = MOST_FRAMES_MORE * (t + 1) * (6 * h * w + 64) + Y4M_HEAD
    if size > most:
        raise Unreadable(f"wrote {size:,} bytes for {t} frames of {h}x{w}, where at most {most:,} make sense")
    data = path.read_bytes()
    if pictures == "png":
        return _of_png(data, h, w)
    if pictures == "y4m":
        return _of_y4m(data, h, w)[:t]
    each = h * w if pictures == "gray" else h * w + 2 * -(-h // 2) * -(-w // 2)
    return _luma(data, each, h, w, t)


def _luma(data: bytes, each: int, h: int, w: int, t: int) -> np.ndarray:
    """Of raw frames of `each` samples of 8 bits; twice `t` of them may be frames of 16 bits, and are refused."""
    count = len(data) // each
    if count == 0 or len(data) % each:
        raise Unreadable(f"wrote {len(data):,} bytes, no whole number of frames of {each:,}")
    if count == 2 * t:
        raise Unreadable(f"wrote {count} frames or {t} of 16 bits; need frames of 8 bits")
    planes = np.frombuffer(data, np.uint8).reshape(count, each)[:t, : h * w]
    return planes.reshape(-1, h, w).astype(np.float32) / np.float32(255)


def _of_y4m(data: bytes, h: int, w: int) -> np.ndarray:
    head, newline, rest = data[:Y4M_HEAD].partition(b"\n")
    words = head.split(b" ")
    if not newline or words[0] != b"YUV4MPEG2":
        raise Unreadable("wrote something else than y4m")
    told = {word[:1]: word[1:].decode("latin-1") for word in words[1:] if word}
    if (told.get(b"W"), told.get(b"H")) != (str(w), str(h)):
        raise Unreadable(f"wrote frames of {told.get(b'H')}x{told.get(b'W')}; need {h}x{w}")
    samples, bits = _layout(told.get(b"C", "420"), h, w)
    each, at, found = samples * (1 if bits == 8 else 2), len(head) + 1, []
    while at < len(data):
        end = data.find(b"\n", at, at + Y4M_HEAD)
        if end < 0 or not data.startswith(b"FRAME", at) or len(data) < end + 1 + each:
            break  # a last frame that was cut off
        plane = np.frombuffer(data, np.uint8 if bits == 8 else "<u2", h * w, end + 1).reshape(h, w)
        found.append(plane.astype(np.float32) / np.float32(255 << (bits - 8)))
        at = end + 1 + each
    if not found:
        raise Unreadable("wrote y4m without a whole frame")
    return np.clip(np.stack(found), 0, 1)


def _layout(colour: str, h: int, w: int) -> tuple[int, int]:
    """Samples of a frame, and their bits."""
    name, _, bits = colour.partition("p")
    if colour.startswith("mono"):
        name, bits = "mono", colour.removeprefix("mono")
    half = -(-h // 2), -(-w // 2)
    chroma = {"mono": 0, "420": 2 * half[0] * half[1], "422": 2 * h * half[1], "444": 2 * h * w}
    kind = next((known for known in chroma if name.startswith(known)), None)
    depth = int(bits) if bits.isdecimal() else 8
    if kind is None or not 8 <= depth <= 16:
        raise Unreadable(f"wrote y4m of colours {colour!r}; need mono, 420, 422 or 444")
    return h * w + chroma[kind], depth


def _of_png(data: bytes, h: int, w: int) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            if image.size != (w, h):
                raise Unreadable(f"wrote a picture of {image.size[1]}x{image.size[0]}; need {h}x{w}")
            return np.asarray(image.convert("L"), np.float32)[None] / np.float32(255)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as fault:
        raise Unreadable("wrote something else than a whole PNG") from fault
