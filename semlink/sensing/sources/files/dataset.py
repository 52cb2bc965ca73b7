"""Clips from data sets that keep a folder, or a file, for each video.

Known layouts: Need for Speed, name/240/name/*.jpg; DAVIS, JPEGImages/480p/name/*.jpg;
UCF101, class/v_*.avi; the HEVC common test conditions, Name_832x480_50.yuv anywhere.
Any other tree is searched for video files and for folders of pictures.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import Literal

from semlink.colour.conversion import Conversion, Matrix
from semlink.colour.layout import Colour
from semlink.errors import SourceError
from semlink.seeds import Seeds
from semlink.sensing.sources.clips import Clip, ClipSource, Crop, Cutting, Pick, choice, one_conversion, planned, shares
from semlink.sensing.sources.files.file_search import Footage, in_folder, labels, natural
from semlink.sensing.sources.files.raw_video import format_in_name
from semlink.sensing.sources.luma_range import WantedRange

Layout = Literal["auto", "folders", "nfs", "davis", "ucf101", "hevc"]

HEVC_CLASSES = {"B": (1080, 1920), "C": (480, 832), "D": (240, 416), "E": (720, 1280)}
"""Size of each class of the common test conditions [bossen2013]."""


@dataclass(frozen=True, slots=True)
class DatasetSource(ClipSource):
    """`clips` clips of `frames` frames from the videos of a data set.

    Args:
        path: the folder of the data set, or a list of such folders.
        layout: `auto` finds out which of the others it is, but for `hevc`.
        variant: Need for Speed: frame rate, `240` or `30`; DAVIS: resolution,
            `480p` or `Full-Resolution`. Default: the first of each. HEVC: a
            class, `B` to `E`; default: all sizes.
        videos: only the videos of these names; none means all.
        clips: clips in total; None for one from each video. Videos are taken
            in natural order (pick `even`, `first`) or in an order shuffled by
            `seed`; with fewer clips than videos, the first of them.

    The other options are those of `VideoSource`.

    Raises:
        SourceError: as `VideoSource`; no videos, or a name that is not there.
    """

    path: str | Sequence[str]
    frames: int = 16
    size: tuple[int, int] | None = None
    clips: int | None = 1
    crop: Crop = "center"
    pick: Pick = "even"
    seed: int = 0
    stride: int = 1
    layout: Layout = "auto"
    variant: str | None = None
    videos: tuple[str, ...] = ()
    range: WantedRange = "as-coded"
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
        choice("layout", self.layout, Layout)
        roots = _roots(self.path)
        footage = [item for root in roots for item in videos_of(root, self.layout, self.variant)]
        named = _only(list(zip(labels(footage), footage)), tuple(self.videos), roots)
        if cutting.pick == "seed":
            order = Seeds(cutting.seed).numpy("order of videos").permutation(len(named))
            named = [named[number] for number in order]
        counts = shares(cutting.clips, len(named))
        reels = [(label, item.open(colour=self.colour, matrix=self.matrix)) for label, item in named[: len(counts)]]
        object.__setattr__(self, "path", tuple(str(root) for root in roots))
        object.__setattr__(self, "videos", tuple(self.videos))
        object.__setattr__(self, "size", cutting.size)
        object.__setattr__(self, "cutting", cutting)
        object.__setattr__(self, "plan", planned(reels, counts, cutting))
        object.__setattr__(self, "conversion", one_conversion(self.plan, cutting))


def videos_of(root: Path, layout: Layout = "auto", variant: str | None = None) -> tuple[Footage, ...]:
    """All videos of a data set, in natural order.

    Raises:
        SourceError: no such folder, or no video in it.
    """
    if not root.is_dir():
        raise SourceError(f"{root}: no such folder")
    kind = layout_of(root) if layout == "auto" else layout
    if kind == "hevc":
        return _hevc(root, variant)
    folders = {"nfs": _nfs, "davis": _davis, "ucf101": _ucf101}.get(kind, _all_folders)(root, variant)
    found = tuple(item for folder in folders for item in in_folder(folder))
    if kind == "ucf101":
        found = tuple(item for item in found if item.where.name.startswith("v_"))
    if not found:
        wanted = f" of variant {variant!r}" if variant else ""
        raise SourceError(f"{root}: no videos{wanted} found in layout {kind}")
    return found


def layout_of(root: Path) -> Layout:
    """Which known layout a folder has; `folders` if none."""
    if (root / "JPEGImages").is_dir():
        return "davis"
    if any(root.glob("*/240/*/")) or any(root.glob("*/30/*/")):
        return "nfs"
    return "ucf101" if next(root.glob("*/v_*.avi"), None) else "folders"


def _nfs(root: Path, variant: str | None) -> list[Path]:
    """Need for Speed. Source: [kianigaloogahi2017]."""
    return [folder for folder in natural(root.glob(f"*/{variant or '240'}/*")) if folder.is_dir()]


def _davis(root: Path, variant: str | None) -> list[Path]:
    """DAVIS. Source: [ponttuset2017]."""
    return [folder for folder in natural((root / "JPEGImages" / (variant or "480p")).glob("*")) if folder.is_dir()]


def _ucf101(root: Path, variant: str | None) -> list[Path]:
    """UCF101, a folder for each class. Source: [soomro2012]."""
    return _all_folders(root, variant)


def _hevc(root: Path, variant: str | None) -> tuple[Footage, ...]:
    """Headerless files whose name says their size; of one class, those of its size. Source: [bossen2013]."""
    if variant is not None and variant not in HEVC_CLASSES:
        raise SourceError(f"source variant: got {variant!r} in layout hevc; allowed: {', '.join(HEVC_CLASSES)}")
    named = [(path, format_in_name(path)) for path in natural(root.rglob("*.yuv"))]
    wanted = None if variant is None else HEVC_CLASSES[variant]
    found = tuple(Footage(path) for path, told in named if told is not None and wanted in (None, told[1]))
    if not found:
        which = "" if variant is None else f" of class {variant}"
        raise SourceError(f"{root}: no file{which} named like BQMall_832x480_60.yuv")
    return found


def _all_folders(root: Path, variant: str | None) -> list[Path]:
    """Every folder below `root`; with a variant, only those that have a folder of that name on their way."""
    folders = natural(Path(folder) for folder, _, _ in os.walk(root))
    shown = [folder for folder in folders if not any(part.startswith(".") for part in folder.relative_to(root).parts)]
    return [folder for folder in shown if variant is None or variant in folder.relative_to(root).parts]


def _only(
    named: list[tuple[str, Footage]], wanted: tuple[str, ...], roots: Sequence[Path]
) -> list[tuple[str, Footage]]:
    missing = sorted(set(wanted) - {label for label, _ in named})
    if missing:
        here = ", ".join(label for label, _ in named[:5])
        raise SourceError(f"{roots[0]}: no video called {', '.join(missing)}; there are {here}, ...")
    return [(label, item) for label, item in named if not wanted or label in wanted]


def _roots(path: object) -> list[Path]:
    entries = [path] if isinstance(path, str | PathLike) else path
    if not isinstance(entries, Sequence) or not entries:
        raise SourceError(f"source path: got {path!r}, need a folder or a list of folders")
    return [Path(fspath(entry)).expanduser() for entry in entries]
