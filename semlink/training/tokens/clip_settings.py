"""What training clips of the code of tokens look like, and the chance of each."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from semlink.errors import TrainingError
from semlink.training.data.moving_photographs import MotionSettings
from semlink.training.data.pack import Pack


@dataclass(frozen=True, slots=True)
class TokenClipSettings:
    """What a training clip looks like.

    Attributes:
        frames: its length.
        still_share: probability of photographs in motion instead of real video.
        strides: probabilities of real video as it is, thinned to every second frame, to every third, ...
        shrink_share: probability of a real crop of up to `max_shrink` times the size, shrunk.
        pool: rendered clips kept, each `margin` pixels larger than a crop; one is fresh every `renewal` steps.
        motion: how the rendered ones move.
    """

    frames: int = 16
    still_share: float = 0.4
    strides: list = field(default_factory=lambda: [0.6, 0.3, 0.1])
    shrink_share: float = 0.35
    max_shrink: float = 2.0
    pool: int = 384
    margin: int = 32
    renewal: int = 1
    motion: MotionSettings = field(default_factory=MotionSettings)


def generator(seed: int, number: int) -> np.random.Generator:
    """The chance of batch, or clip, `number`."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(number,))))


def stride(settings: TokenClipSettings, frames: int, rng: np.random.Generator) -> int:
    """How many frames of a video of so many frames lie between two of a clip."""
    wanted = 1 + int(np.searchsorted(np.cumsum(settings.strides), rng.random() * sum(settings.strides), side="right"))
    return min(wanted, len(settings.strides), (frames - 1) // (settings.frames - 1))


def usable(pack: Pack, settings: TokenClipSettings, crop: int) -> list[np.ndarray]:
    """The training items (t, h, w) that are large and long enough: clips, and stills.

    Raises:
        TrainingError: there are none.
    """
    items = pack.items()
    fitting = [items[number] for number in usable_numbers(pack, settings, crop)]
    if not fitting:
        raise TrainingError(
            f"data: none of {len(items)} items is large enough; allowed: clips of {settings.frames} frames "
            f"or stills, at least {crop} pixels high and wide"
        )
    return fitting


def usable_numbers(pack: Pack, settings: TokenClipSettings, crop: int) -> list[int]:
    """Which of the training items are large and long enough."""
    return [
        number
        for number, item in enumerate(pack.items())
        if min(item.shape[1:]) >= crop and (item.shape[0] == 1 or item.shape[0] >= settings.frames)
    ]
