"""`kind: semantic`: tokens, or the published networks, as the weights are."""

from __future__ import annotations

from semlink.codecs.semantic.codec import TASK as PUBLISHED_TASK, SemanticCodec
from semlink.codecs.semantic.interface import SemanticCodecLike
from semlink.codecs.semantic.published import PublishedSemantic
from semlink.codecs.semantic.tokens.loaded import TASK as TOKENS_TASK, SemanticTokens
from semlink.errors import ModelError
from semlink.weights.cards import card_of

__all__ = ["ALLOCATIONS", "semantic_codec"]

ARCHITECTURES = {PUBLISHED_TASK: "published", TOKENS_TASK: "tokens"}
ALLOCATIONS = {"published": ("learned", "searched", "uniform"), "tokens": ("predicted", "learned", "uniform")}
"""Ways to choose rates that each architecture has."""


def semantic_codec(weights: str, architecture: str | None) -> tuple[SemanticCodecLike, str]:
    """The codec of `weights` and its architecture; `architecture`, where stated, must be theirs.

    Raises:
        ModelError: weights of another kind, or of another architecture than stated.
    """
    path, card = card_of(weights, *ARCHITECTURES)
    found = ARCHITECTURES[card["task"]]
    if architecture not in (None, found):
        raise ModelError(
            f"weights {weights!r} are of the architecture {found!r}, the scheme says {architecture!r}; "
            f"allowed: architecture: {found}, or weights that are {architecture}"
        )
    if found == "tokens":
        return SemanticTokens(weights), found
    return PublishedSemantic(SemanticCodec(weights).loaded()), found
