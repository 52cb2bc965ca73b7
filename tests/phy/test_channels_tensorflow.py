"""Channels written in TensorFlow, over the bridge; skipped where TensorFlow is not installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch

from semlink.phy.channels.tensorflow_channel import TensorFlowChannel
from semlink.phy.conformance.examine import check, render
from semlink.seeds import Seeds

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "tensorflow_channel.py"
HAVE_TENSORFLOW = importlib.util.find_spec("tensorflow") is not None
needs_tensorflow = pytest.mark.skipif(not HAVE_TENSORFLOW, reason="tensorflow is not installed")
SMALL = {"symbols": 2048, "clips": 4, "draws": 100}


@needs_tensorflow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("name", "options"), [("rayleigh", {}), ("GlobalAwgn", {"options": {"scale": 1.0}, "takes_seed": False})]
)
def test_a_tensorflow_channel_passes_the_kit_gradients_included(name, options):
    report = check(TensorFlowChannel(f"{EXAMPLE}:{name}", **options), **SMALL)
    assert report.passed, render(report)
    assert report["gradient"].verdict == "pass"


@needs_tensorflow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_kit_sees_through_the_bridge():
    loud = TensorFlowChannel(f"{EXAMPLE}:GlobalAwgn", {"scale": 2**0.5}, takes_seed=False)
    assert set(check(loud, **SMALL).failed) == {"snr", "told noise"}


@needs_tensorflow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_training_through_the_bridge():
    channel, seeds = TensorFlowChannel(f"{EXAMPLE}:rayleigh"), Seeds(1, (0, 1))
    x = torch.ones(2, 8, dtype=torch.complex64, requires_grad=True)
    heard = channel(x, 100.0, seeds)
    heard.iq.abs().square().sum().backward()
    torch.testing.assert_close(x.grad, 2 * heard.iq.detach().abs().square().to(torch.complex64), rtol=1e-3, atol=1e-3)


@pytest.mark.skipif(HAVE_TENSORFLOW, reason="tensorflow is installed")
def test_a_missing_tensorflow_is_named_with_its_remedy():
    with pytest.raises(ImportError, match=r"pip install 'semlink\[tensorflow\]'"):
        TensorFlowChannel(f"{EXAMPLE}:rayleigh")(torch.ones(1, 4, dtype=torch.complex64), 0.0, Seeds(1))


def test_a_target_without_a_name_is_refused():
    with pytest.raises(ValueError, match="TensorFlowChannel.target: got 'rayleigh'; need"):
        TensorFlowChannel("rayleigh")
