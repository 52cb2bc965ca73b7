"""What a run keeps for pictures: a few frames of the first clip in the first trial, and the maps behind them.

The process that computes a point writes them to `pictures/<key>.npz` before the
point itself, so that plots are drawn from files and nothing is sent again. They
are made for eyes: frames have 8 bits a pixel.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from semlink.files import JsonDict, as_file, drop_spares, json_in, write_atomic
from semlink.link.results.checked.records import checked_manifest
from semlink.link.results.folder import Results
from semlink.sensing.sources.files.arrays import read_arrays

FORMAT = 1
MOST_READINGS = 1e9
"""Readings a pixel that a map may claim."""
KEYS = {"points": "keys", "middle": "shown"}
"""Where `manifest.json` names points."""
SKIPPED = "skipped"
AROUND, MOST_FRAMES = 1, 9


@dataclass(frozen=True, slots=True)
class RateMap:
    """Channel uses of each block of one clip, and what they may follow.

    Attributes:
        frame: the middle frame, uint8 (h, w).
        uses, texture, error: for each block (rows, columns): channel uses, variance of the pixels, and
            the mean squared error that is left when all blocks get the same.
    """

    clip: str
    frame: np.ndarray
    uses: np.ndarray
    texture: np.ndarray
    error: np.ndarray


@dataclass(frozen=True, slots=True)
class Picture:
    """What one point shows.

    Attributes:
        numbers: frames of the first clip that are kept, counted from 0; `middle` and the one before it are there.
        source, received: these frames, uint8 (frames, h, w); nothing received where the point does not fit.
        planes: 3 where a frame is three colour planes, one above the other.
        rate_maps: of each clip, where the scheme does not give all blocks the same.
        counts: the corner of the sensor's map of readings a pixel, integer (h, w), where it mixes counts.
        mean_count: of the whole map.
    """

    numbers: tuple[int, ...] = ()
    middle: int = 0
    source: np.ndarray | None = None
    received: np.ndarray | None = None
    planes: int = 1
    rate_maps: tuple[RateMap, ...] = ()
    counts: np.ndarray | None = None
    mean_count: float = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not self.numbers and self.counts is None


@dataclass(frozen=True, slots=True)
class Pictures:
    """The kept pictures of a results folder."""

    folder: Path

    def path(self, key: str) -> Path:
        return self.folder / "pictures" / f"{key}.npz"

    def read(self, key: str) -> Picture | None:
        """The picture of a point, None if it has none or the file is damaged."""
        try:
            return _unpacked(read_arrays(self.path(key)))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, key: str, picture: Picture) -> None:
        """Keep a picture, if there is anything in it.

        Raises:
            ResultsError: the disk does not take it.
        """
        if picture.is_empty:
            return
        out = io.BytesIO()
        np.savez_compressed(out, **_packed(picture))
        write_atomic(self.path(key), out.getvalue(), durable=False)

    def forget(self) -> None:
        """Remove all of them."""
        shutil.rmtree(self.folder / "pictures", ignore_errors=True)

    def tidy(self) -> None:
        """Remove what killed writers left unfinished, and the folder if nothing is in it."""
        drop_spares(self.folder / "pictures", is_ours=True)
        with contextlib.suppress(OSError):
            (self.folder / "pictures").rmdir()


def _packed(picture: Picture) -> JsonDict:
    """A picture as named arrays."""
    words = {
        "format": FORMAT,
        "numbers": picture.numbers,
        "middle": picture.middle,
        "planes": picture.planes,
        "mean_count": picture.mean_count,
        "clips": [m.clip for m in picture.rate_maps],
    }
    arrays = {"source": picture.source, "received": picture.received, "counts": picture.counts}
    for number, found in enumerate(picture.rate_maps):
        arrays |= {
            f"frame_{number}": found.frame,
            f"uses_{number}": found.uses,
            f"texture_{number}": found.texture,
            f"error_{number}": found.error,
        }
    return {"words": np.array(json.dumps(words))} | {name: a for name, a in arrays.items() if a is not None}


def _unpacked(kept: Mapping[str, np.ndarray]) -> Picture:
    words = json_in(str(kept["words"]).encode())
    if words["format"] != FORMAT:
        raise ValueError("another format")
    maps = [
        RateMap(clip, *(kept[f"{name}_{number}"] for name in ("frame", "uses", "texture", "error")))
        for number, clip in enumerate(words["clips"])
    ]
    source, received, counts = (kept.get(name) for name in ("source", "received", "counts"))
    numbers, middle, planes, mean = (words[name] for name in ("numbers", "middle", "planes", "mean_count"))
    return _drawable(Picture(tuple(numbers), middle, source, received, planes, tuple(maps), counts, mean))


def _drawable(picture: Picture) -> Picture:
    """`picture` itself, if plots can draw it.

    Raises:
        ValueError, TypeError: its arrays do not fit together.
    """
    frames = [held for held in (picture.source, picture.received) if held is not None]
    fits = all(held.dtype == np.uint8 and held.ndim == 3 and len(held) == len(picture.numbers) for held in frames)
    fits &= (
        len({held.shape for held in frames}) <= 1 and picture.planes in (1, 3) and (not frames or len(frames[0]) > 0)
    )
    fits &= all(isinstance(n, int) for n in (*picture.numbers, picture.middle))
    fits &= isinstance(picture.mean_count, float | int) and abs(picture.mean_count) < MOST_READINGS
    fits &= picture.middle in (picture.numbers or (picture.middle,))
    fits = fits and all(held.shape[1] % picture.planes == 0 and 0 not in held.shape for held in frames)
    fits &= picture.counts is None or picture.counts.ndim == 2 and picture.counts.dtype.kind in "iu"
    for found in picture.rate_maps:
        maps = (found.uses, found.texture, found.error)
        fits &= isinstance(found.clip, str) and found.frame.ndim == 2 and found.frame.dtype == np.uint8
        fits &= all(m.ndim == 2 and m.shape == found.uses.shape and m.dtype.kind in "iuf" and m.size for m in maps)
    if not fits:
        raise ValueError("arrays that do not fit together")
    return picture


def in_8_bits(frames: np.ndarray) -> np.ndarray:
    """Frames in [0, 1] as uint8; what is outside is clipped."""
    return np.rint(255 * np.clip(frames, 0, 1)).astype(np.uint8)


def gap(frame_kinds: Sequence[str]) -> tuple[int, ...]:
    """The first run of frames that a sensor skips, with a neighbour on each side; none if all frames are read."""
    skipped = [t for t, kind in enumerate(frame_kinds) if kind == SKIPPED]
    if not skipped:
        return ()
    last = skipped[0]
    while last + 1 in skipped:
        last += 1
    return tuple(range(max(skipped[0] - AROUND, 0), min(last + AROUND, len(frame_kinds) - 1) + 1))[:MOST_FRAMES]


@dataclass(frozen=True, slots=True)
class Shown:
    """A point with its picture: `record` as in `points/`."""

    record: JsonDict
    picture: Picture

    @property
    def scheme(self) -> str:
        return str(self.record["scheme"])

    @property
    def clip(self) -> JsonDict | None:
        """Values of the first clip, None where the point does not fit."""
        return self.record["clips"][0] if self.record["clips"] else None


def shown_points(folder: Path, which: Literal["points", "middle"]) -> list[Shown]:
    """What the last run shows: all its points, or the middle one of each scheme; those without a picture are left out.

    Nothing where the folder keeps no pictures.
    """
    try:
        keys = checked_manifest(json_in(as_file(folder / "manifest.json").read_bytes()))[KEYS[which]] or ()
    except (OSError, ValueError, KeyError):
        return []
    records = Results(folder).points.records(keys)
    found = [(record, Pictures(folder).read(key)) for key, record in zip(keys, records, strict=True)]
    return [Shown(record, picture) for record, picture in found if record is not None and picture is not None]
