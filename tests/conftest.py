"""Paths for all tests, and quiet threads."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

sys.path.insert(0, str(Path(__file__).parent / "toys"))

# A machine that others use draws examples slowly, which says nothing of the code.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")

TOYS = str(Path(__file__).parent / "toys" / "toys.py")


@pytest.fixture
def toys_path() -> str:
    """The file with the small test blocks, for `kind: file.py:Class`."""
    return TOYS
