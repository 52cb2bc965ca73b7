"""The reconstruction network: parameter counts of the public code, and the attention against its definition."""

from __future__ import annotations

import pytest
import torch

from semlink.errors import InterfaceError
from semlink.nn.attention import SpectralAttention, SpectralBlock, attention_by_definition
from semlink.nn.spectral_stage import SpectralStage
from semlink.sensing.programmable.decoder_network import Reconstruction


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.source("cai2022mstpp", "public code, counts")
@pytest.mark.parametrize(("width", "count"), [(16, 3985), (32, 14114), (64, 52804)])
def test_block_parameters(width, count):
    assert parameters(SpectralBlock(width, 16)) == count


@pytest.mark.source("cai2022mstpp", "one stage of the published 1.62 M network")
def test_stage_parameters():
    assert parameters(SpectralStage(31)) == 536_713
    assert parameters(SpectralStage(16)) == 147_418
    assert parameters(SpectralBlock(31, 31)) == 13_300


@pytest.mark.source("zhang2024crl", "public code, counts")
def test_network_parameters():
    assert parameters(Reconstruction()) == 447_966
    assert parameters(Reconstruction(masked=True)) == 448_478
    assert parameters(Reconstruction(norm_first=True)) == 447_966 + 3 * 2 * (16 + 32 + 64 + 32 + 16)


@pytest.mark.parametrize(("width", "head_width"), [(16, 16), (32, 16), (64, 16), (6, 3)])
@pytest.mark.parametrize("channels_last", [False, True])
def test_attention_equals_its_definition(width, head_width, channels_last):
    torch.manual_seed(width)
    block = SpectralAttention(width, head_width).double()
    torch.nn.init.normal_(block.sharpness)
    x = torch.randn(2, width, 6, 10, dtype=torch.float64)
    if channels_last:
        x = x.to(memory_format=torch.channels_last)
    torch.testing.assert_close(block(x), attention_by_definition(block, x))


def test_attention_has_the_gradient_of_its_definition():
    torch.manual_seed(0)
    block = SpectralAttention(8, 4).double()
    grads = []
    for attend in (block, lambda x: attention_by_definition(block, x)):
        x = torch.linspace(-1, 1, 2 * 8 * 4 * 6, dtype=torch.float64).sin().view(2, 8, 4, 6).requires_grad_()
        (attend(x) * torch.arange(24.0).view(4, 6).cos()).sum().backward()
        grads.append(x.grad)
    torch.testing.assert_close(*grads)


def test_start_at_initial_returns_its_input_when_the_stages_are_silent():
    net = Reconstruction().start_at_initial()
    net.enter.weight.data.zero_()
    net.enter.weight.data[:, :, 1, 1] = torch.eye(16)
    net.fusion[2].weight.data[:, 16:] = 0
    frames = torch.rand(1, 16, 16, 16)
    difference = (net(frames, torch.ones(16, 16, dtype=torch.int64)) - frames).abs().max().item()
    assert difference < 0.02  # the GELU is straight to within this from 3 on


def test_shift_by_the_stride_shifts_the_inside():
    """Convolutions and pooling-free attention commute with whole-stride shifts of a periodic scene."""
    torch.manual_seed(0)
    net = Reconstruction(stages=1).double().eval()
    row = torch.randn(1, 16, 1, 8, dtype=torch.float64)
    frames = row.repeat(1, 1, 96, 12)
    out = net(frames, torch.ones(96, 96, dtype=torch.int64))[..., 40:56, 40:56]
    torch.testing.assert_close(out[..., :8], out[..., 8:])


def test_the_map_changes_the_answer():
    torch.manual_seed(0)
    net = Reconstruction(stages=1)
    frames = torch.rand(1, 16, 16, 16)
    one, two = (net(frames, torch.full((16, 16), count)) for count in (1, 2))
    assert (one - two).abs().max() > 1e-4


def test_a_missing_map_or_aperture_is_said():
    frames, counts = torch.rand(1, 16, 8, 8), torch.ones(8, 8, dtype=torch.int64)
    with pytest.raises(InterfaceError, match="no ratio map"):
        Reconstruction(stages=1)(frames)
    with pytest.raises(InterfaceError, match="no aperture, but the network was built with one"):
        Reconstruction(stages=1, masked=True)(frames, counts)
    with pytest.raises(InterfaceError, match="an aperture, but the network was built without"):
        Reconstruction(stages=1)(frames, counts, torch.ones(16, 8, 8))
