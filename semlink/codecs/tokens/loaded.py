"""A trained code of tokens, ready for use: networks, contexts in whole numbers, and readings to bytes and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from semlink.codecs.entropy.range_coder import FARTHEST
from semlink.codecs.readings_domain import normalise_readings
from semlink.codecs.task_aware.codec import conceal, one_thread
from semlink.codecs.token_readings import extended
from semlink.codecs.tokens.integer_contexts import Expected, IntegerContexts, Turn
from semlink.codecs.tokens.latent_coding import LatentReader, LatentWriter, coded_bits
from semlink.codecs.tokens.networks import KNOB_STEPS, TokenCodecNet, TokenSizes, probe
from semlink.errors import InterfaceError, ModelError
from semlink.payload import FrameShape
from semlink.weights.cards import find_weights, read_card
from semlink.weights.remembered import remembered
from semlink.weights.tensors import load_verified

TASK = "token_compression"

Band = tuple[int, np.ndarray]
"""The knob of a band of rows, and its latents (rows, columns, channels), whole unless something made them finer."""

Met = Callable[[Turn, np.ndarray, Expected], None]
"""Takes a turn, its whole latents (places, channels), and what was expected of them."""


class LoadedTokens:
    """Networks and tables of one weights file; they never change."""

    def __init__(self, net: TokenCodecNet, facts: dict[str, Any], digest: str = "", name: str = "weights") -> None:
        self.net, self.facts, self.digest, self.sizes = net, facts, digest, net.sizes
        self.integer = IntegerContexts(net.contexts, log_gains(net), name)
        self.rough = IntegerContexts(net.contexts, log_gains(net), name, np.float32)

    def counts(self, h: int, w: int) -> torch.Tensor:
        """The ratio map."""
        tile = torch.tensor(self.sizes.tile)
        return tile.repeat(-(-h // len(tile)), -(-w // tile.shape[1]))[:h, :w]

    def price(self, knob: int) -> float:
        """Of a bit a token, in units of ln(error), as in training."""
        coarse, fine = self.facts["prices"]
        return coarse * (fine / coarse) ** (knob / KNOB_STEPS)

    def tokens(self, side: int) -> int:
        """Tokens along a side of so many pixels."""
        return -(-side // self.sizes.block)

    def readings(self, slots: np.ndarray) -> torch.Tensor:
        """Weighed readings (1, h, w, n) of tokens; the frame is padded with its last tiles.

        Raises:
            InterfaceError: readings of another number of slots, or none.
        """
        if slots.ndim != 3 or len(slots) != self.sizes.num_frames // 2 or 0 in slots.shape:
            raise InterfaceError(
                f"task-aware codec: got readings {tuple(slots.shape)}; allowed: ({self.sizes.num_frames // 2}, h, w)"
            )
        h, w = slots.shape[1:]
        x = normalise_readings(torch.from_numpy(np.ascontiguousarray(slots, np.float32))[None], self.counts(h, w))
        rows = extended(h, self.sizes.block, len(self.sizes.tile))
        columns = extended(w, self.sizes.block, len(self.sizes.tile[0]))
        return self.sizes.readings.gather(x[:, :, rows][..., columns])

    @torch.no_grad()
    def look(self, x: torch.Tensor) -> torch.Tensor:
        """What the encoder makes of readings before it is told the knob."""
        return self.net.before_knob(x)

    @torch.no_grad()
    def unrounded(self, x: torch.Tensor, seen: torch.Tensor, knob: int) -> torch.Tensor:
        """Latents (h, w, c) of readings and of what `look` made of them, float32."""
        return self.net.at_knob(x, seen, told(knob))[0]

    def latents(self, x: torch.Tensor, seen: torch.Tensor, knob: int) -> np.ndarray:
        """The same as whole numbers."""
        return self.unrounded(x, seen, knob).round().clamp(-FARTHEST, FARTHEST).double().numpy()

    def write(self, latents: np.ndarray, knob: int) -> bytes:
        """The stream of one band of whole latents."""
        writer = LatentWriter()
        self._walk(self.integer, latents, knob, lambda _, v, expected: writer.put(v, expected.mean, expected.scale))
        return writer.bytes()

    def bits(self, latents: np.ndarray, knob: int) -> float:
        """What `write` will take, nearly, without writing."""
        costs: list[float] = []

        def count(_: Turn, values: np.ndarray, expected: Expected) -> None:
            costs.append(coded_bits(values, expected.mean, expected.scale))

        self._walk(self.rough, latents, knob, count)
        return sum(costs)

    def read(self, data: bytes, knob: int, size: tuple[int, int]) -> np.ndarray | None:
        """Whole latents of the stream of a band of so many rows and columns of tokens; None if another network's."""
        reader = LatentReader(data)

        def take(turn: Turn, expected: Expected) -> np.ndarray:
            return reader.take(expected.mean, expected.scale).astype(np.float64)

        latents = self.integer.walk(*size, knob, take)
        return latents if reader.ends_with_its_bytes() else None

    @torch.no_grad()
    def frames(self, bands: dict[int, Band], shape: FrameShape) -> np.ndarray:
        """Frames (t, h, w) in [0, 1] from what bands there are, by their first row of tokens."""
        rows, columns = self.tokens(shape.h), self.tokens(shape.w)
        units, known = torch.zeros(rows, columns, self.sizes.latents), torch.zeros(rows, dtype=torch.bool)
        for start, (number, latents) in bands.items():
            place = slice(start, start + len(latents))
            units[place] = torch.from_numpy(latents).float() / self.net.gain(told(number))[0]
            known[place] = True
        knob = told(min((number for number, _ in bands.values()), default=0))
        whole = conceal(units.permute(2, 0, 1)[None], known).permute(0, 2, 3, 1)
        with one_thread():
            frames = self.net.frames(whole * self.net.gain(knob), knob)[0, :, : shape.h, : shape.w]
        return torch.nan_to_num(frames).clamp(0, 1).numpy()

    def walk(self, latents: np.ndarray, knob: int, meet: Met) -> None:
        """Let `meet` see the whole latents of a band, turn by turn, with what both ends expect of each."""
        self._walk(self.integer, latents, knob, meet)

    def _walk(self, contexts: IntegerContexts, latents: np.ndarray, knob: int, meet: Met) -> None:
        height, width, _ = latents.shape
        flat = latents.reshape(height * width, -1)

        def shown(turn: Turn, expected: Expected) -> np.ndarray:
            values = flat[turn.places, turn.first : turn.last]
            meet(turn, values, expected)
            return values

        contexts.walk(height, width, knob, shown)


def log_gains(net: TokenCodecNet) -> np.ndarray:
    """Natural logarithm of the gain of every knob and channel, each term rounded alike on any machine."""
    log_gain = net.log_gain.detach().double().numpy()
    knobs = np.arange(KNOB_STEPS)[:, None] / KNOB_STEPS
    return (log_gain[0] + knobs * log_gain[1]) + (knobs * knobs) * log_gain[2]


@remembered
def load_tokens(name: str | Path) -> LoadedTokens:
    """The code of weights `name`, verified and ready for use.

    Raises:
        ModelError: missing, damaged, of another kind or architecture, or with a wrong answer to the probe.
    """
    path = find_weights(name)
    card = read_card(path)
    if card["task"] != TASK:
        raise ModelError(f"{path}: weights for {card['task']!r}; allowed: those of {TASK!r}")
    tile = card["facts"]["tile"]
    net = load_verified(lambda: TokenCodecNet(TokenSizes(tile=tile, **card["model"])), path, card, probe)
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return LoadedTokens(net, card["facts"], str(card["weights_sha256"]), str(name))


def told(knob: int) -> torch.Tensor:
    """The knob as the networks take it: (1,)."""
    return torch.tensor([knob / KNOB_STEPS])
