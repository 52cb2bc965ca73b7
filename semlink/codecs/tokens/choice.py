"""`kind: task-aware`: the code of tokens, or the published network, as the weights are."""

from __future__ import annotations

from semlink.blocks import CodecBase
from semlink.codecs.tokens.loaded import TASK
from semlink.errors import ModelError, ScenarioError
from semlink.weights.cards import find_weights, read_card

ARCHITECTURES = {TASK: "tokens", "compression": "published"}


def task_aware_codec(
    weights: str, architecture: str | None, slices: int | None, thrift: float, search: int
) -> CodecBase:
    """The codec of `weights`; `architecture`, where stated, must be theirs.

    Raises:
        ModelError: weights of another kind, or of another architecture than stated.
        ScenarioError: an option of the other architecture.
    """
    found = architecture_of(weights)
    if architecture not in (None, found):
        raise ModelError(
            f"weights {weights!r} are of the architecture {found!r}, the codec says {architecture!r}; "
            f"allowed: architecture: {found}, or weights that are {architecture}"
        )
    if found == "tokens":
        return _tokens(weights, slices, thrift, search)
    if search:
        raise ScenarioError("codec.search: the published architecture has no search of latents; allowed: 0")
    from semlink.codecs.task_aware.codec import TaskAwareCodec

    return TaskAwareCodec(weights, slices, thrift)


def architecture_of(weights: str) -> str:
    """ "tokens" or "published".

    Raises:
        ModelError: weights that are no task-aware codec.
    """
    path = find_weights(weights)
    task = read_card(path)["task"]
    if task not in ARCHITECTURES:
        raise ModelError(f"{path}: weights for {task!r}; allowed: those of {sorted(ARCHITECTURES)}")
    return ARCHITECTURES[task]


def _tokens(weights: str, slices: int | None, thrift: float, search: int) -> CodecBase:
    if thrift:
        raise ScenarioError("codec.thrift: only of the published architecture; the code of tokens has codec.search")
    from semlink.codecs.tokens.codec import TokenCodec

    return TokenCodec(weights, slices, search)
