"""Absurd sizes and what can be known beforehand: said before any work, with the line, and nothing is left behind."""

from __future__ import annotations

import resource
import subprocess
import sys
import types

import pytest
import torch
from terminal import semlink

from semlink import memory
from semlink.errors import MemoryShort, SemlinkError
from semlink.link.sweep.clips import clip_file
from semlink.link.sweep.plan import plan

SENDING = """name: t
source: {kind: scenes, clips: 1, frames: 4, size: [64, 64]}
channel: {kind: awgn}
sweep: {snr_db: [8], budget: [0.2]}
trials: {min: 1, max: 1}
schemes:
  - {name: S, kind: softcast}
"""
SENSING = """name: t
source: {kind: scenes, clips: 1, frames: 16, size: [64, 64]}
trials: {min: 1, max: 1}
schemes:
  - name: S
    kind: sensing
    sensor: {kind: programmable, ratio_map: fixed, mean_count: 1}
    reconstruction: {kind: deep, weights: sensor}
"""


def refused(folder, text: str, says: str, *changes: str) -> None:
    """A run is refused in a line (one for each form that a value may have) that names the place; no folder is left."""
    (folder / "s.yaml").write_text(text)
    sets = [part for change in changes for part in ("--set", change)]
    done = semlink("run", "s.yaml", "--out", "out", "--workers", 1, *sets, folder=folder)
    assert done.code == 2 and 1 <= len(done.err.splitlines()) <= 2, done.err
    assert all(line.startswith("semlink: s.yaml") for line in done.err.splitlines()) and says in done.err, done.err
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    "change",
    [
        "source.clips=1000000000",
        "source.frames=100000000000000000000000000",
        "source.size=[64,1000000000]",
        "source.motion_px=[0,1e308]",
        "source={kind: wheel, slices: 4096}",
        'source={kind: video, path: "a\\tb"}',
        "source.motion_px=[0,.inf]",
        "source.objects=[0,1000000000]",
        "trials.max=1000000000",
        "trials.ci_halfwidth_db=.inf",
        "sweep.snr_db=[1e308]",
        "sweep.snr_db=[.nan]",
        "sweep.budget=[1e308]",
        "sweep.budget=[.inf]",
        "channel={kind: rayleigh, coherence: 1000000000}",
        "channel={kind: rician, k_db: 1e9}",
        "channel={kind: erasure, probability: 0.1, block: 1000000000}",
        "channel={kind: tdl, speed_kmh: 1e308}",
        "waveform={kind: single-carrier, pilot_spacing: 1000000000}",
        "schemes.0.rates=[.inf]",
        "schemes.0.rates=[.nan]",
    ],
)
def test_absurd_numbers_are_refused_and_told_what_is_allowed(tmp_path, change):
    refused(tmp_path, SENDING, change.partition("=")[0].rpartition(".")[2].split("[")[0], change)


@pytest.mark.parametrize(
    "change, says",
    [
        ("schemes.0.reconstruction.weights=nowhere", "weights 'nowhere': no such file"),
        ("schemes.0.reconstruction.weights=semcom_tokens", "semcom_tokens"),
        ("schemes.0.sensor.read_noise=0.5", "noise is"),
        ("schemes.0.sensor.mask=true", "masked is False, the scenario has True"),
        ("source.frames=15", "a window of 15 frames cannot be halved"),
        ("source.frames=8", "num_frames is 16, the scenario has 8"),
        ("schemes.0.sensor={kind: programmable, ratio_map: file, path: nowhere.npy}", "nowhere.npy"),
    ],
)
def test_what_a_sensing_scheme_needs_is_looked_at_before_the_work(tmp_path, change, says):
    refused(tmp_path, SENSING, says, change)


LDPC = "coding: {kind: ldpc, modulation: 16qam, rate: 1/2}"
EYE = "sensor: {kind: programmable, ratio_map: learned, weights: sensor, mean_count: 2.5}"
BLOCKS = "sensor: {kind: block, matrix: gaussian, ratio: 0.1}, reconstruction: {kind: linear}"
DEEP = "reconstruction: {kind: deep, weights: sensor}"


@pytest.mark.parametrize(
    "scheme, says",
    [
        (f"kind: digital, codec: {{kind: h264}}, {LDPC}, rates: [1e5]", "crf 100000 for h264; allowed: numbers from 0"),
        (
            f"kind: digital, codec: {{kind: h265, rate_control: qp}}, {LDPC}, rates: [0.5]",
            "qp 0.5 for h265; allowed: whole numbers from 0 to 51",
        ),
        (f"kind: digital, codec: {{kind: av1}}, {LDPC}, rates: [30, -1]", "crf -1 for av1"),
        ("kind: digital, codec: {kind: h264}, coding: {kind: capacity}, rates: [52]", "crf 52 for h264"),
        (f"kind: digital, codec: {{kind: h264}}, {LDPC[:-1]}, harq: {{}}}}, rates: [52]", "crf 52 for h264"),
        (
            f"kind: digital, codec: {{kind: delta-sigma}}, {LDPC}, rates: [1e6]",
            "1e+06 channels; allowed: whole numbers",
        ),
        ("kind: delta-sigma-direct, rates: [2.5]", "2.5 channels; allowed: whole numbers"),
        ("kind: softcast, rates: [1e5]", "100000 channel uses a pixel; allowed: above 0, up to 1000"),
        ("kind: softcast, rates: [-1]", "-1 channel uses a pixel"),
        (
            f"kind: measurements, {BLOCKS}, transmission: {{kind: digital, {LDPC}}}, rates: [3]",
            "quantiser step of 3, in 1/255 of a reading; allowed: 4 to 1024",
        ),
        (f"kind: measurements, {BLOCKS}, transmission: {{kind: analogue}}, rates: [0]", "0 channel uses a pixel"),
        pytest.param(
            f"kind: digital, codec: {{kind: task-aware, weights: compr_tokens}}, {LDPC}, {EYE}, {DEEP}, rates: [2]",
            "q = 2 for task-aware; allowed: 0 to 1",
            marks=pytest.mark.slow,
        ),
        (f"kind: softcast, {EYE[:-1]}, read_noise: 0.5}}, {DEEP}", "noise is"),
        (
            f"kind: digital, codec: {{kind: gmlr, weights: gmlr_digits}}, {LDPC}, rates: [3]",
            "codec gmlr: frames of 64 x 96 with planes: 1; allowed: 64 x 64",
        ),
    ],
)
def test_rates_and_clips_that_cannot_be_sent_are_refused_before_the_work(tmp_path, scheme, says):
    frames = "16, size: [64, 96]" if "gmlr" in scheme else "16, size: [64, 64]"
    text = SENDING.replace("4, size: [64, 64]", frames)
    refused(tmp_path, text, says, f"schemes.0={{name: S, {scheme}}}")


