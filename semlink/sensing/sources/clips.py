"""From reels to clips: where clips begin, how they are brought to size, how much they move.

A reel is one video: a file, or a folder of numbered pictures. Clips are dealt
round robin over the reels; within a reel they never overlap.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from PIL import Image

from semlink.blocks import SourceBase
from semlink.colour.conversion import Conversion, Matrix
from semlink.colour.layout import Colour, stacked
from semlink.errors import SourceError
from semlink.seeds import Seeds
from semlink.sensing.sources.luma_range import Coded, WantedRange, chroma_converted, converted, mixed_ranges

Crop = Literal["center", "resize", "stretch"]
Pick = Literal["even", "seed", "first"]


Decoded = np.ndarray | tuple[np.ndarray, ...]


class Reel(Protocol):
    """One video, opened anew for each reading."""

    @property
    def where(self) -> Path: ...

    @property
    def num_frames(self) -> int: ...

    @property
    def size(self) -> tuple[int, int]: ...

    @property
    def coded(self) -> Coded: ...

    def read(self, wanted: Sequence[int]) -> Iterator[Decoded]:
        """The frames of ascending numbers `wanted`, one at a time, float32 in [0, 1].

        Gray as (h, w), RGB as (3, h, w), and what is coded in 4:2:0, if that is wanted, as Y, Cb and Cr.
        """
        ...


@dataclass(frozen=True, slots=True)
class Cutting:
    """What clips a user wants: the options that all file sources share.

    Raises:
        SourceError: an option out of its range.
    """

    frames: int = 16
    size: tuple[int, int] | None = None
    clips: int | None = 1
    crop: Crop = "center"
    pick: Pick = "even"
    seed: int = 0
    stride: int = 1
    range: WantedRange = "as-coded"
    colour: Colour = "gray"
    matrix: Matrix | None = None

    def __post_init__(self) -> None:
        choice("range", self.range, WantedRange)
        choice("colour", self.colour, Colour)
        if self.colour == "yuv420" and self.size is not None and (self.size[0] % 2 or self.size[1] % 2):
            raise SourceError(
                f"source size: got {list(self.size)}; yuv420 has chroma of half the size: need even sides"
            )
        for name in ("frames", "stride"):
            object.__setattr__(self, name, whole(name, getattr(self, name)))
        object.__setattr__(self, "clips", None if self.clips is None else whole("clips", self.clips))
        object.__setattr__(self, "seed", whole("seed", self.seed, least=0))
        object.__setattr__(self, "size", None if self.size is None else pair("size", self.size))
        choice("crop", self.crop, Crop)
        choice("pick", self.pick, Pick)

    @property
    def span(self) -> int:
        """Frames of the reel that one clip reaches over, skipped ones included."""
        return (self.frames - 1) * self.stride + 1


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip that can be read: its reel, its name and its first frame."""

    reel: Reel
    name: str
    start: int

    def read(self, cutting: Cutting) -> np.ndarray:
        """float32 (t, rows, w) in [0, 1]; holds no more of the reel than the clip itself.

        Planes of colour frames stand as `semlink.colour.layout` says.
        """
        wanted = range(self.start, self.start + cutting.span, cutting.stride)

        def sized(plane: np.ndarray) -> np.ndarray:
            plane = converted(plane, self.reel.coded, cutting.range)
            return to_size(plane, cutting.size, cutting.crop, self.reel.where)

        frames = []
        for frame in self.reel.read(wanted):
            if isinstance(frame, tuple):
                frames.append(_in_420(frame, self.reel, cutting))
            elif frame.ndim == 2:
                frames.append(sized(frame))
            elif cutting.colour == "yuv420":
                rgb = np.stack([to_size(plane, cutting.size, cutting.crop, self.reel.where) for plane in frame])
                _check_even(rgb.shape[-2:], self.reel.where)
                frames.append(conversion_of(self.reel, cutting).frames(rgb))
            else:
                frames.append(np.concatenate([sized(plane) for plane in frame]))
        if len({frame.shape for frame in frames}) != 1:
            sizes = sorted({f"{h}x{w}" for h, w in (frame.shape for frame in frames)})
            raise SourceError(f"{self.reel.where}: frames change size ({', '.join(sizes)}); set size and crop: resize")
        return np.stack(frames)


