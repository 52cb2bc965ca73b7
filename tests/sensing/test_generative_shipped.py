"""What the shipped generator reaches on turning digits, drawn and published."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from semlink.nn.generative.latent_fit import FitSettings
from semlink.payload import Frames
from semlink.seeds import Seeds
from semlink.sensing.random_projections.gmlr import GmlrReconstructor
from semlink.sensing.random_projections.sensor import RandomSensor
from semlink.sensing.sources.synthetic.digits import DigitSource

DATA = Path(os.environ.get("SEMLINK_DATA", Path(__file__).parents[3] / "shared" / "data"))
PUBLISHED = DATA / "gmlr/rot_mnist/seq1"


def psnr_db(frames: Frames, sensor: RandomSensor, **settings) -> float:
    made = GmlrReconstructor("gmlr_digits", sensor, FitSettings(stop=None, **settings))
    shown = made.reconstruct(sensor.measure(frames, Seeds(0)))
    return float(-10 * (shown.pixels - frames.pixels).square().mean().log10())


@pytest.mark.slow
def test_weights_learned_with_the_codes_beat_codes_alone():
    """80 % of the pixels of a turning digit missing; the paper's means after convergence are 7 dB apart."""
    frames = Frames(torch.from_numpy(DigitSource(clips=1, frames=32).clip(0)[None]))
    sensor = RandomSensor("missing", missing=0.8)
    latent, joint = (psnr_db(frames, sensor, learn=learn, epochs=100) for learn in ("latent", "joint"))
    assert joint > latent + 3


@pytest.mark.slow
@pytest.mark.source("hyder2019gmlr", "Table 2")
@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="no published sequences (set SEMLINK_DATA)")
def test_the_published_turning_digit_from_200_gaussian_measurements():
    """Paper, mean of ten such: 20.35 dB with codes alone, 30.9 dB jointly, after convergence."""
    pictures = [Image.open(path).convert("L").resize((64, 64)) for path in sorted(PUBLISHED.glob("*.jpg"))]
    frames = Frames(torch.from_numpy(np.stack([np.asarray(p, np.float32) / 255 for p in pictures])[None]))
    sensor = RandomSensor("gaussian", measurements=200)
    assert psnr_db(frames, sensor, epochs=200) > 29
