"""A trained delta-sigma codec on tokens: clips to bits and back, group by group, coded or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from semlink.codecs.delta_sigma.groups import MapShape, fast, settled, whole_groups
from semlink.codecs.delta_sigma.tokens.allotment import allotted
from semlink.codecs.delta_sigma.tokens.group_coding import read_group, write_group
from semlink.codecs.delta_sigma.tokens.integer_contexts import IntegerBitContexts
from semlink.codecs.delta_sigma.tokens.networks import (
    BLOCK,
    CLASSES,
    Expectation,
    TokenBits,
    TokenBitSizes,
    classes_of,
    kept,
    probe,
)
from semlink.payload import FrameShape
from semlink.weights.tensors import load_verified

TASK = "token_delta_sigma"


class CodedGroup(NamedTuple):
    """Classes and counts of the blocks of a group (rows, columns), and bits (rows, columns, bits), 0 where not sent."""

    classes: np.ndarray
    counts: np.ndarray
    bits: np.ndarray


class LoadedTokenBits:
    """The networks of one weights file; they never change."""

    def __init__(self, net: TokenBits, facts: dict[str, Any], digest: str = "", name: str = "weights") -> None:
        self.net, self.facts, self.digest, self.size = net, facts, digest, net.sizes
        self.fewest, self.most = facts["channels"]
        self.levels = facts["levels"]
        self.integer = IntegerBitContexts(net.contexts, name)
        self.chances = None

    def shape(self, frames: FrameShape) -> MapShape:
        """The shape of the maps of a clip."""
        return MapShape(frames, self.size.group)

    @fast
    def bits(self, clip: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Bits of -1 and 1, int8 (groups, K, n, rows, columns), of a clip (t, h, w) in [0, 1], all blocks of class 0.

        Args:
            counts: channels of each block that will be sent: (groups, rows, columns).
        Raises:
            InterfaceError: not gray frames (t, h, w).
        """
        found, last = [], None
        for frames, count in zip(whole_groups(clip, self.size.group), counts):
            sent = torch.from_numpy(count.astype(np.int64))[None]
            expected, classes = self.net.expect(last, sent), torch.zeros_like(sent)
            bits = self.net.code(frames, expected, classes)[1]
            found.append(_planes(bits[0].to(torch.int8), self.size))
            last = settled(self.net.frames(bits, sent, expected, classes))
        return np.stack(found)

    @fast
    def frames(self, bits: np.ndarray, counts: np.ndarray, shape: FrameShape) -> np.ndarray:
        """Frames (t, h, w), float32 in [0, 1], from what is known of the bits of blocks of class 0.

        Args:
            bits: (groups, K, n, rows, columns), -1 to 1, 0 where nothing is known.
            counts: channels of each block that arrived: (groups, rows, columns).
        """
        groups = [
            CodedGroup(np.zeros(count.shape, np.int64), count, own.reshape(-1, *count.shape).transpose(1, 2, 0))
            for own, count in zip(bits, counts)
        ]
        return self._shown(groups, shape)

    @fast
    def coded(self, clip: np.ndarray, level: int) -> list[CodedGroup]:
        """The groups of a clip (t, h, w) at a water level.

        Raises:
            InterfaceError: not gray frames (t, h, w).
        """
        found: list[CodedGroup] = []
        last = None
        for frames in whole_groups(clip, self.size.group):
            expected = self.net.expect(last, frames[..., ::BLOCK, ::BLOCK])
            classes = classes_of(frames, expected)
            counts = allotted(torch.tensor([level]), classes, self.size.channels, later=expected.later)
            bits = self.net.code(frames, expected, classes)[1]
            last = settled(self.net.frames(bits, counts, expected, classes))
            sent = (bits * kept(counts, self.size))[0]
            found.append(CodedGroup(classes[0].numpy(), counts[0].numpy(), sent.double().numpy()))
        return found

    @fast
    def coded_frames(self, groups: Sequence[CodedGroup | None], shape: FrameShape, grid: tuple[int, int]) -> np.ndarray:
        """Frames (t, h, w) in [0, 1] from groups, None where one is missing."""
        return self._shown([group or self._nothing(grid) for group in groups], shape)

    def write(self, groups: Sequence[CodedGroup], level: int) -> Iterator[bytes]:
        """The stream of each group."""
        last = None
        for group in groups:
            yield write_group(self.integer, level, group.classes, group.bits, last)
            last = group.bits

    def read(self, data: bytes, level: int, grid: tuple[int, int], last: CodedGroup | None) -> CodedGroup | None:
        """A group behind `last`, None where this network did not write it."""
        found = read_group(self.integer, level, data, grid, None if last is None else last.bits)
        return None if found is None else CodedGroup(*found)

    def _shown(self, groups: Sequence[CodedGroup], shape: FrameShape) -> np.ndarray:
        found, last = [], None
        for group in groups:
            bits, counts, classes = (
                torch.from_numpy(np.ascontiguousarray(part))[None] for part in (group.bits, group.counts, group.classes)
            )
            expected: Expectation = self.net.expect(last, counts)
            last = settled(self.net.frames(bits.float(), counts, expected, classes))
            found.append(last[0])
        return torch.cat(found)[: shape.t, : shape.h, : shape.w].numpy()

    def _nothing(self, grid: tuple[int, int]) -> CodedGroup:
        quiet = np.full(grid, CLASSES - 1)
        return CodedGroup(quiet, np.zeros_like(quiet), np.zeros((*grid, self.size.bits)))


def loaded_token_bits(path: Any, card: dict[str, Any], name: str) -> LoadedTokenBits:
    """The codec of a card, verified and ready for use.

    Raises:
        ModelError: damaged, of another architecture, or with a wrong answer to the probe.
    """
    net = load_verified(lambda: TokenBits(TokenBitSizes(**card["model"])), path, card, probe)
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return LoadedTokenBits(net, card["facts"], str(card["weights_sha256"]), name)


def _planes(bits: torch.Tensor, size: TokenBitSizes) -> np.ndarray:
    """(rows, columns, K * n) as (K, n, rows, columns)."""
    return bits.unflatten(2, (size.channels, size.group)).permute(2, 3, 0, 1).numpy()
