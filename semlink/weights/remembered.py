"""Loaders that remember what they loaded for as long as the file stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cache, wraps
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

from semlink.weights.cards import places

P = ParamSpec("P")
T = TypeVar("T")


def remembered(load: Callable[P, T]) -> Callable[P, T]:
    """`functools.cache` for a loader whose arguments name weights or files: one written again is loaded again."""

    @cache
    def loaded(states: tuple[Hashable, ...], arguments: tuple[Hashable, ...], named: tuple) -> T:
        return cast(Callable[..., T], load)(*arguments, **dict(named))

    @wraps(load)
    def call(*arguments: P.args, **named: P.kwargs) -> T:
        given = (*arguments, *named.values())
        states = tuple(_state_of(value) for value in given if isinstance(value, str | Path))
        return loaded(states, cast(tuple, arguments), tuple(sorted(named.items())))

    return call


def _state_of(name: str | Path) -> Hashable:
    """What a write changes of the file that is named; None where none is."""
    for path in (Path(name), *places(name)):
        try:
            state = path.stat()
        except (OSError, ValueError):
            continue
        return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns
    return None
