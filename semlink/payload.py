"""What flows between the blocks.

Every payload is a batch over clips: the first axis is the clip. Pixels and IQ
are torch tensors; bits and packets are numpy arrays and bytes. Torch is named
for type checkers only, so specs and the command line stay light.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import numpy as np

from semlink.colour.layout import Colour, check_colour, check_size, height_of, rows_of
from semlink.errors import InterfaceError
from semlink.plain_data import LEFT_OUT

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Frames:
    """Video or pictures: `pixels` is float32 (clip, t, rows, w) in [0, 1], planes as `semlink.colour.layout` says.

    Gray has h rows, rgb 3 h, yuv420 h + h/2; a picture is a clip of one frame.
    """

    pixels: torch.Tensor
    colour: Colour = field(default="gray", metadata=LEFT_OUT)

    @property
    def shape(self) -> FrameShape:
        return FrameShape.of(self.pixels.shape[1:], self.colour)


@dataclass(frozen=True, slots=True, repr=False)
class FrameShape:
    """Frames of one clip, their height, width and colour: known to both ends before the run.

    Attributes:
        h, w: of the picture in pixels, whatever planes it has.
        colour: gray, rgb or yuv420. Where it is gray nothing that is kept or shown tells of it.
    """

    t: int
    h: int
    w: int
    colour: Colour = field(default="gray", metadata=LEFT_OUT)

    def __post_init__(self) -> None:
        if self.colour != "gray":
            check_colour(self.colour)
            check_size(self.h, self.w, self.colour)

    def __repr__(self) -> str:
        told = f"FrameShape(t={self.t!r}, h={self.h!r}, w={self.w!r}"
        return f"{told})" if self.colour == "gray" else f"{told}, colour={self.colour!r})"

    @classmethod
    def of(cls, array: Sequence[int], colour: str = "gray") -> FrameShape:
        """That of an array (t, rows, w).

        Raises:
            InterfaceError: no frame of this colour has so many rows.
        """
        t, rows, w = array
        return cls(t, height_of(rows, colour), w, cast("Colour", colour))

    @property
    def rows(self) -> int:
        """Of the array that holds a frame, all planes."""
        return rows_of(self.h, self.colour)

    @property
    def array(self) -> tuple[int, int, int]:
        """The shape (t, rows, w) of the array that holds the clip."""
        return self.t, self.rows, self.w

    @property
    def num_pixels(self) -> int:
        """Of the picture: a pixel counts once, whatever its colour."""
        return self.t * self.h * self.w

    @property
    def num_samples(self) -> int:
        """Numbers in the array: of an rgb pixel three, of yuv420 one and a half."""
        return self.t * self.rows * self.w


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a sensor read out: `slots` (clip, s, h, w), front-packed readings.

    `counts` (h, w), integer: how many slots of each pixel hold a reading; it
    is part of the agreement, not of the message. `frames` is the shape of the
    scene that was sensed.
    """

    slots: torch.Tensor
    counts: torch.Tensor
    frames: FrameShape


@dataclass(frozen=True, slots=True)
class Projections:
    """What a sensor of inner products read out: the scene against known patterns.

    `parts` are float32 (clip, m, n): m patterns, in an order that is part of
    the agreement, each taken at n places (blocks of all frames, in raster
    order, frame by frame). A sensor with several sets of patterns, such as key
    and non-key frames, has a part for each. `frames` is the shape of the scene.
    """

    parts: tuple[torch.Tensor, ...]
    frames: FrameShape


Readings = Measurement | Projections
"""What sensors read out."""


@dataclass(frozen=True, slots=True)
class Symbols:
    """Complex baseband for the antenna: `iq` complex64 (clip, n), E|x|^2 = 1."""

    iq: torch.Tensor


@dataclass(frozen=True, slots=True)
class ChannelOutput:
    """What the channel delivers to the receive antenna.

    Attributes:
        iq: complex64 (clip, n), as many symbols as were sent.
        noise_var: E|w|^2 per complex use: a number, or float (clip, n).
        gain: the true complex gain (clip, n), for genie receivers and for the
            conformance kit only; None where the channel has none to name.
        erased: bool (clip, n), symbols known to be lost; None for none.
    """

    iq: torch.Tensor
    noise_var: Any = None
    gain: torch.Tensor | None = None
    erased: torch.Tensor | None = None

    def after(self, start: int) -> ChannelOutput:
        """What was heard from symbol `start` on."""
        if start == 0:
            return self
        total = self.iq.shape[1]
        fields = {"gain": self.gain, "erased": self.erased, "noise_var": self.noise_var}
        parts = {name: value[:, start:] for name, value in fields.items() if is_per_symbol(value, total)}
        return replace(self, iq=self.iq[:, start:], **parts)


Heard = ChannelOutput
"""The name of `ChannelOutput` before version 0.2, for channels written then."""


