"""How often intervals hold the true mean: runs of the stop rule replayed from kept trials of the real chain.

    python benchmarks/interval_coverage.py pool [--trials 200]    # sends, and keeps what came of it
    python benchmarks/interval_coverage.py replay [--runs 2000] [--min 4] [--max 32] [--halfwidth 0.1] [--channel awgn]

H.264 over LDPC (16-QAM 1/2, blocks of 1024 bits, about four a clip) on three
built-in scenes; white noise, Rayleigh fading with one gain a clip, and bursts of
Gilbert and Elliott. The true mean is that of all kept trials; a run draws
transmissions from them with replacement, each clip by itself as the chain's
streams of chance are, and stops by the scenario's rule. `oracle` is the half
width that a fixed `max` trials would need if the distribution were known: the
95 % quantile of the error of their mean; `Student` is Student's t looked at after every trial.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import semlink
from semlink.link.metrics.intervals import t_halfwidth
from semlink.link.metrics.registry import METRICS, extremes_of
from semlink.link.results.clip_trial import ClipTrial
from semlink.link.results.qualities import Doubt, losses, qualities
from semlink.link.sweep.clips import load_clips
from semlink.link.sweep.grid import GridPoint
from semlink.link.sweep.point_runner import PointRunner
from semlink.link.sweep.trials import StopRule, repeat

POOL = Path(__file__).parents[1] / "results" / "bench" / "interval_coverage_pool.json.gz"
BUDGET = 0.05
SCENARIO = {
    "name": "coverage",
    "seed": 7,
    "source": {"kind": "scenes", "clips": 3, "frames": 8, "size": [64, 64]},
    "sweep": {"snr_db": [10], "budget": [BUDGET]},
    "schemes": [
        {
            "name": "H.264 + LDPC",
            "kind": "digital",
            "codec": {"kind": "h264"},
            "coding": {"kind": "ldpc", "modulation": "16qam", "rate": 0.5, "block_bits": 1024},
        }
    ],
}
AWGN_DB = (6.65, 6.55, 6.32, 6.07, 5.84, 5.66, 5.3)
RAYLEIGH_DB = (30.0, 25.0, 17.5, 12.5, 8.5, 5.0, 1.0)
BURSTS = (0.0008, 0.003, 0.017, 0.05, 0.17, 0.36, 0.68)
"""Probability of the bad state after the good one, a block of 64 symbols; a quarter of bad ones ends it."""
METRIC = METRICS[:2]


@dataclass(frozen=True, slots=True)
class Pool:
    """Kept transmissions at one point: each (trial, clip), and the extremes of each clip."""

    channel: str
    psnr: np.ndarray
    ssim: np.ndarray
    blocks: np.ndarray
    lost: np.ndarray
    extremes: Sequence[dict]

    @property
    def bler(self) -> float:
        return float(self.lost.sum() / self.blocks.sum())

    def trial(self, rng: np.random.Generator) -> list[ClipTrial]:
        """A trial: every clip as in one of the kept trials."""
        places = rng.integers(len(self.psnr), size=self.psnr.shape[1])
        return [
            ClipTrial(
                {"psnr": self.psnr[t, c], "ssim": self.ssim[t, c]},
                {},
                int(self.blocks[t, c]),
                int(self.lost[t, c]),
                extremes=self.extremes[c],
            )
            for c, t in enumerate(places)
        ]


def channels() -> list[tuple[dict, float]]:
    """Every channel with its SNR."""
    found = [({"kind": "awgn"}, snr) for snr in AWGN_DB] + [({"kind": "rayleigh"}, snr) for snr in RAYLEIGH_DB]
    bursts = {"kind": "gilbert-elliott", "p_bg": 0.25, "block": 64}
    return found + [({**bursts, "p_gb": p}, 14.0) for p in BURSTS]


def fill(trials: int) -> None:
    """Send all trials and keep them."""
    kept = []
    for channel, snr_db in channels():
        scenario = semlink.load({**SCENARIO, "channel": channel})
        clips = load_clips(scenario, None)
        with tempfile.TemporaryDirectory() as cache:
            runner = PointRunner.of(scenario, clips, Path(cache), None)
            point = GridPoint(0, 0, snr_db, BUDGET, None)
            link = runner.link(point)
            agreed, budget = runner.agree(link, point)
            table = [
                [runner.score(n, sent) for n, sent in enumerate(runner.trial(link, agreed, budget, trial))]
                for trial in range(trials)
            ]
        columns = {
            "psnr": [[round(c.metrics["psnr"], 6) for c in row] for row in table],
            "ssim": [[round(c.metrics["ssim"], 7) for c in row] for row in table],
            "blocks": [[c.blocks for c in row] for row in table],
            "lost": [[c.lost for c in row] for row in table],
        }
        sources = [frames.pixels[0].numpy() for frames in clips.frames]
        extremes = [{m.name: extremes_of(m, source) for m in METRIC} for source in sources]
        kept.append({"channel": channel["kind"], "snr_db": snr_db, **columns, "extremes": extremes})
        print(channel, snr_db, f"BLER {np.sum(columns['lost']) / np.sum(columns['blocks']):.4f}", flush=True)
    POOL.parent.mkdir(parents=True, exist_ok=True)
    POOL.write_bytes(gzip.compress(json.dumps(kept).encode(), mtime=0))


def pools() -> list[Pool]:
    """What was kept."""
    names = ("psnr", "ssim", "blocks", "lost")
    kept = json.loads(gzip.decompress(POOL.read_bytes()))
    return [Pool(p["channel"], *(np.array(p[name]) for name in names), p["extremes"]) for p in kept]


def students(pool: Pool, rule: StopRule, rng: np.random.Generator) -> tuple[float, float]:
    """Mean and half width by Student's t over the trials' means, looked at after every trial."""
    means: list[float] = []
    half = float("nan")
    while len(means) < rule.max:
        means.append(float(np.mean([clip.metrics["psnr"] for clip in pool.trial(rng)])))
        half = t_halfwidth(means)
        if len(means) >= rule.min and half <= rule.ci_halfwidth_db:
            break
    return float(np.mean(means)), half


def replay(pool: Pool, rule: StopRule, runs: int) -> str:
    """A line of the table: how often each interval holds, how wide it is, how far off the stopped mean is."""
    rng, truth = np.random.default_rng(1), {"psnr": pool.psnr.mean(), "ssim": pool.ssim.mean()}
    rows, spent = [], []
    for _ in range(runs):
        trials = repeat(lambda _: pool.trial(rng), rule)
        doubt = Doubt(rule.error(len(trials)))
        rows.append(qualities(trials, METRIC, doubt) | losses(trials, doubt))
        spent.append(len(trials))
    counts = [students(pool, rule, rng) for _ in range(runs // 4)]
    errors = {"psnr": np.array([r["psnr_db"] for r in rows]) - truth["psnr"]}
    errors["ssim"] = np.array([r["ssim"] for r in rows]) - truth["ssim"]
    halves = {name: np.array([r[f"{name}_ci95"] for r in rows]) for name in errors}
    held = {name: np.mean(np.abs(errors[name]) <= halves[name] + 1e-12) for name in errors}
    counted = np.mean([r["bler_ci95_low"] <= pool.bler <= r["bler_ci95_high"] for r in rows])
    full = np.stack([rng.choice(column, (4000, rule.max)).mean(1) for column in pool.psnr.T]).mean(0)
    oracle = float(np.quantile(np.abs(full - truth["psnr"]), 0.95))
    naive = np.mean([abs(mean - truth["psnr"]) <= half + 1e-12 for mean, half in counts])
    bias = errors["psnr"].mean() / halves["psnr"].mean()
    shares = [f"{100 * share:.1f}" for share in (held["ssim"], counted, naive)]
    first = f"{pool.bler:.4f}", f"{np.mean(spent):.1f}", f"{100 * held['psnr']:.1f}", f"{halves['psnr'].mean():.3f}"
    cells = [pool.channel, *first, f"{oracle:.3f}", f"{bias:+.3f}", f"{halves['psnr'].min():.3f}", *shares]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("pool", "replay"))
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--min", type=int, default=4)
    parser.add_argument("--max", type=int, default=32)
    parser.add_argument("--halfwidth", type=float, default=0.1)
    parser.add_argument("--channel", default="", help="only this one")
    parser.add_argument("--core", type=int, default=None)
    told = parser.parse_args()
    if told.core is not None:
        os.sched_setaffinity(0, {told.core})
    if told.what == "pool":
        fill(told.trials)
        return
    rule, started = StopRule(told.min, told.max, told.halfwidth), time.process_time()
    print(f"{told.runs} runs, trials {told.min} to {told.max}, {told.halfwidth:g} dB, looks {rule.looks}\n")
    heads = "channel, BLER, trials, held %, half width dB, oracle dB, bias / half width, least half width dB"
    heads += ", SSIM held %, BLER held %, Student held %"
    print("| " + " | ".join(heads.split(", ")) + " |\n" + "|---" * 11 + "|")
    for pool in pools():
        if told.channel in ("", pool.channel):
            print(replay(pool, rule, told.runs), flush=True)
    print(f"\n{time.process_time() - started:.0f} s of CPU time")


if __name__ == "__main__":
    main()
