"""Two networks of somebody else with the air between them.

    [ side information, coded | the encoder's symbols ]

How many symbols there are is found before the run: the encoder is given black frames of the agreed shape.
"""

from __future__ import annotations

import math
from collections.abc import Mapping as Known, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch.nn import functional as F

from semlink.blocks import Calibration, OneWayBase, SymbolPart
from semlink.caching import Memo
from semlink.errors import Infeasible, InterfaceError, ScenarioError
from semlink.flow import Flow
from semlink.ledger import Charge
from semlink.link.schemes.coded_header import CodedHeader, calibrated
from semlink.link.schemes.model.network import Network
from semlink.link.schemes.model.side_info import SideInfo
from semlink.link.schemes.model.symbol_map import Mapping, Power, constrained, from_symbols, symbols_in, to_symbols
from semlink.payload import (
    Agreement,
    Delivered,
    Frames,
    FrameShape,
    Point,
    Received,
    Symbols,
    Terms,
    part_of,
)
from semlink.seeds import Seeds

__all__ = ["Form", "Layout", "ModelScheme", "ModelTerms"]

Layout = Literal["frames", "video", "stacked"]
LOST_NOISE = 1e9
"""Noise variance that stands for a symbol that did not arrive."""
MOST_FOR_SIDE = 0.5
"""Share of a budget that side information may take."""
NUMBER = 2.0
"""Power of a symbol where each of its real numbers has power 1."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a model writes frames and symbols.

    Attributes:
        symbols: how real numbers are complex symbols.
        power: what is scaled to an average power of 1.
        unit: what has power 1 in the model's eyes, a complex symbol or each real number.
        layout: frames as a batch (t, planes, h, w), as a video (1, t, planes, h, w) or stacked (1, t planes, h, w).
        low, high: black and white in the model's eyes.
        multiple: heights and widths that the model takes are multiples of it.
        snr_offset_db: added to the SNR that the networks are told.
    """

    symbols: Mapping = "pairs"
    power: Power = "clip"
    unit: Literal["symbol", "number"] = "symbol"
    layout: Layout = "frames"
    low: float = 0.0
    high: float = 1.0
    multiple: int = 1
    snr_offset_db: float = 0.0

    @property
    def amplitude(self) -> float:
        """Of a symbol in the model's eyes, where it has 1 on the air."""
        return math.sqrt(NUMBER) if self.unit == "number" else 1.0


@dataclass(frozen=True, slots=True)
class ModelTerms(Terms):
    """What the encoder gives of these frames, its symbols, what it is told of `uses`, and the side information."""

    shape: tuple[int, ...]
    symbols: int
    uses: int
    side_bytes: int = 0
    margin_db: float = 0.0

    @property
    def path(self) -> CodedHeader:
        """How the side information is coded."""
        return CodedHeader(self.margin_db)

    def head(self, snr_db: float) -> int:
        """Channel uses of the side information."""
        return self.path.uses(self.side_bytes, snr_db) if self.side_bytes else 0


