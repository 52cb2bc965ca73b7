"""Runs ended from outside at all moments, again and again: does anything get lost, half-written or left behind?

    python benchmarks/kills.py --kills 100 [--seed 1]

Each time the same scenario is taken up in the same folder and ended: by Ctrl-C (once or twice, to the process or to
all of its terminal), SIGTERM, SIGHUP, SIGKILL of the run or of all its processes; with one worker, with two, and with
two on one core; while it starts, when its workers start, while it calibrates, in the middle, when it writes its tables,
and at the end. A folder that is complete is begun anew. Afterwards, and at the end, it is looked at:

- points that were finished are there, and read; so are tables and manifest, if they are there;
- after all signals but SIGKILL no temporary file is left, and after SIGKILL none once the next run has ended;
- no process is left after 3 s; Ctrl-C ends the run within 3 s with code 130;
- what is finished has the same bytes as a run that nobody disturbed.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from semlink.errors import SemlinkError
from semlink.link.results.finished import read_run
from semlink.link.results.folder import Results

SCENARIO = """
name: kills
source: {kind: scenes, clips: 2, frames: 8, size: [64, 64]}
channel: {kind: awgn}
sweep: {snr_db: [2, 10], budget: [0.2]}
trials: {min: 8, max: 8}
schemes:
  - {name: best, kind: digital, codec: {kind: h264}, coding: {kind: ldpc, mcs: best}}
  - {name: SoftCast, kind: softcast}
  - {name: H.264, kind: digital, codec: {kind: h264}, coding: {kind: ldpc, modulation: qpsk, rate: 1/2}}
"""
POINTS = 6
LONGEST_S = 3.0
PATIENCE_S = 120.0
"""Until a moment comes that a run never reaches."""
WAYS = ("ctrl-c", "ctrl-c to all", "ctrl-c twice", "SIGTERM", "SIGHUP", "SIGKILL", "SIGKILL of all")
SHAPES = {"1 worker": ["1"], "2 workers": ["2"], "one core": ["2"]}
MOMENTS = ("start", "workers", "calibration", "middle", "tables", "end")


@dataclass(frozen=True, slots=True)
class Kill:
    """One way of ending a run of one shape at one moment."""

    way: str
    shape: str
    moment: str


def processes(mark: str) -> list[int]:
    """Processes that carry a mark in their environment and have not ended."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
                found += [int(folder.name)] if state not in "ZX" else []
        except OSError:
            continue
    return found


def start(folder: Path, mark: str, shape: str = "2 workers") -> subprocess.Popen:
    command = [sys.executable, "-m", "semlink.cli", "run", "kills.yaml", "--out", "out", "--workers", *SHAPES[shape]]
    return subprocess.Popen(
        ["taskset", "-c", "0", *command] if shape == "one core" else command,
        cwd=folder,
        env=os.environ | {"KILLS": mark, "TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(folder / "err.txt").open("w"),
        start_new_session=True,
        preexec_fn=hear_all,
    )


def hear_all() -> None:
    """As in a terminal: what a shell starts in the background, or by nohup, ignores Ctrl-C and SIGHUP."""
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_DFL)


def wait_for(moment: str, out: Path, mark: str, process: subprocess.Popen) -> None:
    """Come back at a random time of a phase of the run; at once where that has ended before."""

    def loose() -> int:
        return len(list((out / "points").glob("[!.]*.json")))

    already, within_s = loose(), {"start": 2.5, "calibration": 4.0, "end": 1.5}.get(moment, 0.7)
    enough = random.randint(min(already + 1, POINTS - 1), POINTS - 1)
    has_come: dict[str, Callable[[], bool]] = {
        "start": lambda: True,
        "workers": lambda: len(processes(mark)) > 1 or loose() > already,
        "calibration": lambda: (out / "points").exists(),
        "middle": lambda: loose() >= enough,
        "tables": lambda: loose() >= POINTS or is_whole(out),
        "end": lambda: is_whole(out),
    }
    deadline = time.monotonic() + PATIENCE_S
    while not has_come[moment]() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(random.uniform(0, within_s))


def is_whole(out: Path) -> bool:
    """Whether a folder has its table, with all points; a run that was ended leaves one of those that were finished."""
    table = out / "curves.csv"
    return table.exists() and len(table.read_text().splitlines()) > POINTS


