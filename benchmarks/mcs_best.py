"""`mcs: best` against fixed codings over the real chain, every one with the same chance in the same trial.

    python benchmarks/mcs_best.py scenarios/fading.yaml --set source.path='clips/*.mkv' [--snr 10 20] [--table FILE]

Every point of the scenario, unless `--snr` names some. With `--table` rows are added to a file, and points that
stand there with the choice of now are not sent again, so that a long comparison may be interrupted.
The scheme of the scenario that says `mcs: best` makes its choice as in a run. Then that coding and its
rivals send the scenario's clips over the real channel, with the seeds of trials that no choice was made
on: rows of MCS tables 1 and 2 within a few steps of efficiency around the choice, and each constellation
at 1/2, 2/3 and 3/4 where it is among them. A rival is sent until the interval of its mean difference to
the choice (95 %, paired by trial) lies below the tolerance, or `--trials` are sent: what differs between two
neighbours is a deep fade in a hundred trials or two, so that few trials may show a difference, and a narrow
interval, that more take back. The largest difference stands in the table; of several rivals some are ahead by
chance alone, so the interval counts.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from pydantic import BaseModel

import semlink
from semlink.blocks import CodingBase
from semlink.errors import Infeasible
from semlink.link.chain.link import Link
from semlink.link.chain.transmit import run_clip
from semlink.link.metrics.psnr_ssim import psnr_db
from semlink.link.sweep.clips import load_clips
from semlink.link.sweep.grid import GridPoint
from semlink.link.sweep.point_runner import PointRunner
from semlink.payload import Agreement
from semlink.phy.coding.block_coding import efficiency
from semlink.phy.coding.mcs_tables import mcs_name, mcs_pairs
from semlink.seeds import Seeds

LEAST_SENT = {"awgn": 48, "fading": 300}
"""Transmissions of each rival, clips by trials: what few have not met does not show in their intervals, and deep
fades are rare."""
ROOT = 30977
"""Of the trials, so that they are none of a run's and none of the calibration's."""
CLASSIC = (1 / 2, 2 / 3, 3 / 4)
AWGN_DB, FADING_DB = 0.1, 0.3
"""How far below the best fixed coding the choice may be."""


@dataclass(slots=True)
class Heard:
    """PSNR in dB of each trial so far, the mean over clips, for the choice and its rivals."""

    runner: PointRunner
    link: Link
    agreed: Agreement
    budget: int | None
    by_coding: dict[str, list[float]] = field(default_factory=dict)

    def trials(self, coding: str, number: int) -> np.ndarray:
        """The first `number` trials."""
        heard = self.by_coding.setdefault(coding, [])
        while len(heard) < number:
            heard.append(self._trial(coding, len(heard)))
        return np.array(heard[:number])

    def ahead(self, rival: str, number: int) -> tuple[float, float]:
        """Mean of rival less choice over so many trials, and its half width."""
        own = self.agreed.terms.coding
        ahead = self.trials(rival, number) - self.trials(own, number)
        return float(ahead.mean()), float(1.96 * ahead.std(ddof=1) / math.sqrt(number))

    def _trial(self, coding: str, trial: int) -> float:
        agreement = replace(self.agreed, terms=replace(self.agreed.terms, coding=coding))
        quality = []
        for number, clip in enumerate(self.runner.clips.frames):
            seeds = Seeds(ROOT, (number,), trial)
            frames = run_clip(self.link, clip, agreement, seeds, budget=self.budget).frames
            quality.append(psnr_db(clip.pixels[0].numpy(), frames.pixels[0].numpy()))
        return float(np.mean(quality))


def rivals(codings: Mapping[str, CodingBase], choice: str, steps: int) -> list[str]:
    """Fixed codings around the choice, by rising efficiency."""
    pairs = set(mcs_pairs(1, every_rate=False)) | set(mcs_pairs(2, every_rate=False))
    ladder = sorted({mcs_name(*pair) for pair in pairs} & codings.keys(), key=lambda n: efficiency(codings[n]))
    place = np.searchsorted([efficiency(codings[n]) for n in ladder], efficiency(codings[choice]))
    near = ladder[max(place - steps, 0) : place + steps + 1]
    low, high = efficiency(codings[near[0]]), efficiency(codings[near[-1]])
    classic = [mcs_name(order, rate) for order in (2, 4, 6, 8) for rate in CLASSIC]
    near += [n for n in classic if n in codings and low <= efficiency(codings[n]) <= high]
    return sorted(set(near) - {choice}, key=lambda n: efficiency(codings[n]))


def compared(
    heard: Heard, names: Sequence[str], tolerance_db: float, least: int, most: int, *, tell: bool
) -> list[tuple[float, float, str, int]]:
    """Mean difference to the choice, half width, name and trials of each rival that carries the clips."""
    found = []
    for name in names:
        number, ahead, half = 0, 0.0, math.inf
        try:
            while number < most:
                number = min(max(least, number + number // 2), most)
                ahead, half = heard.ahead(name, number)
                if ahead + half < tolerance_db:
                    break
        except Infeasible:  # no clip can be coded so small
            continue
        found.append((ahead, half, name, number))
        if tell:
            print("   ", f"{name:>18} {ahead:+.3f} ± {half:.3f} ({number})", flush=True)
    return found


def said(channel: BaseModel) -> str:
    """A channel with what makes it another than its kind's default."""
    options = channel.model_dump(exclude_defaults=True)
    return " ".join([options.pop("kind"), *(f"{name} {value}" for name, value in options.items())])