@dataclass(frozen=True)
class ModelScheme(OneWayBase):
    """Two networks, each used at its own end alone.

    Attributes:
        form: how they write frames and symbols.
        side: side information that the encoder gives beside its numbers.
    """

    encoder: Network
    decoder: Network
    form: Form = Form()
    side: SideInfo | None = None
    name: str = "model"
    colours = ("gray", "rgb")
    seen: Memo[tuple[tuple[int, ...], int]] = field(default_factory=lambda: Memo(64), repr=False, compare=False)

    def check(self, frames: FrameShape, rate: float | None) -> None:
        for network in (self.encoder, self.decoder):
            if network.tells("rate") and rate is None:
                raise ScenarioError(f"{network.where} knows rate; give the scheme rates, its own operating points")
        if rate is not None and rate <= 0 and self._fills:
            raise ScenarioError(f"rates: got {rate:g} channel uses a pixel; need more than 0")

    def doubts(self) -> Sequence[str]:
        untrained = [n.where for n in (self.encoder, self.decoder) if n.maker is not None and not n.checkpoint]
        return [f"{where}: no checkpoint is given; it is as its class makes it" for where in untrained]

    def loses_blocks(self) -> bool:
        return self.side is not None

    def agree(self, frames: FrameShape, point: Point, calibration: Calibration) -> Agreement[ModelTerms]:
        """Settle the number of symbols, and how side information is coded.

        Raises:
            Infeasible: the model has more symbols than there is room for.
        """
        items = self.items(frames)
        side_bytes = 0 if self.side is None else self.side.num_bytes(items)
        room, path = point.budget_uses, CodedHeader()
        if room is None and self._fills:
            assert point.rate is not None
            room = math.floor(point.rate * frames.num_pixels)
        if side_bytes:
            most = int(MOST_FOR_SIDE * (room or 8 * frames.num_pixels))
            path = calibrated(path, side_bytes, point.snr_db, calibration, most_uses=most)
        head = path.uses(side_bytes, point.snr_db) if side_bytes else 0
        uses = max((room - head) // items, 0) if room is not None and self._fills else 0
        if self._fills and not uses:
            raise Infeasible(f"{self.name}: {room} channel uses, {head} for side information; nothing is left")
        shape, symbols = self._tried(frames, point, uses)
        if room is not None and symbols + head > room:
            beside = f" and {head} for side information" if head else ""
            raise Infeasible(f"{self.name}: the model sends {symbols} symbols{beside}; {room} are there")
        return Agreement(
            frames, point, ModelTerms(shape, symbols, uses, side_bytes, path.margin_db, note=self._padding(frames))
        )

    def transmit(self, frames: Frames, agreement: Agreement[ModelTerms], seeds: Seeds) -> Flow[Symbols]:
        terms, snr_db = agreement.terms, agreement.point.snr_db
        numbers, side = self.numbers_of(frames, agreement)
        if tuple(numbers.shape) != terms.shape:
            raise InterfaceError(
                f"{self.encoder.where}: gave {tuple(numbers.shape)} for this clip and {terms.shape} for black frames; "
                "the number of symbols must follow from shape, SNR, rate and uses"
            )
        iq = self._on_air(numbers).reshape(1, -1)
        if self.side is None:
            return Flow(Symbols(iq)).then(Symbols(iq), Charge("link/model", "payload", iq.shape[1]))
        assert side is not None
        flow = terms.path.send(self._guarded(self.side.pack, side, self.items(agreement.frames)), snr_db)
        whole = Symbols(torch.cat([flow.payload.iq, iq], 1))
        return flow.then(whole, Charge("link/model", "payload", iq.shape[1]))

    def receive(self, received: Received, agreement: Agreement[ModelTerms]) -> Delivered:
        """Frames from what arrived; without its side information the decoder has nothing to go by: mid-gray frames."""
        terms, snr_db, shape = agreement.terms, agreement.point.snr_db, agreement.frames
        head, blocks, side = terms.head(snr_db), 0, None
        if self.side is not None:
            blocks = terms.path.blocks(terms.side_bytes, snr_db)
            data = terms.path.receive(received, terms.side_bytes, snr_db)
            if data is None:
                gray = Frames(torch.full(pixels_of(shape), 0.5), shape.colour)
                return Delivered(gray, blocks, blocks, tuple(range(blocks)))
            side = self.side.unpack(data, self.items(shape))
        pixels = self.decoded(part_of(received, head, head + terms.symbols), side, agreement)
        return Delivered(Frames(pixels.clamp(0, 1), shape.colour), blocks)

    def numbers_of(self, frames: Frames, agreement: Agreement[ModelTerms]) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The encoder's own numbers (item, ...) of a clip, and its side information."""
        return self._encoded(frames.pixels, agreement.frames, agreement.point, agreement.terms.uses)

    def symbol_parts(self, sent: Received, agreement: Agreement[ModelTerms]) -> Sequence[SymbolPart]:
        terms = agreement.terms
        own = SymbolPart("model", terms.symbols)
        if self.side is None:
            return (own,)
        return terms.path.symbol_part("side information", terms.side_bytes, agreement.point.snr_db), own

    @property
    def _fills(self) -> bool:
        """Whether the model is told how many symbols it has."""
        return self.encoder.tells("uses")

    def items(self, frames: FrameShape) -> int:
        """Of the batch that a clip is to the networks."""
        return frames.t if self.form.layout == "frames" else 1

    def _tried(self, frames: FrameShape, point: Point, uses: int) -> tuple[tuple[int, ...], int]:
        """The shape of what the encoder gives of black frames, and its complex symbols."""

        def run() -> tuple[tuple[int, ...], int]:
            numbers, _ = self._encoded(torch.zeros(pixels_of(frames)), frames, point, uses)
            shape = tuple(numbers.shape)
            each = self._guarded(symbols_in, shape, self.form.symbols, is_complex=numbers.is_complex())
            return shape, each * shape[0]

        return self.seen.get((frames, point.snr_db, point.rate, uses), run)

    def _encoded(
        self, pixels: torch.Tensor, frames: FrameShape, point: Point, uses: int
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The encoder's numbers (item, ...), and its side information."""
        items, where = self.items(frames), self.encoder.where
        found = self.encoder(self.as_input(pixels, frames), self.known(point, uses, items))
        side = None
        if self.side is not None:
            if not (isinstance(found, tuple | list) and len(found) == 2):
                raise InterfaceError(f"{where}: gave {_told(found)}; need (symbols, side information)")
            found, side = found
        if not isinstance(found, torch.Tensor) or not (found.is_floating_point() or found.is_complex()):
            hint = "; side_info says what goes beside the symbols" if isinstance(found, tuple | list) else ""
            raise InterfaceError(f"{where}: gave {_told(found)}; need a tensor of real or complex numbers{hint}")
        if found.device.type == "meta" or found.ndim < 1 or found.numel() == 0:
            raise InterfaceError(f"{where}: gave {_told(found)} on device {found.device}, which holds no numbers")
        found = found.detach().cpu()
        if found.ndim == 1 and items == 1:
            found = found[None]
        if len(found) != items:
            raise InterfaceError(f"{where}: gave {_told(found)}; the first axis must be the {items} of its input")
        return found, side

    def _on_air(self, numbers: torch.Tensor) -> torch.Tensor:
        """Symbols (item, n) as they are sent."""
        iq = self._guarded(to_symbols, numbers, self.form.symbols) / self.form.amplitude
        return self._guarded(constrained, iq, self.form.power)

    def decoded(self, received: Received, side: torch.Tensor | None, agreement: Agreement[ModelTerms]) -> torch.Tensor:
        """What the decoder makes of the symbols: pixels of the clip, which may lie outside [0, 1]."""
        frames, terms, amplitude = agreement.frames, agreement.terms, self.form.amplitude
        items, lost = self.items(frames), received.noise_var.isinf()
        iq = (received.iq.masked_fill(lost, 0).to(torch.complex64) * amplitude).reshape(terms.shape[0], -1)
        noise_var = (received.noise_var.float() * amplitude**2).masked_fill(lost, LOST_NOISE).reshape(iq.shape)
        known = {**self.known(agreement.point, terms.uses, items), "noise_var": noise_var}
        more = [] if self.side is None or side is None else [(self.side.name, side)]
        numbers = from_symbols(iq, terms.shape, self.form.symbols)
        return self._as_pixels(self.decoder(numbers, known, *more), frames)

    def known(self, point: Point, uses: int, items: int) -> Known[str, Any]:
        """What both ends may be told, as tensors (item,)."""
        told = {"snr": point.snr_db + self.form.snr_offset_db, "rate": point.rate, "uses": uses}
        return {name: torch.full((items,), float(value)) for name, value in told.items() if value is not None}

    def as_input(self, pixels: torch.Tensor, frames: FrameShape) -> torch.Tensor:
        """Pixels (1, t, planes * h, w) as the encoder takes them, padded by repeating the edge."""
        h, w = self._grown(frames)
        planes = pixels.reshape(frames.t, -1, frames.h, frames.w)
        planes = F.pad(planes, (0, w - frames.w, 0, h - frames.h), mode="replicate")
        planes = planes * (self.form.high - self.form.low) + self.form.low
        return planes.reshape(self._shape(frames))

    def _as_pixels(self, found: Any, frames: FrameShape) -> torch.Tensor:
        """What the decoder gave as float32 pixels (1, t, planes * h, w)."""
        where, need = self.decoder.where, self._shape(frames)
        if not isinstance(found, torch.Tensor) or not found.is_floating_point():
            raise InterfaceError(f"{where}: gave {_told(found)}; need a tensor of real numbers, {need}")
        if tuple(found.shape) != need:
            raise InterfaceError(f"{where}: gave {_told(found)}; need {need}, the shape that the encoder got")
        if found.device.type == "meta":
            raise InterfaceError(f"{where}: gave {_told(found)} on device meta, which holds no numbers")
        pixels = (found.detach().cpu().float() - self.form.low) / (self.form.high - self.form.low)
        if not bool(torch.isfinite(pixels).all()):
            raise InterfaceError(f"{where}: gave NaN or infinite pixels")
        h, w = self._grown(frames)
        pixels = pixels.reshape(frames.t, -1, h, w)[..., : frames.h, : frames.w]
        return pixels.reshape(pixels_of(frames))

    def _shape(self, frames: FrameShape) -> tuple[int, ...]:
        """Of the encoder's input and the decoder's output."""
        h, w = self._grown(frames)
        planes = frames.rows // frames.h
        return {
            "frames": (frames.t, planes, h, w),
            "video": (1, frames.t, planes, h, w),
            "stacked": (1, frames.t * planes, h, w),
        }[self.form.layout]

    def _grown(self, frames: FrameShape) -> tuple[int, int]:
        """Height and width with the padding."""
        return frames.h + -frames.h % self.form.multiple, frames.w + -frames.w % self.form.multiple

    def _padding(self, frames: FrameShape) -> str:
        grown = self._grown(frames)
        return "" if grown == (frames.h, frames.w) else f"frames padded to {grown[0]}x{grown[1]}"

    def _guarded(self, made: Any, *given: Any, **named: Any) -> Any:
        """What a step makes; what is wrong with the encoder's output is put down to it."""
        try:
            return made(*given, **named)
        except InterfaceError as fault:
            raise InterfaceError(f"{self.encoder.where}: {fault}") from fault


def pixels_of(frames: FrameShape) -> tuple[int, int, int, int]:
    """The shape of one clip's pixels."""
    return 1, frames.t, frames.rows, frames.w


def _told(found: Any) -> str:
    """A network's output in words."""
    if isinstance(found, torch.Tensor):
        return f"{tuple(found.shape)} {str(found.dtype).removeprefix('torch.')}"
    if isinstance(found, tuple | list):
        return f"{len(found)} outputs"
    return type(found).__name__
