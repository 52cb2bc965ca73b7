"""CompressAI: our entropy models give the same bits on the same tensors, and its image models work as codecs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from semlink.codecs.packetization import framed_size
from semlink.codecs.task_aware.entropy_models import FactorisedPrior, gaussian_mass
from semlink.codecs.video.compressai import CompressAICodec
from semlink.errors import Infeasible, ModelError, ScenarioError
from semlink.payload import FrameShape, Packet

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
SHAPE = FrameShape(3, 50, 70)


@pytest.fixture(scope="module")
def compressai():
    return pytest.importorskip("compressai", reason="CompressAI is not installed (extra compressai)")


@pytest.mark.source("begaint2020compressai", "GaussianConditional")
@pytest.mark.parametrize("with_means", [True, False])
def test_gaussian_bits_are_compressais(compressai, with_means):
    from compressai.entropy_models import GaussianConditional

    rng = torch.Generator().manual_seed(0)
    scale = 0.05 * 2 ** (10 * torch.rand(2, 6, 20, 20, generator=rng))
    means = torch.randn(2, 6, 20, 20, generator=rng) if with_means else torch.zeros(2, 6, 20, 20)
    values = means + scale.clamp_min(0.11) * torch.randn(scale.shape, generator=rng)
    theirs = GaussianConditional(None).eval()
    decoded, mass = theirs(values, scale, means if with_means else None)
    bits = [float(-m.clamp_min(1e-9).log2().sum()) for m in (mass, gaussian_mass(decoded, means, scale))]
    assert bits[1] == pytest.approx(bits[0], rel=0.005)


@pytest.mark.source("begaint2020compressai", "EntropyBottleneck")
def test_prior_bits_are_compressais(compressai):
    from compressai.entropy_models import EntropyBottleneck

    torch.manual_seed(1)
    theirs, ours = EntropyBottleneck(7, filters=FactorisedPrior.widths).eval(), FactorisedPrior(7)
    with torch.no_grad():
        for name, own in (("matrix", ours.matrices), ("bias", ours.biases), ("factor", ours.factors)):
            for number, parameter in enumerate(own):
                kept = dict(theirs.named_parameters())
                peer = next(kept[key] for key in (f"_{name}{number}", f"{_PLURAL[name]}.{number}") if key in kept)
                peer.add_(0.3 * torch.randn_like(peer))
                parameter.copy_(peer)
    values = 6 * torch.randn(2, 7, 12, 12)
    decoded, mass = theirs(values)
    bits = [float(-m.clamp_min(1e-9).log2().sum()) for m in (mass.detach(), ours.mass(decoded).detach())]
    assert bits[1] == pytest.approx(bits[0], rel=0.005)


_PLURAL = {"matrix": "matrices", "bias": "biases", "factor": "factors"}


@pytest.fixture(scope="module")
def checkpoint(compressai, tmp_path_factory) -> str:
    """A small hyperprior model that was never trained."""
    from compressai.models import ScaleHyperprior

    torch.manual_seed(0)
    net = ScaleHyperprior(8, 12)
    net.update(force=True)
    path = tmp_path_factory.mktemp("compressai") / "small-3.pth"
    torch.save({"state_dict": net.state_dict(), "epoch": 0}, path)
    return str(path)


def clip() -> np.ndarray:
    rows, columns = np.mgrid[: SHAPE.h, : SHAPE.w]
    frames = [0.5 + 0.4 * np.sin(rows / 7 + time) * np.cos(columns / 9) for time in range(SHAPE.t)]
    return np.stack(frames).astype(np.float32)


def test_an_image_model_is_a_codec(checkpoint):
    from compressai.zoo.image import model_architectures

    codec = CompressAICodec("bmshj2018-hyperprior", checkpoint=checkpoint)
    packets = codec.encode(clip(), max_bytes=10**6)
    decoded = codec.decode(packets, SHAPE)
    assert [p.time for p in packets] == [0, 1, 2] and decoded.shape == (3, 50, 70) and decoded.dtype == np.float32
    net = model_architectures["bmshj2018-hyperprior"].from_state_dict(torch.load(checkpoint)["state_dict"]).eval()
    net.update(force=True)
    wide = np.pad(clip()[1], ((0, 14), (0, 58)), mode="edge")
    sent = net.compress(torch.from_numpy(wide).expand(1, 3, -1, -1))
    theirs = net.decompress(sent["strings"], sent["shape"])["x_hat"][0].mean(0)[:50, :70].clamp(0, 1)
    assert np.abs(decoded[1] - theirs.detach().numpy()).max() < 0.5 / 255 + 1e-4
    own = sum(len(string) for (string,) in sent["strings"])
    assert own + 3 <= len(packets[1].data) <= own + 5


def test_losses_and_damage(checkpoint):
    codec, rng = CompressAICodec("bmshj2018-hyperprior", checkpoint=checkpoint), np.random.default_rng(0)
    packets = codec.encode_at(clip(), 1)
    whole, holed = codec.decode(packets, SHAPE), codec.decode((packets[0], packets[2]), SHAPE)
    assert np.array_equal(holed[1], whole[0]) and np.array_equal(holed[2], whole[2])
    for _ in range(20):
        data = bytearray(packets[1].data)
        data[rng.integers(len(data))] ^= int(rng.integers(1, 256))
        damaged = codec.decode((packets[0], Packet(1, bytes(data)), Packet(9, packets[2].data)), SHAPE)
        assert np.array_equal(damaged[1], whole[0])
    assert np.array_equal(codec.decode((Packet(0, rng.bytes(40)),), SHAPE), np.full((3, 50, 70), 0.5, np.float32))


def test_fewer_frames_are_cheaper(checkpoint):
    every = CompressAICodec("bmshj2018-hyperprior", checkpoint=checkpoint, every=2)
    packets = every.encode_at(clip(), 1)
    assert [p.time for p in packets] == [0, 2]
    decoded = every.decode(packets, SHAPE)
    assert np.array_equal(decoded[1], decoded[0])
    with pytest.raises(Infeasible, match="raise it to"):
        every.encode(clip(), max_bytes=framed_size(packets) - 1)


def test_a_checkpoint_for_every_quality(checkpoint):
    pattern = str(Path(checkpoint).with_name("small-{quality}.pth"))
    packets = CompressAICodec("bmshj2018-hyperprior", 3, checkpoint=pattern).encode_at(clip(), 3)
    assert packets[0].data[2] >> 4 == 3
    with pytest.raises(ModelError, match="cannot be read as a checkpoint"):
        CompressAICodec("bmshj2018-hyperprior", checkpoint=pattern).encode_at(clip(), 5)
    with pytest.raises(ModelError, match="does not fit mbt2018"):
        CompressAICodec("mbt2018", checkpoint=checkpoint).encode_at(clip(), 1)
    with pytest.raises(ModelError, match="codec.model: got 'jpeg'; allowed"):
        CompressAICodec("jpeg", checkpoint=checkpoint).encode_at(clip(), 1)


@pytest.mark.parametrize(
    "options, says",
    [
        ({}, "give checkpoint"),
        ({"checkpoint": "x", "pretrained": True}, "one of them"),
        ({"checkpoint": "x", "quality": 9}, "allowed: 1 to 8"),
        ({"checkpoint": "x", "every": 0}, "codec.every"),
    ],
)
def test_wrong_options_are_named(options, says):
    with pytest.raises(ScenarioError, match=says):
        CompressAICodec("mbt2018-mean", **options)


def test_without_compressai_it_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "compressai.zoo", None)
    with pytest.raises(ImportError, match=r"pip install 'semlink\[compressai\]'"):
        CompressAICodec("mbt2018-mean", checkpoint="none.pth").encode_at(clip(), 1)
