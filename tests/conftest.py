"""Paths for all tests, quiet threads, and what makes thousands of tests quick."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

sys.path.insert(0, str(Path(__file__).parent / "toys"))

# A machine that others use draws examples slowly, which says nothing of the code.
settings.register_profile(
    "shared machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="FUZZ_SEED" not in os.environ,
)  # the same examples in every run; FUZZ_SEED=1 pytest draws others
settings.load_profile("shared machine")

# What is imported and collected stays to the end: looking through it for garbage, again and again, was a tenth of
# the time of all tests.
gc.disable()

# No file of a test has to outlive a power cut: a small run waits for the disk a dozen times.
os.fsync = lambda fd: None


def pytest_collection_finish(session: pytest.Session) -> None:
    """From here on garbage is looked for, but only in what the tests make."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object | None:
    """With `-n 2` each process takes whole stretches of tests: what tests of a file share is made once, not twice."""
    if config.getvalue("dist") != "load":
        return None
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)


TOYS = str(Path(__file__).parent / "toys" / "toys.py")


@pytest.fixture
def toys_path() -> str:
    """The file with the small test blocks, for `kind: file.py:Class`."""
    return TOYS
