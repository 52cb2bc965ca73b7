"""A user's object behind the base of its interface: what it lacks is supplied, what goes wrong in it is named.

Whatever the object has wins over the base's default, and methods that no interface names stay within reach.
Every call is guarded: an exception or an output of the wrong type or shape becomes
one line with file, class and method.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from semlink.blocks.block import spelled
from semlink.errors import PluginFault, SemlinkError, raised, traced
from semlink.plugins.interfaces import OLD_NAMES, Kind, check_methods, check_names, kind_for
from semlink.plugins.returned import checked, stated

__all__ = ["adapted", "named_fault"]


def adapted(interface: str, block: Any, where: str = "") -> Any:
    """`block` as an instance of its interface's base.

    Args:
        interface: such as `sensor`, see `semlink.plugins.entry_points.INTERFACES`.
        block: any object with the required methods; one that inherits from a base of the package is given back.
        where: what errors call it; default: interface and class. A block named so is always guarded.
    Raises:
        InterfaceError: a method is missing, misspelt, or cannot be called as it will be.
    """
    named = where or f"{interface} {type(block).__name__}"
    try:
        kind = kind_for(interface, block)
        if not where and isinstance(block, kind.base):
            return block
        check_names(interface, kind, block, named)
        check_methods(kind, block, named)
        return _wrapped(interface, block, named)
    except SemlinkError:
        raise
    except (Exception, SystemExit) as fault:  # of a property, which runs where it is only looked at
        raise named_fault(named, "an attribute", fault) from fault


def named_fault(where: str, method: str, fault: BaseException) -> PluginFault:
    """What a user's class raised, as one line with the place in its file."""
    return traced(PluginFault(f"{where}: {method} raised {raised(fault)}"), fault)


def _wrapped(interface: str, block: Any, where: str) -> Any:
    kind = kind_for(interface, block)
    names = tuple(n for n in kind.names if hasattr(block, n) or hasattr(block, OLD_NAMES.get(n, n)))
    return _adapter(kind, names)(interface, block, where)


@cache
def _adapter(kind: Kind, names: tuple[str, ...]) -> type:
    """A subclass of the base that forwards `names`."""

    def __init__(self: Any, interface: str, block: Any, where: str) -> None:
        for name, value in (("interface", interface), ("block", block), ("where", where)):
            object.__setattr__(self, f"_{name}", value)

    def __getattr__(self: Any, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._block, name)

    body: dict[str, Any] = {
        "__slots__": ("_block", "_interface", "_where"),
        "__init__": __init__,
        "__getattr__": __getattr__,
        "__reduce__": lambda self: (_wrapped, (self._interface, self._block, self._where)),
        "__repr__": lambda self: _named(self._block),
        "__eq__": lambda self, other: self._block == getattr(other, "_block", other),
        "__hash__": lambda self: _hash_of(self._block),
        "__doc__": f"A user's class as a {kind.base.__name__}.",
    }
    if "name" in kind.names and "name" not in names:
        body["name"] = property(lambda self: type(self._block).__name__.lower())
    body |= {name: _forward(kind, name) for name in names}
    return type(f"Adapted{kind.base.__name__}", (kind.base,), body)


def _hash_of(block: object) -> int:
    """The block's own; that of its class where it has none, such as a dataclass that may change."""
    try:
        return hash(block)
    except TypeError:
        return hash(type(block))


def _named(block: object) -> str:
    """The block's own `repr`; a plain class without one is spelled out."""
    return spelled(block) if type(block).__repr__ is object.__repr__ else repr(block)


def _forward(kind: Kind, name: str) -> Any:
    """A descriptor that reads `name` of the user's object; its methods come back guarded."""

    def read(self: Any) -> Any:
        try:
            known = name if hasattr(self._block, name) else OLD_NAMES[name]
            found = getattr(self._block, known, None)
        except SemlinkError:
            raise
        except (Exception, SystemExit) as fault:
            raise named_fault(self._where, name, fault) from fault
        if callable(found):
            return _guarded(self, kind, name, found)
        return stated(self._where, kind.base, name, found)

    return property(read)


def _guarded(adapter: Any, kind: Kind, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method, assigned=("__doc__",), updated=())
    def call(*given: Any, **named: Any) -> Any:
        try:
            result = method(*given, **named)
        except SemlinkError:
            raise
        except (Exception, SystemExit) as fault:
            raise named_fault(adapter._where, name, fault) from fault
        return checked(adapter._where, kind.base, name, result, given)

    return call
