"""Where the planes of a frame stand: one above the other, so that a clip is an array (t, rows, w) in every colour.

| colour | rows of a frame of h x w pixels | planes |
|---|---|---|
| gray | h | luma |
| rgb | 3 h | R, G, B, each h x w |
| yuv420 | h + h/2 | Y, h x w; below it Cb and Cr, each h/2 x w/2, side by side |

Arrays may be numpy's or torch's; what stands before rows and columns may be anything.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from semlink.errors import InterfaceError

Colour = Literal["gray", "rgb", "yuv420"]
COLOURS: tuple[Colour, ...] = get_args(Colour)
GRAY_ONLY: tuple[Colour, ...] = ("gray",)


def check_colour(colour: str) -> None:
    """Refuse a colour that there is not.

    Raises:
        InterfaceError: says which there are.
    """
    if colour not in COLOURS:
        raise InterfaceError(f"colour: got {colour!r}, allowed: {', '.join(COLOURS)}")


def check_size(h: int, w: int, colour: str) -> None:
    """Refuse a size that has no such planes.

    Raises:
        InterfaceError: an odd side, of 4:2:0.
    """
    if colour == "yuv420" and (h % 2 or w % 2):
        raise InterfaceError(f"frames of {h} x {w} in yuv420: chroma has half the size; need even height and width")


def rows_of(h: int, colour: str) -> int:
    """Rows that a frame of `h` pixels' height takes."""
    return {"gray": h, "rgb": 3 * h, "yuv420": h + h // 2}[colour]


def height_of(rows: int, colour: str) -> int:
    """The height in pixels of a frame of so many rows.

    Raises:
        InterfaceError: no height has so many.
    """
    check_colour(colour)
    h = {"gray": rows, "rgb": rows // 3, "yuv420": rows // 3 * 2}[colour]
    if rows_of(h, colour) != rows:
        raise InterfaceError(f"frames of {rows} rows in {colour}; need a multiple of 3: {_WHY[colour]}")
    return h


_WHY = {
    "rgb": "R, G and B, one above the other",
    "yuv420": "Y, and below it half as many rows of Cb and Cr side by side",
}


def planes_of(pixels: Any, colour: str) -> tuple[Any, ...]:
    """The planes of frames (..., rows, w), as views: one, or R, G and B, or Y, Cb and Cr."""
    if colour == "gray":
        return (pixels,)
    h, w = height_of(pixels.shape[-2], colour), pixels.shape[-1]
    if colour == "rgb":
        return tuple(pixels[..., n * h : (n + 1) * h, :] for n in range(3))
    check_size(h, w, colour)
    return pixels[..., :h, :], pixels[..., h:, : w // 2], pixels[..., h:, w // 2 :]


def stacked(planes: Any, colour: str) -> Any:
    """Frames (..., rows, w) of their planes: what `planes_of` takes apart.

    Raises:
        InterfaceError: too many or too few, or of sizes that do not belong together.
    """
    check_colour(colour)
    planes = tuple(planes)
    if len(planes) != (1 if colour == "gray" else 3):
        raise InterfaceError(f"{len(planes)} planes in {colour}; need {1 if colour == 'gray' else 3}")
    h, w = planes[0].shape[-2:]
    check_size(h, w, colour)
    rest = (h // 2, w // 2) if colour == "yuv420" else (h, w)
    if any(tuple(plane.shape[-2:]) != rest for plane in planes[1:]):
        sizes = ", ".join(f"{plane.shape[-2]} x {plane.shape[-1]}" for plane in planes)
        raise InterfaceError(f"planes of {sizes} in {colour}; need {rest[0]} x {rest[1]} behind the first")
    if colour == "yuv420":
        return joined((planes[0], joined(planes[1:], -1)), -2)
    return joined(planes, -2)


def joined(parts: tuple[Any, ...], axis: int) -> Any:
    """Arrays of one kind, one behind the other along an axis."""
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], _numpy().ndarray):
        return _numpy().concatenate(parts, axis)
    import torch

    return torch.cat(parts, axis)


def apart(pixels: Any) -> Any:
    """Frames (..., 3 h, w) in rgb as (..., 3, h, w), as networks and pictures want them."""
    h = height_of(pixels.shape[-2], "rgb")
    return pixels.reshape(*pixels.shape[:-2], 3, h, pixels.shape[-1])


def together(planes: Any) -> Any:
    """(..., 3, h, w) as frames (..., 3 h, w) in rgb: the other way of `apart`."""
    *before, count, h, w = planes.shape
    if count != 3:
        raise InterfaceError(f"{count} planes in rgb; need 3")
    return planes.reshape(*before, 3 * h, w)


def _numpy() -> Any:
    import numpy

    return numpy
