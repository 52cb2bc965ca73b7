"""Runs ended from outside at random moments, again and again: does anything get lost, half-written or left behind?

    python benchmarks/kills.py --kills 100 [--core] [--seed 1]

Each time the same scenario is taken up in the same folder and ended at a random moment, from its start on: by Ctrl-C
(once or twice, to the process or to all of its terminal), SIGTERM, SIGHUP, SIGKILL of the run or of all its processes.
A folder that is complete is begun anew. Afterwards, and at the end, it is looked at:

- points that were finished are there, and read;
- after all signals but SIGKILL no temporary file is left, and after SIGKILL none once the next run has begun;
- no process is left after 3 s; Ctrl-C ends the run within 3 s with code 130;
- what is finished at last has the same bytes as a run that nobody disturbed.
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
from collections.abc import Callable
from pathlib import Path

from semlink.link.results.folder import Results

SCENARIO = """
name: kills
source: {kind: scenes, clips: 2, frames: 8, size: [64, 64]}
channel: {kind: awgn}
sweep: {snr_db: [0, 2, 4, 6, 8, 10, 12, 14], budget: [0.1, 0.2]}
trials: {min: 3, max: 3}
schemes:
  - {name: SoftCast, kind: softcast}
  - {name: H.264, kind: digital, codec: {kind: h264}, coding: {kind: ldpc, modulation: qpsk, rate: 1/2}}
"""
LONGEST_S = 3.0
WAYS = ("ctrl-c", "ctrl-c to all", "ctrl-c twice", "SIGTERM", "SIGHUP", "SIGKILL", "SIGKILL of all")


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


def start(folder: Path, mark: str, core: bool) -> subprocess.Popen:
    command = [sys.executable, "-m", "semlink.cli", "run", "kills.yaml", "--workers", "2", "--out", "out"]
    return subprocess.Popen(
        ["taskset", "-c", "0", *command] if core else command,
        cwd=folder,
        env=os.environ | {"KILLS": mark, "TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(folder / "err.txt").open("w"),
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def end(process: subprocess.Popen, way: str) -> None:
    """Send what a way of ending sends."""
    name = way.split()[0]
    number = signal.SIGINT if name == "ctrl-c" else signal.Signals[name]
    send: Callable[[int, int], None] = os.killpg if way.endswith("all") else os.kill
    send(process.pid, number)
    if way == "ctrl-c twice":
        time.sleep(random.uniform(0, 0.3))
        if process.poll() is None:
            send(process.pid, number)


def undisturbed(folder: Path) -> bytes:
    start(folder, "whole", core=False).wait()
    table = (folder / "out" / "curves.csv").read_bytes()
    shutil.rmtree(folder / "out")
    return table


def one_kill(folder: Path, number: int, way: str, moment_s: float, core: bool) -> tuple[list[str], str]:
    """What went wrong, and a line about it."""
    out, mark = folder / "out", f"kill-{os.getpid()}-{number}"
    before = set(Results(out).keys()) if (out / "points").exists() else set()
    locked = (out / ".lock").exists()
    process, wrong = start(folder, mark, core), []
    time.sleep(moment_s)
    end(process, way)
    sent = time.monotonic()
    code = process.wait()
    ended_s = time.monotonic() - sent
    while processes(mark) and time.monotonic() - sent < 30:
        time.sleep(0.05)
    gone_s = time.monotonic() - sent
    results = Results(out)
    keys = set(results.keys()) if (out / "points").exists() else set()
    wrong += [f"lost {len(before - keys)} points"] if before - keys else []
    wrong += ["a point is damaged"] if any(results.read(key) is None for key in keys) else []
    if not way.startswith("SIGKILL"):
        wrong += [f"left {path.name}" for path in out.rglob("*.tmp")]
        wrong += ["left its lock"] if (out / ".lock").exists() and not locked else []
    wrong += [f"processes were there for {gone_s:.1f} s"] if gone_s > LONGEST_S else []
    if way.startswith("ctrl-c") and code not in (0, 130):
        wrong += [f"code {code}"]
    wrong += ["a traceback"] if "Traceback" in (folder / "err.txt").read_text() else []
    told = f"{number:4} {way:15} at {moment_s:5.1f} s: code {code:4}, {ended_s:.2f} s, all gone {gone_s:.2f} s"
    return wrong, f"{told}, {len(keys)} points{''.join(f'; {one.upper()}' for one in wrong)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--latest", type=float, default=20.0, help="seconds until the latest moment")
    parser.add_argument("--core", action="store_true", help="all on one core")
    options = parser.parse_args()
    random.seed(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "kills.yaml").write_text(SCENARIO)
        whole, faults = undisturbed(folder), 0
        for number in range(options.kills):
            if (folder / "out" / "curves.csv").exists():
                shutil.rmtree(folder / "out")
            way = WAYS[number % len(WAYS)]
            wrong, line = one_kill(folder, number, way, random.uniform(0.3, options.latest), options.core)
            faults += bool(wrong)
            print(line, flush=True)
        start(folder, "last", core=False).wait()
        left = [path.name for path in folder.rglob("*.tmp")] + [path.name for path in folder.glob("semlink-clips-*")]
        same = (folder / "out" / "curves.csv").read_bytes() == whole
    print(f"{options.kills} kills, {faults} with a fault; same bytes at last: {same}; left behind: {left or 'nothing'}")
    sys.exit(bool(faults or left or not same))


if __name__ == "__main__":
    main()
