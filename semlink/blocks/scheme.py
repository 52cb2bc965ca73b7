"""Schemes: a transmitter and a receiver that made an agreement beforehand.

The runner builds two instances of a scheme and lets them share nothing but the
agreement and the air. A scheme sees one clip at a time: frames are
(1, t, h, w), symbols (1, n). There are four kinds:

| kind | offers | for |
|---|---|---|
| one-way | transmit, receive | symbols once, frames from them |
| interactive | next_burst, listen, receive | several bursts, with feedback in between |
| bound | ideal | what no scheme can exceed; never meets the antenna |
| sensing | sense | a sensor and its reconstruction; nothing is sent |
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol, TypeGuard

from semlink.blocks.block import FrameBlock, Progress
from semlink.blocks.channel import ChannelBase
from semlink.blocks.coding import CodingBase
from semlink.blocks.sensing import ReconstructionBase, SensorBase
from semlink.blocks.symbol_part import SymbolPart
from semlink.errors import InterfaceError
from semlink.feedback import Burst, BurstContext, Feedback, Repeats, SentBurst
from semlink.flow import Flow
from semlink.ledger import Ledger
from semlink.payload import Agreement, Delivered, Frames, FrameShape, Packet, Point, Received, Restored, Symbols
from semlink.seeds import Seeds

if TYPE_CHECKING:
    import numpy as np

SchemeKind = Literal["one-way", "interactive", "bound", "sensing"]


class Calibration(Protocol):
    """What a scheme may try out before the run, on noise that it is not scored on; it ends with `agree`.

    It gives numbers. `quality` depends on clips, so an agreement may be chosen by it and may not tell it: `agree` runs
    again without clips, with invented qualities, and must ask about the same agreements and agree on one
    of them.
    """

    def quality(self, agreement: Agreement, delivery: float | None = None) -> float:
        """Mean PSNR in dB over a few clips under a would-be agreement; -inf if infeasible.

        `delivery` is the share of transmissions that arrive whole, where it is
        known better than from these few clips.
        """
        ...

    def delivery(self, coding: CodingBase, uses: int, transmissions: int) -> float:
        """The share of so many transmissions of random bytes that arrive without a lost block."""
        ...

    def best_coding(
        self,
        agreements: Mapping[str, Agreement],
        codings: Mapping[str, CodingBase],
        uses: int | None,
        *,
        analogue_shares: Mapping[str, float] | None = None,
    ) -> str:
        """The name of the coding with the best mean PSNR, each under the would-be agreement of its name.

        What is told of the clips is this choice and nothing else. `uses` are the symbols of a transmission
        (of the first burst, where there are several), None where the scheme's own rate says how many bytes there are.
        `analogue_shares`, by name, are those of the power that another layer takes, which a demapper counts as noise.

        Raises:
            Infeasible: none carries anything in `uses` symbols.
        """
        ...

    def starting_snr_db(self, uses: int, outage: float = 0.1) -> int:
        """The SNR in whole dB that a burst of `uses` symbols on the channel falls short of with chance `outage`."""
        ...


class Camera(Protocol):
    """A sensor with its reconstruction."""

    @property
    def sensor(self) -> SensorBase: ...

    @property
    def reconstructor(self) -> ReconstructionBase: ...


class OneWay(Protocol):
    """A scheme that sends once."""

    __slots__ = ()

    @abstractmethod
    def transmit(self, frames: Frames, agreement: Agreement, seeds: Seeds) -> Flow[Symbols]:
        """Data symbols of one clip: complex64 (1, n) of average power 1, each of them charged.

        `Flow(symbols).then(symbols, Charge("mine", "payload", n))` charges n of them. Under a budget,
        `agreement.point.budget_uses`, n is at most that. Raise `Infeasible` where nothing fits.
        """
        ...

    @abstractmethod
    def receive(self, received: Received, agreement: Agreement) -> Frames | Delivered:
        """Frames (1, t, h, w) from the n symbols that arrived; `Delivered` also counts blocks and lost ones."""
        ...


class Interactive(Protocol):
    """A scheme that sends in several bursts and hears from its receiver in between."""

    __slots__ = ()

    @abstractmethod
    def next_burst(
        self, frames: Frames, agreement: Agreement, seeds: Seeds, past: Sequence[SentBurst], opening: BurstContext
    ) -> Flow[Symbols] | None:
        """The next data symbols, possibly none of them for a silence; None when all is said."""
        ...

    @abstractmethod
    def listen(self, bursts: Sequence[Burst], agreement: Agreement) -> Feedback:
        """What the receiver answers to the last of `bursts`."""
        ...

    @abstractmethod
    def receive(self, bursts: Sequence[Burst], agreement: Agreement) -> Frames | Delivered:
        """Frames (1, t, h, w) from all bursts."""
        ...


class Bound(Protocol):
    """What no scheme can exceed: drawn dashed, never checked against the antenna."""

    __slots__ = ()

    @abstractmethod
    def ideal(self, frames: Frames, agreement: Agreement, channel: ChannelBase, seeds: Seeds) -> tuple[Frames, Ledger]:
        """The frames as they would arrive, and the channel uses that are charged for them."""
        ...


class Sensing(Protocol):
    """A scheme that sends nothing and is scored on what it sees."""

    __slots__ = ()

    @abstractmethod
    def sense(
        self, clips: Sequence[Frames], agreement: Agreement, seeds: Sequence[Seeds], progress: Progress | None = None
    ) -> list[Restored]:
        """What is made of each clip (1, t, h, w), each with its own seeds; `progress` may be told how far it is."""
        ...


class SchemeBase(FrameBlock):
    """What schemes of all kinds may offer, and what holds where they do not.

    Its frames are of the shape and the colour of `Agreement.frames`; what a constructor with an argument `colour`
    is given says so beforehand.
    """

    __slots__ = ()

    def agree(self, frames: FrameShape, point: Point, calibration: Calibration) -> Agreement:
        """Settle what both ends know, in `Agreement.terms`; by default nothing but shape and operating point.

        Plain data of at most 64 KiB that follows from `frames`, `point`, the scheme's options and what the
        channel is like; of the clips, no more than which of the agreements asked about did best.

        Raises:
            Infeasible: the point leaves no room for anything.
        """
        return Agreement(frames, point)

    def check(self, frames: FrameShape, rate: float | None) -> None:
        """Refuse clips of a shape, or a rate, that cannot be served, before any work is done.

        Raises:
            SemlinkError: says what is allowed.
        """

    def measurements_per_pixel(self, agreement: Agreement) -> float | None:
        """The cost of sensing, None for a scheme without a sensor."""
        return None

    def frame_kinds(self, frames: FrameShape, rate: float | None) -> Sequence[str]:
        """What each frame is to the sensor, such as `key` and `non-key`; nothing where all are alike."""
        return ()

    def camera_at(self, rate: float | None) -> Camera | None:
        """The sensor and reconstruction that it sees through at one of its rates, None without a sensor."""
        return None

    def frame_blocks(self) -> Sequence[FrameBlock]:
        """Blocks inside it that are given frames, beside sensor and reconstruction, such as a codec.

        What `colours` they can take holds for the scheme too.
        """
        return ()

    def group_frames(self, frames: FrameShape) -> int:
        """Frames from one point where decoding can begin to the next; by default the whole clip."""
        return frames.t

    def num_groups(self, frames: FrameShape) -> int:
        """Equal groups that a budget is shared out to, each with pilots of its own; by default one."""
        return 1

    def is_certain(self, agreement: Agreement) -> bool:
        """Whether every trial would be the same, so that one is enough."""
        return False

    def loses_blocks(self) -> bool:
        """Whether blocks may get lost whole, so that quality jumps; a run warns where its trials are too few for it."""
        return False

    def doubts(self) -> Sequence[str]:
        """What a run says of the scheme before it begins, a line each, such as what a choice can rest on."""
        return ()

    def with_even_blocks(self) -> Scheme | None:
        """The same scheme with equal channel uses for all blocks of pixels, for `rate_maps.png`; None: no choice."""
        return None

    def uses_of_blocks(self, frames: Frames, agreement: Agreement, seeds: Seeds) -> np.ndarray | None:
        """Channel uses of each block of pixels (rows, columns), for `rate_maps.png`; None where all are alike."""
        return None

    def packets(self, frames: Frames, agreement: Agreement, seeds: Seeds) -> Sequence[Packet]:
        """The packets that it sends of a clip, for `semlink replay`; nothing where it has none or does not say."""
        return ()

    def unquantised(self, frames: Frames, agreement: Agreement, seeds: Seeds) -> Frames | None:
        """What would arrive if its codec rounded nothing and all of it was delivered, for `semlink replay`.

        None where it has no codec, or one that cannot say.
        """
        return None


class OneWayBase(SchemeBase, OneWay):
    """Base of schemes that send once."""

    __slots__ = ()

    def symbol_parts(self, sent: Received, agreement: Agreement) -> Sequence[SymbolPart]:
        """What the symbols of a transmission carry, in their order; nothing where nobody says. For pictures.

        Args:
            sent: the symbols as they were sent, without noise.
        """
        return ()


class InteractiveBase(SchemeBase, Interactive):
    """Base of schemes that listen."""

    __slots__ = ()

    def symbols_ahead(self, agreement: Agreement, past: Sequence[SentBurst], opening: BurstContext) -> int:
        """Symbols of the next burst whose SNR it is told in `BurstContext.snr_ahead_db`, which counts as genie."""
        return 0

    def burst_packets(
        self, frames: Frames, past: Sequence[SentBurst], agreement: Agreement, seeds: Seeds
    ) -> Sequence[Sequence[Packet]]:
        """The packets that each burst begins with, for `semlink replay`; none for one that only repeats."""
        return ()

    def burst_parts(self, past: Sequence[SentBurst], agreement: Agreement) -> Sequence[Sequence[SymbolPart]]:
        """What the symbols of each burst carry, as `symbol_parts` of a scheme that sends once. For pictures."""
        return ()

    def first_alone(self, frames: FrameShape, point: Point) -> OneWayBase | None:
        """The scheme with its first burst alone, under agreements of a coding's name: `Terms(coding=...)`.

        With `repeats` it serves to choose a coding by a model of the link; None: codings are tried over the real chain.
        """
        return None

    def repeats(self, point: Point) -> Repeats | None:
        """How blocks of its first burst that failed are sent again; None: not, or not in this way."""
        return None


class BoundBase(SchemeBase, Bound):
    """Base of bounds. Without a sensor, whose noise differs, one trial says all."""

    __slots__ = ()

    def is_certain(self, agreement: Agreement) -> bool:
        return self.measurements_per_pixel(agreement) is None


class SensingBase(SchemeBase, Sensing):
    """Base of schemes that only sense."""

    __slots__ = ()


Scheme = OneWayBase | InteractiveBase | BoundBase | SensingBase

_KINDS: tuple[tuple[type[SchemeBase], SchemeKind], ...] = (
    (OneWayBase, "one-way"),
    (InteractiveBase, "interactive"),
    (BoundBase, "bound"),
    (SensingBase, "sensing"),
)


def kind_of(scheme: object) -> SchemeKind:
    """Which of the four kinds a scheme is: the one place where they are told apart.

    Raises:
        InterfaceError: none of them.
    """
    for base, kind in _KINDS:
        if isinstance(scheme, base):
            return kind
    raise InterfaceError(
        f"{type(scheme).__name__} is no scheme; inherit from {', '.join(base.__name__ for base, _ in _KINDS)} "
        "of semlink.blocks, or wrap it with semlink.plugins.adapted"
    )


def is_one_way(scheme: Scheme) -> TypeGuard[OneWayBase]:
    """Whether it sends once."""
    return kind_of(scheme) == "one-way"


def is_interactive(scheme: Scheme) -> TypeGuard[InteractiveBase]:
    """Whether it listens to feedback."""
    return kind_of(scheme) == "interactive"


def is_bound(scheme: Scheme) -> TypeGuard[BoundBase]:
    """Whether it is a bound."""
    return kind_of(scheme) == "bound"


def is_sensing(scheme: Scheme) -> TypeGuard[SensingBase]:
    """Whether it sends nothing."""
    return kind_of(scheme) == "sensing"
