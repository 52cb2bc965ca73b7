"""What a network leaves where another could find it: in modules of its file, in classes and in functions."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

__all__ = ["left_behind"]

DEEPEST = 5
PLAIN = (str, bytes, int, float, complex, bool, type(None))
SHOWN = 3


def left_behind(files: Collection[Path], act: Callable[[], object]) -> list[str]:
    """What `act` changes in the modules of a user's files, as `file.py:name`."""
    before = _everything(files)
    act()
    after = _everything(files)
    changed = {place for place in before.keys() | after.keys() if before.get(place) != after.get(place)}
    roots = dict.fromkeys(sorted(place.split("[")[0] for place in changed))
    return list(roots)[:SHOWN]


def _everything(files: Collection[Path]) -> dict[str, str]:
    found: dict[str, str] = {}
    for module in list(sys.modules.values()):
        file = vars(module).get("__file__") if isinstance(module, ModuleType) else None
        if isinstance(file, str) and Path(file) in files:
            seen: set[int] = set()
            for name, value in list(vars(module).items()):
                if not name.startswith("__"):
                    found.update(_walk(f"{Path(file).name}:{name}", value, module.__name__, seen, 0))
    return found


def _walk(place: str, value: Any, home: str, seen: set[int], depth: int) -> Iterator[tuple[str, str]]:
    """Digests of what a value holds, by place."""
    if isinstance(value, PLAIN):
        yield place, repr(value)
        return
    if isinstance(value, torch.Tensor | np.ndarray):
        yield place, _digest(value)
        return
    if id(value) in seen or depth > DEEPEST:
        return
    seen.add(id(value))
    for name, held in _held(value, home):
        yield from _walk(f"{place}{name}", held, home, seen, depth + 1)


def _held(value: Any, home: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from ((f"[{key!r}]", held) for key, held in list(value.items()))
    elif isinstance(value, list | tuple | set | frozenset):
        yield "[]", len(value)
        yield from ((f"[{number}]", held) for number, held in enumerate(list(value)))
    elif isinstance(value, FunctionType) and value.__module__ == home:
        yield from ((f".{name}", held) for name, held in vars(value).items())
        yield "[defaults]", value.__defaults__
    elif isinstance(value, type) and value.__module__ == home:
        yield from ((f".{name}", held) for name, held in list(vars(value).items()) if not name.startswith("__"))
    elif isinstance(value, nn.Module) or type(value).__module__ == home:
        yield from ((f".{name}", held) for name, held in list(vars(value).items()))


def _digest(value: torch.Tensor | np.ndarray) -> str:
    array = value.detach().cpu().contiguous().numpy() if isinstance(value, torch.Tensor) else value
    return f"{array.shape}{hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()}"
