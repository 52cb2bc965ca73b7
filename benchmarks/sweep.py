"""Where the time of a run goes: three scenarios by stage, points an hour, and what a second worker brings.

    python benchmarks/sweep.py                   # all three, one and two workers
    python benchmarks/sweep.py fading --workers 1
    python benchmarks/sweep.py --turns 3         # one worker, two and Ray in turns, with the ratio to one worker

Stages are told by CPU seconds: every few milliseconds of them a signal looks which function is at work, and all that
went by since the last look is booked on its stage, long calls into libraries too. What is none of the blocks' work
(plan, records, files, digests, copies between sender and receiver) is overhead. Start-up, with imports and what is
compiled, is left out: each scenario is run once before on another seed. A second worker is measured by the clock, so
other work on the machine counts; the anchor, a fixed calculation beside each run, says how much there was.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import statistics
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")

import numpy as np

import semlink

EVERY_S = 0.004
STAGES = {
    "source": ("clips.py:load_clips",),
    "score": ("point_runner.py:score",),
    "encode": ("*:transmit", "*:next_burst"),
    "transmit": ("air.py:arrived", "interactive.py:carry"),
    "decode": ("air.py:receive_alone", "air.py:made_of", "air.py:said_by"),
    "choice": ("settle.py:settled",),
    "referee": ("referee.py:*", "left_alone.py:*", "witness.py:*", "audit.py:*", "foresight.py:*"),
    "pictures": ("shown.py:*", "reception.py:reception_of", "pictures.py:write", "store.py:write"),
    "intervals": ("qualities.py:*", "trials.py:is_met", "intervals.py:*"),
}
"""By stage the functions, as file:function, that all below them belongs to; the outermost that is known counts."""
CLIPS = {"kind": "scenes", "clips": 3, "frames": 16, "size": [128, 128], "seed": 10}
LDPC = {"kind": "ldpc", "modulation": "16qam", "rate": "1/2"}
BEST = {"kind": "ldpc", "mcs": "best"}
H264 = {"kind": "digital", "codec": {"kind": "h264"}}
EYE = {"kind": "programmable", "ratio_map": "learned", "weights": "sensor", "mean_count": 2.5}
SCENARIOS: dict[str, dict[str, Any]] = {
    "digital": {
        "channel": {"kind": "awgn"},
        "sweep": {"snr_db": [8, 9, 10, 11, 12], "budget": [0.012, 0.024]},
        "schemes": [H264 | {"name": "16-QAM 1/2", "coding": LDPC}, H264 | {"name": "best MCS", "coding": BEST}],
    },
    "semantic": {
        "channel": {"kind": "awgn"},
        "sweep": {"snr_db": [5, 10, 15, 20], "budget": [0.012]},
        "schemes": [
            {
                "name": "SemCom",
                "kind": "semantic",
                "weights": "semcom_tokens",
                "allocation": "predicted",
                "sensor": EYE,
                "reconstruction": {"kind": "deep", "weights": "sensor"},
            }
        ],
    },
    "fading": {
        "channel": {"kind": "rayleigh", "coherence": "block"},
        "sweep": {"snr_db": [5, 10, 15, 20], "budget": [0.06]},
        "schemes": [
            H264 | {"name": "16-QAM 1/2", "coding": LDPC},
            H264 | {"name": "HARQ", "coding": LDPC | {"harq": {"kind": "ir"}}},
        ],
    },
}


class Looks:
    """CPU seconds by stage, from looks at the stack."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self.within: dict[str, Counter[str]] = {}
        self.last = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Look while what is inside runs."""
        before = signal.signal(signal.SIGPROF, self._look)
        self.last = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0.0)
            signal.signal(signal.SIGPROF, before)

    def _look(self, number: int, frame: FrameType | None) -> None:
        now = time.process_time()
        stage = stage_of(frame)
        self.spent[stage] += now - self.last
        self.within.setdefault(stage, Counter())[own_function(frame)] += now - self.last
        self.last = now


def stage_of(frame: FrameType | None) -> str:
    """The stage of a stack, by its outermost function that is known; `metrics` below `score` are told apart."""
    names = []
    while frame is not None:
        names.append((Path(frame.f_code.co_filename).name, frame.f_code.co_name))
        frame = frame.f_back
    for file, function in reversed(names):
        for stage, marks in STAGES.items():
            if {f"{file}:{function}", f"*:{function}", f"{file}:*"} & set(marks):
                ssim = stage == "score" and any(name.startswith("ssim") for _, name in names)
                return "score: SSIM" if ssim else stage
    return "overhead"


def own_function(frame: FrameType | None) -> str:
    """The innermost function of the package on a stack."""
    while frame is not None and f"{os.sep}semlink{os.sep}" not in frame.f_code.co_filename:
        frame = frame.f_back
    return "?" if frame is None else f"{Path(frame.f_code.co_filename).name}:{frame.f_code.co_name}"


def run(
    name: str, workers: int, seed: int, looks: Looks | None = None, *, on: str | None = None, trials: int = 6
) -> tuple[int, float, float]:
    """Points, seconds by the clock, and CPU seconds of a run in a folder of its own."""
    whole = {"name": name, "seed": seed, "source": CLIPS, "trials": {"min": trials, "max": trials}, **SCENARIOS[name]}
    with tempfile.TemporaryDirectory() as folder:
        started, cpu = time.perf_counter(), cpu_seconds()
        if looks is None:
            done = semlink.run(whole, folder, workers=workers, on=on)
        else:
            with looks.running():
                done = semlink.run(whole, folder, workers=workers, on=on)
        return len(done.run.points), time.perf_counter() - started, cpu_seconds() - cpu


def cpu_seconds() -> float:
    """Of this process and all that ended below it."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


