"""`semlink schema` takes every scenario that the loader takes, and refuses the mistakes that it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from schema_check import schema_faults

from semlink.errors import ScenarioError
from semlink.link.scenario.loader import load_scenario, read_yaml

SCENARIOS = sorted((Path(__file__).resolve().parents[2] / "scenarios").glob("*.yaml"))

SENT = """name: demo
seed: 3
source: {kind: scenes, clips: 2}
channel: {kind: awgn}
sweep: {snr_db: [4, 8], budget: 0.01}
metrics: [psnr, ssim]
trials: {min: 4, max: 8}
schemes:
  - {name: fixed, kind: digital, codec: {kind: h264}, coding: {kind: ldpc, modulation: 16qam, rate: 2/3}}
  - {name: bound, kind: digital, codec: {kind: av1}, coding: {kind: capacity}}
  - {name: soft, kind: softcast}
"""
SENSED = """name: demo
source: {kind: scenes, clips: 2}
schemes:
  - name: seen
    kind: sensing
    rates: [1, 2]
    sensor: {kind: programmable}
    reconstruction: {kind: gap-tv}
"""
SEMANTIC = """name: demo
source: {kind: scenes, clips: 2}
channel: {kind: awgn}
sweep: {snr_db: 8}
schemes:
  - name: meant
    kind: semantic
    weights: semcom_tokens
    rates: [0.1]
    sensor: {kind: programmable, ratio_map: learned, weights: sensor, mean_ratio: 0.156}
    reconstruction: {kind: deep, weights: sensor}