@dataclass(frozen=True, slots=True)
class Received:
    """What the receiver works on: data symbols after pilots and equaliser.

    Attributes:
        iq: complex64 (clip, n), equalised so that the sent symbol has gain 1.
        noise_var: float32 (clip, n), E|w|^2 left on each symbol as the
            receiver estimates it; infinite where nothing arrived.
        genie: knowledge that no receiver could have, by name. Whatever stands
            here is printed in bold in every table and plot.
    """

    iq: torch.Tensor
    noise_var: torch.Tensor
    genie: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a receiver made of it: the frames, and how many of its blocks failed.

    Schemes without blocks return `Frames` instead. `failed` may say which blocks failed, numbered from 0 in the
    order in which they were first sent; pictures show it.
    """

    frames: Frames
    blocks: int = 0
    lost: int = 0
    failed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Restored:
    """What a reconstruction made of readings, and what it tells of itself as plain values that JSON can hold."""

    frames: Frames
    diagnostics: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Point:
    """An operating point, agreed on before anything is sent.

    Exactly one of `budget_uses` (complex channel uses per clip that the data
    symbols may take) and `rate` (the scheme's own knob) is set.
    """

    snr_db: float
    budget_uses: int | None = None
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What a scheme fixed before the run; a scheme with more to fix has a subclass of its own, a frozen dataclass.

    Plain data, as `semlink.plain_data` says, and never anything of a clip.

    Attributes:
        note: what a reader of the row should know, written into its `note`.
        coding: the name of the coding that was chosen, written there too; `only` where there was no choice.
    """

    note: str = field(default="", kw_only=True)
    coding: str = field(default="only", kw_only=True)

    def without_noise(self) -> Terms:
        """What stands for these where a choice tries clips without noise: what noise alone makes useless left out."""
        return self


@dataclass(frozen=True, slots=True)
class FreeTerms(Terms):
    """Terms given as a mapping: `terms["margin_db"]` reads what the transmitter's end wrote into it."""

    values: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def get(self, name: str, default: Any = None) -> Any:
        """The value of `name`, or `default`."""
        return self.values.get(name, default)


T = TypeVar("T", bound=Terms, covariant=True)


@dataclass(frozen=True, slots=True)
class Agreement(Generic[T]):
    """All that a receiver knows beyond its antenna.

    `terms` holds what the scheme itself fixed before the run (modulation, code
    rate, ratio map, model name). A mapping is taken as `FreeTerms`.

    Raises:
        InterfaceError: terms of another type.
    """

    frames: FrameShape
    point: Point
    terms: T = Terms()  # type: ignore[assignment]

    def __post_init__(self) -> None:
        given: Any = self.terms
        if isinstance(given, Terms):
            return
        if not isinstance(given, Mapping):
            raise InterfaceError(f"Agreement.terms: got {type(given).__name__}; need Terms or a mapping")
        told = {name: str(given[name]) for name in ("note", "coding") if name in given}
        object.__setattr__(self, "terms", FreeTerms(dict(given), **told))


@dataclass(frozen=True, slots=True)
class Packet:
    """`data` that is decoded whole or not at all.

    `time` is the frame in display order it belongs to (0..255), so that a
    receiver that lost packets still knows when to show the rest. It travels
    in the packet's header and is charged.
    """

    time: int
    data: bytes


def part_of(received: Received, start: int, stop: int) -> Received:
    """Data symbols `start` to `stop` of what a waveform demodulated.

    Behind the last one there may be filling; how long a burst is both ends know.

    Raises:
        InterfaceError: the waveform gave fewer symbols than were sent.
    """
    have = received.iq.shape[1]
    if have < stop:
        raise InterfaceError(f"the waveform gave back {have} of {stop} data symbols")
    if (start, stop) == (0, have):
        return received
    genie = {
        name: value[:, start:stop] if is_per_symbol(value, have) else value for name, value in received.genie.items()
    }
    return Received(received.iq[:, start:stop], received.noise_var[..., start:stop], genie)


def is_per_symbol(value: Any, total: int) -> bool:
    """Whether `value` is a tensor (clip, total), one entry a symbol."""
    import torch

    return isinstance(value, torch.Tensor) and value.ndim == 2 and value.shape[1] == total


def copy_of(frames: Frames) -> Frames:
    """The same pixels, which may be changed without changing these."""
    return Frames(frames.pixels.clone(), frames.colour)


def only_clip(frames: Frames) -> np.ndarray:
    """The one clip of a batch: (t, rows, w)."""
    (clip,) = frames.pixels.detach().cpu().numpy()
    return clip


def as_frames(pixels: np.ndarray, colour: Colour = "gray") -> Frames:
    """A batch of one from pixels (t, rows, w)."""
    import torch

    return Frames(torch.from_numpy(np.ascontiguousarray(pixels[None], np.float32)), colour)