MARK = "SEMLINK_SWEEP_OF"
"""The variable that names this process to all that begin below it, workers and Ray's processes too."""
LOOKS_EVERY_S = 0.25
WAYS: dict[str, dict[str, Any]] = {"one": {"workers": 1}, "two": {"workers": 2}, "ray": {"workers": 2, "on": "ray"}}


class Below:
    """CPU seconds of all processes that began below this one, as they were when last seen: most end by a kill."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        os.environ[MARK] = str(os.getpid())
        threading.Thread(target=self._watch, daemon=True).start()

    def seconds(self) -> float:
        self._look()
        return sum(self.spent.copy().values()) + time.process_time()

    def _watch(self) -> None:
        while True:
            self._look()
            time.sleep(LOOKS_EVERY_S)

    def _look(self) -> None:
        mark = f"{MARK}={os.getpid()}".encode()
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    fields = (process / "stat").read_text().rpartition(")")[2].split()
                    name = f"{process.name} since {fields[19]}"
                    self.spent[name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def in_turns(names: list[str], turns: int, trials: int) -> None:
    """Print what each way brings, all ways one after the other as often as asked, so that other work meets all alike.

    Each has run once before on another seed; Ray's cluster stays. The ratio is of each turn by itself.
    """
    below = Below()
    import ray

    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    heads = (
        "scenario",
        "way",
        "points an hour",
        "of one worker",
        "each turn",
        "CPU s a point",
        "CPU of clock x workers",
    )
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for name in names:
        for way in WAYS.values():
            run(name, seed=99, trials=trials, **way)
        rates, cpu, share = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list), Counter[str]()
        for turn in range(turns):
            for said, way in WAYS.items():
                before = below.seconds()
                points, clock, _ = run(name, seed=turn + 1, trials=trials, **way)
                spent = below.seconds() - before
                rates[said].append(3600 * points / clock)
                cpu[said].append(spent / points)
                share[said] += spent / (clock * way["workers"]) / turns
        for said in WAYS:
            ratios = [rate / one for rate, one in zip(rates[said], rates["one"], strict=True)]
            each = " ".join(f"{ratio:.2f}" for ratio in ratios)
            told = f"{statistics.median(rates[said]):,.0f} | {statistics.median(ratios):.2f} | {each}"
            spent = f"{statistics.median(cpu[said]):.3f} | {100 * share[said]:.0f} %"
            print(f"| {name} | {said} | {told} | {spent} |", flush=True)
    ray.shutdown()


def anchor() -> float:
    """Clock seconds of a fixed calculation in this process: how much other work there is."""
    a = np.random.default_rng(0).standard_normal((600, 600))
    started = time.perf_counter()
    for _ in range(20):
        a = np.tanh(a @ a / 600)
    return time.perf_counter() - started


def main() -> None:
    """Print a table for each scenario."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", choices=[*SCENARIOS, []], help="scenarios [all]")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2], help="processes [1 2]")
    parser.add_argument("--within", metavar="STAGE", help="also the functions that take most of a stage")
    parser.add_argument("--turns", type=int, help="one worker, two and Ray in turns, so often")
    parser.add_argument("--trials", type=int, default=6, help="of each point, in turns [6]")
    asked = parser.parse_args()
    if asked.turns:
        in_turns(asked.names or list(SCENARIOS), asked.turns, asked.trials)
        return
    heads = ("scenario", "workers", "points an hour", "CPU s a point", "clock s a point", "anchor s")
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    shares = {}
    for name in asked.names or SCENARIOS:
        run(name, 1, seed=99)
        for workers in asked.workers:
            looks = Looks() if workers == 1 else None
            before = anchor()
            points, clock, cpu = run(name, workers, 1, looks)
            own = f"{cpu / points:.3f}" if workers == 1 else ""  # what workers spent dies with them
            told = f"{3600 * points / clock:,.0f} | {own} | {clock / points:.3f}"
            print(f"| {name} | {workers} | {told} | {(before + anchor()) / 2:.3f} |", flush=True)
            shares |= {name: looks.spent} if looks else {}
            for function, spent in looks.within.get(asked.within, Counter()).most_common(12) if looks else ():
                print(f"    {100 * spent / sum(looks.spent.values()):5.1f} %  {function}")
    stages = dict.fromkeys(stage for spent in shares.values() for stage, _ in spent.most_common())
    print("\nShare of the CPU time by stage, one worker:\n")
    print("| stage | " + " | ".join(shares) + " |\n|---|" + "---|" * len(shares))
    for stage in sorted(stages):
        told = [f"{100 * spent[stage] / max(sum(spent.values()), 1e-9):.1f} %" for spent in shares.values()]
        print(f"| {stage} | " + " | ".join(told) + " |")


if __name__ == "__main__":
    main()
