"""Another scheme behind a sensor: what it takes for a clip, and what becomes of that at the receiver.

A *view* stands between the two. The reconstructed video can be coded, as in
[zhang2024crl, Sec. IV-C] with H.264, and is then what the receiver delivers;
or the readings themselves, and the receiver reconstructs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from semlink.blocks import Calibration, is_interactive
from semlink.feedback import Burst, BurstContext, Feedback, SentBurst
from semlink.flow import Flow
from semlink.ledger import Ledger
from semlink.link.schemes.camera import Camera
from semlink.payload import Agreement, Delivered, Frames, FrameShape, Point, Received, Symbols
from semlink.seeds import Seeds

__all__ = ["BehindSensor", "InteractiveBehindSensor", "ReconstructedView", "View", "behind"]


class View(Protocol):
    """What a scheme behind a sensor sees."""

    camera: Camera

    def fitted(self, inner: Any, shape: FrameShape) -> Any:
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

    def fitted(self, inner: Any, shape: FrameShape) -> Any:
        return inner

    def shown(self, frames: Frames, seeds: Seeds) -> Frames:
        return self.camera.see(frames, seeds)

    def restored(self, decoded: Frames, shape: FrameShape) -> Frames:
        return decoded


@dataclass(frozen=True, slots=True)
class _Behind:
    """What schemes that listen and those that do not have in common."""

    view: View
    inner: Any

    def measurements_per_pixel(self, agreement: Agreement) -> float:
        return self.view.camera.cost(agreement.frames)

    def frame_kinds(self, frames: FrameShape, rate: float | None) -> Sequence[str]:
        return self.view.camera.frame_kinds(frames)

    def agree(self, frames: FrameShape, point: Point, rehearsal: Calibration) -> Agreement:
        """As the inner scheme does.

        Raises:
            InterfaceError: it cannot serve such scenes.
        """
        return self._inner(frames).agree(frames, point, rehearsal)

    def _inner(self, shape: FrameShape) -> Any:
        return self.view.fitted(self.inner, shape)

    def _restored(self, delivered: Delivered, shape: FrameShape) -> Delivered:
        return replace(delivered, frames=self.view.restored(delivered.frames, shape))


@dataclass(frozen=True, slots=True)
class BehindSensor(_Behind):
    """Another scheme, or a bound, behind a sensor."""

    @property
    def is_bound(self) -> bool:
        return bool(getattr(self.inner, "is_bound", False))

    def transmit(self, frames: Frames, agreement: Agreement, seeds: Seeds) -> Flow[Symbols]:
        return self._inner(agreement.frames).transmit(self.view.shown(frames, seeds), agreement, seeds)

    def ideal(self, frames: Frames, agreement: Agreement, channel: Any, seeds: Seeds) -> tuple[Frames, Ledger]:
        inner = self._inner(agreement.frames)
        decoded, ledger = inner.ideal(self.view.shown(frames, seeds), agreement, channel, seeds)
        return self.view.restored(decoded, agreement.frames), ledger

    def receive(self, received: Received, agreement: Agreement) -> Delivered:
        delivered = self._inner(agreement.frames).receive(received, agreement)
        delivered = delivered if isinstance(delivered, Delivered) else Delivered(delivered)
        return self._restored(delivered, agreement.frames)


@dataclass(frozen=True, slots=True)
class InteractiveBehindSensor(_Behind):
    """The same around a scheme that listens."""

    def num_groups(self, frames: FrameShape) -> int:
        return self._inner(frames).num_groups(frames)

    def next_burst(
        self, frames: Frames, agreement: Agreement, seeds: Seeds, past: Sequence[SentBurst], opening: BurstContext
    ) -> Flow[Symbols] | None:
        inner = self._inner(agreement.frames)
        return inner.next_burst(self.view.shown(frames, seeds), agreement, seeds, past, opening)

    def symbols_ahead(self, agreement: Agreement, past: Sequence[SentBurst], opening: BurstContext) -> int:
        return self._inner(agreement.frames).symbols_ahead(agreement, past, opening)

    def listen(self, bursts: Sequence[Burst], agreement: Agreement) -> Feedback:
        return self._inner(agreement.frames).listen(bursts, agreement)

    def receive(self, bursts: Sequence[Burst], agreement: Agreement) -> Delivered:
        return self._restored(self._inner(agreement.frames).receive(bursts, agreement), agreement.frames)


def behind(view: View, scheme: Any) -> BehindSensor | InteractiveBehindSensor:
    """`scheme` behind what `view` makes of a sensor."""
    return InteractiveBehindSensor(view, scheme) if is_interactive(scheme) else BehindSensor(view, scheme)
