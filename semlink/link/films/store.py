"""The films of a results folder: `pictures/<key>.film`, an .npz each, and one of the source that all share."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from semlink.files import JsonDict, json_in, write_atomic
from semlink.link.films.film import Coded, Film, checked
from semlink.sensing.sources.files.arrays import read_arrays

__all__ = ["Films"]

FORMAT = 1
NUMBERS = ("clip", "planes", "left_out", "source", "psnr_db", "blocks", "lost", "block", "scored_db")
LISTS = ("psnr", "ssim")
MAPS = ("errors", "counts", "uses")


@dataclass(frozen=True, slots=True)
class Films:
    """The kept films of a results folder."""

    folder: Path

    def path(self, key: str) -> Path:
        """Where the film of a point is, or, by its name, that of a source."""
        return self.folder / "pictures" / f"{key}.film"

    def has(self, key: str) -> bool:
        return self.path(key).is_file()

    def read(self, key: str) -> Film | None:
        """The film of a point, None if it has none or the file is damaged."""
        try:
            return _unpacked(read_arrays(self.path(key)))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, key: str, film: Film) -> None:
        """Keep a film.

        Raises:
            ResultsError: the disk does not take it.
        """
        out = io.BytesIO()
        np.savez(out, **_packed(film))
        write_atomic(self.path(key), out.getvalue(), durable=False)


def _packed(film: Film) -> JsonDict:
    """A film as named arrays."""
    coded, whole = film.coded, asdict(film)
    words = {name: whole[name] for name in (*NUMBERS, *LISTS)} | {
        "format": FORMAT,
        "codec": coded.codec,
        "samples": coded.samples,
        "keys": coded.keys,
        "shape": coded.shape,
        "copy_db": coded.copy_db,
    }
    streams = {"words": json.dumps(words).encode(), "mp4": coded.mp4, "description": coded.description}
    arrays = {name: np.frombuffer(stream, np.uint8) for name, stream in streams.items()}
    return arrays | {name: whole[name] for name in MAPS if whole[name] is not None}


def _unpacked(kept: Mapping[str, np.ndarray]) -> Film:
    words = json_in(_bytes(kept["words"]))
    if words["format"] != FORMAT:
        raise ValueError("another format")
    coded = Coded(
        _bytes(kept["mp4"]),
        str(words["codec"]),
        _bytes(kept["description"]),
        tuple((at, size) for at, size in words["samples"]),
        tuple(words["keys"]),
        tuple(words["shape"]),
        words["copy_db"],
    )
    numbers = {name: words[name] for name in NUMBERS} | {name: tuple(words[name]) for name in LISTS}
    maps = {name: kept.get(name) for name in MAPS}
    return checked(Film(coded=coded, **(numbers | maps)))


def _bytes(found: np.ndarray) -> bytes:
    if found.dtype != np.uint8 or found.ndim != 1:
        raise ValueError("no stream of bytes")
    return found.tobytes()
