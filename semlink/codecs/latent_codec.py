"""A clip as the codes of a generator that the receiver holds: rank r, factored, quantised, range coded.

    Z (t x k)  ~  C (t x r)  B (r x k),    B of orthonormal rows

The transmitter fits codes of rank r to the frames; weights stay as they are.
Row i of B, times the length of column i of C, and column i of C itself are
rounded with one step: an error of either moves the codes by just as much. The
receiver brings rows of B back to length 1. Against the rounded B the codes are
projected anew, so C takes up what it can of its error. Columns of C, or their
differences from frame to frame where that takes fewer bits, and rows of B are
coded under Gaussians whose scales go with them.

Stream: step, rank - 1, and for each i two bytes (whether differences, and the
scale, of C; the scale of B); then the range coder's. Few hundred bytes in all,
hence one packet.

Source: codes of rank r as the representation of a video [hyder2019gmlr, Sec. 2.3]; their coding is this project's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from semlink.blocks import CodecBase
from semlink.caching import Memo, digest_of
from semlink.codecs.entropy.range_coder import (
    FARTHEST,
    NUM_SCALES,
    SCALE_BOTTOM,
    SCALES_PER_OCTAVE,
    Reader,
    Writer,
    gaussian_tables,
    table_bits,
)
from semlink.codecs.packetization import framed_size
from semlink.codecs.rate_search import Knob, Trial, best_under
from semlink.errors import Infeasible, ScenarioError
from semlink.nn.generative.generator_weights import check_side, generator_of, start_code
from semlink.nn.generative.latent_fit import FitSettings, check_rank, fit
from semlink.nn.generative.latent_rank import factors
from semlink.nn.generative.operators import PixelsLeft
from semlink.payload import FrameShape, Packet
from semlink.weights.cards import RANDOM, find_weights, read_card

__all__ = ["LatentCodec", "from_stream", "to_stream"]

STEPS_PER_OCTAVE, NUM_STEPS = 4, 48  # steps 2^(-q / 4) for q up to 48: 1 to 1/4096, of codes of length about 1
_KNOB = Knob(0, NUM_STEPS, 1, 8)  # turned towards coarse, as the search has it
RANKS_TRIED = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
_fitted: Memo[dict[int, torch.Tensor]] = Memo(64)  # of clips: a fit takes far longer than the rest


@dataclass(frozen=True, slots=True)
class LatentCodec(CodecBase):
    """Codes of a generator as a source codec.

    Attributes:
        weights: of the generator, by name.
        rank: of the codes; None tries several under a budget and takes the one whose frames come out best.
        planes: of a frame, stacked: 1 gray, 3 for R, G and B.
        epochs: of the fit, at most.
        step: of the quantiser where `rates` give the rank.
        digest: SHA-256 of the weights, found when they are read.
    Raises:
        ModelError, InterfaceError: weights missing, damaged, or of other planes.
        ScenarioError: a rank or step that means nothing.
    """

    weights: str
    rank: int | None = None
    planes: int = 1
    epochs: int = 2000
    step: float = 1 / 32
    digest: str = field(default="", init=False)

    def __post_init__(self) -> None:
        if self.rank is not None and not 1 <= self.rank <= 256:
            raise ScenarioError(f"codec gmlr: rank is {self.rank}; allowed: 1 to 256, or null")
        if not 2 ** (-NUM_STEPS / STEPS_PER_OCTAVE) <= self.step <= 1:
            raise ScenarioError(f"codec gmlr: step is {self.step:g}; allowed: 1/4096 to 1")
        generator_of(self.weights, self.planes)
        if self.weights != RANDOM:
            object.__setattr__(self, "digest", read_card(find_weights(self.weights))["weights_sha256"])

    def encode(self, clip: np.ndarray, *, max_bytes: int) -> tuple[Packet, ...]:
        """The best packet for `clip` (t, h, w) whose framed size is at most `max_bytes`.

        Raises:
            Infeasible: not even the coarsest stream fits.
            InterfaceError: frames that are not 64 x 64 in each plane, or a rank above their number.
        """
        best: tuple[float, tuple[Packet, ...]] | None = None
        reasons = []
        for rank, codes in self._codes(clip, self._ranks(clip)).items():
            try:
                trial = self._under(codes, rank, max_bytes)
            except Infeasible as too_small:
                reasons.append(too_small)
                continue
            error = float(np.square(self.decode(trial.stream, FrameShape(*clip.shape)) - clip).mean())
            if best is None or error < best[0]:
                best = (error, trial.stream)
        if best is None:
            raise reasons[0]
        return best[1]

    def encode_at(self, clip: np.ndarray, rate: float) -> tuple[Packet, ...]:
        """The packet at rank `rate`, quantised with `step`.

        Raises:
            ScenarioError: no rank.
            InterfaceError: frames that are not 64 x 64 in each plane, or a rank above their number.
        """
        self.check_rate(rate)
        codes = self._codes(clip, (int(rate),))[int(rate)]
        return _packets(codes, int(rate), round(-STEPS_PER_OCTAVE * float(np.log2(self.step))))

    def check_rate(self, rate: float | None, shape: FrameShape | None = None) -> None:
        if rate is not None and (rate < 1 or rate != int(rate)):
            raise ScenarioError(f"rates: got {rate:g} for codec gmlr; allowed: ranks, whole numbers from 1")
        if shape is not None:
            check_side(shape, self.planes, "codec gmlr")
            check_rank(self.rank if rate is None else int(rate), shape.t)

    def decode(self, packets: Sequence[Packet], shape: FrameShape) -> np.ndarray:
        """Frames (t, h, w) in [0, 1]; never raises on damage. Without a packet: what the fit starts from."""
        generator = generator_of(self.weights, self.planes)
        codes = from_stream(packets[0].data if packets else b"", shape.t, generator.latent)
        if codes is None:
            codes = start_code(generator.latent).repeat(shape.t, 1)
        with torch.no_grad():
            pixels = (generator(codes) + 1) / 2
        return pixels.reshape(shape.t, shape.h, shape.w).numpy()

    def _ranks(self, clip: np.ndarray) -> tuple[int, ...]:
        if self.rank is not None:
            return (self.rank,)
        most = min(len(clip), generator_of(self.weights, self.planes).latent)
        return tuple(rank for rank in RANKS_TRIED if rank <= most)

    def _codes(self, clip: np.ndarray, ranks: tuple[int, ...]) -> dict[int, torch.Tensor]:
        """Codes (t, k) of each rank for a clip, all fitted at once."""
        shape = FrameShape(*clip.shape)
        check_side(shape, self.planes, "codec gmlr")
        check_rank(max(ranks), shape.t)
        key = (self.weights, self.digest, self.planes, self.epochs, ranks, digest_of(clip))
        return _fitted.get(key, lambda: self._fit(clip, shape, ranks))

    def _fit(self, clip: np.ndarray, shape: FrameShape, ranks: tuple[int, ...]) -> dict[int, torch.Tensor]:
        pixels = torch.from_numpy(np.ascontiguousarray(clip, np.float32)).view(1, shape.t, -1)
        made = fit(
            generator_of(self.weights, self.planes),
            PixelsLeft.all_of(shape.t, shape.h * shape.w),
            pixels.expand(len(ranks), -1, -1),
            FitSettings(learn="latent", epochs=self.epochs),
            ranks=torch.tensor(ranks),
        )
        return dict(zip(ranks, made.codes, strict=True))

    def _under(self, codes: torch.Tensor, rank: int, max_bytes: int) -> Trial[tuple[Packet, ...]]:
        return best_under(
            lambda setting: _packets(codes, rank, NUM_STEPS - round(setting)),
            framed_size,
            max_bytes,
            knob=_KNOB,
            start=NUM_STEPS / 2,
            name=f"gmlr at rank {rank}: even with a step of 1, setting",
            most_encodes=10,
        )


def to_stream(codes: torch.Tensor, rank: int, knob: int) -> bytes:
    """The bytes of codes (t, k) at `rank`, with a step of 2^(-knob / 4)."""
    step = 2.0 ** (-knob / STEPS_PER_OCTAVE)
    coefficients, basis = (part.double().numpy() for part in factors(codes, rank))
    rank = len(basis)
    rows = _levels(basis * np.linalg.norm(coefficients, axis=0)[:, None], step)
    unit = _unit(rows)
    columns = _levels(codes.double().numpy() @ np.linalg.pinv(unit), step).T
    head, models, values = [knob, rank - 1], [], []
    for row, column in zip(rows, columns, strict=True):
        plain, steps = column, np.diff(column, prepend=0)
        (scale, cost), (scale_of_steps, cost_of_steps) = _scale(plain), _scale(steps)
        by_steps = cost_of_steps < cost
        head += [128 * by_steps + (scale_of_steps if by_steps else scale), _scale(row)[0]]
        values += [steps if by_steps else plain, row]
        models += [np.full(len(column), head[-2] % 128), np.full(len(row), head[-1])]
    writer = Writer()
    for value, model in zip(values, models, strict=True):
        writer.put(value, model, gaussian_tables())
    return bytes(head) + writer.bytes()


def from_stream(data: bytes, frames: int, latent: int) -> torch.Tensor | None:
    """Codes (t, k) from `to_stream`'s bytes; other codes, or None, if they are damaged."""
    if len(data) < 2 or data[0] > NUM_STEPS or len(data) < 2 + 2 * (data[1] + 1):
        return None
    step, rank = 2.0 ** (-data[0] / STEPS_PER_OCTAVE), data[1] + 1
    scales = data[2 : 2 + 2 * rank]
    if max(scale % 128 for scale in scales) >= NUM_SCALES:
        return None
    reader, rows, columns = Reader(data[2 + 2 * rank :]), [], []
    for i in range(rank):
        column = reader.take(np.full(frames, scales[2 * i] % 128), gaussian_tables())
        columns.append(np.cumsum(column) if scales[2 * i] >= 128 else column)
        rows.append(reader.take(np.full(latent, scales[2 * i + 1] % 128), gaussian_tables()))
    codes = step * np.array(columns, float).T @ _unit(np.array(rows))
    return torch.from_numpy(np.nan_to_num(codes.clip(-FARTHEST, FARTHEST)).astype(np.float32))


def _packets(codes: torch.Tensor, rank: int, knob: int) -> tuple[Packet, ...]:
    return (Packet(0, to_stream(codes, rank, knob)),)


def _levels(values: np.ndarray, step: float) -> np.ndarray:
    return np.rint(values / step).clip(-FARTHEST, FARTHEST).astype(np.int64)


def _unit(rows: np.ndarray) -> np.ndarray:
    """Rows brought to length 1; rows of zeros stay."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1.0)


def _scale(levels: np.ndarray) -> tuple[int, float]:
    """The Gaussian under which whole numbers take fewest bits, near their own scale, and these bits."""
    spread = max(float(np.sqrt(np.mean(np.square(levels.astype(float))))), SCALE_BOTTOM)
    middle = round(SCALES_PER_OCTAVE * float(np.log2(spread / SCALE_BOTTOM)))
    near = range(max(min(middle, NUM_SCALES) - 6, 0), min(middle + 3, NUM_SCALES))
    bits = {n: table_bits(levels, np.full(levels.size, n), gaussian_tables()) for n in near}
    best = min(bits, key=bits.__getitem__)
    return best, bits[best]
