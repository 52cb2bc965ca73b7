"""From what a user calls a path to the videos meant: files, folders, globs with braces, lists of these."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from semlink.colour.conversion import Matrix
from semlink.colour.layout import Colour
from semlink.errors import SourceError
from semlink.files import braces
from semlink.sensing.sources.clips import Reel
from semlink.sensing.sources.files.images import open_images
from semlink.sensing.sources.files.raw_video import open_raw
from semlink.sensing.sources.files.suffixes import PICTURES, RAW_SUFFIXES, VIDEOS
from semlink.sensing.sources.files.video_file import open_video


@dataclass(frozen=True, slots=True)
class Footage:
    """One video that was found but not yet opened: a file, or a folder with its pictures in order."""

    where: Path
    pictures: tuple[Path, ...] = ()

    def open(
        self,
        pixel_format: str | None = None,
        raw_size: tuple[int, int] | None = None,
        *,
        colour: Colour = "gray",
        stream: int | None = None,
        matrix: Matrix | None = None,
    ) -> Reel:
        """The reel, of gray frames (h, w), of RGB (3, h, w), or for yuv420 of Y, Cb and Cr where the file has these.

        Raises:
            SourceError: it cannot be read.
        """
        if self.pictures:
            return open_images(self.where, self.pictures, colour=colour)
        if self.where.suffix.lower() in RAW_SUFFIXES:
            return open_raw(self.where, pixel_format, raw_size, colour=colour)
        return open_video(self.where, colour=colour, stream=stream, matrix=matrix)


def find(patterns: Iterable[str]) -> tuple[Footage, ...]:
    """All videos that `patterns` name, each once, in the order of the list and sorted naturally within an entry.

    Raises:
        SourceError: an entry names nothing, or a folder that holds no video.
    """
    found: dict[Path, Footage] = {}
    for pattern in patterns:
        for footage in _named_by(pattern):
            found.setdefault(footage.where.resolve(), footage)
    if not found:
        raise SourceError("source path: names no file")
    return tuple(found.values())


def labels(footage: Sequence[Footage]) -> tuple[str, ...]:
    """Short names, unique among the videos: the stem, with as many folders in front as it takes."""
    paths = [_stem_parts(item) for item in footage]
    depth = max(len(parts) for parts in paths)
    for length in range(1, depth + 1):
        names = ["_".join(parts[-length:]) for parts in paths]
        if len(set(names)) == len(names):
            return tuple(names)
    return tuple(f"{parts[-1]}#{number}" for number, parts in enumerate(paths, start=1))


def in_folder(folder: Path) -> tuple[Footage, ...]:
    """What a folder holds itself: its video files, or its pictures as one video; nothing if neither.

    Raises:
        SourceError: it holds both, or cannot be listed.
    """
    try:
        files = natural(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise SourceError(f"{folder}: cannot be listed: {error.strerror}") from None
    films = [path for path in files if path.suffix.lower() in VIDEOS | RAW_SUFFIXES and path.is_file()]
    pictures = tuple(path for path in files if path.suffix.lower() in PICTURES and path.is_file())
    if films and pictures:
        raise SourceError(
            f"{folder}: holds {len(films)} videos and {len(pictures)} pictures; say which with a glob such as "
            f"{folder / '*'}{films[0].suffix}"
        )
    return (Footage(folder, pictures),) if pictures else tuple(Footage(path) for path in films)


def natural(paths: Iterable[Path]) -> list[Path]:
    """Paths sorted with numbers by their value: frame2 before frame10."""
    return sorted(paths, key=lambda path: [_sortable(part) for part in path.parts])


def _sortable(text: str) -> list[tuple[int, int, str]]:
    words = re.findall(r"(\d+)|(\D+)", text)
    return [(0, int(digits), digits) if digits else (1, 0, other) for digits, other in words]


def _named_by(pattern: str) -> tuple[Footage, ...]:
    path = Path(pattern).expanduser()
    if path.is_dir():
        return in_folder(path) or _nothing_in(path)
    if path.exists():
        return (Footage(path.parent, (path,)),) if path.suffix.lower() in PICTURES else (Footage(path),)
    if not re.search(r"[*?\[{]", pattern):
        raise SourceError(f"{pattern}: no such file or folder")
    matches = {Path(hit) for full in braces(str(path)) for hit in glob.glob(_escaped(full), recursive=True)}
    found = _grouped(natural(matches))
    if not found:
        kind = "holds no video and no pictures" if matches else "matches no file"
        raise SourceError(f"{pattern}: {kind}")
    return found


def _escaped(pattern: str) -> str:
    """A glob whose leading folders that are there by these very names, such as `take [2]`, stand for themselves."""
    here, *rest = Path(pattern).parts or (".",)
    whole = Path(here) if Path(here).exists() else None
    while whole is not None and rest and (whole / rest[0]).exists():
        whole /= rest.pop(0)
    if whole is None:
        return pattern
    return str(Path(glob.escape(str(whole)), *rest))


def _grouped(matches: Sequence[Path]) -> tuple[Footage, ...]:
    """Matches as videos: folders opened, pictures of one folder taken together, other files passed over."""
    found: dict[Path, Footage] = {}
    for path in matches:
        if path.is_dir():
            found.update((item.where, item) for item in in_folder(path))
        elif path.suffix.lower() in PICTURES:
            earlier = found.get(path.parent, Footage(path.parent)).pictures
            found[path.parent] = Footage(path.parent, (*earlier, path))
        elif path.suffix.lower() in VIDEOS | RAW_SUFFIXES:
            found[path] = Footage(path)
    return tuple(found.values())


def _nothing_in(folder: Path) -> tuple[Footage, ...]:
    deeper = any(child.is_dir() for child in folder.iterdir())
    cure = "; for a folder per video use kind: dataset" if deeper else ""
    raise SourceError(f"{folder}: holds no video and no PNG or JPEG pictures{cure}")


def _stem_parts(item: Footage) -> list[str]:
    full = item.where.resolve()
    name = full.name if item.pictures else full.stem
    return [*full.parent.parts[1:], name]
