"""Moving scenes that need no file: photographs before a moving camera, objects passing in front of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from semlink.blocks import SourceBase
from semlink.colour.layout import Colour, together
from semlink.errors import SourceError
from semlink.seeds import Seeds
from semlink.sensing.sources.clips import choice, pair, whole
from semlink.sensing.sources.synthetic.photos import Plane, draw_object, named_photos, photograph
from semlink.sensing.sources.synthetic.scene_motion import Range, at_speed, grid, wander
from semlink.sensing.sources.synthetic.scene_render import Layer, backdrop_canvas, coverage, object_canvases, render

# Largest magnification of photographs and of objects; a still larger image shows the photograph mirrored at its edges.
_MAX_SCALE, _MAX_OBJECT_SCALE = 3.0, 2.0
_GOLDEN = (math.sqrt(5) - 1) / 2
USUAL_RATE = 30.0  # frames a second at which `motion_px` is the motion from frame to frame
PLANES: tuple[Plane, ...] = ("r", "g", "b")
MOMENTS_A_PIXEL = 2  # pictures averaged for each pixel that the fastest layer moves while the shutter is open


@dataclass(frozen=True, slots=True)
class SceneSource(SourceBase):
    """`clips` scenes of `frames` frames of `size` (h, w); clip k does not depend on how many there are.

    The camera pans, zooms, turns and shakes over a photograph; objects cut out
    of other photographs move on their own and hide what is behind them. Each
    clip has its own speed, spread evenly over `motion_px`.

    Args:
        motion_px: slowest and fastest mean motion of camera and objects, in
            pixels a thirtieth of a second.
        frames_per_second: motion in pixels a second stays, so at 240 it is an
            eighth as far from frame to frame as at 30.
        shutter: share of a frame's time in which light is gathered, 0 for an
            instant to 1; motion meanwhile blurs the frame.
        objects: fewest and most moving objects.
        colour: of the frames; yuv420 is made of R, G and B by BT.709 in full range. Gray photographs stay gray.
        photos: built-in names (`photos.BACKGROUNDS`), picture files, folders
            or globs to take photographs from; none means all built-in ones.

    Raises:
        SourceError: an option out of its range, or a photograph that is not there.
    """

    clips: int = 4
    frames: int = 16
    size: tuple[int, int] = (256, 256)
    seed: int = 0
    motion_px: tuple[float, float] = (0.0, 4.0)
    objects: tuple[int, int] = (1, 3)
    photos: tuple[str, ...] = ()
    frames_per_second: float = USUAL_RATE
    shutter: float = 0.0
    colour: Colour = "gray"

    def __post_init__(self) -> None:
        object.__setattr__(self, "clips", whole("clips", self.clips))
        object.__setattr__(self, "frames", whole("frames", self.frames))
        object.__setattr__(self, "seed", whole("seed", self.seed, least=0))
        object.__setattr__(self, "size", pair("size", self.size))
        object.__setattr__(self, "motion_px", _span("motion_px", self.motion_px))
        object.__setattr__(self, "objects", _span("objects", self.objects, kind=int))
        photos = (self.photos,) if isinstance(self.photos, str) else tuple(self.photos)
        object.__setattr__(self, "photos", photos)
        named_photos(photos)
        _check("frames_per_second", self.frames_per_second, 1, 100_000)
        _check("shutter", self.shutter, 0, 1)
        choice("colour", self.colour, Colour)
        if self.colour == "yuv420" and (self.size[0] % 2 or self.size[1] % 2):
            raise SourceError(
                f"source size: got {list(self.size)}; yuv420 has chroma of half the size: need even sides"
            )

    def __len__(self) -> int:
        return self.clips

    def name(self, index: int) -> str:
        """`scene<seed>-<number>`."""
        return f"scene{self.seed}-{index}"

    def clip(self, index: int) -> np.ndarray:
        """Clip `index`: float32 (t, rows, w) in [0, 1], whole multiples of 1/255."""
        if self.colour == "gray":
            return self._rendered(index, "gray") / np.float32(255)
        rgb = np.stack([self._rendered(index, plane) for plane in PLANES], 1) / np.float32(255)
        if self.colour == "rgb":
            return together(rgb)
        return np.rint(self.conversion.frames(rgb) * np.float32(255)).astype(np.float32) / np.float32(255)

    def _rendered(self, index: int, plane: Plane) -> np.ndarray:
        """One plane of the frames of clip `index`: (t, h, w), 0 to 255."""
        layers, moments = self._layers(index, plane), 1
        if self.shutter:
            moments = max(2, math.ceil(MOMENTS_A_PIXEL * self.shutter * max(self._speeds)))
            layers = [replace(layer, poses=layer.poses.while_open(self.shutter, moments)) for layer in layers]
        return render(layers, self.frames, self.size, moments)

    @property
    def _speeds(self) -> tuple[float, float]:
        """Slowest and fastest mean motion, pixels a frame."""
        low, high = (USUAL_RATE / self.frames_per_second * speed for speed in self.motion_px)
        return low, high

    def speed_px(self, index: int) -> float:
        """Mean displacement from frame to frame of what is seen in clip `index`, in pixels."""
        layers, places = self._layers(index), grid(self.size)
        steps = [_seen_motion(layers, places, t) for t in range(self.frames - 1)]
        return float(np.mean(steps)) if steps else 0.0

    def _layers(self, index: int, plane: Plane = "gray") -> list[Layer]:
        """The scene of clip `index`, hindmost layer first; it moves alike in every plane."""
        if not 0 <= index < self.clips:
            raise IndexError(f"clip {index} of {self.clips}")
        rng = Seeds(self.seed, clips=(index,)).numpy("scene")
        photos = named_photos(self.photos)
        order = Seeds(self.seed).numpy("scene photographs").permutation(len(photos))
        name = photos[order[index % len(photos)]]
        backdrop = self._backdrop(rng, photograph(name, plane), self._speed(index))
        count = int(rng.integers(self.objects[0], self.objects[1] + 1))
        return [backdrop, *(self._object(rng, photos, name, plane) for _ in range(count))]

    def _speed(self, index: int) -> float:
        """Speed of the camera in clip `index`: any few clips in a row cover the whole range."""
        first = Seeds(self.seed).numpy("scene speeds").random()
        low, high = self._speeds
        return low + (high - low) * math.modf(first + index * _GOLDEN)[0]

    def _backdrop(self, rng: np.random.Generator, photo: np.ndarray, speed_px: float) -> Layer:
        if rng.random() < 0.5:
            photo = np.ascontiguousarray(photo[:, ::-1])
        view = [side * float(rng.uniform(1.25, 1.6)) for side in self.size]
        wanted = max(float(rng.uniform(0.5, 1.0)), *(v / side for v, side in zip(view, photo.shape)))
        gray = backdrop_canvas(photo, min(wanted, _MAX_SCALE))
        spare = [max((side / 2 - v) / 2, v / 8) for side, v in zip(gray.shape, self.size)]
        limits = Range(complex(spare[1], spare[0]), turn=0.12, zoom=0.22)
        places = grid(self.size)
        path = wander(rng, self.frames, limits, lever=max(float(np.abs(places).mean()), 1.0))
        return Layer(gray, None, at_speed(path, speed_px, places, camera=True))

    def _object(self, rng: np.random.Generator, photos: Sequence[str], background: str, plane: Plane) -> Layer:
        cutout = draw_object(rng, photos, not_from=background, plane=plane)
        longest = float(rng.uniform(0.3, 0.6)) * min(self.size)
        scale = min(longest / max(cutout.mask.shape), _MAX_OBJECT_SCALE)
        gray, opacity = object_canvases(cutout, scale)
        if rng.random() < 0.5:
            gray, opacity = (np.ascontiguousarray(canvas[:, ::-1]) for canvas in (gray, opacity))
        limits = Range(complex(0.42 * self.size[1], 0.42 * self.size[0]), turn=0.3, zoom=0.22)
        places = grid((gray.shape[0] / 3, gray.shape[1] / 3))
        path = wander(rng, self.frames, limits, lever=max(float(np.abs(places).mean()), 1.0))
        low, high = self._speeds
        return Layer(gray, opacity, at_speed(path, float(rng.uniform(low, high)), places, camera=False))


def _seen_motion(layers: Sequence[Layer], places: np.ndarray, t: int) -> float:
    """Mean displacement after frame t of whatever layer is seen at each place."""
    motion = np.zeros(places.shape)
    for layer in layers:
        motion = np.where(coverage(layer, places, t), layer.poses.displaced(places, t), motion)
    return float(motion.mean())


def _check(name: str, value: Any, least: float, most: float) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not number or not least <= value <= most:
        raise SourceError(f"source {name}: got {value!r}, allowed: {least:g} to {most:g}")


def _span(name: str, value: Any, *, kind: type = float) -> tuple:
    """`value` as (least, most), both finite and not negative.

    Raises:
        SourceError: it is something else.
    """
    numbers = int if kind is int else (int, float)
    right = isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2
    if not right or any(isinstance(x, bool) or not isinstance(x, numbers) or not math.isfinite(x) for x in value):
        raise SourceError(
            f"source {name}: got {value!r}, need two {'whole ' if kind is int else ''}numbers, [from, to]"
        )
    if not 0 <= value[0] <= value[1]:
        raise SourceError(f"source {name}: got {value!r}, need 0 <= from <= to")
    return kind(value[0]), kind(value[1])