@pytest.mark.parametrize(
    "file, rates, says",
    [
        ("nowhere.pth", "null", "nowhere.pth: cannot be read as a checkpoint (no such file"),
        ("s.yaml", "null", "s.yaml: cannot be read as a checkpoint"),
        ("empty-{quality}.pth", "[2]", "empty-2.pth: cannot be read as a checkpoint"),
        ("list.pth", "null", "list.pth: holds a list; allowed: a state dict"),
        ("other.pth", "null", "other.pth: does not fit small"),
        ("empty-{quality}.pth", "[9]", "quality 9 for small; allowed: [1, 2, 3, 4, 5, 6, 7, 8]"),
    ],
)
def test_a_checkpoint_that_is_none_is_said_before_the_work(tmp_path, monkeypatch, file, rates, says):
    model = type("Model", (), {"from_state_dict": classmethod(lambda cls, state: state["g_a.0.weight"])})
    zoo = types.ModuleType("compressai.zoo")
    image = types.ModuleType("compressai.zoo.image")
    zoo.image_models, image.model_architectures = {"small": model}, {"small": model}
    for name, module in (("compressai", types.ModuleType("compressai")), (zoo.__name__, zoo), (image.__name__, image)):
        monkeypatch.setitem(sys.modules, name, module)
    (tmp_path / "empty-2.pth").write_bytes(b"")
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save({"x": torch.zeros(1)}, tmp_path / "other.pth")
    codec = f"{{kind: compressai, model: small, checkpoint: '{file}'}}"
    scheme = f"{{name: S, kind: digital, codec: {codec}, coding: {{kind: uncoded}}, rates: {rates}}}"
    refused(tmp_path, SENDING, says, f"schemes.0={scheme}")


def test_a_package_that_is_missing_is_named_before_the_work(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "compressai", raising=False)
    monkeypatch.setattr("semlink.codecs.specs.find_spec", lambda name: None)
    codec = "{kind: compressai, model: mbt2018-mean, pretrained: true}"
    scheme = f"{{name: S, kind: digital, codec: {codec}, coding: {{kind: uncoded}}}}"
    refused(tmp_path, SENDING, "pip install 'semlink[compressai]'", f"schemes.0={scheme}")


def test_clips_beyond_the_memory_are_refused_before_the_first_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "spare_bytes", lambda: 10_000_000)
    refused(tmp_path, SENDING, "100,000 clips of 16,384 pixels take 6.6 GB; 10.0 MB are free", "source.clips=100000")


def test_the_first_clip_tells_what_all_take_where_no_size_is_said(tmp_path, monkeypatch):
    """Pictures without `size`: 40 clips of a megapixel, of which the first is looked at."""
    monkeypatch.setattr(memory, "spare_bytes", lambda: 100_000_000)
    (tmp_path / "large.py").write_text(
        "import numpy as np\n\n\nclass Large:\n    made = 0\n\n    def __len__(self):\n        return 40\n\n"
        "    def name(self, index):\n        return str(index)\n\n"
        "    def clip(self, index):\n        assert index == 0\n"
        "        return np.zeros((1, 1024, 1024), np.float32)\n"
    )
    says = "40 clips of 1,048,576 pixels take"
    refused(tmp_path, SENDING, says, "source={kind: large.py:Large}")


def test_clips_beyond_the_disk_are_refused_where_workers_share_them(tmp_path, monkeypatch):
    from small_runs import job

    made = job(tmp_path, source={"kind": "scenes", "clips": 100, "frames": 4, "size": [64, 64]})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 10**6}))
    with clip_file(wanted=True) as file, pytest.raises(SemlinkError, match="0.0 GB are free; run with --workers 1"):
        plan(made, clip_file=file)


def test_memory_that_runs_out_is_one_line():
    with pytest.raises(MemoryShort, match="a point: memory is short: .*tried to allocate"), memory.said("a point"):
        raise RuntimeError(
            "[enforce fail at alloc.cpp:1] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 9"
        )
    with pytest.raises(MemoryShort, match="clips: memory is short: Unable to allocate"), memory.said("clips"):
        raise MemoryError("Unable to allocate 3 EiB")
    with pytest.raises(RuntimeError, match="^other$"), memory.said("a point"):
        raise RuntimeError("other")


def test_spare_memory_follows_the_limit_of_the_process():
    code = "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 30,) * 2)\n"
    code += "from semlink.memory import spare_bytes; print(spare_bytes())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0 < int(told.stdout) < 1 << 30
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY or memory.spare_bytes() is not None