def row(runner: PointRunner, point: GridPoint, told: argparse.Namespace) -> str | None:
    """A line of the table: the choice, the fixed coding that is furthest ahead, and whether that is too far.

    None where the table has it.
    """
    channel = runner.scenario.channel[point.channel]
    is_still = channel.kind == "awgn"
    tolerance_db = AWGN_DB if is_still else FADING_DB
    sent = LEAST_SENT["awgn" if is_still else "fading"]
    least = min(math.ceil(sent / len(runner.clips.frames)), told.trials)
    link = runner.link(point)
    started = time.process_time()
    agreed, budget = runner.agree(link, point)
    chose_s = time.process_time() - started
    place = [runner.scenario.name, said(channel), f"{point.snr_db:g}", f"{point.budget:g}", agreed.terms.coding]
    known = "| " + " | ".join(place) + " |"
    if told.table and told.table.exists() and known in told.table.read_text(encoding="utf-8"):
        return None
    codings = link.transmitter.codings
    if told.all:
        print("   ", f"{point.snr_db:g} dB: {agreed.terms.coding}, chosen in {chose_s:.1f} s", flush=True)
    heard = Heard(runner, link, agreed, budget)
    names = told.rivals or rivals(codings, agreed.terms.coding, told.steps)
    found = compared(heard, names, tolerance_db, least, told.trials, tell=told.all)
    ahead, half, name, number = max(found)
    surely = max(found, key=lambda f: f[0] + f[1])
    is_missed = any(f[0] - f[1] > tolerance_db for f in found)
    verdict = "missed" if is_missed else "within" if surely[0] + surely[1] <= tolerance_db else "open"
    cells = [
        *place,
        f"{np.mean(heard.by_coding[agreed.terms.coding]):.2f}",
        name,
        f"{ahead:+.3f} ± {half:.3f}",
        f"{surely[0] + surely[1]:+.3f}",
        str(number * len(runner.clips.frames)),
        verdict,
        f"{chose_s:.1f}",
    ]
    return "| " + " | ".join(cells) + " |"


def points(told: argparse.Namespace) -> list[tuple[PointRunner, GridPoint]]:
    """Every point of the scenario's scheme with `mcs: best`, and what computes it."""
    scenario = semlink.load(told.scenario, told.set)
    numbers = [n for n, s in enumerate(scenario.schemes) if s.model_dump().get("coding", {}).get("mcs") == "best"]
    runner = PointRunner.of(scenario, load_clips(scenario, None), Path(tempfile.mkdtemp()), None)
    return [
        (runner, GridPoint(numbers[0], channel, snr_db, budget, None))
        for channel in range(len(scenario.channel))
        for budget in scenario.sweep.budget
        for snr_db in told.snr or scenario.sweep.snr_db
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario")
    parser.add_argument("--set", nargs="*", default=[])
    parser.add_argument("--snr", nargs="*", type=float, default=[])
    parser.add_argument("--trials", type=int, default=400, help="at most, for each rival")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--rivals", nargs="*", default=[], help="these alone, such as '64qam 666/1024'")
    parser.add_argument("--all", action="store_true", help="print every rival")
    parser.add_argument("--table", type=Path, help="file that rows are added to")
    told = parser.parse_args()
    if min(told.steps, told.trials - 1) < 1:
        parser.error("needs a step and two trials at least")
    heads = "scenario, channel, SNR dB, uses a pixel, choice, its PSNR dB, best fixed, fixed less choice dB"
    heads += ", at most dB, transmissions, , choosing s"
    print("| " + " | ".join(heads.split(", ")) + " |\n" + "|---" * 12 + "|")
    for runner, point in points(told):
        line = row(runner, point, told)
        if line is not None:
            print(line, flush=True)
            if told.table:
                with told.table.open("a", encoding="utf-8") as table:
                    table.write(line + "\n")


if __name__ == "__main__":
    main()
