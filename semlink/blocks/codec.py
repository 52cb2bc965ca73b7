"""Source codecs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Protocol

from semlink.blocks.block import FrameBlock
from semlink.blocks.sensing import SensorBase
from semlink.errors import InterfaceError
from semlink.payload import FrameShape, Packet

if TYPE_CHECKING:
    import numpy as np


class Codec(Protocol):
    """A source codec: one clip to packets and back."""

    __slots__ = ()

    @abstractmethod
    def encode(self, clip: np.ndarray, *, max_bytes: int) -> tuple[Packet, ...]:
        """The best packets for `clip`, float32 (t, rows, w) in [0, 1], whose framed size is at most `max_bytes`.

        The framed size counts packet headers, see `semlink.codecs.packetization.framed_size`.

        Raises:
            Infeasible: not even the smallest stream fits.
        """
        ...

    @abstractmethod
    def encode_at(self, clip: np.ndarray, rate: float) -> tuple[Packet, ...]:
        """The packets at the codec's own rate knob (CRF, beta, channels): one of the scheme's `rates`."""
        ...

    @abstractmethod
    def decode(self, packets: Sequence[Packet], shape: FrameShape) -> np.ndarray:
        """Frames (t, rows, w) in [0, 1] from the packets that arrived, in order; never raises on damage.

        What is missing is concealed; with no packet at all the picture is whatever the receiver shows then.
        """
        ...


class Refinable(Protocol):
    """A clip as far as packets tell of it, and the n numbers beside them that would make it finer.

    Which numbers these are follows from the packets alone, so both ends know it.
    """

    def numbers(self, clip: np.ndarray) -> np.ndarray:
        """Of the clip that was coded, at the transmitter: float64 (n,), of mean power 1 as far as both ends can tell.

        The true mean power is 1 at most.
        """
        ...

    def frames(self, numbers: np.ndarray, noise_var: np.ndarray) -> np.ndarray:
        """Frames (t, h, w) from the numbers with noise of these variances (n,), infinite where nothing arrived.

        Where nothing arrived at all they are those of `decode`; never raises on damage.
        """
        ...


class PacketStore(Protocol):
    """Coded clips that are kept, so that a clip is coded once."""

    def get(self, key: str, make: Callable[[], Sequence[Packet]]) -> tuple[Packet, ...]:
        """The packets at `key`; `make` is asked where they are not known."""
        ...


class CodecBase(FrameBlock, Codec):
    """Base of codecs.

    A constructor with an argument `colour` is given that of the clips, whose planes stand as `semlink.colour.layout`
    says. Encoded clips are kept on disk under what `Block` says, under the clip, and under the budget or rate.

    Attributes:
        gop: frames from one point where decoding can begin to the next; None: the whole clip.
        takes_readings: it codes a sensor's readings, `Measurement.slots` of one clip, in the place of frames.
        gives_frames: where it takes readings, it decodes to frames at once, so the reconstruction is not asked.
        refines: it has `refinable`, so an analogue layer can carry what its packets leave.
    """

    __slots__ = ()
    gop: int | None = None
    takes_readings: bool = False
    gives_frames: bool = False
    refines: bool = False

    @property
    def fitted_to(self) -> Hashable:
        """What its packets depend on beside its options, where it is fitted to a sensor after it was built."""
        return None

    def check_sensor(self, sensor: SensorBase, shape: FrameShape) -> None:
        """Refuse a sensor whose readings it cannot code, where it takes readings; by default all can be.

        Raises:
            InterfaceError: says which are allowed.
        """

    def unquantised(self, clip: np.ndarray) -> np.ndarray | None:
        """What decoding would give of `clip` if nothing was rounded but what the codec takes in, for `semlink replay`.

        None where there is no such form.
        """
        return None

    def check_rate(self, rate: float | None, shape: FrameShape | None = None) -> None:
        """Refuse what cannot work before any work is done: one of a scheme's `rates`, weights, clips of a shape.

        Args:
            rate: None where the budget rules.
            shape: of the clips, where it is known.
        Raises:
            SemlinkError: says what is allowed.
        """

    def refinable(self, packets: Sequence[Packet], shape: FrameShape, count: int) -> Refinable:
        """What the packets that arrived tell, with the `count` numbers that would help most beside them.

        Raises:
            InterfaceError: it has none.
        """
        raise InterfaceError(f"codec {self.name}: has no refinable(packets, shape, count)")
