"""Tables of clips against schemes, with published numbers beside ours."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from semlink.errors import ScenarioError
from semlink.link.report.clip_table import ALL, MEAN, ORACLE, as_markdown, cells, write_table
from semlink.link.scenario.loader import load_scenario
from semlink.link.scenario.published_table import TableSpec

KINDS = ["key", "non-key", "non-key", "key"]


def record(scheme: str, rate: float | None, levels: dict[str, list[float]], *, ssim: bool = False) -> dict:
    """A point as the runner keeps it: PSNR of each frame of each clip, one trial."""
    clips = []
    for name, by_frame in levels.items():
        whole = float(-10 * np.log10(np.mean(10 ** (-np.array(by_frame) / 10))))
        clips.append({"name": name, "motion": "slow", "psnr_db": [whole], "psnr_by_frame": by_frame})
        if ssim:
            clips[-1]["ssim_by_frame"] = [level / 50 for level in by_frame]
    head = {"scheme": scheme, "channel": "", "snr_db": None, "budget": None, "rate": rate}
    return {**head, "frame_kinds": KINDS, "clips": clips}


TWO = {"akiyo 0": [40.0, 30.0, 32.0, 20.0], "paris 0": [30.0, 20.0, 22.0, 10.0]}


def one(found, **want):
    chosen = [c for c in found if all(getattr(c, k) == v for k, v in want.items())]
    assert len(chosen) == 1, chosen
    return chosen[0]


def test_mean_of_frames_counts_the_first_frames_and_tells_kinds_apart():
    found = cells([record("a", 0.1, TWO, ssim=True)], TableSpec(frames=3, mean="frames"))
    assert one(found, clip="akiyo 0", frames=ALL).psnr_db == pytest.approx(34.0)
    assert one(found, clip="akiyo 0", frames="key").psnr_db == pytest.approx(40.0)
    assert one(found, clip="akiyo 0", frames="non-key").psnr_db == pytest.approx(31.0)
    assert one(found, clip=MEAN, frames="non-key").psnr_db == pytest.approx(26.0)
    assert one(found, clip="paris 0", frames="key").ssim == pytest.approx(0.6)


def test_a_clips_psnr_is_that_of_its_mean_squared_error():
    found = cells([record("a", None, TWO)], TableSpec())
    expected = -10 * np.log10(np.mean(10 ** (-np.array(TWO["akiyo 0"]) / 10)))
    assert one(found, clip="akiyo 0", frames=ALL).psnr_db == pytest.approx(expected)
    part = cells([record("a", None, TWO)], TableSpec(frames=2))
    expected = -10 * np.log10((1e-4 + 1e-3) / 2)
    assert one(part, clip="akiyo 0", frames=ALL).psnr_db == pytest.approx(expected)


def test_published_numbers_meet_the_cell_they_belong_to():
    spec = TableSpec.model_validate(
        {
            "mean": "frames",
            "where": "Table 1",
            "published": [
                {"scheme": "a", "rate": 0.1, "clip": "akiyo*", "psnr_db": 31.0},
                {"scheme": "a", "rate": 0.2, "clip": "akiyo*", "psnr_db": 99.0, "because": "other data"},
                {"scheme": "a", "frames": "key", "psnr_db": 26.0, "where": "Table 2"},
            ],
        }
    )
    found = cells([record("a", 0.1, TWO)], spec)
    akiyo = one(found, clip="akiyo 0", frames=ALL)
    assert (akiyo.published_psnr_db, akiyo.where) == (31.0, "Table 1")
    assert akiyo.psnr_difference_db == pytest.approx(30.5 - 31.0)
    assert one(found, clip="paris 0", frames=ALL).published_psnr_db is None
    assert one(found, clip=MEAN, frames="key").psnr_difference_db == pytest.approx(25.0 - 26.0)
    text = as_markdown(found, spec)
    assert "30.50 (31.00)" in text and "99" not in text and "Table 2" in text


def test_the_oracle_takes_the_best_rate_of_each_clip():
    other = {"akiyo 0": [20.0] * 4, "paris 0": [29.0] * 4}
    found = cells([record("a", 2, TWO), record("a", 5, other)], TableSpec(mean="frames", oracle="a"))
    name = f"a, {ORACLE}"
    assert one(found, scheme=name, clip="akiyo 0", frames=ALL).psnr_db == pytest.approx(30.5)
    assert one(found, scheme=name, clip="paris 0", frames=ALL).psnr_db == pytest.approx(29.0)
    assert one(found, scheme=name, clip=MEAN, frames=ALL).psnr_db == pytest.approx(29.75)


def test_files_hold_the_same_numbers(tmp_path):
    spec = TableSpec(mean="frames")
    table, text = write_table([record("a", 0.1, TWO)], spec, tmp_path)
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert {row["clip"] for row in rows} == {"akiyo 0", "paris 0", MEAN}
    assert f"{float(rows[0]['psnr_db']):.2f}" in text.read_text()
    assert "a @ 0.1" in text.read_text()


def test_a_published_scheme_that_is_not_there_is_refused(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text(
        "name: x\nsource: {kind: scenes}\nschemes:\n"
        "  - {name: a, kind: sensing, sensor: {kind: programmable, mean_count: 1}, reconstruction: {kind: initial}}\n"
        "table:\n  published: [{scheme: b, psnr_db: 1}]\n"
    )
    with pytest.raises(ScenarioError, match=r"x.yaml:6: table.published.0.scheme: no scheme is called 'b'; allowed"):
        load_scenario(path)
