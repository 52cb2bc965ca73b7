"""What a class or an object of a Python caller is made of: its code, that of all it holds, and its values.

Two of them with one digest do the same. The digest covers the text of every
file that a class or function in it stands in, with what that imports (see
`source_text`), the code in memory, which may be older or come from a notebook,
and the values: numbers, arrays, tensors.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from semlink.plugins.files import source_file
from semlink.plugins.source_text import SourceText, is_installed, text_of

__all__ = ["live_digest", "live_source"]

Definition = type | FunctionType
PLAIN = (str, bytes, int, float, complex, bool, type(None))


def live_digest(block: object) -> str:
    """SHA-256 of a class, or of an object with all that it holds.

    Raises:
        pickle.PicklingError, AttributeError, TypeError: it cannot be copied.
    """
    digest = hashlib.sha256()
    made_of: list[Definition] = []
    if isinstance(block, type):
        made_of.append(block)
    else:
        collector = _Collector(io.BytesIO())
        collector.dump(block)
        digest.update(collector.stream.getvalue())
        made_of += [type(block), *collector.definitions]
    for name, found in _definitions(made_of).items():
        digest.update(f"{name}\0{_digest_of(found)}\0".encode())
    return digest.hexdigest()


def live_source(live: object) -> SourceText | None:
    """The text that the class of a live block rests on; None in a notebook."""
    cls = live if isinstance(live, type) else type(live)
    file = source_file(cls)
    if file is None:
        return None
    return text_of(file, "" if cls.__module__ == "__main__" else cls.__module__)


class _Collector(pickle.Pickler):
    """Pickles an object, notes the classes and functions that it is made of, and writes tensors by their values."""

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self.stream = stream
        self.definitions: list[Definition] = []

    def reducer_override(self, held: Any) -> Any:
        if isinstance(held, Definition):
            self.definitions.append(held)
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(held, torch.Tensor):
            values = held.detach().cpu().contiguous()
            raw = values.reshape(-1).view(torch.uint8).numpy().tobytes() if values.numel() else b""
            return _tensor, (str(values.dtype), tuple(values.shape), hashlib.sha256(raw).hexdigest())
        return NotImplemented


def _tensor(dtype: str, shape: tuple[int, ...], digest: str) -> None:
    """What stands for a tensor in a stream that nobody reads."""


def _definitions(first: list[Definition]) -> dict[str, Definition]:
    """Classes and functions of a user, with their bases and with those that their code names, in a fixed order."""
    found: dict[str, Definition] = {}
    waiting = list(first)
    while waiting:
        one = waiting.pop()
        name = f"{one.__module__}.{one.__qualname__}"
        if name in found or not _is_users(one):
            continue
        found[name] = one
        waiting += one.__mro__[1:] if isinstance(one, type) else ()
        waiting += [held for held in _globals(one) if isinstance(held, Definition)]
    return dict(sorted(found.items()))


def _is_users(one: Definition) -> bool:
    """Whether somebody wrote it beside semlink and the installed packages."""
    file = source_file(one)
    if file is None:
        return one.__module__ == "__main__"
    library = getattr(sys, "stdlib_module_names", ())
    return one.__module__.partition(".")[0] not in library and not is_installed(file) or one.__module__ == "__main__"


def _digest_of(one: Definition) -> str:
    """Of the text of its file, of its code in memory, and of plain values and arrays that the code names."""
    digest = hashlib.sha256()
    source = live_source(one) if isinstance(one, type) else None
    digest.update(b"" if source is None else source.digest.encode())
    for function in _functions(one):
        digest.update(_of_code(function.__code__).encode())
        digest.update(repr([value for value in function.__defaults__ or () if isinstance(value, PLAIN)]).encode())
    if isinstance(one, type):
        digest.update(repr(sorted((k, v) for k, v in vars(one).items() if isinstance(v, PLAIN))).encode())
    for held in _globals(one):
        if isinstance(held, PLAIN):
            digest.update(repr(held).encode())
        elif hasattr(held, "tobytes"):
            digest.update(held.tobytes())
    return digest.hexdigest()


def _functions(one: Definition) -> Iterator[FunctionType]:
    """A function, or those of a class."""
    if isinstance(one, FunctionType):
        yield one
        return
    for held in vars(one).values():
        inner: Callable | None = getattr(held, "fget", None) or getattr(held, "__func__", held)
        inner = getattr(inner, "__wrapped__", inner)
        if isinstance(inner, FunctionType):
            yield inner


def _globals(one: Definition) -> list[object]:
    """What the code of a class or a function names of its module, in a fixed order; modules are left to the text."""
    held = {
        name: function.__globals__[name]
        for function in _functions(one)
        for name in _names(function.__code__)
        if name in function.__globals__
    }
    return [value for _, value in sorted(held.items()) if not isinstance(value, ModuleType)]


def _names(code: CodeType) -> set[str]:
    inner = [_names(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*inner)


def _of_code(code: CodeType) -> str:
    """What a piece of code does, wherever it stands."""
    constants = [_of_code(c) if isinstance(c, CodeType) else _spelled(c) for c in code.co_consts]
    return hashlib.sha256(repr((code.co_code, code.co_names, code.co_varnames, constants)).encode()).hexdigest()


def _spelled(constant: object) -> str:
    return repr(sorted(map(repr, constant))) if isinstance(constant, frozenset) else repr(constant)
