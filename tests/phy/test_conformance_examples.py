"""The channels of the documentation are right."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from semlink.phy.conformance.examine import check, render

DOCS = Path(__file__).parents[2] / "docs"


def load(name):
    spec = importlib.util.spec_from_file_location(name, DOCS / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_passes_the_kit():
    report = check(load("shadowed").Shadowed(), symbols=4096, clips=8, draws=1000)
    assert report.passed, render(report)
