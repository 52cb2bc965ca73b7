"""What goes wrong in a user's class: one line with scheme, point, clip, trial and place; the rest in a log."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from terminal import TOYS, Done, semlink

FILE = """
import numpy as np
import torch

from semlink.codecs.packetization import framed_size
from semlink.flow import Flow
from semlink.ledger import Charge
from semlink.payload import Agreement, Frames, Measurement, Packet, Symbols


def part(x):
    return 1 / x


class Codec:
    def __init__(self, how="", weights=""):
        self.how, self.weights = how, weights

    def encode(self, clip, *, max_bytes):
        if self.how == "encode":
            part(0)
        if self.how == "exit":
            raise SystemExit(0)
        if self.how == "assert":
            assert not self.how
        if self.how == "bytes":
            return b"bytes"
        return (Packet(0, bytes(max_bytes if self.how == "over" else 8)),)

    def encode_at(self, clip, rate):
        return self.encode(clip, max_bytes=100)

    def decode(self, packets, shape):
        if self.how == "decode":
            part(0)
        wrong = {"above": 1.5, "below": -0.2, "nan": np.nan, "inf": np.inf, "rounded": 1 + 1e-6}
        frames = np.full((shape.t, shape.h, shape.w), 0.5)
        frames[0, 0, 0] = wrong.get(self.how, 0.5)
        return frames


class Scheme:
    def __init__(self, how="", weights="", live=0):
        self.how, self.weights, self.live = how, weights, live

    def agree(self, frames, point, calibration):
        if self.how == "agree":
            part(0)
        if self.how == "tries":
            calibration.quality(Agreement(frames, point, {}))
        return Agreement(frames, point, {"call": part} if self.how == "unpicklable" else {})

    def transmit(self, frames, agreement, seeds):
        if self.how == "tries" or self.how == "transmit" and seeds.trial == 1:
            part(0)
        symbols = Symbols(torch.full((1, 8), 0.5 + 0j))
        return Flow(symbols).then(symbols, Charge("mine", "payload", 9 if self.how == "charge" else 8))

    def receive(self, received, agreement):
        if self.how == "receive":
            part(0)
        shape = agreement.frames
        return Frames(torch.full((1, shape.t, shape.h, shape.w), 2.0 if self.how == "bright" else 0.5))


class Sensor:
    masked = False

    def measure(self, frames, seeds):
        slots = frames.pixels[:, :1]
        return Measurement(slots, torch.ones(slots.shape[2:], dtype=torch.int64), frames.shape)


class Restore:
    def reconstruct(self, measurement):
        return Frames(measurement.slots.expand(-1, measurement.frames.t, -1, -1) + 1)


def metric(reference, received):
    return part(0)
