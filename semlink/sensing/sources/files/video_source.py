"""Clips from video files, folders of frames and headerless video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from typing import Any

from semlink.colour.conversion import Conversion, Matrix
from semlink.colour.layout import Colour
from semlink.errors import SourceError
from semlink.sensing.sources.clips import (
    Clip,
    ClipSource,
    Crop,
    Cutting,
    Pick,
    one_conversion,
    pair,
    planned,
    shares,
    whole,
)
from semlink.sensing.sources.files.file_search import find, labels
from semlink.sensing.sources.luma_range import WantedRange


@dataclass(frozen=True, slots=True)
class VideoSource(ClipSource):
    """`clips` clips of `frames` frames from all the videos that `path` names.

    Args:
        path: a file, a folder of videos or of PNG/JPEG frames, a glob (braces
            allowed), or a list of these.
        frames: frames of a clip, `stride` frames of the video apart.
        size: (h, w) of the clips; None for the size as stored.
        clips: clips in total, dealt round robin over the sorted files; None
            for one from each file.
        crop: `center` cuts the middle out, `resize` first scales the frame so
            that its shorter side fits, `stretch` scales both sides to `size`.
        pick: where clips begin within a file, see `clips.starts`.
        seed: for pick `seed`.
        pixel_format: of headerless files, one of `raw_video.PIXEL_FORMATS`.
        raw_size: (h, w) of headerless files.
        range: `full` brings black to 0 and white to 1 where a file is of limited
            range (what does not say is taken for limited), `limited` the other
            way round; `as-coded` leaves all as it is.
        stream: which video stream of each file, 0 for the first; None for the
            first, with a caution where there are more.
        planes: 1 for gray; 3 for colour, with the planes R, G, B of a frame
            one above the other, as one gray frame; `size` is that of a plane.
        colour: `gray`, `rgb`, or `yuv420`: as coded where a file is in 4:2:0, else from RGB.
        matrix: `bt601` or `bt709` where a file is not of what it says, or says nothing; None for what it
            says, BT.601 where it says nothing, and BT.709 of pictures.

    Raises:
        SourceError: an option out of range, nothing found, a file that cannot
            be read, or one that is too short or too small.
    """

    path: str | Sequence[str]
    frames: int = 16
    size: tuple[int, int] | None = None
    clips: int | None = 1
    crop: Crop = "center"
    pick: Pick = "even"
    seed: int = 0
    stride: int = 1
    pixel_format: str | None = None
    raw_size: tuple[int, int] | None = None
    planes: int = 1
    range: WantedRange = "as-coded"
    stream: int | None = None
    colour: Colour = "gray"
    matrix: Matrix | None = None
    conversion: Conversion = field(init=False, repr=False, compare=False)
    cutting: Cutting = field(init=False, repr=False, compare=False)
    plan: tuple[Clip, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        cutting = Cutting(
            *(self.frames, self.size, self.clips, self.crop, self.pick, self.seed, self.stride, self.range),
            *(self.colour, self.matrix),
        )
        raw_size = None if self.raw_size is None else pair("raw_size", self.raw_size)
        patterns = as_patterns(self.path)
        if self.planes not in (1, 3):
            raise SourceError(f"source planes: got {self.planes!r}, allowed: 1 (gray) or 3 (R, G, B)")
        footage = find(patterns)
        counts = shares(cutting.clips, len(footage))
        stream = None if self.stream is None else whole("stream", self.stream, least=0)
        if self.planes == 3 and self.colour != "gray":
            raise SourceError(f"source planes: got 3 with colour {self.colour}; planes: 3 is gray; leave it out")
        colour: Colour = "rgb" if self.planes == 3 else self.colour
        reels = [
            item.open(self.pixel_format, raw_size, colour=colour, stream=stream, matrix=self.matrix)
            for item in footage[: len(counts)]
        ]
        object.__setattr__(self, "path", patterns)
        object.__setattr__(self, "size", cutting.size)
        object.__setattr__(self, "raw_size", raw_size)
        object.__setattr__(self, "cutting", cutting)
        object.__setattr__(self, "plan", planned(list(zip(labels(footage), reels)), counts, cutting))
        object.__setattr__(self, "conversion", one_conversion(self.plan, cutting))


def as_patterns(path: Any) -> tuple[str, ...]:
    """What a user wrote for `path` as a tuple of patterns.

    Raises:
        SourceError: neither text nor a list of texts, or an empty one.
    """
    entries = [path] if isinstance(path, str | PathLike) else path
    if not isinstance(entries, Sequence) or not all(isinstance(entry, str | PathLike) for entry in entries):
        raise SourceError(f"source path: got {path!r}, need a file, folder, glob, or a list of these")
    patterns = tuple(fspath(entry) for entry in entries)
    if not patterns or "" in patterns:
        raise SourceError("source path: is empty; need a file, folder, glob, or a list of these")
    return patterns
