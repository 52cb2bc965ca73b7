"""PSNR on development clips by map, reconstructor and motion class, and clips per second.

    python benchmarks/reconstruction.py [WEIGHTS] [--clips FOLDER] [--crop 256] [--speed] [--masked WEIGHTS]

The clips are the first 16 frames of every video below FOLDER, cut to the
centre; one with 14 or 15 frames is lengthened by playing its last ones back.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from semlink.payload import Frames
from semlink.seeds import Seeds
from semlink.sensing.programmable.exposure import ReadNoise
from semlink.sensing.programmable.reconstructors import GapTvReconstructor, InitialReconstructor
from semlink.sensing.programmable.sensor import ProgrammableSensor, RatioMap
from semlink.sensing.programmable.tokens.choice import deep_reconstructor
from semlink.training.data.material import data_root
from semlink.training.data.pack import pack_folders
from semlink.training.evaluate import evaluate, fixed_at, mean_by
from semlink.weights.cards import find_weights, read_card


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", nargs="?", default="sensor")
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--maps", help="weights whose learned maps are sensed with, where the decoder's own have none")
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument("--gap", action="store_true", help="also GAP-TV and the initial reconstruction")
    parser.add_argument("--masked", action="store_true", help="the weights are for the coded aperture")
    parser.add_argument("--speed", action="store_true", help="only time and profile one clip")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.speed:
        speed(options.weights, options.crop)
        return
    card = read_card(find_weights(options.maps or options.weights))
    sensors = {f"fixed {n}": ProgrammableSensor(RatioMap(count=n), masked=options.masked) for n in (1, 2, 4, 8)}
    for row in sorted(card["facts"].get("learned", []), key=lambda row: row["mean_count"]):
        tile = tuple(map(tuple, row["tile"]))
        sensors[f"learned {row['cost']:g}"] = ProgrammableSensor(RatioMap(tile=tile), masked=options.masked)
    reconstructors = [deep_reconstructor(options.weights, None, masked=options.masked, noise=ReadNoise())]
    if options.gap:
        reconstructors += [GapTvReconstructor(masked=options.masked), InitialReconstructor(masked=options.masked)]
    clips = read_clips(options.clips or data_root() / "video/dev", options.crop)
    report(evaluate(clips, sensors, reconstructors), sensors, [r.name for r in reconstructors])


def read_clips(folder: Path, crop: int) -> dict[str, torch.Tensor]:
    pack = pack_folders([folder])
    found = {}
    for name, item in zip(pack.names, pack.items()):
        if item.shape[0] >= 14:
            item = np.concatenate((item, item[-2:-4:-1]))
            top, left = (max(0, (side - crop) // 2) for side in item.shape[1:])
            cut = item[:16, top : top + crop, left : left + crop].astype(np.float32) / 255
            found[name] = torch.from_numpy(cut)
    return found


def report(rows, sensors, reconstructors) -> None:
    clips = list(dict.fromkeys((row.clip, row.motion) for row in rows))
    print(f"{'':24s} n     " + " ".join(f"{clip[:10]:>10s}" for clip, _ in clips) + "     medium+fast  slow")
    print(f"{'':30s}" + " ".join(f"{motion:>10s}" for _, motion in clips))
    for reconstructor in reconstructors:
        fixed = {}
        for sensor in sensors:
            mine = [row for row in rows if row.sensor == sensor and row.reconstructor == reconstructor]
            cells = " ".join(f"{row.psnr_db:10.2f}" for row in mine)
            key, cost = (sensor, reconstructor), mine[0].measurements_per_pixel
            moving = mean_by(rows, ("medium", "fast")).get(key, (0, float("nan"), 0))[1]
            slow = mean_by(rows, ("slow",)).get(key, (0, float("nan"), 0))[1]
            line = f"{sensor:14s} {reconstructor:8s} {cost:5.2f} {cells}   {moving:12.2f} {slow:6.2f}"
            if sensor.startswith("fixed"):
                fixed[cost] = moving
            else:
                line += f"   {moving - fixed_at(list(fixed.items()), cost):+.2f} dB over fixed (moving)"
            print(line)


def speed(weights: str, crop: int) -> None:
    frames = Frames(torch.rand(1, 16, crop, crop))
    sensor = ProgrammableSensor(RatioMap(count=2))
    measurement = sensor.measure(frames, Seeds(1))
    deep = deep_reconstructor(weights, None, masked=False, noise=ReadNoise())
    for block in (deep, GapTvReconstructor(), InitialReconstructor()):
        block.reconstruct(measurement)
        times = []
        for _ in range(5):
            start = time.perf_counter()
            block.reconstruct(measurement)
            times.append(time.perf_counter() - start)
        print(f"{block.name:10s} {sorted(times)[2]:.3f} s a clip of 16x{crop}x{crop}, one thread")
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        deep.reconstruct(measurement)
    print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=12, max_name_column_width=30))


if __name__ == "__main__":
    main()
