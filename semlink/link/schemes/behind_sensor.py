"""Another scheme behind a sensor: what it takes for a clip, and what becomes of that at the receiver.

A *view* stands between the two. The reconstructed video can be coded, as in
[zhang2024crl, Sec. IV-C] with H.264, and is then what the receiver delivers;
or the readings themselves, and the receiver reconstructs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from semlink.blocks import (
    BoundBase,
    Calibration,
    ChannelBase,
    FrameBlock,
    InteractiveBase,
    OneWayBase,
    Scheme,
    SchemeBase,
    SymbolPart,
    is_bound,
    is_interactive,
    is_one_way,
)
from semlink.errors import InterfaceError
from semlink.feedback import Burst, BurstContext, Feedback, Repeats, SentBurst
from semlink.flow import Flow
from semlink.ledger import Ledger
from semlink.link.schemes.camera import Camera
from semlink.payload import Agreement, Delivered, Frames, FrameShape, Packet, Point, Received, Symbols
from semlink.seeds import Seeds

__all__ = [
    "BehindSensor",
    "BoundBehindSensor",
    "InteractiveBehindSensor",
    "ReconstructedView",
    "View",
    "behind",
]

S = TypeVar("S", bound=SchemeBase)


class View(Protocol):
    """What a scheme behind a sensor sees."""

    @property
    def camera(self) -> Camera: ...

    def check_shape(self, shape: FrameShape) -> None:
        """Refuse scenes that sensor or reconstruction cannot serve, before any work.

        Raises:
            SemlinkError: says what is allowed.
        """
        ...

    def fitted(self, inner: S, shape: FrameShape) -> S:
        """`inner` for scenes of this shape.

        Raises:
            InterfaceError: it cannot serve them.
        """
        ...

    def shown(self, frames: Frames, seeds: Seeds) -> Frames:
        """What the transmitter is given for a clip."""
        ...

    def restored(self, decoded: Frames, shape: FrameShape) -> Frames:
        """Frames from what the receiver decoded."""
        ...


@dataclass(frozen=True, slots=True)
class ReconstructedView:
    """The transmitter reconstructs and codes video."""

    camera: Camera

    def check_shape(self, shape: FrameShape) -> None:
        self.camera.check_shape(shape)

    def fitted(self, inner: S, shape: FrameShape) -> S:
        return inner

    def shown(self, frames: Frames, seeds: Seeds) -> Frames:
        return self.camera.see(frames, seeds)

    def restored(self, decoded: Frames, shape: FrameShape) -> Frames:
        return decoded


class _Behind(SchemeBase):
    """What all schemes behind a sensor have in common; a subclass has `view`, and `inner` of its kind."""

    __slots__ = ()
    view: View

    @property
    def _scheme(self) -> SchemeBase:
        """The scheme that is behind the sensor."""
        raise NotImplementedError

    def check(self, frames: FrameShape, rate: float | None) -> None:
        self.view.check_shape(frames)
        self.view.fitted(self._scheme, frames).check(frames, rate)

    @property
    def colours(self) -> Sequence[str]:  # type: ignore[override]
        return self._scheme.colours

    def frame_blocks(self) -> Sequence[FrameBlock]:
        return self._scheme.frame_blocks()

    def camera_at(self, rate: float | None) -> Camera:
        return self.view.camera

    def measurements_per_pixel(self, agreement: Agreement) -> float:
        return self.view.camera.cost(agreement.frames)

    def frame_kinds(self, frames: FrameShape, rate: float | None) -> Sequence[str]:
        return self.view.camera.frame_kinds(frames)

    def group_frames(self, frames: FrameShape) -> int:
        return self._scheme.group_frames(frames)

    def num_groups(self, frames: FrameShape) -> int:
        return self.view.fitted(self._scheme, frames).num_groups(frames)

    def loses_blocks(self) -> bool:
        return self._scheme.loses_blocks()

    def doubts(self) -> Sequence[str]:
        return self._scheme.doubts()

    def agree(self, frames: FrameShape, point: Point, calibration: Calibration) -> Agreement:
        """As the inner scheme does.

        Raises:
            InterfaceError: it cannot serve such scenes.
        """
        return self.view.fitted(self._scheme, frames).agree(frames, point, calibration)

    def unquantised(self, frames: Frames, agreement: Agreement, seeds: Seeds) -> Frames | None:
        inner = self.view.fitted(self._scheme, agreement.frames)
        made = inner.unquantised(self.view.shown(frames, seeds), agreement, seeds)
        return None if made is None else self.view.restored(made, agreement.frames)

    def _restored(self, made: Frames | Delivered, shape: FrameShape) -> Delivered:
        delivered = made if isinstance(made, Delivered) else Delivered(made)
        return replace(delivered, frames=self.view.restored(delivered.frames, shape))


@dataclass(frozen=True, slots=True)
class BehindSensor(_Behind, OneWayBase):
    """A scheme that sends once, behind a sensor."""

    view: View
    inner: OneWayBase

    @property
    def _scheme(self) -> SchemeBase:
        return self.inner

    def transmit(self, frames: Frames, agreement: Agreement, seeds: Seeds) -> Flow[Symbols]:
        return self._fitted(agreement).transmit(self.view.shown(frames, seeds), agreement, seeds)

    def receive(self, received: Received, agreement: Agreement) -> Delivered:
        return self._restored(self._fitted(agreement).receive(received, agreement), agreement.frames)

    def symbol_parts(self, sent: Received, agreement: Agreement) -> Sequence[SymbolPart]:
        return self._fitted(agreement).symbol_parts(sent, agreement)

    def packets(self, frames: Frames, agreement: Agreement, seeds: Seeds) -> Sequence[Packet]:
        return self._fitted(agreement).packets(self.view.shown(frames, seeds), agreement, seeds)

    def _fitted(self, agreement: Agreement) -> OneWayBase:
        return self.view.fitted(self.inner, agreement.frames)


@dataclass(frozen=True, slots=True)
class BoundBehindSensor(_Behind, BoundBase):
    """A bound behind a sensor."""

    view: View
    inner: BoundBase

    @property
    def _scheme(self) -> SchemeBase:
        return self.inner

    def ideal(self, frames: Frames, agreement: Agreement, channel: ChannelBase, seeds: Seeds) -> tuple[Frames, Ledger]:
        inner = self.view.fitted(self.inner, agreement.frames)
        decoded, ledger = inner.ideal(self.view.shown(frames, seeds), agreement, channel, seeds)
        return self.view.restored(decoded, agreement.frames), ledger


@dataclass(frozen=True, slots=True)
class InteractiveBehindSensor(_Behind, InteractiveBase):
    """A feedback scheme behind a sensor."""

    view: View
    inner: InteractiveBase

    @property
    def _scheme(self) -> SchemeBase:
        return self.inner

    def next_burst(
        self, frames: Frames, agreement: Agreement, seeds: Seeds, past: Sequence[SentBurst], opening: BurstContext
    ) -> Flow[Symbols] | None:
        return self._fitted(agreement).next_burst(self.view.shown(frames, seeds), agreement, seeds, past, opening)

    def symbols_ahead(self, agreement: Agreement, past: Sequence[SentBurst], opening: BurstContext) -> int:
        return self._fitted(agreement).symbols_ahead(agreement, past, opening)

    def first_alone(self, frames: FrameShape, point: Point) -> OneWayBase | None:
        alone = self.view.fitted(self.inner, frames).first_alone(frames, point)
        return None if alone is None else BehindSensor(self.view, alone)

    def repeats(self, point: Point) -> Repeats | None:
        return self.inner.repeats(point)

    def burst_parts(self, past: Sequence[SentBurst], agreement: Agreement) -> Sequence[Sequence[SymbolPart]]:
        return self._fitted(agreement).burst_parts(past, agreement)

    def burst_packets(
        self, frames: Frames, past: Sequence[SentBurst], agreement: Agreement, seeds: Seeds
    ) -> Sequence[Sequence[Packet]]:
        return self._fitted(agreement).burst_packets(self.view.shown(frames, seeds), past, agreement, seeds)

    def listen(self, bursts: Sequence[Burst], agreement: Agreement) -> Feedback:
        return self._fitted(agreement).listen(bursts, agreement)

    def receive(self, bursts: Sequence[Burst], agreement: Agreement) -> Delivered:
        return self._restored(self._fitted(agreement).receive(bursts, agreement), agreement.frames)

    def _fitted(self, agreement: Agreement) -> InteractiveBase:
        return self.view.fitted(self.inner, agreement.frames)


def behind(view: View, scheme: Scheme) -> Scheme:
    """`scheme` behind what `view` makes of a sensor.

    Raises:
        InterfaceError: a scheme that sends nothing.
    """
    if is_interactive(scheme):
        return InteractiveBehindSensor(view, scheme)
    if is_bound(scheme):
        return BoundBehindSensor(view, scheme)
    if is_one_way(scheme):
        return BehindSensor(view, scheme)
    raise InterfaceError(f"scheme {scheme.name} sends nothing and cannot stand behind a sensor")
