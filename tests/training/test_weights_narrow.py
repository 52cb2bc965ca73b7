"""Weights in a byte each: how far they are from what they were, and what stays as it is."""

from __future__ import annotations

import torch
from safetensors.torch import load_file
from token_toys import make_token_net, write_tokens

from semlink.weights.narrow import SCALE, narrow, widen


def test_each_entry_is_within_half_a_step_of_its_output():
    weight = torch.randn(70, 30, 3, 3, generator=torch.Generator().manual_seed(0)) * torch.logspace(-3, 2, 70).view(
        -1, 1, 1, 1
    )
    stored = narrow({"w": weight, "b": weight[:, 0, 0, 0]})
    assert stored["w"].dtype == torch.int8 and torch.equal(stored["b"], weight[:, 0, 0, 0])
    step = weight.abs().flatten(1).amax(1) / 127
    off = (widen(stored)["w"] - weight).abs().flatten(1).amax(1)
    assert (off <= 0.5001 * step).all() and set(widen(stored)) == {"w", "b"}


def test_outputs_of_zeros_stay_zero():
    assert not widen(narrow({"w": torch.zeros(64, 64)}))["w"].any()


def test_a_file_takes_a_byte_a_weight(tmp_path):
    tensors = load_file(write_tokens(tmp_path, make_token_net()))
    large = [name for name in tensors if name + SCALE in tensors]
    assert large and all(tensors[name].dtype == torch.int8 for name in large)
