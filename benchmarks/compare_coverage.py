"""How often the intervals of a comparison hold, on synthetic links whose truth has a closed form.

    python benchmarks/compare_coverage.py [--runs 500] [--clips 6] [--trials 16]

Two schemes at four costs. A clip's clean quality is linear in log cost, with a
level of its own (2 dB) and a difference between the schemes of its own (0.4 dB);
in each trial and clip a point loses one block with the stated probability and 2 to 8 dB
with it, and both schemes meet the same noise: the test loses wherever the
reference does, and 1.5 times as often. The paired difference is then OFFSET - 5 dB times the
difference of the loss rates, at every cost, which is the BD quality too, and
over the slope the logarithm of the BD rate. `noise`: the interval over noise against the truth on
the drawn clips; `clips`: that over clips against the truth of all clips.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from semlink.link.compare.bd_rate import bd_quality, bd_rate
from semlink.link.compare.compare import _halves, _log_rate, _mean_point
from semlink.link.compare.paired import ClipScores, PointScores, pair
from semlink.link.metrics.registry import METRICS
from semlink.link.results.rows import Row

COSTS, SLOPE, OFFSET = np.array([0.05, 0.1, 0.2, 0.4]), 4.0, 0.7
DAMAGE, WORST, MORE = (2.0, 8.0), 8.0, 1.5
RATES = (0.02, 0.1, 0.3)
Side = list[PointScores]


def drawn(rate: float, clips: int, trials: int, rng: np.random.Generator) -> tuple[Side, Side, float]:
    """The reference, the test, and the true difference on these clips."""
    level, own = rng.normal(30, 2, clips), rng.normal(OFFSET, 0.4, clips)
    sides: tuple[Side, Side] = [], []
    for cost in COSTS:
        chance, depth = rng.random((clips, trials)), rng.uniform(*DAMAGE, (clips, trials))
        for side, share, added in zip(sides, (rate, MORE * rate), (0 * own, own)):
            clean, lost = level + SLOPE * np.log(cost) + added, chance < share
            found = {
                str(n): ClipScores(
                    str(n),
                    "",
                    clean[n] - depth[n] * lost[n],
                    np.full(trials, cost),
                    lost[n].astype(float),
                    (clean[n] - WORST, clean[n]),
                )
                for n in range(clips)
            }
            side.append(PointScores(Row("synthetic"), found, METRICS[0]))
    return *sides, float(own.mean()) - lowered(rate)


def lowered(rate: float) -> float:
    """What the test loses on the mean by its more frequent losses."""
    return (MORE - 1) * rate * sum(DAMAGE) / 2


def once(rate: float, clips: int, trials: int, rng: np.random.Generator) -> list[tuple[float, float, float, float]]:
    """Of difference, quality and rate: error on these clips and half width over noise, then the same for all clips."""
    reference, test, here = drawn(rate, clips, trials, rng)
    everywhere, names = OFFSET - lowered(rate), list(test[0].clips)
    gap = pair(test[0], reference[0], names)
    assert gap is not None
    found = [(gap.mean - here, gap.trials_ci95, gap.mean - everywhere, gap.clips_ci95)]
    curves = [[_mean_point(point, names, 1) for point in side] for side in (reference, test)]
    for average, scale, unit in ((bd_quality, float, 1.0), (bd_rate, _log_rate, -1 / SLOPE)):
        value = average(*curves).value
        if value is not None:
            over_clips, noise = _halves([reference, test], average, scale, 1)
            found.append((scale(value) - unit * here, noise, scale(value) - unit * everywhere, over_clips))
        else:
            found.append((np.nan,) * 4)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("runs", 500), ("clips", 6), ("trials", 16)):
        parser.add_argument(f"--{name}", type=int, default=default)
    told, started = parser.parse_args(), time.process_time()
    heads = "loss rate, figure, noise held %, half width, bias / half width, clips held %, half width, left out"
    print("| " + " | ".join(heads.split(", ")) + " |\n" + "|---" * 8 + "|")
    for rate in RATES:
        rng = np.random.default_rng(3)
        table = np.array([once(rate, told.clips, told.trials, rng) for _ in range(told.runs)])
        for name, rows in zip(("paired difference", "BD quality", "log BD rate"), table.transpose(1, 0, 2)):
            whole = rows[np.isfinite(rows).all(1)]
            error, noise, far, clips = whole.T
            held = [f"{100 * np.mean(np.abs(e) <= h):.1f}" for e, h in ((error, noise), (far, clips))]
            cells = [f"{rate:g}", name, held[0], f"{noise.mean():.3f}", f"{error.mean() / noise.mean():+.3f}"]
            cells += [held[1], f"{clips.mean():.3f}", str(len(rows) - len(whole))]
            print("| " + " | ".join(cells) + " |", flush=True)
    print(f"\n{time.process_time() - started:.0f} s of CPU time")


if __name__ == "__main__":
    main()
