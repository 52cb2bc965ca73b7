"""A linear analogue scheme: a coded header, then video coefficients as amplitudes.

    [ header: which chunks, their variances | coefficients, two real numbers a symbol ]

The length of the header is agreed on for the operating point; the transmitter
describes its chunks as finely as that allows. A header that is lost leaves
nothing to decode by: mid-gray frames.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from semlink.blocks import Calibration, OneWayBase, SymbolPart
from semlink.caching import Memo, digest_of
from semlink.codecs.analogue.softcast import LEAST_SIDE_BYTES, SoftCast
from semlink.codecs.projections.softcast import ProjectionSoftCast
from semlink.colour.layout import COLOURS
from semlink.errors import Infeasible, ScenarioError
from semlink.flow import Flow
from semlink.ledger import Charge
from semlink.link.schemes.coded_header import CodedHeader, calibrated
from semlink.link.schemes.symbol_pairs import as_numbers, as_symbols
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
    part_of,
)
from semlink.seeds import Seeds
from semlink.units import noise_var_from_snr

__all__ = ["SoftCastScheme"]

ENCODED_CLIPS_KEPT = 16
MOST_USES_A_PIXEL = 1000.0
"""As of `sweep.budget`."""

GOOD_SIDE_BYTES = 24
"""What a short transmission spends on its description, if it can."""
MOST_OF_A_SHORT_ONE = 0.15
MOST_FOR_MARGIN = 0.25
"""Shares of the channel uses that those bytes, and a header made safe against fading, may take."""


@dataclass(frozen=True, slots=True)
class SoftCastTerms(Terms):
    """Channel uses of a clip, bytes of its header, and the header's margin in dB."""

    uses: int
    side_bytes: int
    margin_db: float

    @property
    def path(self) -> CodedHeader:
        """How the header is coded."""
        return CodedHeader(self.margin_db)


@dataclass(frozen=True, slots=True)
class SoftCastScheme(OneWayBase):
    """SoftCast with its metadata sent and paid for.

    Attributes:
        metadata: share of the channel uses that the description of the chunks may take.
        margin_db: between the agreed SNR and what the header is coded for; None to find it by calibration.
    """

    codec: SoftCast | ProjectionSoftCast
    colours = COLOURS
    metadata: float = 0.06
    margin_db: float | None = None
    encoded: Memo[tuple[bytes, np.ndarray]] = field(
        default_factory=lambda: Memo(ENCODED_CLIPS_KEPT), repr=False, compare=False
    )

    def check(self, frames: FrameShape, rate: float | None) -> None:
        if rate is not None and not 0 < rate <= MOST_USES_A_PIXEL:
            raise ScenarioError(
                f"rates: got {rate:g} channel uses a pixel; allowed: above 0, up to {MOST_USES_A_PIXEL:g}"
            )

    def group_frames(self, frames: FrameShape) -> int:
        return self.codec.gop or frames.t

    def loses_blocks(self) -> bool:
        return True

    def agree(self, frames: FrameShape, point: Point, calibration: Calibration) -> Agreement[SoftCastTerms]:
        """Settle the number of channel uses, the length of the header and its margin.

        Raises:
            Infeasible: the header would take more than half of the channel uses.
        """
        uses = point.budget_uses
        if uses is None:
            assert point.rate is not None
            uses = math.floor(point.rate * frames.num_pixels)
        path = CodedHeader(self.margin_db or 0.0)
        side_bytes = self._side_bytes(path, uses, point.snr_db)
        if self.margin_db is None:
            most = int(MOST_FOR_MARGIN * uses)
            path = calibrated(path, side_bytes, point.snr_db, calibration, most_uses=most)
        head = path.uses(side_bytes, point.snr_db)
        if head > uses / 2:
            raise Infeasible(f"{uses} channel uses; the smallest header of SoftCast takes {head} of them")
        return Agreement(frames, point, SoftCastTerms(uses, side_bytes, path.margin_db))

    def transmit(self, frames: Frames, agreement: Agreement[SoftCastTerms], seeds: Seeds) -> Flow[Symbols]:
        snr_db, path, side_bytes = agreement.point.snr_db, agreement.terms.path, agreement.terms.side_bytes
        clip, num_reals = only_clip(frames), 2 * (agreement.terms.uses - path.uses(side_bytes, snr_db))
        side, numbers = self.encoded.get(
            digest_of(clip, num_reals, side_bytes, snr_db),
            lambda: self.codec.encode(
                clip, num_reals=num_reals, side_bytes=side_bytes, noise_var=noise_var_from_snr(snr_db)
            ),
        )
        flow = path.send(side.ljust(side_bytes, b"\0"), snr_db)
        iq = torch.cat([flow.payload.iq, as_symbols(numbers)], 1)
        return flow.then(Symbols(iq), Charge("codecs/softcast", "payload", len(numbers) // 2))

    def receive(self, received: Received, agreement: Agreement[SoftCastTerms]) -> Delivered:
        snr_db, path, side_bytes = agreement.point.snr_db, agreement.terms.path, agreement.terms.side_bytes
        shape = agreement.frames
        size = shape.array
        pixels = None
        side = path.receive(received, side_bytes, snr_db)
        if side is not None:
            analogue = part_of(received, path.uses(side_bytes, snr_db), received.iq.shape[1])
            numbers, noise_var = as_numbers(analogue)
            pixels = self.codec.decode(side, numbers, noise_var, size, noise_var=noise_var_from_snr(snr_db))
        if pixels is None:
            return Delivered(as_frames(self.codec.nothing(size), shape.colour), blocks=1, lost=1, failed=(0,))
        return Delivered(as_frames(pixels, shape.colour), blocks=1)

    def symbol_parts(self, sent: Received, agreement: Agreement[SoftCastTerms]) -> Sequence[SymbolPart]:
        head = agreement.terms.path.symbol_part("header", agreement.terms.side_bytes, agreement.point.snr_db)
        whole = replace(head, blocks=(head.symbols,), numbers=(0,))  # lost or there as a whole
        return whole, SymbolPart("analogue", sent.iq.shape[1] - head.symbols)

    def _side_bytes(self, path: CodedHeader, uses: int, snr_db: float) -> int:
        """What `metadata` of the channel uses carries, more of them where that is very little."""
        least = min(_carried(path, int(MOST_OF_A_SHORT_ONE * uses), snr_db), GOOD_SIDE_BYTES)
        return max(_carried(path, int(self.metadata * uses), snr_db), least, LEAST_SIDE_BYTES)


def _carried(path: CodedHeader, uses: int, snr_db: float) -> int:
    """Bytes of a header of at most `uses` symbols, 0 where there is none."""
    try:
        return path.most_bytes(uses, snr_db)
    except Infeasible:
        return 0
