"""Drawing layers in whole numbers, so that every machine draws the same bits.

A layer lives on a canvas twice as fine as the image and band-limited to the
image's own grid, so that bilinear sampling neither blurs nor aliases it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from semlink.sensing.sources.synthetic.photos import Cutout
from semlink.sensing.sources.synthetic.scene_motion import Poses

OVERSAMPLING = 2
_PLACE_BITS = 24  # of a coordinate, before the pixel grid is laid over it
_WEIGHT_BITS = 8  # of a bilinear weight
_ONE = 1 << _WEIGHT_BITS


@dataclass(frozen=True, slots=True)
class Layer:
    """Gray values and opacities int32 (H, W) on a canvas; without opacity it is mirrored on and on."""

    gray: np.ndarray
    opacity: np.ndarray | None
    poses: Poses

    @property
    def size(self) -> tuple[float, float]:
        """(h, w) in image pixels at zoom 1."""
        return self.gray.shape[0] / OVERSAMPLING, self.gray.shape[1] / OVERSAMPLING


def backdrop_canvas(photo: np.ndarray, scale: float) -> np.ndarray:
    """Canvas int32 of a photograph uint8 (h, w) that is shown at `scale` image pixels per pixel."""
    return _canvas(Image.fromarray(photo), scale)


def object_canvases(cutout: Cutout, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Canvases int32 of an object's gray values and opacities; the outermost opacities are 0."""
    gray = _canvas(Image.fromarray(cutout.texture), scale)
    soft = Image.fromarray(cutout.mask).filter(ImageFilter.GaussianBlur(0.7 / min(scale, 1.0)))
    opacity = _canvas(soft, scale)
    opacity[[0, -1], :] = 0
    opacity[:, [0, -1]] = 0
    return gray, opacity


def render(layers: list[Layer], frames: int, size: tuple[int, int], moments: int = 1) -> np.ndarray:
    """The frames uint8 (t, h, w) that layers give, the first one hindmost and covering all.

    Each is the mean of `moments` pictures, one for each of so many poses of the layers.
    """
    return np.stack([_mean_picture(layers, range(t * moments, (t + 1) * moments), size) for t in range(frames)])


def coverage(layer: Layer, image: np.ndarray, t: int) -> np.ndarray:
    """Where a layer hides more than half of what is behind it: bool, for places `image` (complex) in frame t."""
    if layer.opacity is None:
        return np.ones(image.shape, dtype=bool)
    rows, columns = layer.opacity.shape
    place = OVERSAMPLING * (image - layer.poses.shift[t]) / layer.poses.gain[t]
    across = np.floor(place.real + columns / 2).astype(int)
    down = np.floor(place.imag + rows / 2).astype(int)
    inside = (across >= 0) & (across < columns) & (down >= 0) & (down < rows)
    return inside & (layer.opacity[np.clip(down, 0, rows - 1), np.clip(across, 0, columns - 1)] > 127)


