"""The generators: layer by layer as published, and each layer against its definition."""

from __future__ import annotations

import pytest
import torch

from semlink.nn.generative.generator import Generator, colour_generator


@pytest.mark.source("hyder2019gmlr", "Table 4")
@pytest.mark.parametrize(
    ("make", "by_layer", "total"),
    [
        (Generator, [131_072, 524_288, 131_072, 32_768, 512], 819_712),
        (colour_generator, [2_097_152, 2_097_152, 524_288, 131_072, 3_072], 4_852_736),
    ],
)
def test_weights_of_each_layer(make, by_layer, total):
    generator = make()
    assert [layer.weight.numel() for layer in generator.layers] == by_layer
    assert sum(p.numel() for p in generator.parameters()) == total


@pytest.mark.parametrize("planes", [1, 3])
def test_pictures_are_64_by_64_between_minus_one_and_one(planes):
    torch.manual_seed(0)
    generator = Generator(6, (8, 8, 4, 4), planes)
    pictures = generator(30 * torch.randn(5, 6))
    assert pictures.shape == (5, planes, 64, 64)
    assert pictures.abs().max() <= 1 and not torch.equal(pictures[0], pictures[1])


def test_a_code_of_zeros_is_mid_gray():
    """Without biases nothing else can come out: tanh(0)."""
    assert not Generator(4, (4, 4, 4, 4), 1)(torch.zeros(1, 4)).any()


def test_layers_are_transposed_convolutions_by_their_definition():
    """Every input pixel adds its multiple of the kernel, 2 pixels apart, one pixel cut off all round."""
    torch.manual_seed(1)
    generator = Generator(3, (2, 2, 2, 2), 1).double()
    codes = torch.randn(1, 3, dtype=torch.float64)
    x = torch.einsum("i,ioyx->oyx", codes[0], generator.layers[0].weight)
    for layer in generator.layers[1:]:
        x = torch.relu(x)
        sides = x.shape[1]
        spread = torch.zeros(layer.weight.shape[1], 2 * sides + 2, 2 * sides + 2, dtype=torch.float64)
        for row in range(sides):
            for column in range(sides):
                stamp = torch.einsum("i,ioyx->oyx", x[:, row, column], layer.weight)
                spread[:, 2 * row : 2 * row + 4, 2 * column : 2 * column + 4] += stamp
        x = spread[:, 1:-1, 1:-1]
    torch.testing.assert_close(generator(codes)[0], torch.tanh(x))
