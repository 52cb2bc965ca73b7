"""Folders of clips and stills packed into one file of bytes.

A pack is all a training machine needs: one uncompressed .npz of gray uint8
frames, end to end, with a table of shapes. Only packing reads video and image
formats; training reads numpy. Beside folders, stacks of small pictures in an
.npz may be packed (`semlink.sensing.sources.files.image_stack`); each picture is a still.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from semlink.errors import SourceError, TrainingError
from semlink.files import as_file
from semlink.sensing.sources.files.arrays import read_arrays
from semlink.sensing.sources.files.container import open_container
from semlink.sensing.sources.files.image_stack import is_stack, read_stack
from semlink.training.data.jpeg_frames import pixels_of

FILES_TOLD = 200
"""In a card, which has a digest of all names."""
_STACKED = re.compile(r"(?<=\.npz):\d+$")
"""Which picture of a stack a name means."""
VIDEO_SUFFIXES = frozenset({".mkv", ".mp4", ".avi", ".mov", ".webm", ".y4m"})
STILL_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})


@dataclass(frozen=True, slots=True)
class Pack:
    """Gray uint8 material, end to end; a still has t = 1, `held_out` items are for validation only."""

    names: tuple[str, ...]
    shapes: tuple[tuple[int, int, int], ...]
    held_out: tuple[bool, ...]
    pixels: np.ndarray
    terms: str = ""

    def items(self, *, held_out: bool = False) -> tuple[np.ndarray, ...]:
        """The clips (t, h, w) of one side, in order, as views."""
        ends = np.cumsum([t * h * w for t, h, w in self.shapes])[:-1]
        parts = np.split(self.pixels, ends)
        rows = zip(parts, self.shapes, self.held_out)
        return tuple(part.reshape(shape) for part, shape, held in rows if held == held_out)

    def told(self, drawn_from: Sequence[int]) -> dict[str, Any]:
        """What a card says of the material: how much of it, which of it was drawn from, what was held out, the terms.

        Args:
            drawn_from: which of the training items, counted without those held out.
        """
        train = [name for name, held in zip(self.names, self.held_out) if not held]
        held_out = [name for name, held in zip(self.names, self.held_out) if held]
        used = [train[number] for number in drawn_from]
        return {
            "sha256": self.digest,
            "items": len(self.names),
            "used": len(used),
            "held_out": len(held_out),
            "files": _listed(used),
            "files_held_out": _listed(held_out),
            "names_sha256": sha256(json.dumps([used, held_out]).encode()).hexdigest(),
            "terms": self.terms,
        }

    @property
    def digest(self) -> str:
        """SHA-256 over names, shapes, sides and pixels."""
        head = json.dumps([self.names, self.shapes, self.held_out]).encode()
        return sha256(head + self.pixels.tobytes()).hexdigest()


def pack_folders(
    train: Sequence[str | Path], held_out: Sequence[str | Path] = (), *, terms: str = "", max_side: int = 0
) -> Pack:
    """Everything below the folders that can be read as video or still, and stacks; sides over `max_side` are halved.

    Raises:
        SourceError: a folder is missing, holds nothing, or holds a file that cannot be read.
    """
    sides = [(found, held) for places, held in ((train, False), (held_out, True)) for found in _items(places, max_side)]
    names = tuple(name for (name, _), _ in sides)
    shapes = tuple(_shape(array.shape) for (_, array), _ in sides)
    pixels = np.concatenate([array.ravel() for (_, array), _ in sides]) if sides else np.empty(0, np.uint8)
    return Pack(names, shapes, tuple(held for _, held in sides), pixels, terms)


def save_pack(pack: Pack, path: str | Path) -> None:
    """Write `pack` as one .npz."""
    np.savez(
        path,
        pixels=pack.pixels,
        shapes=np.asarray(pack.shapes, dtype=np.int64),
        held_out=np.asarray(pack.held_out, dtype=bool),
        names=np.asarray(pack.names),
        terms=np.asarray(pack.terms),
    )


def load_pack(path: str | Path) -> Pack:
    """Read what `save_pack` wrote, or `save_compact`.

    Raises:
        TrainingError: not a pack.
    """
    try:
        file = read_arrays(Path(path))
        shapes = tuple(_shape(row) for row in file["shapes"])
        names, held_out = tuple(map(str, file["names"])), tuple(map(bool, file["held_out"]))
        pixels = pixels_of(file["jpeg"].tobytes(), file["sizes"]) if "jpeg" in file else file["pixels"]
        return Pack(names, shapes, held_out, pixels, str(file["terms"]))
    except (OSError, KeyError, ValueError, TypeError, IndexError) as why:
        raise TrainingError(f"{path}: not a training pack ({why}); allowed: a file written by packing") from why


def _items(places: Iterable[str | Path], max_side: int) -> Iterator[tuple[str, np.ndarray]]:
    """Name and frames (t, h, w) of every item."""
    for place in map(Path, places):
        if is_stack(place):
            yield from ((f"{place.name}:{number}", still[None]) for number, still in enumerate(read_stack(place)))
        else:
            yield from ((path.name, _read(path, max_side)) for path in _files(place))


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise SourceError(f"{folder}: not a folder of training material; allowed: a folder with {_suffixes()}")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES | STILL_SUFFIXES)
    if not found:
        raise SourceError(f"{folder}: holds no clips or stills; allowed: {_suffixes()}")
    return found


def _read(path: Path, max_side: int) -> np.ndarray:
    pixels = _read_video(path) if path.suffix.lower() in VIDEO_SUFFIXES else _read_still(path)
    while max_side and max(pixels.shape[1:]) > max_side:
        pixels = _halved(pixels)
    return pixels


def _read_video(path: Path) -> np.ndarray:
    import av

    try:
        with open_container(path) as container:
            frames = [_luma(frame) for frame in container.decode(video=0)]
    except (OSError, av.error.FFmpegError, IndexError) as why:
        raise SourceError(f"{path}: cannot be read as video ({why})") from why
    if not frames:
        raise SourceError(f"{path}: holds no frames")
    return np.stack(frames)


def _luma(frame) -> np.ndarray:
    """The luma plane itself, so that no range conversion touches it."""
    if frame.format.name in ("gray", "gray8"):
        return frame.to_ndarray()
    if frame.format.name.startswith("yuv") and frame.format.components[0].bits == 8:
        plane = frame.planes[0]
        return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width].copy()
    return frame.to_ndarray(format="gray")


def _read_still(path: Path) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(as_file(path), formats=("PNG", "JPEG", "WEBP")) as image:
            return np.asarray(image.convert("L"))[None]
    except OSError as why:
        raise SourceError(f"{path}: cannot be read as a picture ({why})") from why


def _halved(pixels: np.ndarray) -> np.ndarray:
    t, h, w = (size - size % 2 for size in pixels.shape)
    t = pixels.shape[0]
    blocks = pixels[:, :h, :w].reshape(t, h // 2, 2, w // 2, 2).astype(np.uint16)
    return ((blocks.sum((2, 4)) + 2) // 4).astype(np.uint8)


def _suffixes() -> str:
    return ", ".join(sorted(VIDEO_SUFFIXES | STILL_SUFFIXES))


def _listed(names: Sequence[str]) -> list[str]:
    """Names of files, each once; of many the first."""
    files = list(dict.fromkeys(_STACKED.sub("", name) for name in names))
    more = len(files) - FILES_TOLD
    return files if more <= 0 else [*files[:FILES_TOLD], f"and {more} more"]


def _shape(sizes: Iterable[int]) -> tuple[int, int, int]:
    t, h, w = map(int, sizes)
    return t, h, w
