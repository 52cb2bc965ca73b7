"""Binary maps of the delta-sigma codec straight onto BPSK or QPSK: no channel code, no header.

How many channels every block sends follows from the budget, so both ends know it before anything is
sent; all symbols are payload. The receiver weighs each bit by its likelihood, tanh(L / 2), the mean
of a bit of -1 or 1 behind noise of the variance that it knows, or decides each by itself. What fades or
is lost weighs little or nothing. Bits are interleaved over the whole transmission.

Source: [sun2020framediff]; direct transmission is this project's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial

import numpy as np
import torch

from semlink.blocks import Calibration, OneWayBase, SymbolPart
from semlink.caching import Memo, digest_of
from semlink.codecs.delta_sigma.binary_maps import Loaded, load_delta_sigma
from semlink.codecs.delta_sigma.codec import check_channels
from semlink.codecs.delta_sigma.packets import even_counts, parts_of
from semlink.colour.layout import COLOURS
from semlink.colour.tall import as_tall, of_tall
from semlink.errors import Infeasible
from semlink.flow import Flow
from semlink.ledger import Charge
from semlink.link.schemes.interleaver import interleaver
from semlink.payload import (
    Agreement,
    Delivered,
    Frames,
    FrameShape,
    Point,
    Received,
    Symbols,
    Terms,
    as_frames,
    only_clip,
)
from semlink.phy.qam import constellation, demap, map_bits
from semlink.seeds import Seeds

__all__ = ["DeltaSigmaDirect"]

NAME = "codecs/delta-sigma"
ENCODED_CLIPS_KEPT = 16
FINEST_FOLD = 3
ROOT = 0xD5


@dataclass(frozen=True, slots=True)
class ChannelCounts(Terms):
    """Channels of every block, and the first parts that have one more."""

    channels: int
    richer: int = 0


@dataclass(frozen=True, slots=True)
class DeltaSigmaDirect(OneWayBase):
    """A trained codec whose bits meet the air as they are.

    Attributes:
        weights: a shipped name or a file.
        bits_per_symbol: 1 for BPSK, 2 for QPSK.
        channels: how many of the model's channels are sent; None: as the rate or the budget says.
        soft: weigh bits by their likelihood instead of deciding them.
        digest: SHA-256 of the weights, found when they are read.
    Raises:
        ModelError: missing, damaged, or of another kind or architecture.
        ScenarioError: more or fewer channels than the model was trained for.
    """

    weights: str
    bits_per_symbol: int = 2
    channels: int | None = None
    soft: bool = True
    colours = COLOURS
    digest: str = field(default="", init=False)
    encoded: Memo[np.ndarray] = field(default_factory=lambda: Memo(ENCODED_CLIPS_KEPT), repr=False, compare=False)

    def __post_init__(self) -> None:
        model = load_delta_sigma(self.weights)
        if self.channels is not None:
            check_channels("channels", self.channels, model)
        object.__setattr__(self, "digest", model.digest)

    def check(self, frames: FrameShape, rate: float | None) -> None:
        if rate is not None:
            check_channels("rates", rate, load_delta_sigma(self.weights))

    def agree(self, frames: FrameShape, point: Point, calibration: Calibration) -> Agreement[ChannelCounts]:
        """Settle the channels of every block: `channels`, and one more in the first `richer` parts.

        Raises:
            Infeasible: not even the fewest channels fit.
            ScenarioError: a rate that is no number of channels of the model.
        """
        model = load_delta_sigma(self.weights)
        if point.budget_uses is None:
            assert point.rate is not None
            check_channels("rates", point.rate, model)
            return Agreement(frames, point, ChannelCounts(int(point.rate)))
        blocks = num_blocks(model, frames)
        whole = point.budget_uses * self.bits_per_symbol // (model.size.group * blocks)
        k = min(whole, model.most) if self.channels is None else self.channels
        if k > whole or k < model.fewest:
            k = max(k, model.fewest)
            needed = -(-k * model.size.group * blocks // self.bits_per_symbol)
            raise Infeasible(
                f"delta-sigma-direct: {k} channels take {needed} channel uses, the budget is {point.budget_uses}; "
                "raise it or send fewer pixels"
            )
        richer = 0
        if self.channels is None and k < model.most:
            richer = self._richer(model, frames, k, point.budget_uses)
        return Agreement(frames, point, ChannelCounts(k, richer))

    def transmit(self, frames: Frames, agreement: Agreement[ChannelCounts], seeds: Seeds) -> Flow[Symbols]:
        model, clip = load_delta_sigma(self.weights), as_tall(only_clip(frames), frames.colour)
        counts = agreed_counts(model, agreement)
        bits = self.encoded.get(digest_of(clip, counts), lambda: model.bits(clip, counts))
        ones = bits[sent_bits(model, counts)] < 0  # a bit of 1 is the label 0
        order = self.bits_per_symbol
        padding = -len(ones) % order
        mixed = np.append(ones[interleaver(ROOT, len(ones))], np.zeros(padding, bool)).astype(np.uint8)
        symbols = Symbols(torch.from_numpy(map_bits(mixed[None], order)))
        charges = [Charge(NAME, "payload", Fraction(len(ones), order))]
        charges += [Charge(NAME, "header", Fraction(padding, order))] if padding else []
        return Flow(symbols).then(symbols, *charges)

    def receive(self, received: Received, agreement: Agreement[ChannelCounts]) -> Delivered:
        model = load_delta_sigma(self.weights)
        counts = agreed_counts(model, agreement)
        where = sent_bits(model, counts)
        number = int(where.sum())
        noise_var = received.noise_var.detach().cpu().numpy()
        llr = demap(received.iq.detach().cpu().to(torch.complex64).numpy(), noise_var, self.bits_per_symbol)[0]
        arrived = np.zeros(number, np.float32)
        arrived[interleaver(ROOT, number)] = (np.tanh(llr / 2) if self.soft else np.sign(llr))[:number]
        bits = np.zeros(where.shape, np.float32)
        bits[where] = arrived
        frames = agreement.frames
        pixels = of_tall(model.frames(bits, counts, FrameShape(*frames.array)), frames.colour)
        return Delivered(as_frames(pixels, frames.colour))

    def symbol_parts(self, sent: Received, agreement: Agreement[ChannelCounts]) -> Sequence[SymbolPart]:
        order = self.bits_per_symbol
        return (SymbolPart("bits", sent.iq.shape[1], partial(demap, bits_per_symbol=order), constellation(order)),)

    def _richer(self, model: Loaded, frames: FrameShape, k: int, uses: int) -> int:
        """Parts that can have one channel more."""
        shape = model.shape(FrameShape(*frames.array))
        left = uses * self.bits_per_symbol - k * model.size.group * num_blocks(model, frames)
        richer = 0
        for part in parts_of(shape.groups, FINEST_FOLD):
            left -= model.size.group * part.blocks(shape.rows, shape.columns)
            if left < 0:
                break
            richer += 1
        return richer


def num_blocks(model: Loaded, frames: FrameShape) -> int:
    """Blocks of all groups."""
    shape = model.shape(FrameShape(*frames.array))
    return shape.groups * shape.rows * shape.columns


def agreed_counts(model: Loaded, agreement: Agreement[ChannelCounts]) -> np.ndarray:
    """Channels of every block: (groups, rows, columns)."""
    shape, k, richer = (
        model.shape(FrameShape(*agreement.frames.array)),
        agreement.terms.channels,
        agreement.terms.richer,
    )
    parts = parts_of(shape.groups, FINEST_FOLD)
    channels = [k + (place < richer) for place in range(len(parts))]
    return even_counts(parts, channels, shape.groups, shape.rows, shape.columns)


def sent_bits(model: Loaded, counts: np.ndarray) -> np.ndarray:
    """Which bits (groups, K, n, rows, columns) are sent."""
    number = np.arange(model.size.channels)[:, None, None, None]
    sent = number < counts[:, None, None]
    return np.broadcast_to(sent, (*sent.shape[:2], model.size.group, *sent.shape[3:]))
