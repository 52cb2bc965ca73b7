"""The best stream under a byte budget, found in a few encodes.

The logarithm of a stream's size falls nearly linearly with an encoder's knob
(CRF, QP), so a step along that line, and then the secant through the two
settings that enclose the budget, lead to it fast. Where the secant creeps in
from one side, it is drawn towards the middle. At the end of short streams the
line is ragged (a setting may take more bytes than a finer one), so what is
left of the encodes goes to the neighbours, or, where an encoder has a second
knob, to that: it moves bytes smoothly between two steps of the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from semlink.errors import Infeasible

__all__ = ["Knob", "Quality", "Trial", "best_under"]

T = TypeVar("T")

_ENOUGH = 0.98  # a stream that fills this much of the budget ends the search
_AIM = 0.99  # a little under the budget, so that the last step tends to land below it
_NEAR = 0.9  # from this share of the budget on, the fine knob is turned
_REACHED = 0.8  # it reaches from here, at some loss; so late in the search it is turned from this share on
_LATE = 5


@dataclass(frozen=True, slots=True)
class Knob:
    """Where an encoder can be set: from `finest` to `coarsest` in multiples of `step`.

    `octave` is how far it has to be turned for half the bytes, as a first guess.
    Where there is a second knob, settings between two steps, multiples of `fine`, stand for the coarser of
    them with that knob turned; `fine_octave` is as `octave`, along those.
    """

    finest: float
    coarsest: float
    step: float
    octave: float
    fine: float = 0.0
    fine_octave: float = 0.0

    def nearest(self, value: float) -> float:
        """The setting on the grid that is closest to `value`."""
        on_grid = round(round(value / self.step) * self.step, 6)
        return min(max(on_grid, self.finest), self.coarsest)

    def split(self, setting: float) -> tuple[float, float]:
        """The step at or above a setting, and how far the setting lies towards the next finer one, in [0, 1)."""
        coarser = math.ceil(round(setting / self.step, 6)) * self.step
        return coarser, round((coarser - setting) / self.step, 6)


@dataclass(frozen=True, slots=True)
class Quality:
    """The quality of an encoder that counts it in a way of its own, upwards or downwards.

    `octave` is how far it has to be turned for half the bytes.
    """

    finest: float
    coarsest: float
    step: float
    octave: float

    @property
    def knob(self) -> Knob:
        """As the search turns it: from fine to coarse upwards."""
        low, high = sorted((self.finest, self.coarsest))
        return Knob(low, high, self.step, self.octave)

    def told(self, turned: float) -> float:
        """What the encoder is told; where more is better, the knob is turned the other way round."""
        return turned if self.finest <= self.coarsest else round(self.finest + self.coarsest - turned, 9)


@dataclass(frozen=True, slots=True)
class Trial(Generic[T]):
    """One encode: where the knob stood, how many bytes came out, and the stream."""

    setting: float
    size: int
    stream: T


def best_under(
    encode: Callable[[float], T],
    size: Callable[[T], int],
    max_bytes: int,
    *,
    knob: Knob,
    start: float,
    name: str,
    shown: Callable[[float], float] = float,
    most_encodes: int = 8,
) -> Trial[T]:
    """The largest stream of at most `max_bytes` among those tried.

    Args:
        name: of the coarsest setting, for the error.
        shown: a setting as the encoder counts it, for the error.
    Raises:
        Infeasible: the coarsest setting is too large as well.
    """
    trials: list[Trial[T]] = []
    setting: float | None = knob.nearest(start)
    while setting is not None and len(trials) < most_encodes:
        stream = encode(setting)
        trials.append(Trial(setting, size(stream), stream))
        setting = _next_setting(trials, max_bytes, knob, is_last=len(trials) == most_encodes - 1)
    fitting = [trial for trial in trials if trial.size <= max_bytes]
    if not fitting:
        least = min(trials, key=lambda trial: trial.size)
        raise Infeasible(
            f"{name} {shown(least.setting):g} takes {least.size} bytes with packet headers, the budget is {max_bytes}; "
            f"raise it to {least.size} bytes or send fewer pixels"
        )
    return max(fitting, key=lambda trial: trial.size)


def _next_setting(trials: Sequence[Trial], max_bytes: int, knob: Knob, *, is_last: bool) -> float | None:
    """Where to turn the knob next; None where nothing is left to gain."""
    below = min((t for t in trials if t.size <= max_bytes), key=lambda t: t.setting, default=None)
    if below is None:
        return _beyond(trials, max_bytes, knob, limit=knob.coarsest, jump=is_last)
    best = max((t for t in trials if t.size <= max_bytes), key=lambda t: t.size)
    if best.size >= _ENOUGH * max_bytes:
        return None
    near = _NEAR if len(trials) < _LATE else _REACHED
    finely = _finely(trials, best, max_bytes, knob) if knob.fine and best.size >= near * max_bytes else None
    if finely is not None:
        return finely
    finer = (t for t in trials if t.size > max_bytes and t.setting < below.setting)
    above = max(finer, key=lambda t: t.setting, default=None)
    if above is None:
        return _beyond(trials, max_bytes, knob, limit=knob.finest, jump=False)
    if below.setting - above.setting < 1.5 * knob.step:
        finely = _finely(trials, best, max_bytes, knob) if knob.fine else None
        return _beside(trials, above, below, knob) if finely is None else finely
    wanted = _between(above, below, max_bytes, creeps=_same_side(trials, max_bytes))
    return knob.nearest(min(max(wanted, above.setting + knob.step), below.setting - knob.step))


def _finely(trials: Sequence[Trial], best: Trial, max_bytes: int, knob: Knob) -> float | None:
    """Where to turn the second knob, within the step of the best stream so far; None where nothing of it is left."""
    coarse = knob.split(best.setting)[0]
    here = [t for t in trials if coarse - knob.step < t.setting <= coarse]
    below = min((t for t in here if t.size <= max_bytes), key=lambda t: t.setting)
    over = max(
        (t for t in here if t.size > max_bytes and t.setting < below.setting), key=lambda t: t.setting, default=None
    )
    if over is None:
        wanted = below.setting - knob.fine_octave * math.log2(_AIM * max_bytes / max(below.size, 1))
    else:
        wanted = _between(over, below, max_bytes, creeps=_same_side(here, max_bytes))
    steps = round((below.setting - (coarse - knob.step if over is None else over.setting)) / knob.fine)
    down = min(max(round((below.setting - wanted) / knob.fine), 1), steps - 1)
    return round(below.setting - down * knob.fine, 6) if steps > 1 else None


def _beside(trials: Sequence[Trial], above: Trial, below: Trial, knob: Knob) -> float | None:
    """The setting nearest to the enclosure that was not tried yet, finer ones first."""
    tried = {trial.setting for trial in trials}
    for steps in range(1, len(trials) + 1):
        for setting in (above.setting - steps * knob.step, below.setting + steps * knob.step):
            if knob.nearest(setting) not in tried:
                return knob.nearest(setting)
    return None


def _beyond(trials: Sequence[Trial], max_bytes: int, knob: Knob, *, limit: float, jump: bool) -> float | None:
    """One step further towards `limit`, longer each time."""
    last = trials[-1]
    if last.setting == limit:
        return None
    if jump:
        return limit
    octaves = math.log2(max(last.size, 1) / (_AIM * max(max_bytes, 1)))
    stride = knob.octave * octaves * 1.5 ** (len(trials) - 1)
    least = math.copysign(knob.step, limit - last.setting)
    return knob.nearest(last.setting + (stride if abs(stride) > knob.step else least))


def _between(above: Trial, below: Trial, max_bytes: int, *, creeps: bool) -> float:
    """Where the secant through the enclosing trials (in the logarithm of size) meets the aim."""
    span = math.log(above.size / max(below.size, 1))
    fraction = math.log(above.size / max(_AIM * max_bytes, below.size)) / span
    fraction = (fraction + 0.5) / 2 if creeps else fraction
    return above.setting + fraction * (below.setting - above.setting)


def _same_side(trials: Sequence[Trial], max_bytes: int) -> bool:
    """Did the last two trials both fit, or both not?"""
    return len(trials) > 2 and (trials[-1].size > max_bytes) == (trials[-2].size > max_bytes)
