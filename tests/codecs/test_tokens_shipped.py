"""The shipped code of tokens: of its recipe, as long as estimated, above video codecs on what the sensor restores."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from semlink.codecs.packetization import framed_size
from semlink.codecs.tokens.codec import TokenCodec
from semlink.codecs.tokens.loaded import load_tokens
from semlink.codecs.tokens.networks import KNOB_STEPS
from semlink.codecs.video.h26x import VideoCodec
from semlink.payload import Frames, FrameShape
from semlink.seeds import Seeds
from semlink.sensing.programmable.reconstructors import DeepReconstructor
from semlink.sensing.programmable.sensor import ProgrammableSensor, RatioMap
from semlink.sensing.sources.synthetic.scenes import SceneSource
from semlink.training.model_card import verify_weights
from semlink.training.recipe import load_recipe
from semlink.weights.cards import find_weights

NAME = "compr_tokens"
ROOT = Path(__file__).resolve().parents[2]
SHAPE = FrameShape(16, 128, 128)
SENSOR = ProgrammableSensor(RatioMap(learned="sensor", mean_count=2.5))


@cache
def scene(number: int):
    """Frames (16, 128, 128) and what the sensor measures of them."""
    frames = torch.from_numpy(SceneSource(3, size=(128, 128), seed=11).clip(number))[None]
    return frames[0].numpy(), SENSOR.measure(Frames(frames), Seeds(3, (number,)))


def psnr_db(decoded: np.ndarray, number: int) -> float:
    return float(-10 * np.log10(np.square(decoded - scene(number)[0]).mean()))


def test_weights_answer_their_probe_and_name_their_recipe():
    card = verify_weights(NAME)
    assert find_weights(NAME).stat().st_size < 12e6
    assert card["recipe_sha256"] == load_recipe(ROOT / f"scenarios/train/{NAME}_second.yaml").digest


@pytest.mark.parametrize("q", [0.2, 0.6, 0.9])
def test_the_stream_is_within_a_percent_of_the_estimate(q):
    """But for the last word of the range coder."""
    code, slots = load_tokens(NAME), scene(1)[1].slots[0].numpy()
    knob = round(q * KNOB_STEPS)
    x = code.readings(slots)
    latents = torch.from_numpy(code.latents(x, code.look(x), knob)).float()[None]
    told = torch.tensor([knob / KNOB_STEPS])
    bits = float(code.net.contexts.bits(latents, latents, told, code.net.gain(told)).sum())
    sent = 8 * (len(TokenCodec(NAME).encode_at(slots, q)[0].data) - 2)
    assert abs(sent - bits) <= 0.01 * bits + 32


@pytest.mark.parametrize("number", range(3))
def test_it_is_above_h264_on_what_the_sensor_restores(number):
    """At the same bytes; 8 kbit for a clip of 128x128."""
    frames, measured = scene(number)
    restored = DeepReconstructor("sensor").reconstruct(measured).pixels[0].numpy()
    video = VideoCodec("h264")
    packets = video.encode(restored, max_bytes=1000)
    codec = TokenCodec(NAME)
    sent = codec.encode(measured.slots[0].numpy(), max_bytes=framed_size(packets))
    assert psnr_db(codec.decode(sent, SHAPE), number) > psnr_db(video.decode(packets, SHAPE), number) + 0.3
