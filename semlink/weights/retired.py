"""Weights that were shipped once: what replaces them, and which recipe trains them."""

from __future__ import annotations

from collections.abc import Mapping

REPLACED: Mapping[str, str] = {
    "semcom": "semcom_tokens",
    "semcom_joint": "semcom_tokens",
    "semcom_fading": "semcom_tokens",
    "semcom_noran": "semcom_noran_tokens",
    "semcom_noran_joint": "semcom_noran_tokens",
    "jscc": "jscc_tokens",
    "compr": "compr_tokens",
    "compr_joint": "compr_tokens",
}
"""Of the published architecture, by what took their place."""


def why_retired(name: str) -> str:
    """The line for whoever names retired weights; empty where `name` are none."""
    if name not in REPLACED:
        return ""
    return (
        f"weights {name!r} were of the published architecture and are no longer shipped; {REPLACED[name]!r} replaces "
        f"them and writes frames itself (a deep reconstruction takes 'sensor'); scenarios/train/{name}.yaml trains "
        f"the old ones, to be named by their file"
    )
