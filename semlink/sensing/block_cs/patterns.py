"""The patterns in a weights file: those of a basis, or those that a network learned for itself."""

from __future__ import annotations

import torch

from semlink.errors import ModelError
from semlink.sensing.block_cs.basis import load_basis
from semlink.weights.cards import find_weights, read_card
from semlink.weights.remembered import remembered
from semlink.weights.tensors import read_tensors


@remembered
def load_patterns(weights: str, key: int, rest: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Patterns of key frames (key, 1024) and of the others (rest, 1024).

    A basis serves every number of patterns. A network trained with `joint`
    keeps its own, and those have the numbers that it was trained with.

    Raises:
        ModelError: missing, damaged, without patterns of its own, or with other numbers of them.
    """
    path = find_weights(weights)
    card = read_card(path)
    if card["task"] != "block_network":
        rows = load_basis(weights).rows
        return rows[:key], rows[:rest]
    if not card["facts"]["joint"]:
        raise ModelError(
            f"weights {weights!r}: a network without patterns of its own; the sensor's weights are a basis, "
            "such as 'blocks', or a network trained with joint patterns"
        )
    own = read_tensors(path, card)
    have = len(own["key_rows"]), len(own["rest_rows"])
    if have != (key, rest):
        raise ModelError(
            f"weights {weights!r}: hold {have[0]} patterns for key frames and {have[1]} for the others, the sensor "
            f"asks for {key} and {rest}; set key_ratio and ratio to {have[0] / 1024:.4g} and {have[1] / 1024:.4g}"
        )
    return own["key_rows"].float(), own["rest_rows"].float()