"""
PART = FILE[: FILE.index("return 1 / x")].count("\n") + 1
"""The line where it fails."""
CODED = {"kind": "digital", "codec": {"kind": "mine.py:Codec"}, "coding": {"kind": "uncoded"}}
WORDS = f"raised ZeroDivisionError: division by zero (mine.py:{PART})"


def run(folder: Path, scheme: dict, **changes: object) -> Done:
    (folder / "mine.py").write_text(FILE)
    whole = {
        "name": "toy",
        "source": {"kind": f"{TOYS}:Ramps", "clips": 1},
        "channel": {"kind": "awgn"},
        "sweep": {"snr_db": 12, "budget": 0.1},
        "trials": {"min": 2, "max": 2},
        "schemes": [{"name": "own"} | scheme],
    } | changes
    (folder / "toy.yaml").write_text(yaml.safe_dump(whole))
    return semlink("run", "toy.yaml", "--workers", 1, folder=folder)


def coded(how: str) -> dict:
    return CODED | {"codec": CODED["codec"] | {"how": how}}


def mine(how: str) -> dict:
    return {"kind": "mine.py:Scheme", "how": how}


SENSED = {"kind": "sensing", "sensor": {"kind": "mine.py:Sensor"}, "reconstruction": {"kind": "mine.py:Restore"}}


@pytest.mark.parametrize(
    "scheme, says",
    [
        (coded("encode"), f"ramp0, trial 0: codec mine.py:Codec: encode {WORDS}"),
        (coded("decode"), f"ramp0, trial 0: codec mine.py:Codec: decode {WORDS}"),
        (coded("exit"), "codec mine.py:Codec: encode raised SystemExit: 0 (mine.py:"),
        (coded("assert"), "codec mine.py:Codec: encode raised AssertionError (mine.py:"),
        (mine("transmit"), f"ramp0, trial 1: scheme mine.py:Scheme: transmit {WORDS}"),
        (mine("receive"), f"ramp0, trial 0: scheme mine.py:Scheme: receive {WORDS}"),
        (mine("agree"), f"scheme mine.py:Scheme: agree {WORDS}"),
        (mine("tries"), f"calibration, clip 0, trial 0: scheme mine.py:Scheme: transmit {WORDS}"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value.get("codec", value).values()), ""),
)
def test_what_a_class_raises_is_one_line_and_a_log(tmp_path, scheme, says):
    done = run(tmp_path, scheme)
    assert done.code == 2 and done.out == "" and done.err.count("\n") == 1
    assert done.err.startswith("semlink: own, 12 dB, budget 0.1, awgn: ") and says in done.err
    assert done.err.endswith("; all of it: results/toy/error.log\n")
    log = (tmp_path / "results/toy/error.log").read_text()
    assert says in log and "Traceback (most recent call last)" in log and f'File "{tmp_path / "mine.py"}", line ' in log


@pytest.mark.parametrize(
    "scheme, says",
    [
        (coded("above"), "ramp0, trial 0: codec mine.py:Codec: decode returned pixels from 0.5 to 1.5; need frames in"),
        (coded("below"), "codec mine.py:Codec: decode returned pixels from -0.2 to 0.5; need frames in [0, 1]"),
        (coded("nan"), "codec mine.py:Codec: decode returned NaN or infinite pixels; need frames in [0, 1]"),
        (coded("inf"), "codec mine.py:Codec: decode returned NaN or infinite pixels; need frames in [0, 1]"),
        (coded("over"), "ramp0, trial 0: codec Codec(how='over', weights=''): encode gave packets of"),
        (coded("bytes"), "ramp0, trial 0: codec mine.py:Codec: encode returned bytes; need tuple or list"),
        (mine("bright"), "ramp0, trial 0: scheme mine.py:Scheme: receive returned pixels from 2 to 2; need frames in"),
        (mine("charge"), "ramp0, trial 0: 8 symbols reached the antenna, the ledger has 9"),
        (mine("unpicklable"), "own, 12 dB, budget 0.1, awgn: Agreement.terms.values['call']: got function; need plain"),
        (SENSED, "own: trial 0: clip 0: reconstruction mine.py:Restore: reconstruct returned pixels from"),
    ],
)
def test_what_a_class_returns_wrong_is_one_line(tmp_path, scheme, says):
    done = run(tmp_path, scheme, **({"channel": [], "sweep": None} if scheme is SENSED else {}))
    assert done.code == 2 and done.out == "" and done.err.count("\n") == 1 and says in done.err
    assert not (tmp_path / "results/toy/curves.csv").exists()


def test_a_metric_that_raises_is_named_with_clip_trial_and_place(tmp_path):
    done = run(tmp_path, mine(""), metrics=["psnr", "mine.py:metric"])
    assert done.code == 2 and f"awgn: ramp0, trial 0: metric mine.py:metric: {WORDS}; all of it" in done.err


def test_rounding_is_no_fault_and_the_log_goes_with_the_next_run(tmp_path):
    assert run(tmp_path, coded("decode")).code == 2 and (tmp_path / "results/toy/error.log").exists()
    done = run(tmp_path, coded("rounded"))
    assert done.code == 0, done.err
    assert not (tmp_path / "results/toy/error.log").exists()


@pytest.mark.parametrize("options", [{"weights": "none of ours"}, {"weights": "sensor"}, {"live": 3}])
def test_an_option_of_a_users_class_is_his_whatever_it_is_called(tmp_path, options):
    done = run(tmp_path, mine("") | options)
    assert done.code == 0, done.err


@pytest.mark.slow
def test_a_worker_tells_the_same_and_keeps_the_log(tmp_path):
    run(tmp_path, mine("receive"), sweep={"snr_db": [10, 12], "budget": 0.1})
    done = semlink("run", "toy.yaml", "--workers", 2, folder=tmp_path)
    assert done.code == 2 and f"ramp0, trial 0: scheme mine.py:Scheme: receive {WORDS}; all of it: " in done.err
    assert "Traceback (most recent call last)" in (tmp_path / "results/toy/error.log").read_text()


def test_a_file_that_fails_to_import_is_named_with_its_line(tmp_path):
    (tmp_path / "early.py").write_text("table = {}\n\nlimit = table['limit']\n")
    done = run(tmp_path, mine(""), channel={"kind": "early.py:Rain"})
    assert done.code == 2 and "channel: early.py fails to import: KeyError: 'limit' (early.py:3)" in done.err
    (tmp_path / "early.py").write_text("import sys\nsys.exit()\n")
    done = run(tmp_path, mine(""), channel={"kind": "early.py:Rain"})
    assert done.code == 2 and "channel: early.py fails to import: SystemExit (early.py:2)" in done.err
