"""A pack small enough to travel to a borrowed machine: some frames of every clip, and all stills, as JPEG.

    python -m semlink.training.compact_pack DATA RECIPE OUT.npz [--frames 40] [--quality 85]

Training reads it like any pack (`--data OUT.npz`); decoding takes seconds and
needs Pillow only. Blocks of JPEG lie in all phases to the blocks of the code,
since crops begin anywhere, so the code does not learn them.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from semlink.training.data.jpeg_frames import to_jpeg
from semlink.training.data.material import find_material
from semlink.training.data.pack import Pack
from semlink.training.recipe import load_recipe


def shortened(pack: Pack, frames: int) -> Pack:
    """Of each longer clip `frames` frames: from its middle for training, its first ones where it is held out."""
    ends = np.cumsum([t * h * w for t, h, w in pack.shapes])
    parts, shapes = [], []
    for end, (t, h, w), held in zip(ends, pack.shapes, pack.held_out):
        clip = pack.pixels[end - t * h * w : end].reshape(t, h, w)
        first = 0 if held or t <= frames else (t - frames) // 2
        part = clip[first : first + frames]
        parts.append(part.ravel())
        shapes.append(part.shape)
    return replace(pack, shapes=tuple(shapes), pixels=np.concatenate(parts))


def save_compact(pack: Pack, path: str | Path, quality: int) -> int:
    """Write `pack` with every frame as a JPEG; returns the bytes of the file."""
    ends = np.cumsum([t * h * w for t, h, w in pack.shapes])
    pictures = [
        to_jpeg(frame, quality)
        for end, (t, h, w) in zip(ends, pack.shapes)
        for frame in pack.pixels[end - t * h * w : end].reshape(t, h, w)
    ]
    np.savez(
        path,
        jpeg=np.frombuffer(b"".join(pictures), np.uint8),
        sizes=np.array([len(picture) for picture in pictures]),
        shapes=np.asarray(pack.shapes, dtype=np.int64),
        held_out=np.asarray(pack.held_out, dtype=bool),
        names=np.asarray(pack.names),
        terms=np.asarray(pack.terms),
    )
    return Path(path).stat().st_size


def main() -> None:
    """Pack what a recipe trains on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--quality", type=int, default=85)
    chosen = parser.parse_args()
    pack = shortened(find_material(load_recipe(chosen.recipe).data, chosen.data), chosen.frames)
    size = save_compact(pack, chosen.out, chosen.quality)
    print(f"{chosen.out}: {len(pack.names)} items, {pack.pixels.size / 1e6:.0f} million pixels, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
