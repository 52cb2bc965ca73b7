"""Our OFDM link beside Sionna's own, over the same draws of TDL-C."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest


def benchmark():
    path = Path(__file__).parents[2] / "benchmarks" / "ofdm_link.py"
    spec = importlib.util.spec_from_file_location("ofdm_link", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["ofdm_link"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize(("csi", "bits_per_symbol", "snrs_db"), [("perfect", 2, [4.0, 8.0]), ("ls", 4, [10.0, 14.0])])
def test_block_error_rates_lie_within_0_3_db(csi, bits_per_symbol, snrs_db):
    module = benchmark()
    codec = module.Codec(12 * 128, bits_per_symbol, 0.5)
    _, _, offset_db, error_db = module.compare(codec, csi, 500, 100.0, snrs_db)
    assert error_db < 0.15
    assert abs(offset_db) < 0.3 + 2 * error_db
