"""Whatever a scenario asks for, it is planned, and run, or refused in lines with their place; no traceback, no hang.

More of it, with other seeds: `FUZZ_CASES=5000 FUZZ_SEED=7 pytest -m slow tests/fuzz/test_planner.py`.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

import semlink
from scenarios import Draw, write_files
from semlink.errors import SemlinkError
from semlink.link.sweep.plan import Job, plan

CASES = int(os.environ.get("FUZZ_CASES", "2600"))
SEED = int(os.environ.get("FUZZ_SEED", "0"))
RUN = 10
"""Of so many scenarios one is run, not only planned."""
PATIENCE_S = {"planned": 60.0, "run": 300.0}
"""Of CPU time; a run may have kernels to compile."""
FAILED: tuple[str, ...] = ("0-54", "3-245", "2-320", "2-290")
"""Seeds of scenarios that were once a traceback, a hang, or refused without a place, and are refused at once today."""


class Hang(BaseException):
    """Nothing of the package catches it."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Work that may take so much CPU time."""

    def end(*given: object) -> None:
        raise Hang(f"above {seconds:g} s of CPU time")

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def meet(folder: Path, seed: str) -> str:
    """What became of the scenario of a seed: `planned`, `run` or what it was refused with."""
    what = "run" if int(seed.rpartition("-")[2]) % RUN == 0 else "planned"
    text = yaml.safe_dump(Draw(seed, calm=what == "run").scenario(), sort_keys=False)
    (folder / "drawn.yaml").write_text(text)
    out = folder / "out"
    try:
        with within(PATIENCE_S[what]):
            scenario = semlink.load(folder / "drawn.yaml")
            if what == "run":
                semlink.run(scenario, out)
            else:
                plan(Job(scenario, out, scenario.folder, scenario.origin))
        return what
    except SemlinkError as fault:
        is_said_in_lines(str(fault), text, placed=what == "planned")
        assert what == "run" or not out.exists(), (seed, text)
        return str(fault)
    finally:
        shutil.rmtree(out, ignore_errors=True)


def is_said_in_lines(said: str, text: str, *, placed: bool) -> None:
    """A line for each mistake: where it is, once."""
    lines, places = said.splitlines(), []
    assert lines and said.isprintable() or all(line.isprintable() for line in lines), (said, text)
    for line in lines if placed else ():
        place = re.match(r"[^\n]*drawn\.yaml:\d+: (?:[\w.]+: )?", line)
        assert place, (said, text)
        places.append(place.group())
    assert len(places) == len(set(places)), (said, text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("drawn")
    write_files(made)
    return made


def test_scenarios_drawn_by_chance_are_planned_or_refused(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for seed in (*FAILED, *(f"0-{n}" for n in range(1, 5))):
        meet(folder, seed)


@pytest.mark.slow
def test_many_scenarios_drawn_by_chance_are_planned_or_refused(folder, monkeypatch):
    monkeypatch.chdir(folder)
    told = [meet(folder, f"{SEED}-{n}") for n in range(CASES)]
    assert min(told.count("planned"), told.count("run")) > CASES // 100