def end(process: subprocess.Popen, way: str) -> None:
    """Send what a way of ending sends."""
    if process.poll() is not None:
        return
    name = way.split()[0]
    number = signal.SIGINT if name == "ctrl-c" else signal.Signals[name]
    send: Callable[[int, int], None] = os.killpg if way.endswith("all") else os.kill
    send(process.pid, number)
    if way == "ctrl-c twice":
        time.sleep(random.uniform(0, 0.3))
        if process.poll() is None:
            send(process.pid, number)


def undisturbed(folder: Path) -> bytes:
    start(folder, "whole").wait()
    table = (folder / "out" / "curves.csv").read_bytes()
    shutil.rmtree(folder / "out")
    return table


def one_kill(folder: Path, number: int, kill: Kill, whole: bytes) -> tuple[list[str], str]:
    """What went wrong, and a line about it."""
    out, mark = folder / "out", f"kill-{os.getpid()}-{number}-"
    before = set(Results(out).keys()) if (out / "points").exists() else set()
    spares, locked, started = set(out.rglob("*.tmp")), (out / ".lock").exists(), time.monotonic()
    process = start(folder, mark, kill.shape)
    wait_for(kill.moment, out, mark, process)
    has_ended = process.poll() is not None
    end(process, kill.way)
    sent = time.monotonic()
    code = process.wait()
    ended_s = time.monotonic() - sent
    while processes(mark) and time.monotonic() - sent < 30:
        time.sleep(0.05)
    gone_s = time.monotonic() - sent
    wrong, points = looked_at(out, before)
    if not kill.way.startswith("SIGKILL"):
        wrong += [f"left {path.name}" for path in set(out.rglob("*.tmp")) - spares]
        wrong += ["left its lock"] if (out / ".lock").exists() and not locked else []
    wrong += [f"processes were there for {gone_s:.1f} s"] if gone_s > LONGEST_S else []
    if kill.way.startswith("ctrl-c") and code not in (0, 130):
        wrong += [f"code {code}"]
    if code == 0 and (out / "curves.csv").read_bytes() != whole:
        wrong += ["other numbers"]
    told = (folder / "err.txt").read_text()
    wrong += ["a traceback"] if "Traceback" in told else []
    if "Traceback" in told and "semlink" not in told:  # Python itself was starting, and nobody else could answer
        wrong = []
    when = f"{kill.moment:11} {sent - started:5.1f} s{' (ended before)' if has_ended else ''}"
    line = f"{number:4} {kill.way:14} {kill.shape:9} {when}: code {code:4}, {ended_s:.2f} s, all gone {gone_s:.2f} s"
    line += f", {points} points{''.join(f'; {one.upper()}' for one in wrong)}"
    return wrong, f"{line}\n{told}" if wrong else line


def looked_at(out: Path, before: set[str]) -> tuple[list[str], int]:
    """What is wrong with what a run left behind, and how many points are there."""
    results = Results(out)
    keys = set(results.keys()) if (out / "points").exists() else set()
    wrong = [f"lost {len(before - keys)} points"] if before - keys else []
    try:
        wrong += ["a point is missing"] if any(results.read(key) is None for key in keys) else []
        if (out / "curves.csv").exists():
            read_run(out)
    except SemlinkError as fault:
        wrong += [str(fault)]
    return wrong, len(keys)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random.seed(options.seed)
    kills = [Kill(way, shape, moment) for moment in MOMENTS for way in WAYS for shape in SHAPES]
    random.shuffle(kills)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "kills.yaml").write_text(SCENARIO)
        whole, faults, met = undisturbed(folder), 0, Counter[str]()
        for number in range(options.kills):
            kill = kills[number % len(kills)]
            if is_whole(folder / "out"):
                shutil.rmtree(folder / "out")
            wrong, line = one_kill(folder, number, kill, whole)
            faults += bool(wrong)
            met["missed" if "(ended before)" in line else kill.moment] += 1
            print(line, flush=True)
        start(folder, "last").wait()
        left = [path.name for path in folder.rglob("*.tmp")] + [path.name for path in folder.glob("semlink-clips-*")]
        same = (folder / "out" / "curves.csv").read_bytes() == whole
    print(", ".join(f"{moment} {count}" for moment, count in met.items()))
    print(f"{options.kills} kills, {faults} with a fault; same bytes at last: {same}; left behind: {left or 'nothing'}")
    sys.exit(bool(faults or left or not same))


if __name__ == "__main__":
    main()
