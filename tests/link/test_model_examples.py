"""The networks of docs/examples: ours as they stand, and adapters with stand-ins for the networks of others."""

from __future__ import annotations

import sys
from pathlib import Path

import foreign_networks
import pytest
import torch

from semlink.link.chain.link import Link
from semlink.link.chain.transmit import run_clip
from semlink.link.schemes.model.spec import ModelSpec
from semlink.payload import Frames, Point
from semlink.phy.channels.awgn import Awgn
from semlink.phy.waveforms.plain import Plain
from semlink.seeds import Seeds

MODELS = Path(__file__).resolve().parents[2] / "docs/examples/models"


class Certain:
    def delivery(self, coding, uses, transmissions):
        return 1.0


def pictures(side=64, planes=3, count=2) -> Frames:
    t, y, x = torch.meshgrid(torch.arange(count), torch.arange(planes * side), torch.arange(side), indexing="ij")
    return Frames((0.5 + 0.4 * torch.sin((x + 3 * t) / 9) * torch.cos(y / 7))[None], "rgb" if planes == 3 else "gray")


def sent(file, frames, point, *, encoder=None, decoder=None, **options):
    network = {
        role: {"network": f"{MODELS / file}.py:{role.capitalize()}", "options": given or {}}
        for role, given in (("encoder", encoder), ("decoder", decoder))
    }
    scheme = ModelSpec(kind="model", name="it", **network, **options)
    link = Link(scheme.build(), scheme.build(), Plain(), Awgn())
    agreed = link.transmitter.agree(frames.shape, point, Certain())
    outcome = run_clip(link, frames, agreed, Seeds(1), budget=point.budget_uses)
    assert outcome.frames.pixels.shape == frames.pixels.shape and outcome.lost == 0
    return link, agreed, outcome


@pytest.fixture
def others(tmp_path, monkeypatch):
    """Networks of others on the Python path."""
    foreign_networks.write(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in ("model", "net", "net.encoder", "net.decoder", "my_net"):
        sys.modules.pop(name, None)


ROOM = Point(10.0, 9000)


def test_the_small_deepjscc_of_the_examples_runs_with_its_weights():
    gray = pictures(planes=1)
    weights = str(MODELS / "deepjscc.safetensors")
    entry = {role: f"{MODELS}/deepjscc.py:{role.capitalize()}" for role in ("encoder", "decoder")}
    spec = ModelSpec(
        kind="model", name="it", **{role: {"network": net, "checkpoint": weights} for role, net in entry.items()}
    )
    link = Link(spec.build(), spec.build(), Plain(), Awgn())
    agreed = link.transmitter.agree(gray.shape, ROOM, Certain())
    outcome = run_clip(link, gray, agreed, Seeds(1))
    assert agreed.terms.symbols == 2 * 64 * 64 // 8
    assert float((outcome.frames.pixels - gray.pixels).square().mean()) < 10**-2.3


def test_the_example_with_attention_is_told_the_snr():
    _, agreed, _ = sent("attention_jscc", pictures(planes=1), ROOM, knows=["snr"], symbols="channels", multiple=8)
    assert agreed.terms.symbols == 2 * 64 * 8


@pytest.mark.parametrize("budget", [400, 700])
def test_the_example_with_rate_control_fills_what_there_is(budget):
    """At twice the room patches get more; the map of rates is charged."""
    link, agreed, outcome = sent(
        "ntscc_like",
        pictures(planes=1),
        Point(10.0, budget),
        knows=["snr", "uses"],
        numbers="plain",
        side_info={"count": 16, "bits": 4},
        multiple=16,
    )
    numbers, rates = link.transmitter.numbers_of(pictures(planes=1), agreed)
    used = int((rates * 32 // 15).sum())
    assert 0.7 * numbers.numel() < used <= numbers.numel() and outcome.ledger.symbols <= budget
    assert agreed.terms.side_bytes == 2 * 16 * 4 // 8


def test_deepjscc_pytorch_comes_in(others):
    frames = pictures()
    for clip in (frames, Frames(frames.pixels[:, :1].contiguous(), "rgb")):
        options = {"encoder": {"c": 8}, "decoder": {"c": 8}, "unit": "number", "power": "own"}
        link, agreed, _ = sent("deepjscc_pytorch", clip, ROOM, **options)
        assert agreed.terms.symbols == clip.pixels.shape[1] * 8 * 16 * 16 // 2


TOKENS = {"encoder": {"kwargs": {"width": 8, "C": 12}}, "decoder": {"kwargs": {"width": 8, "C": 12}}}


def test_witt_comes_in_with_the_power_of_its_features_as_side_information(others):
    side = {"count": 1, "bits": 12}
    link, agreed, _ = sent(
        "witt_swinjscc",
        pictures(),
        Point(60.0, 9000),
        **TOKENS,
        knows=["snr"],
        numbers="plain",
        symbols="halves",
        power="frame",
        side_info=side,
    )
    assert agreed.terms.symbols == 2 * 16 * 12 // 2 and agreed.terms.side_bytes == 3
    feature = link.transmitter.encoder.run().encoder(pictures().pixels.reshape(2, 3, 64, 64), 60.0, "WITT")
    assert torch.allclose(
        link.receiver.decoder.run().decoder.seen, feature, rtol=0.02, atol=0.02 * float(feature.std())
    )


def test_swinjscc_comes_in_and_tells_which_channels_it_kept(others):
    kinds = {"encoder": {"kwargs": {"width": 8, "C": 12, "rates": True}, "model": "SwinJSCC_w/_SAandRA"}}
    kinds["decoder"] = {**TOKENS["decoder"], "model": "SwinJSCC_w/_SAandRA"}
    link, agreed, _ = sent(
        "witt_swinjscc",
        pictures(),
        Point(60.0, None, 4.0),
        **kinds,
        knows=["snr", "rate"],
        numbers="plain",
        symbols="halves",
        power="frame",
        rates=[4, 8],
        side_info={"count": 24, "bits": 1},
    )
    assert agreed.terms.symbols == 2 * 16 * 4 // 2
    feature, _ = link.transmitter.encoder.run().encoder(
        pictures().pixels.reshape(2, 3, 64, 64), 60.0, 4, "SwinJSCC_w/_SAandRA"
    )
    heard = link.receiver.decoder.run().decoder.seen
    assert torch.equal(heard.abs().sum(1) > 0, feature.abs().sum(1) > 0)
    assert torch.allclose(heard, feature, atol=0.03 * float(feature.std()))


def test_ntscc_comes_in_with_hyper_latents_and_rates_as_side_information(others):
    """At a good SNR its decoder has what its encoder made, and the rates fit into the room."""
    names = {"encoder": {"factory": "my_net:network"}, "decoder": {"factory": "my_net:network", "hyper": 6}}
    link, agreed, _ = sent(
        "ntscc",
        pictures(),
        Point(60.0, 400),
        **names,
        knows=["uses"],
        numbers="plain",
        symbols="halves",
        power="frame",
        side_info={"count": 2 + 6 + 16, "bits": 8},
    )
    numbers, side = link.transmitter.numbers_of(pictures(), agreed)
    kept = torch.tensor([0, 4, 8, 16])[side[:, -16:]].sum(1)
    assert bool((kept <= numbers.shape[1]).all()) and bool((kept > 0.5 * numbers.shape[1]).all())
    heard = link.receiver.decoder.run().fd.seen
    for item in range(2):
        rebuilt = heard[item][heard[item] != 0]
        assert torch.allclose(rebuilt, numbers[item, : len(rebuilt)], rtol=0.03, atol=0.03 * float(numbers.std()))