def _in_420(planes: tuple[np.ndarray, ...], reel: Reel, cutting: Cutting) -> np.ndarray:
    """Y, Cb and Cr of a file, brought to size and range, as one array."""
    y, *chroma = planes
    y = converted(y, reel.coded, cutting.range)
    chroma = [chroma_converted(plane, reel.coded, cutting.range) for plane in chroma]
    if cutting.size is None or y.shape == cutting.size:
        _check_even(y.shape, reel.where)
    elif cutting.crop == "center":
        _check_room(y.shape, cutting.size, reel.where)
        h, w = cutting.size[0] // 2, cutting.size[1] // 2
        top, left = ((have - want) // 4 for have, want in zip(y.shape, cutting.size))
        y = y[2 * top : 2 * (top + h), 2 * left : 2 * (left + w)]
        chroma = [plane[top : top + h, left : left + w] for plane in chroma]
    else:
        half = cutting.size[0] // 2, cutting.size[1] // 2
        y = to_size(y, cutting.size, cutting.crop, reel.where)
        chroma = [to_size(plane, half, cutting.crop, reel.where) for plane in chroma]
    return np.asarray(stacked((y, *chroma), "yuv420"))


def _check_even(size: tuple[int, ...], where: Path) -> None:
    if size[0] % 2 or size[1] % 2:
        raise SourceError(
            f"{where}: frames are {_by(size)} (height x width), and yuv420 has chroma of half the size; "
            "set an even size, or colour: rgb"
        )


def conversion_of(reel: Reel, cutting: Cutting) -> Conversion:
    """How the YCbCr of a reel's frames, once read, and RGB belong together.

    Raises:
        SourceError: planes of a matrix that is neither BT.601's nor BT.709's.
    """
    limited = cutting.range == "limited" or (cutting.range == "as-coded" and reel.coded.is_limited)
    is_rgb, said = cutting.colour == "rgb", cutting.matrix or reel.coded.matrix or "bt709"
    if said == "other":
        if not is_rgb:
            raise SourceError(
                f"{reel.where}: is of another matrix than BT.601 and BT.709; set source.colour: rgb, or name one as "
                "source.matrix"
            )
        said = "bt709"
    return Conversion(said, "limited" if limited and not is_rgb else "full")


def one_conversion(plan: Sequence[Clip], cutting: Cutting) -> Conversion:
    """That of all clips.

    Raises:
        SourceError: two of them have different ones, and the scenario names none.
    """
    if cutting.colour == "gray":
        return Conversion()
    found = {conversion_of(clip.reel, cutting): clip.reel.where for clip in plan}
    (first, place), *others = found.items()
    if others:
        other, where = others[0]
        raise SourceError(
            f"{where}: is of {other.matrix} in {other.range} range, {place} of {first.matrix} in {first.range} range; "
            "set source.matrix and source.range so that all clips are alike"
        )
    return first


class ClipSource(SourceBase):
    """What file sources share: the numbering of clips that were planned beforehand."""

    __slots__ = ()
    cutting: Cutting
    plan: tuple[Clip, ...]

    def __len__(self) -> int:
        return len(self.plan)

    def name(self, index: int) -> str:
        """The video's name and the first frame of clip `index`, as `foreman@32`."""
        return self.plan[index].name

    def clip(self, index: int) -> np.ndarray:
        """Clip `index`: float32 (t, h, w) in [0, 1]."""
        return self.plan[index].read(self.cutting)

    def facts(self, index: int) -> dict[str, str]:
        """The range that the file of clip `index` is coded in: `full`, `limited` or `unspecified`."""
        return {"range": self.plan[index].reel.coded.range}

    def cautions(self) -> tuple[str, ...]:
        """What the files of the clips give cause for, each once, and a mix of ranges that is not converted."""
        files = dict.fromkeys(line for clip in self.plan for line in clip.reel.coded.cautions)
        ranges = [(clip.name, clip.reel.coded) for clip in self.plan] if self.cutting.range == "as-coded" else []
        return (*files, *mixed_ranges(ranges))


def planned(reels: Sequence[tuple[str, Reel]], counts: Sequence[int], cutting: Cutting) -> tuple[Clip, ...]:
    """`counts` clips of each (name, reel), dealt round robin.

    Raises:
        SourceError: a reel is too short or too small, or sizes differ where none is asked for.
    """
    check_sizes([reel for _, reel in reels], cutting)
    begins = [starts(reel, count, cutting, name) for (name, reel), count in zip(reels, counts)]
    return tuple(
        Clip(reel, f"{name}@{begin[turn]}", begin[turn])
        for turn in range(max(counts))
        for (name, reel), begin in zip(reels, begins)
        if turn < len(begin)
    )


def shares(clips: int | None, num_reels: int) -> tuple[int, ...]:
    """How many clips each reel gives when `clips` are dealt round robin; one each for None."""
    if clips is None:
        return (1,) * num_reels
    return tuple(len(range(reel, clips, num_reels)) for reel in range(min(clips, num_reels)))


def starts(reel: Reel, count: int, cutting: Cutting, name: str = "") -> tuple[int, ...]:
    """First frames of `count` clips of one reel, ascending and without overlap.

    `first` lays them back to back from the beginning, `even` spreads them from
    the first frame to the last, `seed` draws the gaps between them by chance.

    Raises:
        SourceError: the reel is too short.
    """
    span, found = cutting.span, reel.num_frames
    spare = found - count * span
    if spare < 0:
        raise SourceError(_too_short(reel, count, cutting))
    if cutting.pick == "first":
        return tuple(j * span for j in range(count))
    if cutting.pick == "even":
        return tuple(j * (found - span) // max(count - 1, 1) for j in range(count))
    rng = Seeds(cutting.seed).numpy(f"clips of {name}")
    gaps = np.sort(rng.integers(0, spare + 1, size=count))
    return tuple(int(gap) + j * span for j, gap in enumerate(gaps))


def check_sizes(reels: Sequence[Reel], cutting: Cutting) -> None:
    """See that every reel can give frames of one size.

    Raises:
        SourceError: too small for a centre crop, or different sizes and no `size`.
    """
    for reel in reels:
        if cutting.size is None and reel.size != reels[0].size:
            raise SourceError(
                f"{reel.where}: frames are {_by(reel.size)}, those of {reels[0].where} {_by(reels[0].size)} "
                "(height x width); set size so that all clips are alike"
            )
        if cutting.size is not None and cutting.crop == "center":
            _check_room(reel.size, cutting.size, reel.where)


def to_size(frame: np.ndarray, size: tuple[int, int] | None, crop: Crop, where: Path) -> np.ndarray:
    """A frame (h, w) cut around its centre; `resize` first scales it until it just covers `size`, `stretch` fits it.

    Raises:
        SourceError: a centre crop larger than the frame.
    """
    if size is None or frame.shape == size:
        return frame
    if crop == "resize":
        return cover(frame, size)
    if crop == "stretch":
        return _scaled(frame, size, (0.0, 0.0, float(frame.shape[1]), float(frame.shape[0])))
    _check_room(frame.shape, size, where)
    top, left = (frame.shape[0] - size[0]) // 2, (frame.shape[1] - size[1]) // 2
    return frame[top : top + size[0], left : left + size[1]]


def cover(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The centre of `frame`, scaled without aliasing (bicubic) so that its shorter side fits `size`."""
    (rows, columns), (h, w) = frame.shape, size
    scale = max(h / rows, w / columns)
    top, left = (rows - h / scale) / 2, (columns - w / scale) / 2
    box = (max(left, 0.0), max(top, 0.0), min(columns - left, columns), min(rows - top, rows))
    return _scaled(frame, (h, w), box)


def _scaled(frame: np.ndarray, size: tuple[int, int], box: tuple[float, float, float, float]) -> np.ndarray:
    """The part `box` (left, top, right, bottom) of a frame at `size`, bicubic and without aliasing."""
    picture = Image.fromarray(np.ascontiguousarray(frame))
    scaled = picture.resize((size[1], size[0]), Image.Resampling.BICUBIC, box=box)
    return np.clip(np.asarray(scaled, dtype=np.float32), 0.0, 1.0)


def whole(name: str, value: Any, *, least: int = 1) -> int:
    """`value` if it is a whole number of at least `least`.

    Raises:
        SourceError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise SourceError(f"source {name}: got {value!r}, need a whole number of at least {least}")
    return int(value)


def pair(name: str, value: Any) -> tuple[int, int]:
    """`value` as (height, width) in pixels.

    Raises:
        SourceError: it is not two whole numbers of at least 1.
    """
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != 2:
        raise SourceError(f"source {name}: got {value!r}, need [height, width]")
    return whole(f"{name} (height)", value[0]), whole(f"{name} (width)", value[1])


def choice(name: str, value: Any, allowed: Any) -> None:
    """See that `value` is one of the words of the Literal `allowed`.

    Raises:
        SourceError: it is not.
    """
    if value not in allowed.__args__:
        raise SourceError(f"source {name}: got {value!r}, allowed: {', '.join(allowed.__args__)}")


def _check_room(have: tuple[int, ...], want: tuple[int, int], where: Path) -> None:
    if have[0] < want[0] or have[1] < want[1]:
        raise SourceError(
            f"{where}: frames are {_by(have)} (height x width), too small for size {_by(want)}; "
            "ask for a smaller size or set crop: resize"
        )


def _too_short(reel: Reel, count: int, cutting: Cutting) -> str:
    step = f" at stride {cutting.stride}" if cutting.stride > 1 else ""
    asked = f"{count} clip{'s' if count > 1 else ''} of {cutting.frames} frames{step} without overlap"
    room = reel.num_frames // cutting.span
    cure = f"at most {room} clips fit" if room else f"at most {math.ceil(reel.num_frames / cutting.stride)} frames fit"
    return f"{reel.where}: {reel.num_frames} frames found, {asked} need {count * cutting.span}; {cure}"


def _by(size: Sequence[int]) -> str:
    return f"{size[0]}x{size[1]}"
