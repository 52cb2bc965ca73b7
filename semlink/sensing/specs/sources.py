"""What a scenario may say about its clips."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, PositiveInt

from semlink.blocks import SourceBase
from semlink.colour.conversion import Matrix
from semlink.colour.layout import Colour, rows_of
from semlink.plugins.specs import SourcePlugin, one_of
from semlink.sensing.sources.files.suffixes import PICTURES, RAW_SUFFIXES, VIDEOS
from semlink.spec import NOTHING_KNOWN, BuildContext, Spec

Side = Annotated[int, Field(gt=0, le=16_384)]
Size = tuple[Side, Side]
Count = Annotated[int, Field(gt=0, le=100_000)]
"""Of clips, and of the frames of one."""
FILES, SYNTHETIC = "semlink.sensing.sources.files", "semlink.sensing.sources.synthetic"
Speed = Annotated[float, Field(ge=0, le=1000)]
Objects = Annotated[int, Field(ge=0, le=100)]


class SourceSpec(Spec):
    """What the specs of all sources offer."""

    kind: str

    @property
    def all_pixels(self) -> tuple[int, int] | None:
        """Clips, and pixels of each, where the options say so."""
        return None

    @property
    def frame_colour(self) -> Colour:
        """Of the frames, as the options say it."""
        return "gray"

    def build(self, context: BuildContext = NOTHING_KNOWN) -> SourceBase:
        """The source."""
        raise NotImplementedError


class ScenesSpec(SourceSpec):
    """Built-in photographs under camera motion, with moving, occluding foregrounds; needs no file."""

    kind: Literal["scenes"] = "scenes"
    clips: Count = Field(4, description="number of clips")
    frames: Count = Field(16, description="frames in a clip")
    size: Size = Field((256, 256), description="[height, width]")
    seed: int = Field(0, description="another seed, other scenes")
    motion_px: tuple[Speed, Speed] = Field((0.0, 4.0), description="slowest and fastest motion, pixels in 1/30 s")
    objects: tuple[Objects, Objects] = Field((1, 3), description="fewest and most moving foregrounds")
    photos: list[str] = Field([], description="built-in names, files, folders or globs; default: the built-in ones")
    frames_per_second: float = Field(30.0, ge=1, le=100_000, description="motion in pixels a second stays")
    shutter: float = Field(0.0, ge=0, le=1, description="share of a frame's time that is blurred into it")
    colour: Colour = Field("gray", description="of the frames; gray photographs stay gray in any")

    @property
    def all_pixels(self) -> tuple[int, int] | None:
        return self.clips, self.frames * rows_of(self.size[0], self.colour) * self.size[1]

    @property
    def frame_colour(self) -> Colour:
        return self.colour

    def passed_over(self, context: BuildContext = NOTHING_KNOWN) -> tuple[str, ...]:
        return () if self.photos else (f"{FILES}.file_search", f"{FILES}.images:open_images")

    def build(self, context: BuildContext = NOTHING_KNOWN) -> SourceBase:
        from semlink.sensing.sources.synthetic.photos import BACKGROUNDS
        from semlink.sensing.sources.synthetic.scenes import SceneSource

        photos = tuple(name if name in BACKGROUNDS else context.found(name) for name in self.photos)
        return SceneSource(**self.model_dump(exclude={"kind", "photos"}), photos=photos)


READERS = {"video_file": VIDEOS, "raw_video": RAW_SUFFIXES, "images": PICTURES}
"""Modules by the suffixes of what they read."""


def _suffixes(place: Path, *, deep: bool) -> set[str]:
    """Of the file that is meant, or of what a folder holds, or all folders below it; of others nothing is known: ''."""
    if not place.is_dir():
        return {place.suffix.lower()}
    known = frozenset().union(*READERS.values())
    files = (Path(name) for folder in (os.walk(place) if deep else islice(os.walk(place), 1)) for name in folder[2])
    return {path.suffix.lower() for path in files if path.suffix.lower() in known} or {""}


class _FileSpec(SourceSpec):
    is_tree: ClassVar[bool] = False  # a folder stands for all that lies below it

    path: str | Annotated[list[str], Field(min_length=1)] = Field(
        description="file, folder, glob with {a,b}, or a list"
    )
    frames: Count = Field(16, description="frames in a clip")
    size: Size | None = Field(None, description="[height, width]; default: as stored")
    clips: Count | None = Field(1, description="clips in total, spread over the files; null: one a file")
    crop: Literal["center", "resize", "stretch"] = Field(
        "center", description="cut the centre, or scale first so that it fits, or stretch to the size"
    )
    pick: Literal["even", "seed", "first"] = Field("even", description="where in a file clips begin")
    seed: int = Field(0, description="for pick: seed")
    stride: PositiveInt = Field(1, description="take every stride-th frame")
    range: Literal["as-coded", "full", "limited"] = Field(
        "as-coded", description="luma of limited range to full range, or the other way round; default: as it is"
    )

    colour: Colour = Field("gray", description="of the frames; yuv420: as coded in 4:2:0, of other files from RGB")
    matrix: Matrix | None = Field(
        None, description="of YCbCr; default: what the file says, else bt601; pictures: bt709"
    )

    @property
    def all_pixels(self) -> tuple[int, int] | None:
        if self.size is None:
            return None
        return self.clips or 1, self.frames * rows_of(self.size[0], self.colour) * self.size[1]

    @property
    def frame_colour(self) -> Colour:
        return self.colour

    def places(self, context: BuildContext = NOTHING_KNOWN) -> list[str]:
        """What `path` names, each found as all paths of a scenario are."""
        return [context.found(path) for path in ([self.path] if isinstance(self.path, str) else self.path)]

    def passed_over(self, context: BuildContext = NOTHING_KNOWN) -> tuple[str, ...]:
        kinds = {kind for place in self.places(context) for kind in _suffixes(Path(place), deep=self.is_tree)}
        passed = [] if self.range != "as-coded" else ["semlink.sensing.sources.luma_range:converted"]
        if kinds <= frozenset().union(*READERS.values()):
            passed += [f"{FILES}.{reader}" for reader, suffixes in READERS.items() if not kinds & suffixes]
        return tuple(passed)


class VideoSpec(_FileSpec):
    """Video files that PyAV reads, folders of PNG/JPEG, or headerless .yuv."""

    kind: Literal["video"] = "video"
    pixel_format: str | None = Field(None, description="headerless .yuv only: yuv420p, yuv422p, yuv444p, gray, ...")
    raw_size: Size | None = Field(None, description="headerless .yuv only: [height, width] as stored")
    stream: int | None = Field(None, ge=0, description="which video stream of a file; default: the first")
    planes: Literal[1, 3] = Field(1, description="1: gray; 3: R, G and B one above the other, each of `size`")

    def build(self, context: BuildContext = NOTHING_KNOWN) -> SourceBase:
        from semlink.sensing.sources.files.video_source import VideoSource

        return VideoSource(**self.model_dump(exclude={"kind", "path"}), path=self.places(context))


class DatasetSpec(_FileSpec):
    """A folder or a file for each video: Need for Speed, DAVIS, UCF101 and HEVC test sequences."""

    kind: Literal["dataset"] = "dataset"
    is_tree: ClassVar[bool] = True
    layout: Literal["auto", "folders", "nfs", "davis", "ucf101", "hevc"] = Field(
        "auto", description="how folders are laid out"
    )
    variant: str | None = Field(None, description="such as 480p, 240, or class B of HEVC")
    videos: list[str] = Field([], description="only these videos; default: all")

    def passed_over(self, context: BuildContext = NOTHING_KNOWN) -> tuple[str, ...]:
        from semlink.sensing.sources.files.dataset import layout_of

        found = [Path(place) for place in self.places(context)]
        layouts = {layout_of(root) if self.layout == "auto" and root.is_dir() else self.layout for root in found}
        others = () if layouts == {"auto"} else {"nfs", "davis", "ucf101"} - layouts
        unused = sorted({*others, *({"hevc"} - layouts)})
        return (*super().passed_over(context), *(f"{FILES}.dataset:_{layout}" for layout in unused))

    def build(self, context: BuildContext = NOTHING_KNOWN) -> SourceBase:
        from semlink.sensing.sources.files.dataset import DatasetSource

        return DatasetSource(**self.model_dump(exclude={"kind", "path"}), path=self.places(context))


class ImagesSpec(SourceSpec):
    """Photographs as clips of one frame, each at its own size: files, folders, CIFAR-10, or built-in ones."""

    kind: Literal["images"]
    path: str | list[str] = Field(
        [], description="files, folders, globs with {a,b}, CIFAR-10's .bin, built-in names; default: the built-in ones"
    )
    colour: Colour = Field("rgb", description="of the frames; yuv420: made from RGB by `matrix` and `range`")
    size: Size | None = Field(None, description="[height, width] of all; default: each as it is")
    crop: Literal["center", "resize", "stretch"] = Field(
        "center", description="cut the centre, or scale first so that it fits, or stretch to the size"
    )
    clips: Count | None = Field(None, description="how many; default: all")
    pick: Literal["even", "seed", "first"] = Field("even", description="which, where `clips` are fewer than there are")
    seed: int = Field(0, ge=0, description="for pick: seed")
    matrix: Matrix = Field("bt709", description="of YCbCr, for yuv420 and for luma that is scored")
    range: Literal["full", "limited"] = Field("full", description="of YCbCr")

    @property
    def frame_colour(self) -> Colour:
        return self.colour

    def passed_over(self, context: BuildContext = NOTHING_KNOWN) -> tuple[str, ...]:
        from semlink.sensing.sources.pictures.found import BUILT_IN

        paths = [self.path] if isinstance(self.path, str) else self.path
        return ("semlink.sensing.sources.pictures.built_in",) if paths and not set(BUILT_IN) & set(paths) else ()

    def build(self, context: BuildContext = NOTHING_KNOWN) -> SourceBase:
        from semlink.sensing.sources.pictures.found import BUILT_IN
        from semlink.sensing.sources.pictures.source import ImageSource

        paths = [self.path] if isinstance(self.path, str) else self.path
        found = tuple(path if path in BUILT_IN else context.found(path) for path in paths)
        return ImageSource(**self.model_dump(exclude={"kind", "path"}), path=found)


class DigitsSpec(SourceSpec):
    """Digits that turn or bounce about, 64 x 64 pixels, drawn from fonts or taken from a file such as MNIST's."""

    kind: Literal["digits"]
    motion: Literal["rotating", "bouncing"] = Field("rotating", description="one digit turning, or digits that bounce")
    clips: Count = Field(10, description="number of clips")
    frames: Count = Field(32, description="frames in a clip")
    degrees: float = Field(2.0, ge=-360, le=360, description="rotating: turn from frame to frame")
    digits: Literal[1, 2] | None = Field(None, description="bouncing: digits in a clip; default: 2")
    path: str | None = Field(None, description=".npz with `images`, uint8 (n, 28, 28); `file.npz[0:500]`: a part")
    seed: int = Field(0, ge=0, description="another seed, other digits and paths")

    @property
    def all_pixels(self) -> tuple[int, int] | None:
        return self.clips, self.frames * 64 * 64

    def passed_over(self, context: BuildContext = NOTHING_KNOWN) -> tuple[str, ...]:
        drawn = () if self.path is None else (f"{SYNTHETIC}.glyph_digits",)
        return drawn if self.motion == "bouncing" else (*drawn, f"{SYNTHETIC}.digits:bouncing")

    def build(self, context: BuildContext = NOTHING_KNOWN) -> SourceBase:
        from semlink.sensing.sources.synthetic.digits import DigitSource

        path = None if self.path is None else context.found(self.path)
        return DigitSource(**self.model_dump(exclude={"kind", "path"}), path=path)


class WheelSpec(SourceSpec):
    """A turning wheel of colours, 64 x 64 pixels; the planes R, G, B of a frame stand one above the other."""

    kind: Literal["wheel"]
    slices: int = Field(12, ge=4, le=512, description="slices of equal angle")
    degrees: float = Field(1.0, ge=-360, le=360, description="turn from frame to frame")
    frames: Count = Field(64, description="frames in the clip")

    @property
    def planes(self) -> int:
        """Of a frame."""
        return 3

    @property
    def all_pixels(self) -> tuple[int, int] | None:
        return 1, self.frames * 3 * 64 * 64

    def build(self, context: BuildContext = NOTHING_KNOWN) -> SourceBase:
        from semlink.sensing.sources.synthetic.colour_wheel import WheelSource

        return WheelSource(**self.model_dump(exclude={"kind"}))


SOURCES = (ScenesSpec, ImagesSpec, VideoSpec, DatasetSpec, DigitsSpec, WheelSpec)
if TYPE_CHECKING:
    AnySource = SourceSpec | SourcePlugin
else:
    AnySource = one_of("source", *SOURCES)
