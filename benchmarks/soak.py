"""A long run in one process: whether memory stays flat and points take no longer, and how long a rerun takes.

    python benchmarks/soak.py                  # 10,000 points
    python benchmarks/soak.py --points 500

The points are as small as points get (SoftCast of one frame of 16 x 16 over AWGN at about 1 dB,
one trial), so that what is measured is the run itself. Memory is what the process holds after each
tenth of the points, time the CPU seconds that the tenth took.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import semlink

TENTHS = 10
FLAT, CONSTANT = 0.05, 0.10
"""By how much memory may grow, and the time of a point differ, from the third tenth on."""


def scenario(points: int) -> dict:
    """A scenario of so many points."""
    return {
        "name": "soak",
        "source": {"kind": "scenes", "frames": 1, "size": [16, 16], "clips": 1},
        "channel": {"kind": "awgn"},
        "sweep": {"snr_db": [round(1 + 1e-5 * number, 5) for number in range(points)], "budget": [1.5]},
        "schemes": [{"name": "soft", "kind": "softcast", "margin_db": 0}],
        "metrics": ["psnr"],
        "trials": {"min": 1, "max": 1},
    }


def resident_mb() -> float:
    """What the process holds in memory, as Linux counts it."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


class Watch:
    """Notes memory and CPU time after every tenth of a run."""

    def __init__(self, points: int) -> None:
        self.points, self.memory, self.seconds, self.last = points, [], [], time.process_time()

    def __call__(self, name: str, done: int, total: int) -> None:
        if done and done % (self.points // TENTHS) == 0 and len(self.memory) < TENTHS:
            now = time.process_time()
            self.seconds.append(now - self.last)
            self.memory.append(resident_mb())
            each_ms = 1000 * self.seconds[-1] * TENTHS / self.points
            sys.stdout.write(f"{done:6d} points: {self.memory[-1]:7.1f} MB, {each_ms:6.2f} ms of CPU a point\n")
            sys.stdout.flush()
            self.last = time.process_time()


def soak(points: int, folder: Path) -> bool:
    """Run, run again; whether all stayed as it should."""
    made, watch = semlink.load(scenario(points)), Watch(points)
    semlink.run(made, folder, progress=watch)
    began = time.process_time()
    again = semlink.run(made, folder)
    rerun = time.process_time() - began
    settled = slice(2, None)
    memory, seconds = np.array(watch.memory)[settled], np.array(watch.seconds)[settled]
    grown, spread = float(memory[-1] / memory[0] - 1), float(seconds[-3:].mean() / seconds[:3].mean() - 1)
    computed = again.manifest["points_computed_in_this_run"]
    sys.stdout.write(f"memory from the third tenth to the last: {grown:+.1%} (allowed {FLAT:.0%})\n")
    sys.stdout.write(
        f"time a point, last three tenths against the three before: {spread:+.1%} (allowed {CONSTANT:.0%})\n"
    )
    sys.stdout.write(f"a rerun with nothing to do: {rerun:.2f} s of CPU, {computed} points computed\n")
    return grown <= FLAT and abs(spread) <= CONSTANT and computed == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=10_000)
    points = parser.parse_args().points
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(0 if soak(max(points, TENTHS), Path(folder) / "soak") else 1)


if __name__ == "__main__":
    main()
