"""The shipped delta-sigma codecs: of their recipes, one model for all rates, graceful over the air."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from semlink.codecs.delta_sigma.binary_maps import load_delta_sigma
from semlink.codecs.delta_sigma.codec import DeltaSigmaCodec
from semlink.codecs.delta_sigma.tokens.codec import TokenBitCodec
from semlink.codecs.packetization import framed_size
from semlink.link.schemes.delta_sigma_direct.scheme import DeltaSigmaDirect
from semlink.payload import FrameShape, Point, Received
from semlink.phy.channels.awgn import Awgn
from semlink.seeds import Seeds
from semlink.sensing.sources.synthetic.scenes import SceneSource
from semlink.training.model_card import verify_weights
from semlink.training.recipe import load_recipe
from semlink.weights.cards import find_weights, outside_names, shipped_names

ROOT = Path(__file__).resolve().parents[2]
NAMES = [name for name in (*shipped_names(), *outside_names()) if name.startswith("delta_sigma")]
TOKENS = "delta_sigma_tokens"
SHAPE = FrameShape(16, 128, 128)


@cache
def scene(number: int = 0) -> np.ndarray:
    return SceneSource(2, size=(128, 128), seed=5, motion_px=(0.0, 1.0)).clip(number)


def psnr_db(decoded: np.ndarray) -> float:
    return float(-10 * np.log10(np.square(decoded - scene()).mean()))


@pytest.mark.parametrize("name", NAMES)
def test_weights_answer_their_probe_and_name_their_recipe(name):
    card = verify_weights(name)
    assert find_weights(name).stat().st_size < (8e6 if name == TOKENS else 3e6)
    assert card["recipe_sha256"] == load_recipe(ROOT / f"scenarios/train/{name}.yaml").digest


@pytest.mark.parametrize("name", ["delta_sigma", TOKENS])
def test_one_model_is_better_with_every_channel_more(name):
    codec = DeltaSigmaCodec(name)
    found = [psnr_db(codec.decode(codec.encode_at(scene(), k), SHAPE)) for k in (2, 4, 8, 16, 32)]
    assert all(b > a + 0.1 for a, b in zip(found, found[1:]))


def test_arithmetic_coding_saves_and_changes_nothing():
    plain, coded = DeltaSigmaCodec("delta_sigma"), DeltaSigmaCodec("delta_sigma", entropy=True)
    a, b = plain.encode_at(scene(), 8), coded.encode_at(scene(), 8)
    assert framed_size(b) < 0.97 * framed_size(a)
    np.testing.assert_array_equal(plain.decode(a, SHAPE), coded.decode(b, SHAPE))


def test_coded_blocks_of_tokens_are_better_with_every_channel_more_and_at_equal_bits():
    """Four channels a block in the mean are better than eight of every block, at less than half of their bytes."""
    codec, plain = TokenBitCodec(TOKENS), DeltaSigmaCodec(TOKENS)
    packets = [codec.encode_at(scene(), k) for k in (2, 4, 8, 16)]
    quality = [psnr_db(codec.decode(found, SHAPE)) for found in packets]
    assert all(b > a + 0.1 for a, b in zip(quality, quality[1:]))
    even = plain.encode_at(scene(), 8)
    assert quality[1] > psnr_db(plain.decode(even, SHAPE)) and framed_size(packets[1]) < framed_size(even) / 2


@pytest.mark.parametrize("name", ["delta_sigma", TOKENS])
def test_over_the_air_it_fades_instead_of_failing(name):
    """Eight channels on QPSK: from clean bits down to one in six wrong; weighing bits helps where they are wrong."""
    found = {}
    for soft in (True, False):
        scheme = DeltaSigmaDirect(name, soft=soft)
        curve = []
        for snr_db in (14.0, 8.0, 4.0, 0.0):
            agreed = scheme.agree(SHAPE, Point(snr_db, rate=8), None)
            flow = scheme.transmit(_frames(), agreed, Seeds(1))
            heard = Awgn()(flow.payload.iq, snr_db, Seeds(2))
            iq = heard if isinstance(heard, torch.Tensor) else heard.iq
            noise = torch.full(iq.shape, 10 ** (-snr_db / 10))
            curve.append(psnr_db(scheme.receive(Received(iq, noise), agreed).frames.pixels[0].numpy()))
        found[soft] = curve
        assert all(0 <= a - b < 8 for a, b in zip(curve[1:], curve[2:])) and curve[0] > curve[-1]
    assert found[True][-1] > found[False][-1]


def _frames():
    from semlink.payload import Frames

    return Frames(torch.from_numpy(scene())[None])


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_shipped_models_know_their_range(name):
    model = load_delta_sigma(name)
    assert 1 <= model.fewest <= model.most <= model.size.channels
