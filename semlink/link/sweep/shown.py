"""What a point shows: the first clip, still and in motion, where symbols go, and the sensor's map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from semlink.blocks.scheme import Camera
from semlink.errors import Infeasible
from semlink.link.chain.boundary.settle import Deal
from semlink.link.chain.link import Link, Outcome
from semlink.link.chain.transmit import run_clip
from semlink.link.films.film import Film
from semlink.link.films.make import film_of, source_film
from semlink.link.films.maps import tile
from semlink.link.metrics.registry import PSNR
from semlink.link.results.clip_trial import ClipTrial
from semlink.link.results.pictures import Picture, RateMap, gap, in_8_bits
from semlink.link.sweep.clips import Clips
from semlink.link.sweep.grid import Task
from semlink.payload import Agreement, Frames, FrameShape
from semlink.seeds import Seeds

CORNER = 16
"""Pixels a side that are shown of a sensor's map."""
SHORT = 12


def picture_of(
    link: Link, clips: Clips, task: Task, seed: int, deals: Sequence[Deal], first: Outcome | None
) -> Picture:
    """The picture of a point: maps of its sensor, and frames where pictures show the point.

    Args:
        seed: root of all chance.
        deals: of each clip; nothing where the point does not fit.
        first: what the first clip became in the first trial; None then.
    """
    shape, rate = clips.frames[0].shape, task.point.rate
    picture = _with_map(Picture(), link.transmitter.camera_at(rate), shape)
    if not task.is_shown:
        return picture
    numbers, middle = frames_shown(shape.t, link.frame_kinds(shape, rate))
    source = in_8_bits(_shown(clips, clips.frames[0])[list(numbers)])
    picture = replace(picture, numbers=numbers, middle=middle, source=source, planes=clips.look.pictures)
    if not deals or first is None:
        return picture
    received = in_8_bits(_shown(clips, first.frames)[list(numbers)])
    return replace(picture, received=received, rate_maps=tuple(rate_maps(link, clips, seed, deals)))


def film_at(
    link: Link, clips: Clips, task: Task, first: Outcome, scored: ClipTrial, uses: np.ndarray | None
) -> Film | None:
    """The film of a point.

    Args:
        first, scored: what the first clip became in the first trial, and its qualities.
        uses: channel uses of its blocks, where they differ.
    """
    film = film_of(
        clips.names[0],
        _shown(clips, clips.frames[0]),
        _shown(clips, first.frames),
        clips.look.pictures,
        source=film_of_source(clips),
        scored_db=scored.metrics[PSNR.name],
        by_frame=scored.by_frame,
        measured=task.is_shown,
    )
    if film is None:
        return None
    counts = _map_of(link.transmitter.camera_at(task.point.rate), clips.frames[0].shape)
    return replace(
        film,
        blocks=first.blocks,
        lost=first.lost,
        counts=None if counts is None else tile(counts[: len(counts) // clips.look.planes]),
        uses=None if uses is None else uses.astype(np.float32),
    )


def film_of_source(clips: Clips) -> str:
    """What the film of the first clip itself is called."""
    return f"source-{clips.digest[:SHORT]}"


def source_shown(clips: Clips) -> Film | None:
    """The first clip before anything happened to it."""
    return source_film(clips.names[0], _shown(clips, clips.frames[0]), clips.look.pictures)


def _shown(clips: Clips, frames: Frames) -> np.ndarray:
    """The first clip of a batch, gray or as R, G and B one above the other."""
    return np.asarray(clips.look.shown(frames.pixels[0]).numpy())


def frames_shown(frames: int, frame_kinds: Sequence[str]) -> tuple[tuple[int, ...], int]:
    """The middle frame, the one before it and those around a gap that the sensor leaves; and which is the middle."""
    middle = frames // 2
    return tuple(sorted({max(middle - 1, 0), middle, *gap(frame_kinds)})), middle


def rate_maps(link: Link, clips: Clips, seed: int, deals: Sequence[Deal]) -> Iterator[RateMap]:
    """The maps of all clips whose blocks do not get the same; the same cost spread evenly tells what they follow."""
    even = link.transmitter.with_even_blocks()
    if even is None:
        return
    for number, clip in enumerate(clips.frames):
        seeds, agreed = Seeds(seed, (number,), 0), deals[number].agreement
        uses = link.transmitter.uses_of_blocks(clip, agreed, seeds)
        if uses is None or uses.max() - uses.min() <= 1:  # all blocks alike, but for what does not divide
            continue
        try:
            left = run_clip(replace(link, transmitter=even), clip, _evenly(agreed, uses), seeds)
        except Infeasible:
            continue
        pixels = clip.pixels[0].numpy()
        error = ((left.frames.pixels[0].numpy() - pixels) ** 2).mean(0)
        middle, stride = pixels[len(pixels) // 2], -(-pixels.shape[1] // uses.shape[0])
        texture = by_block(middle**2, stride) - by_block(middle, stride) ** 2
        yield RateMap(clips.names[number], in_8_bits(middle), uses, texture, by_block(error, stride))


def _evenly(agreed: Agreement, uses: np.ndarray) -> Agreement:
    """The same cost, shared out evenly."""
    if agreed.point.budget_uses is not None:
        return agreed
    return replace(agreed, point=replace(agreed.point, rate=2 * float(uses.mean())))


def by_block(image: np.ndarray, stride: int) -> np.ndarray:
    """Means over blocks of `stride` x `stride` pixels; those at the edges may be smaller."""
    rows, columns = (np.arange(0, size, stride) for size in image.shape)
    sums = np.add.reduceat(np.add.reduceat(image, rows, 0), columns, 1)
    ones = np.add.reduceat(np.add.reduceat(np.ones_like(image), rows, 0), columns, 1)
    return sums / ones


def _with_map(picture: Picture, camera: Camera | None, shape: FrameShape) -> Picture:
    """`picture` with the sensor's map, if that is not the same everywhere."""
    counts = _map_of(camera, shape)
    if counts is None:
        return picture
    return replace(picture, counts=counts[:CORNER, :CORNER], mean_count=float(counts.mean()))


def _map_of(camera: Camera | None, shape: FrameShape) -> np.ndarray | None:
    """The sensor's map of readings a pixel (h, w), None where it is the same everywhere."""
    agreed = None if camera is None else camera.sensor.counts(shape)
    return None if agreed is None or bool(agreed.min() == agreed.max()) else agreed.numpy()
