"""Named streams of chance: one per (root seed, name, clip, trial).

Streams are counter based (Philox) and drawn on the CPU, so a number never
depends on the order of work, on the number of workers, on the device, or on
which other schemes run. Draws of different length share their beginning:
schemes of different cost meet the same noise as far as both go.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

if TYPE_CHECKING:
    from torch import Generator, Tensor


@dataclass(frozen=True, slots=True)
class Seeds:
    """The streams of one batch of clips in one trial."""

    root: int
    clips: tuple[int, ...] = (0,)
    trial: int = 0

    def sequence(self, name: str, clip: int | None = None) -> np.random.SeedSequence:
        """The seed sequence of stream `name` for one clip (default: the only one)."""
        key = (crc32(name.encode()), self._only() if clip is None else clip, self.trial)
        return np.random.SeedSequence(self.root, spawn_key=key)

    def numpy(self, name: str, clip: int | None = None) -> np.random.Generator:
        """A numpy generator at the start of stream `name`."""
        return np.random.Generator(np.random.Philox(self.sequence(name, clip)))

    def torch(self, name: str, clip: int | None = None) -> Generator:
        """A CPU torch generator seeded from stream `name`."""
        import torch

        state = int(self.sequence(name, clip).generate_state(1, np.uint64)[0])
        return torch.Generator().manual_seed(state & (2**63 - 1))

    def normal(self, name: str, *shape: int) -> Tensor:
        """Standard normal float32 (clip, *shape), each clip from its own stream."""
        return self._stack(name, lambda rng: rng.standard_normal(shape, dtype=np.float32))

    def uniform(self, name: str, *shape: int) -> Tensor:
        """Uniform [0, 1) float32 (clip, *shape), each clip from its own stream."""
        return self._stack(name, lambda rng: rng.random(shape, dtype=np.float32))

    def complex_normal(self, name: str, *shape: int) -> Tensor:
        """Circular CN(0, 1) complex64 (clip, *shape): variance 1/2 in each real dimension."""
        import torch

        pairs = self.normal(name, *shape, 2)
        return torch.view_as_complex(pairs) * 0.5**0.5

    def alone(self, index: int) -> Seeds:
        """The streams of one clip of the batch."""
        return replace(self, clips=(self.clips[index],))

    def _stack(self, name, draw) -> Tensor:
        import torch

        return torch.from_numpy(np.stack([draw(self.numpy(name, clip)) for clip in self.clips]))

    def _only(self) -> int:
        if len(self.clips) != 1:
            raise ValueError(f"this batch holds {len(self.clips)} clips; name the one that is meant")
        return self.clips[0]
