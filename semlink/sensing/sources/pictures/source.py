"""Pictures as clips of one frame, each at its own size or all alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from semlink.blocks import SourceBase
from semlink.colour.conversion import Conversion, Matrix
from semlink.colour.layout import Colour, rows_of
from semlink.errors import SourceError
from semlink.memory import refuse_beyond_memory
from semlink.seeds import Seeds
from semlink.sensing.sources.clips import Crop, Pick, choice, pair, to_size, whole
from semlink.sensing.sources.files.images import gray_of_rgb, planes_of_rgb
from semlink.sensing.sources.pictures.found import Found, find, labelled

__all__ = ["ImageSource"]

BYTES, WORKING_BYTES = 4, 32
"""Of a sample as it is kept, and while its picture is made, sent and scored."""


@dataclass(frozen=True, slots=True)
class ImageSource(SourceBase):
    """Pictures of files, folders or globs, or built-in photographs: clips of one frame.

    Args:
        path: files, folders, globs, batches of CIFAR-10 (.bin), names of `found.BUILT_IN`; nothing for all of those.
        colour: gray weighs RGB by BT.709; yuv420 is made by `matrix` in `range`, its chroma sited left.
        size: (h, w) of all; None: each as it is, for yuv420 less a last row or column that is odd.
        crop: as `VideoSource`'s.
        clips: pictures in total; None for all.
        pick: which of them: `first`, `even` from first to last, `seed` by chance.
        matrix, range: of YCbCr, for yuv420 and for luma that is scored.
    Raises:
        SourceError: an option out of range, nothing found, a file that is no such picture.
    """

    path: tuple[str, ...] = ()
    colour: Colour = "rgb"
    size: tuple[int, int] | None = None
    clips: int | None = None
    crop: Crop = "center"
    pick: Pick = "even"
    seed: int = 0
    matrix: Matrix = "bt709"
    range: str = "full"
    conversion: Conversion = field(init=False, repr=False, compare=False)
    plan: tuple[tuple[str, Found], ...] = field(init=False, repr=False, compare=False)
    sizes: tuple[tuple[int, int], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        choice("colour", self.colour, Colour)
        size = None if self.size is None else pair("size", self.size)
        if self.colour == "yuv420" and size is not None and (size[0] % 2 or size[1] % 2):
            raise SourceError(f"source size: got {list(size)}; yuv420 has chroma of half the size: need even sides")
        found = find(self.path)
        named = list(zip(labelled(found), found))
        chosen = [named[number] for number in _chosen(self, len(named))]
        object.__setattr__(self, "size", size)
        object.__setattr__(self, "conversion", Conversion(self.matrix, self.range))  # type: ignore[arg-type]
        object.__setattr__(self, "plan", tuple(chosen))
        object.__setattr__(self, "sizes", tuple(one.size for _, one in chosen))
        self._refuse_too_many()

    def _refuse_too_many(self) -> None:
        """Refuse pictures that take more memory than there is, before one is decoded."""
        sizes = [self.size or size for size in self.sizes]
        samples = [rows_of(h, self.colour) * w for h, w in sizes]
        largest = max(h * w * 3 for h, w in (*sizes, *self.sizes))
        words = f"{len(sizes):,} picture{'s' * (len(sizes) > 1)} of up to {max(sizes)[0]}x{max(sizes)[1]} pixels"
        refuse_beyond_memory(words, BYTES * sum(samples) + WORKING_BYTES * largest)

    @property
    def sizes_agree(self) -> bool:  # type: ignore[override]
        return self.size is not None or len(set(self.sizes)) == 1

    def __len__(self) -> int:
        return len(self.plan)

    def name(self, index: int) -> str:
        return self.plan[index][0]

    def clip(self, index: int) -> np.ndarray:
        """Clip `index`: float32 (1, rows, w) in [0, 1]."""
        _, found = self.plan[index]
        seen = found.read()
        if self.colour == "gray":
            gray = seen.astype(np.float32) / np.float32(255) if seen.ndim == 2 else gray_of_rgb(seen, peak=255)
            return self._sized(gray, found)[None].copy()
        planes = planes_of_rgb(np.stack([seen] * 3, -1) if seen.ndim == 2 else seen)
        rgb = np.stack([self._sized(plane, found) for plane in planes])
        if self.colour == "yuv420":
            even = rgb[:, : rgb.shape[1] // 2 * 2, : rgb.shape[2] // 2 * 2]
            return np.asarray(self.conversion.frames(even))[None]
        return rgb.reshape(1, -1, rgb.shape[-1])

    def _sized(self, plane: np.ndarray, found: Found) -> np.ndarray:
        return to_size(plane, self.size, self.crop, found.where)

    def facts(self, index: int) -> Mapping[str, str]:
        """The size of picture `index` as it is stored."""
        return {"size": f"{self.sizes[index][0]}x{self.sizes[index][1]}"}

    def cautions(self) -> Sequence[str]:
        odd = [name for (name, _), size in zip(self.plan, self.sizes) if size[0] % 2 or size[1] % 2]
        if self.colour != "yuv420" or self.size is not None or not odd:
            return ()
        more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
        return (f"source images: {odd[0]}{more} lose a last row or column, since yuv420 has chroma of half the size",)


def _chosen(asked: ImageSource, there: int) -> Sequence[int]:
    """Numbers of the pictures that are taken."""
    choice("pick", asked.pick, Pick)
    if asked.clips is None:
        return range(there)
    clips = whole("clips", asked.clips)
    if clips > there:
        raise SourceError(f"source clips: got {clips}, and there are {there} pictures")
    if asked.pick == "first":
        return range(clips)
    if asked.pick == "even":
        return [number * there // clips for number in range(clips)]
    rng = Seeds(whole("seed", asked.seed, least=0)).numpy("pictures")
    return sorted(int(number) for number in rng.permutation(there)[:clips])
