"""Every example of CONTRIBUTING runs as printed, as a plain class and with the base of its kind."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from own_blocks import around, rows_of
from terminal import semlink

from semlink.cli.new.blocks import TEMPLATES
from semlink.link.plots import registry
from semlink.link.results.finished import read_run

PAGE = (Path(__file__).resolve().parents[2] / "CONTRIBUTING.md").read_text()
EXAMPLE = re.compile(r"^```python\n# (\w+\.py)\n(.*?)^```\n\n```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
BASES = {
    "my_source.py": "SourceBase",
    "my_sensor.py": "SensorBase",
    "my_reconstruction.py": "ReconstructionBase",
    "my_codec.py": "CodecBase",
    "my_coding.py": "CodingBase",
    "my_bound.py": "RateBoundBase",
    "my_channel.py": "ChannelBase",
    "my_waveform.py": "WaveformBase",
    "my_scheme.py": "OneWayBase",
    "my_feedback.py": "InteractiveBase",
    "my_bound_scheme.py": "BoundBase",
    "my_sensing.py": "SensingBase",
}


class Example(NamedTuple):
    file: str
    code: str
    scenario: str

    def with_base(self) -> str:
        """The code with its class inheriting from the base of its kind."""
        base = BASES[self.file]
        code, count = re.subn(r"^class (\w+):", rf"class \1({base}):", self.code, flags=re.MULTILINE)
        assert count == 1
        return f"from semlink.blocks import {base}\n{code}"


EXAMPLES = {found[0]: Example(*found) for found in EXAMPLE.findall(PAGE)}
RATES = ("my_sensor.py", "my_reconstruction.py", "my_sensing.py")


def run(example: Example, code: str, folder: Path) -> list[dict[str, str]]:
    (folder / example.file).write_text(code)
    return rows_of(around(example.scenario), folder)


def test_every_kind_has_its_example():
    assert EXAMPLES.keys() == BASES.keys() | {"my_metric.py", "my_errors.py"}
    assert len(TEMPLATES) == len(BASES) + 2  # a metric and a model have no base
    listed = re.search(r"KIND is (.*?):\n", PAGE, re.DOTALL)
    assert listed and re.findall(r"`([a-z-]+)`", listed[1]) == list(TEMPLATES)


@pytest.fixture(scope="module")
def printed(tmp_path_factory) -> Callable[[str], list[dict[str, str]]]:
    """The rows of an example as printed, by its file; each is run once."""
    return cache(lambda file: run(EXAMPLES[file], EXAMPLES[file].code, tmp_path_factory.mktemp("printed")))


@pytest.mark.parametrize("file", EXAMPLES)
def test_an_example_runs_as_printed(file, printed):
    rows = printed(file)
    assert all(float(row["psnr_db"]) > 12 and not row["note"].startswith("infeasible") for row in rows), rows
    if file in RATES:
        assert [float(row["measurements_per_pixel"]) for row in rows] == [1, 2, 4]
        assert len({row["psnr_db"] for row in rows}) == 3


@pytest.mark.parametrize("file", BASES)
def test_a_base_class_changes_no_number(file, printed, tmp_path):
    """The methods are the same; what the base adds are defaults that a plain class gets as well."""
    assert run(EXAMPLES[file], EXAMPLES[file].with_base(), tmp_path) == printed(file)


def test_a_scheme_that_sends_nothing_needs_no_channel(printed, tmp_path):
    example = EXAMPLES["my_sensing.py"]
    (tmp_path / example.file).write_text(example.code)
    alone = {name: part for name, part in around(example.scenario).items() if name not in ("channel", "sweep")}
    rows = rows_of(alone, tmp_path)
    assert [row["psnr_db"] for row in rows] == [row["psnr_db"] for row in printed(example.file)]
    assert {row["channel"] for row in rows} == {""}


def test_the_channel_of_the_page_passes_its_examination(tmp_path):
    (tmp_path / "my_channel.py").write_text(EXAMPLES["my_channel.py"].code)
    done = semlink("check-channel", "my_channel.py:Shadowed", "--set", "shadow_db=2", folder=tmp_path)
    assert done.code == 0, done.out


def test_a_column_of_the_page_is_in_the_table(printed):
    (row,) = printed("my_errors.py")
    assert 5 < float(row["worst_pixel"]) < 255 and float(row["worst_pixel_ci95"]) >= 0


def test_the_plot_of_the_page_is_one_line_more(tmp_path, monkeypatch):
    (code,) = re.findall(r"^```python\n# my_plot\.py\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    names: dict = {}
    exec(compile(code, "my_plot.py", "exec"), names)
    (line,) = re.findall(r"`(Plot\(.*?\))`", PAGE)
    plot = eval(line, {"Plot": registry.Plot, **names})
    rows_of(around("metrics: [psnr]"), tmp_path)
    monkeypatch.setattr(registry, "PLOTS", (*registry.PLOTS, plot))
    files = [path for drawn in registry.draw(read_run(tmp_path / "results/own")) for path in drawn.files]
    assert tmp_path / "results/own/quality_by_clip.png" in files
    assert files[-1].read_bytes().startswith(b"\x89PNG")