def _mean_picture(layers: list[Layer], poses: range, size: tuple[int, int]) -> np.ndarray:
    light = sum((_picture(layers, t, size) for t in poses), np.zeros(size, np.int32))
    return ((light + len(poses) * _ONE // 2) // (len(poses) * _ONE)).astype(np.uint8)


def _picture(layers: list[Layer], t: int, size: tuple[int, int]) -> np.ndarray:
    """Gray values times 256 with the layers at their poses number t."""
    picture = np.zeros(size, dtype=np.int32)
    for layer in layers:
        box = _box(layer, t, size)
        if box[0] < box[1] and box[2] < box[3]:
            _draw(picture[box[0] : box[1], box[2] : box[3]], layer, t, (box[0], box[2]), size)
    return picture


def _draw(part: np.ndarray, layer: Layer, t: int, corner: tuple[int, int], size: tuple[int, int]) -> None:
    """Lay a layer over a part of the picture (gray times 256), whose upper left pixel is `corner`."""
    taps = _taps(layer, *_places(layer, t, part.shape, corner, size))
    gray = _bilinear(layer.gray, taps)
    if layer.opacity is None:
        part[:] = gray
    else:
        opacity = _bilinear(layer.opacity, taps) // 255
        part += ((gray - part) * opacity + _ONE // 2) >> _WEIGHT_BITS


def _places(
    layer: Layer, t: int, shape: tuple[int, ...], corner: tuple[int, int], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Canvas coordinates (across, down) of each pixel of a part of the image, `_WEIGHT_BITS` after the point."""
    rows, columns = layer.gray.shape
    middle = complex((size[1] - 1) / 2, (size[0] - 1) / 2)
    slope = OVERSAMPLING / complex(layer.poses.gain[t])
    offset = complex((columns - 1) / 2, (rows - 1) / 2) - slope * (complex(layer.poses.shift[t]) + middle)
    a, b, x0, y0 = (round(part * (1 << _PLACE_BITS)) for part in (slope.real, slope.imag, offset.real, offset.imag))
    y = np.arange(corner[0], corner[0] + shape[0], dtype=np.int64)[:, None]
    x = np.arange(corner[1], corner[1] + shape[1], dtype=np.int64)[None, :]
    drop = _PLACE_BITS - _WEIGHT_BITS
    across, down = (a * x + x0) - b * y, b * x + (a * y + y0)
    return (across >> drop).astype(np.int32), (down >> drop).astype(np.int32)


def _taps(layer: Layer, across: np.ndarray, down: np.ndarray) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Flat numbers of the four canvas pixels around each place, and how far it lies to the right and below."""
    rows, columns = layer.gray.shape
    mirrored = layer.opacity is None
    near_row, far_row = _neighbours(down >> _WEIGHT_BITS, rows, mirrored=mirrored)
    near, far = _neighbours(across >> _WEIGHT_BITS, columns, mirrored=mirrored)
    near_row, far_row = near_row * columns, far_row * columns
    pixels = [near_row + near, near_row + far, far_row + near, far_row + far]
    return pixels, across & (_ONE - 1), down & (_ONE - 1)


def _bilinear(canvas: np.ndarray, taps: tuple[list[np.ndarray], np.ndarray, np.ndarray]) -> np.ndarray:
    """Canvas values times 256 between four pixels: whole numbers throughout."""
    pixels, right, below = taps
    corners = [canvas.take(pixel) for pixel in pixels]
    upper = (corners[0] << _WEIGHT_BITS) + (corners[1] - corners[0]) * right
    lower = (corners[2] << _WEIGHT_BITS) + (corners[3] - corners[2]) * right
    return ((upper << _WEIGHT_BITS) + (lower - upper) * below + _ONE // 2) >> _WEIGHT_BITS


def _neighbours(index: np.ndarray, length: int, *, mirrored: bool) -> tuple[np.ndarray, np.ndarray]:
    """`index` and the next one, brought into 0..length-1 by mirroring at the edges or by stopping there."""
    least, most = int(index.min()), int(index.max())
    line = np.arange(least, most + 2)
    if mirrored:
        line = line % (2 * length)
        line = np.minimum(line, 2 * length - 1 - line)
    line = np.clip(line, 0, length - 1).astype(np.int32)
    return line[:-1].take(index - least), line[1:].take(index - least)


def _box(layer: Layer, t: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """First and last row and column of the image that a layer can touch."""
    if layer.opacity is None:
        return 0, size[0], 0, size[1]
    h, w = layer.size
    corners = layer.poses.gain[t] * np.array([-w - 1j * h, w - 1j * h, -w + 1j * h, w + 1j * h]) / 2
    corners = corners + layer.poses.shift[t] + complex((size[1] - 1) / 2, (size[0] - 1) / 2)
    top, bottom = int(np.floor(corners.imag.min())), int(np.ceil(corners.imag.max())) + 1
    left, right = int(np.floor(corners.real.min())), int(np.ceil(corners.real.max())) + 1
    return max(top, 0), min(bottom, size[0]), max(left, 0), min(right, size[1])


def _canvas(picture: Image.Image, scale: float) -> np.ndarray:
    """A picture scaled without aliasing to the image's grid, then drawn twice as fine."""
    width, height = (max(round(side * scale), 2) for side in picture.size)
    shown = picture.resize((width, height), Image.Resampling.LANCZOS)
    fine = shown.resize((width * OVERSAMPLING, height * OVERSAMPLING), Image.Resampling.BICUBIC)
    return np.asarray(fine).astype(np.int32)
