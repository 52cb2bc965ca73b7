"""A look at what a `kind` names, before any of it is called: `subprocess:Popen` is a class too.

What Python itself brings along is never a block, so it is not even imported; a class must offer the methods of its
interface before its constructor is called with the options of a scenario.
"""

from __future__ import annotations

import difflib
import inspect
import sys
import sysconfig
from pathlib import Path
from typing import Any

from semlink.errors import InterfaceError, UnknownBlock
from semlink.plugins.interfaces import ALIKE, OLD_NAMES, kind_for

__all__ = ["check_class", "refuse_standard_file", "refuse_standard_module", "refuse_standard_origin"]

STANDARD = sys.stdlib_module_names | {"builtins", "__main__"}


def refuse_standard_module(name: str, interface: str) -> None:
    """Raise UnknownBlock for a module of Python itself, before it is imported."""
    if name.partition(".")[0] in STANDARD or not name.strip("."):
        raise UnknownBlock(
            f"{interface}: {name!r} is a module of Python itself, which holds no {interface}; "
            "allowed: a module or a file of yours, or of an installed package"
        )


def refuse_standard_file(path: Path, interface: str) -> None:
    """Raise UnknownBlock for a file of Python itself; installed packages below it are none."""
    home = Path(sysconfig.get_paths()["stdlib"]).resolve()
    inside = path.resolve().relative_to(home).parts if path.resolve().is_relative_to(home) else ()
    if inside and inside[0] not in ("site-packages", "dist-packages"):
        raise UnknownBlock(f"{interface}: {path} is a file of Python itself, which holds no {interface}")


def refuse_standard_origin(found: Any, interface: str, kind: str) -> None:
    """Raise UnknownBlock for a class or a function that a module merely imported from Python itself."""
    if inspect.isclass(found) or inspect.isroutine(found):
        origin = str(getattr(found, "__module__", None) or "builtins").partition(".")[0]
        if origin in STANDARD:
            raise UnknownBlock(
                f"{interface} {kind}: is {origin}.{getattr(found, '__name__', '?')} of Python itself, no {interface}"
            )


def check_class(interface: str, cls: type, where: str) -> None:
    """See that a class has the methods of its interface, before it is called.

    Raises:
        InterfaceError: names the first that it lacks, and what was probably meant.
    """
    kind = kind_for(interface, cls)
    attributes = vars(kind.protocol).get("__annotations__", ())
    for name in kind.required:
        asked = inspect.getattr_static(kind.protocol, name, None)
        if name in attributes or isinstance(asked, property):
            continue
        if not (_has(cls, name) or _has(cls, OLD_NAMES.get(name, name))):
            own = [n for n in dir(cls) if not n.startswith("_")]
            near = difflib.get_close_matches(name, own, 1, ALIKE)
            found = f"has {near[0]!r}, did you mean {name!r}" if near else f"has no {name}"
            raise InterfaceError(f"{where}: {found}; a {interface} needs {', '.join(kind.required)}")


def _has(cls: type, name: str) -> bool:
    """Whether a class has a method of its own; what its own class has, such as `__call__`, does not count."""
    return any(callable(vars(c).get(name)) or hasattr(vars(c).get(name), "__get__") for c in cls.__mro__)