"""


def both(tmp_path: Path, text: str) -> tuple[list[str], list[str]]:
    """What the loader and what the schema finds wrong."""
    path = tmp_path / "demo.yaml"
    path.write_text(text)
    tree, _ = read_yaml(path)
    try:
        load_scenario(path)
    except ScenarioError as fault:
        return str(fault).splitlines(), schema_faults(tree)
    return [], schema_faults(tree)


def changed(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1
    return text.replace(old, new)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_shipped_scenario_is_accepted(path):
    tree, _ = read_yaml(path)
    assert not schema_faults(tree)


@pytest.mark.parametrize("text", [SENT, SENSED, SEMANTIC], ids=["sent", "sensed", "semantic"])
def test_both_accept_it_as_it_stands(tmp_path, text):
    assert both(tmp_path, text) == ([], [])


RIGHT = [
    (SENT, "{kind: awgn}", "[{kind: awgn}, {kind: rayleigh, coherence: 64}]"),
    (SENT, "{kind: awgn}", "{kind: my_channel.py:Rain, anything: [1, {two: 3}]}"),
    (SENT, "[4, 8]", "4"),
    (SENT, "0.01", "[0.01, 2e-2]"),
    (SENT, "rate: 2/3", "rate: 0.5"),
    (SENT, "rate: 2/3", "rate: 2 / 3"),
    (SENT, "modulation: 16qam, rate: 2/3", "mcs: best, modulation: null, harq: {}"),
    (SENT, "modulation: 16qam, rate: 2/3", "mcs: 27, table: 2, csi_delay: 1"),
    (SENT, "modulation: 16qam, rate: 2/3", "mcs: adaptive, csi_delay: 0, target_bler: 0.01, backoff_db: 1"),
    (SENT, "kind: h264", "kind: h264, slices: 4, tune: film, preset: slow"),
    (SENT, "kind: av1", "kind: av1, preset: 7, tune: vq, slices: 1"),
    (SENT, "kind: capacity", "kind: capacity, bitwise: true, modulation: 16qam"),
    (SENT, "{kind: capacity}", "{kind: my_coding:Code}"),
    (SENT, "metrics: [psnr, ssim]", "metrics: [ms_ssim, my_metric.py:worst]"),
    (SENT, "seed: 3", "waveform: null"),
    (SENT, "kind: softcast", "kind: softcast, chunk: [2, 4, 4], transform: klt"),
    (SENT, "kind: softcast", "kind: my_scheme.py:Mine, depth: 3"),
    (
        SENT,
        "kind: softcast",
        "kind: softcast, sensor: {kind: programmable, mean_count: 1}, reconstruction: {kind: gap-tv}",
    ),
    (SENSED, "{kind: programmable}", "{kind: random, operator: missing, missing: 0.5, measurements: 512}"),
    (SENSED, "{kind: programmable}", "{kind: programmable, ratio_map: tiled, tile: [[1, 2], [4, 8]]}"),
    (SENSED, "    rates: [1, 2]\n", ""),
]


@pytest.mark.parametrize("text, old, new", RIGHT)
def test_both_accept_what_is_right(tmp_path, text, old, new):
    assert both(tmp_path, changed(text, old, new)) == ([], [])


WRONG = [
    # keys
    (SENT, "seed: 3", "sede: 3"),
    (SENT, "snr_db: ", "snr_dB: "),
    (SENT, "name: demo\n", ""),
    (SENT, "clips: 2", "clips: 2, fps: 30"),
    (SENT, "kind: scenes, ", ""),
    (SENT, "name: soft, ", ""),
    (SENT, "kind: softcast", "kind: softcast, budget: 2"),
    # kinds
    (SENT, "kind: awgn", "kind: awng"),
    (SENT, "{kind: awgn}", "awgn"),
    (SENT, "kind: h264", "kind: h266"),
    (SENT, "kind: softcast", "kind: digital"),
    (SENT, "psnr, ssim", "psnr, niqe"),
    # types and values
    (SENT, "clips: 2", "clips: two"),
    (SENT, "clips: 2", "clips: 0"),
    (SENT, "clips: 2", "clips: 2.5"),
    (SENT, "clips: 2", "clips: 2, size: 200"),
    (SENT, "clips: 2", "clips: 2, size: [64]"),
    (SENT, "clips: 2", "clips: 2, size: [64, 64, 3]"),
    (SENT, "seed: 3", "seed: true"),
    (SENT, "[4, 8]", "[]"),
    (SENT, "[4, 8]", "[nan]"),
    (SENT, "[4, 8]", "[.nan]"),
    (SENT, "[4, 8]", "[1:30]"),
    (SENT, "[4, 8]", "abc"),
    (SENT, "0.01", "0"),
    (SENT, "0.01", "[]"),
    (SENT, "name: demo", "name: my run"),
    (SENT, "16qam", "16-qam"),
    (SENT, "rate: 2/3", "rate: 1.5"),
    (SENT, "rate: 2/3", "rate: two thirds"),
    (SENT, "kind: h264", "kind: h264, preset: 7"),
    (SENT, "kind: h264", "kind: h264, tune: vq"),
    (SENT, "kind: h264", "kind: h265, slices: 4"),
    (SENT, "kind: h264", "kind: h264, deblock: yes"),
    (SENT, "kind: softcast", "kind: softcast, chunk: [2, 4]"),
    (SENT, "schemes:", "channels:"),
    # options that do not go together
    (SENT, "rate: 2/3", "mcs: best"),
    (SENT, "modulation: 16qam, rate: 2/3", "mcs: 40"),
    (SENT, "modulation: 16qam, rate: 2/3", "mcs: 28, table: 2"),
    (SENT, ", rate: 2/3", ""),
    (SENT, "rate: 2/3", "rate: 2/3, csi_delay: 2"),
    (SENT, "kind: capacity", "kind: capacity, bitwise: true"),
    (SENT, "kind: awgn", "kind: rician"),
    (SENT, "kind: awgn", "kind: rician, k: 3, k_db: 5"),
    (SENT, "kind: awgn", "kind: rayleigh, coherence: block, doppler: 0.01"),
    (SENT, "kind: softcast", "kind: softcast, sensor: {kind: programmable}"),
    (SENT, "name: bound, kind: digital", "name: bound, kind: hybrid, reconstruction: {kind: gap-tv}"),
    (
        SENT,
        "name: bound, kind: digital, codec: {kind: av1}, coding: {kind: capacity}",
        "name: bound, kind: hybrid, codec: {kind: av1}, coding: {kind: ldpc, mcs: best, harq: {}}",
    ),
    (SENSED, "kind: programmable", "kind: programmable, mean_count: 1, mean_ratio: 0.1"),
    (SENSED, "kind: programmable", "kind: programmable, ratio_map: tiled"),
    (SENSED, "kind: programmable", "kind: random, operator: identity, measurements: 100"),
    (SENSED, "kind: programmable", "kind: block, matrix: gaussian, weights: blocks"),
    (SEMANTIC, "[0.1]", "[0]"),
    (SEMANTIC, "kind: semantic", "kind: semantic\n    side_info: ideal\n    allocation: uniform"),
    # the whole
    (SENT, ", budget: 0.01", ""),
    (SENT, "channel: {kind: awgn}\n", ""),
    (SENT, "sweep: {snr_db: [4, 8], budget: 0.01}\n", ""),
    (SENT, "channel: {kind: awgn}", "channel: []"),
]


@pytest.mark.parametrize("text, old, new", WRONG)
def test_both_refuse_what_is_wrong(tmp_path, text, old, new):
    loader, schema = both(tmp_path, changed(text, old, new))
    assert loader and schema
