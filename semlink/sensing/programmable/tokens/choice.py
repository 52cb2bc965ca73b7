"""`kind: deep`: the decoder on tokens, or the published network, as the weights are."""

from __future__ import annotations

from semlink.blocks import ReconstructionBase
from semlink.errors import ModelError
from semlink.sensing.programmable.exposure import ReadNoise
from semlink.sensing.programmable.reconstructors import DeepReconstructor
from semlink.sensing.programmable.tokens.reconstructor import TASK, TokenReconstructor
from semlink.weights.cards import is_of


def deep_reconstructor(weights: str, architecture: str | None, *, masked: bool, noise: ReadNoise) -> ReconstructionBase:
    """The reconstructor of `weights`; `architecture`, where stated, must be theirs.

    Raises:
        ModelError: weights of another architecture than stated.
    """
    found = "tokens" if is_of(weights, TASK) else "published"
    if architecture not in (None, found):
        raise ModelError(
            f"weights {weights!r} are of the architecture {found!r}, the reconstruction says {architecture!r}; "
            f"allowed: architecture: {found}, or weights that are {architecture}"
        )
    if found == "tokens":
        return TokenReconstructor(weights, masked=masked, noise=noise)
    return DeepReconstructor(weights, masked=masked, noise=noise)
