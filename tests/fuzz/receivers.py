"""Receivers that get transport blocks whose damage no checksum saw, and what a decoder must do with anything at all."""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import semlink
from semlink.link.sweep.clips import load_clips
from semlink.link.sweep.grid import grid
from semlink.link.sweep.point_runner import PointRunner
from semlink.payload import Agreement, Received, Symbols
from semlink.phy.coding.block_coding import BlockCoding
from semlink.seeds import Seeds

EYE = {"kind": "programmable", "ratio_map": "learned", "weights": "sensor", "mean_count": 2.5}
DEEP = {"kind": "deep", "weights": "sensor"}
LDPC = {"kind": "ldpc", "modulation": "16qam", "rate": "1/2"}
PATTERNS = {"kind": "block", "matrix": "learned", "weights": "blocks", "ratio": 0.1}
SCENES = {"kind": "scenes", "clips": 1}
DIGITS = {"kind": "digits", "clips": 1, "frames": 8}
VIDEO = {name: {"kind": "digital", "codec": {"kind": name}, "coding": LDPC} for name in ("h264", "h265", "av1")}
SCHEMES = {
    **VIDEO,
    "softcast": {"kind": "softcast"},
    "readings": {
        "kind": "measurements",
        "sensor": PATTERNS,
        "reconstruction": {"kind": "multi-hypothesis"},
        "transmission": {"kind": "digital", "coding": LDPC},
    },
    "readings-analogue": {
        "kind": "measurements",
        "sensor": PATTERNS,
        "reconstruction": {"kind": "multi-hypothesis"},
        "transmission": {"kind": "analogue"},
    },
    "semantic": {"kind": "semantic", "weights": "semcom_tokens", "sensor": EYE, "reconstruction": DEEP},
    "semantic-readings": {"kind": "semantic", "weights": "jscc_tokens", "sensor": EYE, "reconstruction": DEEP},
    "hybrid": {
        "kind": "hybrid",
        "codec": {"kind": "task-aware", "weights": "compr_tokens"},
        "coding": LDPC,
        "sensor": EYE,
        "reconstruction": DEEP,
    },
    "tokens": {
        "kind": "digital",
        "codec": {"kind": "task-aware", "weights": "compr_tokens"},
        "coding": LDPC,
        "sensor": EYE,
        "reconstruction": DEEP,
    },
    "delta-sigma": {"kind": "digital", "codec": {"kind": "delta-sigma"}, "coding": LDPC},
    "delta-sigma-coded": {"kind": "digital", "codec": {"kind": "delta-sigma", "entropy": True}, "coding": LDPC},
    "gmlr": {"kind": "digital", "codec": {"kind": "gmlr", "weights": "gmlr_digits", "rank": 2}, "coding": LDPC},
}
TRAINED = ("semantic", "semantic-readings", "hybrid", "tokens")
"""For clips of 16 frames."""
CHEAP = ("h264", "h265", "av1", "softcast")
"""Whose decoding of 64 x 64 x 4 takes a few milliseconds."""


@dataclass(frozen=True)
class Receiver:
    """One scheme's receiver, with what a clip became on the air."""

    receive: Callable[[Received, Agreement], np.ndarray]
    heard: Received
    agreement: Agreement
    shape: tuple[int, int, int]

    def frames(self, damage: Callable[[bytes, int], bytes | None]) -> tuple[np.ndarray, float]:
        """Frames from damaged blocks, and the seconds they took."""
        with damaged_blocks(damage):
            began = time.process_time()
            frames = self.receive(self.heard, self.agreement)
            return frames, time.process_time() - began


def receiver(name: str, *, size: Sequence[int] = (64, 64), frames: int = 4, uses_a_pixel: float = 0.1) -> Receiver:
    """A receiver of `SCHEMES` at 20 dB, where nothing is lost that is not damaged on purpose."""
    spec = SCHEMES[name]
    frames = max(frames, 16) if name in TRAINED else frames
    source = DIGITS if name == "gmlr" else SCENES | {"size": list(size), "frames": frames}
    sweep = {"snr_db": 20, "budget": 2.0 if name == "gmlr" else uses_a_pixel}
    scenario = semlink.load(
        {"name": "x", "source": source, "channel": {"kind": "awgn"}, "sweep": sweep, "metrics": ["psnr"]}
        | {"schemes": [spec | {"name": name}]}
    )
    folder = Path(tempfile.mkdtemp())
    runner = PointRunner.of(scenario, load_clips(scenario, None), folder, None)
    (point,) = grid(scenario)
    link = runner.link(point)
    agreed = runner.deals(link, point)[0].agreement
    clip, seeds = runner.clips.frames[0], Seeds(1, (0,), 0)
    flow = link.transmitter.transmit(clip, agreed, seeds)
    shutil.rmtree(folder, ignore_errors=True)
    assert isinstance(flow.payload, Symbols)
    noise = 0.1 * seeds.complex_normal("noise", flow.payload.iq.shape[1])
    heard = Received(flow.payload.iq + noise, torch.full(flow.payload.iq.shape, 0.01))
    shape = (clip.shape.t, clip.shape.h, clip.shape.w)
    return Receiver(lambda *given: link.receiver.receive(*given).frames.pixels[0].numpy(), heard, agreed, shape)


@contextmanager
def damaged_blocks(damage: Callable[[bytes, int], bytes | None]):
    """Inside, whatever blocks a coding decodes are damaged as if its checksum had not seen it."""
    whole = BlockCoding.receive

    def receive(self, received):
        key = (repr(self), received.iq.shape, float(received.iq.real.sum()))
        if key not in _decoded:
            _decoded[key] = whole(self, received)
        blocks = _decoded[key]
        return tuple(None if block is None else damage(block, n) for n, block in enumerate(blocks))

    BlockCoding.receive = receive
    try:
        yield
    finally:
        BlockCoding.receive = whole


_decoded: dict = {}


def damage_by(rng: random.Random) -> Callable[[bytes, int], bytes | None]:
    """One way to damage blocks: flipped bits, other bytes, all of them other, none, or lost; length stays."""
    way = rng.choice(("flip", "flip", "few", "head", "all", "ones", "zeros", "lost", "mixed"))

    def damage(block: bytes, number: int) -> bytes | None:
        kind = rng.choice(("flip", "few", "all", "lost", "none")) if way == "mixed" else way
        data = bytearray(block)
        if kind == "lost":
            return None if rng.random() < 0.5 else block
        if kind in ("ones", "zeros"):
            return bytes([255 * (kind == "ones")]) * len(block)
        if kind == "all":
            return rng.randbytes(len(block))
        if kind == "head":
            count = min(rng.randrange(1, 9), len(data))
            data[:count] = rng.randbytes(count)
        for _ in range({"flip": rng.randrange(1, 4), "few": rng.randrange(1, 20)}.get(kind, 0)):
            place = rng.randrange(len(data))
            data[place] = data[place] ^ (1 << rng.randrange(8)) if kind == "flip" else rng.randrange(256)
        return bytes(data)

    return damage


def check(found: np.ndarray, shape: tuple[int, int, int]) -> None:
    """Frames of the right kind."""
    assert found.shape == shape and found.dtype == np.float32, (found.shape, found.dtype)
    assert np.isfinite(found).all() and found.min() >= 0 and found.max() <= 1
