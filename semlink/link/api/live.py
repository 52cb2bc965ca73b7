"""Classes and objects of a Python caller in the place of a `kind`."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from semlink.errors import ScenarioError
from semlink.plugins.live import live_digest
from semlink.plugins.specs import LIVE, PluginSpec

__all__ = ["live_blocks", "with_names", "works_elsewhere"]


def with_names(tree: Any) -> Any:
    """A copy of a scenario's dict in which each live `kind` has a name, and the object beside it under `LIVE`.

    Raises:
        ScenarioError: an object that cannot be copied to a receiver of its own.
    """
    if isinstance(tree, Mapping):
        found = {key: value if key in ("kind", LIVE) else with_names(value) for key, value in tree.items()}
        kind = tree.get("kind")
        return found if kind is None or isinstance(kind, str) else found | {"kind": _name(kind), LIVE: kind}
    if isinstance(tree, list | tuple):
        return [with_names(part) for part in tree]
    return tree


def live_blocks(spec: object) -> list[object]:
    """The live objects of a scenario."""
    if isinstance(spec, list | tuple):
        return [block for part in spec for block in live_blocks(part)]
    if isinstance(spec, PluginSpec):
        return [] if spec.live is None else [spec.live]
    return live_blocks(list(dict(spec).values())) if isinstance(spec, BaseModel) else []


def works_elsewhere(block: object) -> bool:
    """Whether another process can import what a live object is made of."""
    return (block if isinstance(block, type) else type(block)).__module__ != "__main__"


def _name(block: object) -> str:
    """`live:Class@digest`: what it is and, since results are kept under it, all that is in it."""
    cls = block if isinstance(block, type) else type(block)
    try:
        return f"live:{cls.__name__}@{live_digest(block)[:12]}"
    except (pickle.PicklingError, AttributeError, TypeError) as fault:
        raise ScenarioError(
            f"{cls.__name__}: cannot be copied for a receiver of its own ({fault}); "
            "define its classes and functions at the top of a file or a notebook's cell"
        ) from fault
