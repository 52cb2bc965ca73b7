"""How a layer of a scene moves: similarity transforms of the plane, one a frame.

A point w of a layer stands at z = gain * w + shift in the image (complex
numbers, pixels, the origin in the middle): |gain| is the zoom, its angle the
rotation, `shift` the place. Paths turn back smoothly at the edge of their
range, so that clips may be of any length.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

_EASE = 7  # frames over which a path turns back
_GRID = 9  # points a side at which motion is measured
_FINENESS = 2.0**20  # amplitudes are rounded to this part, so that every machine gets the same


@dataclass(frozen=True, slots=True)
class Poses:
    """The placing of one layer: `gain` and `shift` complex (t,)."""

    gain: np.ndarray
    shift: np.ndarray

    def displaced(self, image: np.ndarray, t: int) -> np.ndarray:
        """How far what stands at `image` (complex) in frame t has moved in frame t + 1, in pixels."""
        world = (image - self.shift[t]) / self.gain[t]
        return np.abs(self.gain[t + 1] * world + self.shift[t + 1] - image)

    def while_open(self, shutter: float, moments: int) -> Poses:
        """Poses at `moments` evenly spaced moments of the share `shutter` of each frame's time, on straight lines.

        After the last frame the motion goes on as it was before it.
        """
        along = shutter * (np.arange(moments) + 0.5) / moments
        return Poses(
            *((values[:, None] + along * _steps(values)[:, None]).ravel() for values in (self.gain, self.shift))
        )


@dataclass(frozen=True, slots=True)
class Range:
    """Where a path may go: +-`reach` pixels (x + iy), +-`turn` rad, and a log zoom from 0 to `zoom`."""

    reach: complex
    turn: float
    zoom: float


@dataclass(frozen=True, slots=True)
class Wander:
    """A random path of unit speed: travelled place, turn and log zoom (t,), their beginnings, and a shake (t,)."""

    place: np.ndarray
    turn: np.ndarray
    zoom: np.ndarray
    shake: np.ndarray
    begin: tuple[complex, float, float]
    limits: Range

    def poses(self, amplitude: float, *, camera: bool) -> Poses:
        """The path at `amplitude` times its speed: of an object, or of a scene before a moving camera."""
        place = _there_and_back(self.begin[0].real + amplitude * self.place.real, self.limits.reach.real) + 1j * (
            _there_and_back(self.begin[0].imag + amplitude * self.place.imag, self.limits.reach.imag)
        )
        turn = _there_and_back(self.begin[1] + amplitude * self.turn, self.limits.turn)
        half = self.limits.zoom / 2
        gain = np.exp(half + _there_and_back(self.begin[2] + amplitude * self.zoom, half) + 1j * turn)
        place = place + amplitude * self.shake
        return Poses(gain, -gain * place if camera else place)


def wander(rng: np.random.Generator, frames: int, limits: Range, lever: float) -> Wander:
    """A random mixture of pan, turn, zoom and shake; `lever` is the mean distance (px) that turn and zoom act on."""
    count = frames + _EASE - 1
    pan, turn, zoom = rng.uniform(0.5, 1.0), rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.5)
    heading = (
        rng.uniform(0, 2 * math.pi) + np.cumsum(rng.normal(0, 0.02, count)) + rng.normal(0, 0.02) * np.arange(count)
    )
    steps = pan * np.exp(1j * heading)
    jitter = rng.normal(0, 1, frames + 2) + 1j * rng.normal(0, 1, frames + 2)
    shake = rng.uniform(0, 0.3) * (jitter[:-2] + 2 * jitter[1:-1] + jitter[2:]) / 4
    reach = limits.reach
    begin = (
        complex(rng.uniform(-1, 1) * reach.real, rng.uniform(-1, 1) * reach.imag),
        float(rng.uniform(-1, 1) * limits.turn),
        float(rng.uniform(-1, 1) * limits.zoom / 2),
    )
    along = np.arange(count) / lever
    return Wander(np.cumsum(steps), turn * along, zoom * along, shake, begin, limits)


def at_speed(path: Wander, speed_px: float, points: np.ndarray, *, camera: bool) -> Poses:
    """The poses of a path whose `points` move `speed_px` a frame in the mean.

    `points` are complex: places in the image for a camera, places within the
    object for an object.
    """
    amplitude = speed_px
    for step in range(32):
        mean = mean_motion(path.poses(amplitude, camera=camera), points, camera=camera)
        if mean == 0 or (step >= 8 and abs(speed_px / mean - 1) < 0.02):
            break
        # smaller steps later on: a turning path may overshoot and come back for ever
        correction = (speed_px / mean) ** (1.0 if step < 8 else 0.4)
        amplitude = math.floor(amplitude * correction * _FINENESS + 0.5) / _FINENESS
    return path.poses(amplitude, camera=camera)


def mean_motion(poses: Poses, points: np.ndarray, *, camera: bool) -> float:
    """Mean displacement of `points` (see `at_speed`) from frame to frame, in pixels; 0 for a single frame."""
    steps = range(len(poses.gain) - 1)
    seen = [points if camera else poses.gain[t] * points + poses.shift[t] for t in steps]
    return float(np.mean([poses.displaced(image, t) for t, image in enumerate(seen)])) if seen else 0.0


def grid(size: tuple[float, float]) -> np.ndarray:
    """Evenly spaced places (complex, flat) over an area of (h, w) around the origin."""
    down, across = (np.linspace(-0.5, 0.5, _GRID) * (1 - 1 / _GRID) * side for side in size)
    return (across[None, :] + 1j * down[:, None]).ravel()


def _steps(values: np.ndarray) -> np.ndarray:
    """Differences to the next entry; the last one again for the last entry, and 0 where there is but one."""
    steps = np.diff(values)
    return np.append(steps, steps[-1:] if steps.size else 0.0)


def _there_and_back(position: np.ndarray, reach: float) -> np.ndarray:
    """Positions folded into +-`reach`, with eased turns: `_EASE` - 1 entries fewer."""
    if reach <= 0:
        return np.zeros(len(position) - _EASE + 1)
    folded = np.abs((position - reach) % (4 * reach) - 2 * reach) - reach
    return np.stack([folded[k : len(folded) - _EASE + 1 + k] for k in range(_EASE)]).sum(axis=0) / _EASE
