"""The page in a browser: it works from the disk, alone, without a complaint."""

from __future__ import annotations

from pathlib import Path

import pytest

import semlink

RESULTS = Path(__file__).resolve().parents[2] / "results"


@pytest.fixture(scope="session")
def fig13(tmp_path_factory) -> Path:
    """The page of a committed folder."""
    return semlink.results(RESULTS / "fig13").report(tmp_path_factory.mktemp("page") / "fig13.html")


def test_the_page_stands_alone(chromium, fig13):
    chromium.open(fig13)
    assert chromium.complaints() == [] and chromium.asked_for() == []
    assert chromium.run("return semlink.schemes().length") == 8
