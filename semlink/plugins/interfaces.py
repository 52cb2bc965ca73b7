"""Which base a user's class belongs to, and what it lacks or misspells."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from semlink import blocks
from semlink.errors import InterfaceError

__all__ = ["Kind", "check_methods", "check_names", "kind_for"]

OLD_NAMES = {"block_sizes": "rooms"}
"""What a method was called before version 0.2."""
ALIKE = 0.7
VERY_ALIKE = 0.86
SHORT = 5
"""Names of at most so many letters are alike by chance."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to be a block of an interface: what a class must have, and the base that has the rest."""

    protocol: type
    base: type

    @property
    def required(self) -> tuple[str, ...]:
        """Names of what a class must have, in the order of the protocol."""
        own = vars(self.protocol)
        methods = [name for name in own if name in self.protocol.__abstractmethods__]  # type: ignore[attr-defined]
        return (*own.get("__annotations__", ()), *methods)

    @property
    def names(self) -> tuple[str, ...]:
        """All that a class may have."""
        optional = [name for name in dir(self.base) if not name.startswith("_") and name not in self.required]
        return (*self.required, *optional)

    def has(self, owner: Any, name: str) -> bool:
        """Whether a class or an object has `name`, of the base or of its own, and not as an unfilled blank."""
        blanks = vars(owner).get("__abstractmethods__", ()) if inspect.isabstract(owner) else ()
        return name not in blanks and (hasattr(owner, name) or hasattr(owner, OLD_NAMES.get(name, name)))


KINDS: dict[str, tuple[Kind, ...]] = {
    "source": (Kind(blocks.Source, blocks.SourceBase),),
    "sensor": (Kind(blocks.Sensor, blocks.SensorBase),),
    "reconstruction": (Kind(blocks.Reconstruction, blocks.ReconstructionBase),),
    "codec": (Kind(blocks.Codec, blocks.CodecBase),),
    "coding": (Kind(blocks.Coding, blocks.CodingBase), Kind(blocks.RateBound, blocks.RateBoundBase)),
    "channel": (Kind(blocks.Channel, blocks.ChannelBase),),
    "waveform": (Kind(blocks.Waveform, blocks.WaveformBase),),
    "scheme": (
        Kind(blocks.OneWay, blocks.OneWayBase),
        Kind(blocks.Interactive, blocks.InteractiveBase),
        Kind(blocks.Bound, blocks.BoundBase),
        Kind(blocks.Sensing, blocks.SensingBase),
    ),
}


def kind_for(interface: str, owner: object) -> Kind:
    """The kind that a class or an object fits best: its base's, else the one of which it has the largest share.

    Of two that it fits as well, the one that asks for more. A class that says
    `is_bound = True` and has `ideal` is a bound, whatever else it has.
    """
    cls = owner if inspect.isclass(owner) else type(owner)
    for kind in KINDS[interface]:
        if issubclass(cls, kind.base):
            return kind
    if interface == "scheme" and getattr(owner, "is_bound", False) is True and hasattr(owner, "ideal"):
        return KINDS[interface][2]

    def fit(kind: Kind) -> tuple[float, int]:
        found = sum(kind.has(owner, name) for name in kind.required)
        return found / len(kind.required), found

    return max(KINDS[interface], key=fit)


def check_names(interface: str, kind: Kind, owner: object, where: str) -> None:
    """Refuse a class or an object that lacks something, or whose method looks like a misspelt one.

    Raises:
        InterfaceError: names what is missing, and what was probably meant.
    """
    own = _own_names(owner, kind)
    for name in kind.required:
        if kind.has(owner, name) and (name in vars(kind.protocol).get("__annotations__", ()) or _calls(owner, name)):
            continue
        near = difflib.get_close_matches(name, own, 1, ALIKE)
        found = f"has {near[0]!r}, did you mean {name!r}" if near else f"has no {name}"
        raise InterfaceError(f"{where}: {found}; a {interface} needs {', '.join(kind.required)}")
    free = [n for n in kind.names if len(n) > SHORT and not n.startswith("_") and not _overrides(owner, kind, n)]
    for name in own:
        near = difflib.get_close_matches(name, free, 1, VERY_ALIKE)
        if near:
            raise InterfaceError(
                f"{where}: has {name!r}, did you mean {near[0]!r}? If not, call it otherwise, such as _{name}"
            )


def check_methods(kind: Kind, made: object, where: str) -> None:
    """Refuse a method that cannot be called as the runner calls it.

    Raises:
        InterfaceError: names the method, and how it is called.
    """
    for name in kind.names:
        asked = inspect.getattr_static(kind.base, name, None)
        method = getattr(made, name, None)
        if not inspect.isfunction(asked) or not inspect.ismethod(method) or not _overrides(made, kind, name):
            continue
        _, *parameters = inspect.signature(asked).parameters.values()
        values = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
        named = {p.name: None for p in parameters if p.kind is p.KEYWORD_ONLY}
        try:
            inspect.signature(method).bind(*values, **named)
        except TypeError as fault:
            call = ", ".join([*values, *(f"{key}=..." for key in named)])
            raise InterfaceError(
                f"{where}: {name} is called as {name}({call}), which it does not take: {fault}"
            ) from None


def _own_names(owner: object, kind: Kind) -> list[str]:
    """Public methods that the user's class defines and that are no part of the interface."""
    cls: Any = owner if inspect.isclass(owner) else type(owner)
    written = [c for c in cls.__mro__ if c is not object and not c.__module__.startswith("semlink.blocks")]
    known = {*kind.names, *OLD_NAMES.values()}
    return sorted(
        {n for c in written for n, v in vars(c).items() if inspect.isfunction(v) and not n.startswith("_")} - known
    )


def _overrides(owner: object, kind: Kind, name: str) -> bool:
    """Whether `name` is the user's own, and not a default of the base."""
    cls: Any = owner if inspect.isclass(owner) else type(owner)
    return any(name in vars(c) for c in _user_classes(cls)) or name in getattr(owner, "__dict__", {})


def _user_classes(cls: type) -> Iterator[type]:
    return (c for c in cls.__mro__ if c is not object and not c.__module__.startswith("semlink.blocks"))


def _calls(owner: object, name: str) -> bool:
    found: Callable | None = getattr(owner, name, None) or getattr(owner, OLD_NAMES.get(name, name), None)
    return callable(found)
