"""The scenario's clips, loaded once and checked, and shared by all processes of a run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from semlink.caching import digest_of
from semlink.colour.look import Look
from semlink.errors import SemlinkError, SourceError, told_at
from semlink.files import Json, reason_of
from semlink.link.results.lock import LOCK, alone_in, is_held
from semlink.link.scenario.scenario import Scenario
from semlink.memory import refuse_beyond_memory
from semlink.payload import Frames, FrameShape
from semlink.sensing.sources.motion import motion_class
from semlink.spec import BuildContext
from semlink.yaml12.words import shown

Shape = tuple[int, int, int]
CLIPS_OF_A_RUN = "semlink-clips-"
BYTES, WORKING_BYTES = 4, 32
"""Of a pixel as it is kept, and while its clip is made, sent and scored."""


@dataclass(frozen=True, slots=True)
class Clips:
    """The scenario's clips.

    Attributes:
        digest: of names and pixels, those for calibration included.
        look: what they are to the eye.
        facts: what a source tells of each clip beside its name.
        cautions: what a user should know about them, a line each.
        file: holds the pixels, float32, one clip after the other, where several processes read them; else None.
        calibration: other clips of the same shape, for choices before the run; empty where there are none.
    """

    names: tuple[str, ...]
    motion: tuple[str, ...]
    frames: tuple[Frames, ...]
    digest: str
    look: Look = Look()
    file: Path | None = None
    calibration: tuple[Frames, ...] = ()
    facts: tuple[Json, ...] = ()
    cautions: tuple[str, ...] = ()

    @property
    def tried(self) -> tuple[Frames, ...]:
        """What choices before the run are made on."""
        return self.calibration or self.frames

    def tried_as(self, shape: FrameShape) -> tuple[Frames, ...]:
        """Those of them that have this shape."""
        return tuple(frames for frames in self.tried if frames.shape == shape)

    def __reduce__(self) -> tuple[object, ...]:
        """Clips in a file travel as its name: whoever unpickles them maps the same pixels."""
        if self.file is None:
            parts = (self.names, self.motion, self.frames, self.digest, self.look)
            return Clips, (*parts, None, self.calibration)
        shapes = [f.shape.array for f in self.frames]
        return clips_in, (self.file, shapes, self.names, self.motion, self.digest, self.look, self.calibration)


def clips_in(
    file: Path,
    shapes: Sequence[Shape],
    names: tuple[str, ...],
    motion: tuple[str, ...],
    digest: str,
    look: Look,
    calibration: tuple[Frames, ...],
) -> Clips:
    """The clips whose pixels lie in `file`."""
    return Clips(names, motion, _frames(_mapped(file, shapes), look), digest, look, file, calibration)


@contextmanager
def clip_file(*, wanted: bool) -> Iterator[Path | None]:
    """A place for pixels among the temporary files, for as long as a run lasts; None if not `wanted`."""
    if not wanted:
        yield None
        return
    _drop_forsaken(Path(tempfile.gettempdir()))
    with (
        tempfile.TemporaryDirectory(prefix=CLIPS_OF_A_RUN, ignore_cleanup_errors=True) as folder,
        alone_in(Path(folder), fresh=False, say=lambda line: None),
    ):
        yield Path(folder) / "clips.f32"


def _drop_forsaken(folder: Path) -> None:
    """Remove the clips of runs that were killed: nobody holds their lock."""
    for left in folder.glob(f"{CLIPS_OF_A_RUN}*"):
        with suppress(OSError):
            if (left / LOCK).exists() and not is_held(left / LOCK):
                shutil.rmtree(left)


def load_clips(scenario: Scenario, folder: Path | None, file: Path | None = None) -> Clips:
    """Read every clip of the source.

    Args:
        file: takes the pixels, so that they are in no process's own memory and pickled clips share them.
    Raises:
        SourceError: the source cannot be read or holds no clip.
        SemlinkError: the disk does not take `file`.
    """
    _refuse_too_many(scenario.source.all_pixels, file)
    source = scenario.source.build(BuildContext(folder=folder))
    if len(source) == 0:
        raise SourceError(f"source {scenario.source.kind}: holds no clip")
    by_sample = scenario.sweep is not None and scenario.sweep.budget_per_sample is not None
    if by_sample and source.colour != scenario.source.frame_colour:
        raise SourceError(
            f"source {scenario.source.kind}: gives {source.colour}, which shows only when it is built; "
            "say sweep.budget, per pixel, in place of budget_per_sample"
        )
    names, motion, pixels, shapes = [], [], [], []
    for index in range(len(source)):
        clip = check_clip(source.clip(index), scenario.source.kind)
        if index == 0 and scenario.source.all_pixels is None and source.sizes_agree:
            _refuse_too_many((len(source), clip.size), file)
        names.append(shown(str(source.name(index))))
        motion.append(motion_class(clip))
        shapes.append(clip.shape)
        if file is None:
            pixels.append(clip)
        else:
            _append(file, clip)
    with told_at(f"source {scenario.source.kind}"):
        frames = _frames(pixels if file is None else _mapped(file, shapes), source.look)
        seen = [
            made.shape for made in frames
        ]  # refuses a colour that there is not, or rows that do not make its planes
    digest = digest_of(*names, *(f.pixels.numpy() for f in frames))
    if source.look.colour != "gray":
        digest = digest_of(digest, source.look)
    tried = _calibration_clips(scenario, folder, seen)
    if tried:
        digest = digest_of(digest, "calibration", *(f.pixels.numpy() for f in tried))
    facts = tuple(dict(source.facts(index)) for index in range(len(source)))
    return Clips(tuple(names), tuple(motion), frames, digest, source.look, file, tried, facts, tuple(source.cautions()))


def _refuse_too_many(told: tuple[int, int] | None, file: Path | None) -> None:
    """Refuse clips that take more room than there is, before the first is made or, where it tells their size, kept.

    Args:
        told: clips, and pixels of each; None where a source does not know beforehand.
    Raises:
        SemlinkError: says how much they take, and how much there is.
    """
    if told is None:
        return
    clips, pixels = told
    kept = BYTES * clips * pixels
    words = f"{clips:,} clip{'s' * (clips > 1)} of {pixels:,} pixels"
    refuse_beyond_memory(words, (0 if file else kept) + WORKING_BYTES * pixels)
    if file is not None and (free := shutil.disk_usage(file.parent).free) < kept:
        raise SemlinkError(
            f"{words} take {kept / 1e9:,.1f} GB in {file.parent}, where {free / 1e9:,.1f} GB are free; "
            "run with --workers 1, or set TMPDIR to a larger disk"
        )


def _calibration_clips(scenario: Scenario, folder: Path | None, scored: Sequence[FrameShape]) -> tuple[Frames, ...]:
    """The clips that choices are made on, where the scenario names others than those that are scored.

    Raises:
        SourceError: they cannot be read, are of a shape that no clip has, or of not all that there are.
    """
    spec = scenario.calibration.source
    if spec is None:
        return ()
    _refuse_too_many(spec.all_pixels, None)
    source = spec.build(BuildContext(folder=folder))
    if len(source) == 0:
        raise SourceError(f"calibration.source {spec.kind}: holds no clip")
    clips = [check_clip(source.clip(index), f"{spec.kind} of calibration") for index in range(len(source))]
    found = _frames(clips, source.look)
    for made in found:
        if made.shape not in scored:
            raise SourceError(
                f"calibration.source {spec.kind}: gave a clip of {_words(made.shape)}; need {_words(scored[0])}, "
                "as those that are scored"
            )
    given = {made.shape for made in found}
    lacking = [shape for shape in scored if shape not in given]
    if lacking:
        raise SourceError(
            f"calibration.source {spec.kind}: gave no clip of {_words(lacking[0])}, as one that is scored; choices are "
            "made for each size"
        )
    return found


def _words(shape: FrameShape) -> str:
    colour = "" if shape.colour == "gray" else f" in {shape.colour}"
    return f"(t, h, w) = {(shape.t, shape.h, shape.w)}{colour}"


def _append(file: Path, clip: np.ndarray) -> None:
    try:
        with file.open("ab") as out:
            clip.tofile(out)
    except OSError as fault:
        raise SemlinkError(
            f"{file}: cannot hold the clips for several processes ({reason_of(fault)}); "
            "run with --workers 1, or set TMPDIR to a larger disk"
        ) from fault


def _mapped(file: Path, shapes: Sequence[Shape]) -> list[np.ndarray]:
    """Clips (t, h, w) that lie in `file`; what a process writes into them is its own and reaches no other."""
    pixels = np.memmap(file, np.float32, mode="c")
    ends = np.cumsum([np.prod(shape) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(pixels, ends[:-1]), shapes, strict=True)]


def _frames(pixels: Sequence[np.ndarray], look: Look) -> tuple[Frames, ...]:
    return tuple(Frames(torch.from_numpy(clip[None]), look.colour) for clip in pixels)


def check_clip(clip: np.typing.ArrayLike, kind: str) -> np.ndarray:
    """A source's clip as contiguous float32 (t, rows, w).

    Raises:
        SourceError: it is something else, or leaves [0, 1].
    """
    if np.iscomplexobj(given := np.asarray(clip)):
        raise SourceError(f"source {kind}: gave complex numbers; need float32 in [0, 1]")
    clip = np.ascontiguousarray(given, np.float32)
    if clip.ndim != 3 or 0 in clip.shape:
        raise SourceError(f"source {kind}: gave a clip of shape {clip.shape}; need (t, rows, w)")
    if not np.isfinite(clip).all() or clip.min() < 0 or clip.max() > 1:
        raise SourceError(f"source {kind}: gave pixels outside [0, 1]")
    return clip
