"""Plain data as bytes and back: what may be agreed on before anything is sent.

Plain are None, booleans, numbers, strings, bytes, tuples, lists, dictionaries, arrays of numbers (numpy, torch) and
frozen dataclasses of these. Equal data has equal bytes, whatever the order in a dictionary, and data made
from bytes shares no object with what the bytes were made from.

    data = to_bytes({"step": 8, "map": np.arange(4)})
    same = from_bytes(data)

Every value is a letter for its type and what is in it; texts, arrays and collections tell their length first.
A field that is marked `LEFT_OUT` takes no byte where it has its default, so that a dataclass can be given one later.
"""

from __future__ import annotations

import io
import struct
import sys
from collections.abc import Callable
from dataclasses import Field, fields, is_dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np

from semlink.errors import InterfaceError

__all__ = ["LEFT_OUT", "from_bytes", "to_bytes"]

ALLOWED = (
    "None, booleans, numbers, strings, bytes, tuples, lists, dictionaries, arrays of numbers and frozen dataclasses"
)
DEEPEST = 32
LEFT_OUT = MappingProxyType({"left out at its default": True})
"""`field(default=..., metadata=LEFT_OUT)`."""


def to_bytes(value: object, where: str = "value") -> bytes:
    """`value` as bytes; `where` is what errors call it.

    Raises:
        InterfaceError: something in it is not plain; names its place.
    """
    out = io.BytesIO()
    _write(out, value, where, 0)
    return out.getvalue()


def from_bytes(data: bytes) -> Any:
    """What `to_bytes` made into bytes, built anew; dictionaries have their keys in the order of the keys' bytes."""
    return _read(io.BytesIO(data))


def _write(out: BinaryIO, value: Any, where: str, depth: int) -> None:
    if depth > DEEPEST:
        raise InterfaceError(f"{where}: is nested more than {DEEPEST} deep; need plain data: {ALLOWED}")
    kind = type(value)
    if kind in _SIMPLE:
        letter, write = _SIMPLE[kind]
        out.write(letter)
        write(out, value)
    elif kind in (tuple, list):
        _head(out, b"t" if kind is tuple else b"l", len(value))
        for number, part in enumerate(value):
            _write(out, part, f"{where}[{number}]", depth + 1)
    elif kind is dict:
        _head(out, b"d", len(value))
        pairs = [(to_bytes(key, f"{where}: key {key!r}"), key) for key in value]
        for key_bytes, key in sorted(pairs, key=lambda pair: pair[0]):
            out.write(key_bytes)
            _write(out, value[key], f"{where}[{key!r}]", depth + 1)
    elif is_dataclass(value) and not isinstance(value, type):
        _write_fields(out, value, where, depth)
    else:
        _write_array(out, value, where)


def _write_fields(out: BinaryIO, value: Any, where: str, depth: int) -> None:
    """A frozen dataclass: its name and its fields."""
    cls, names = type(value), [field.name for field in fields(value)]
    hidden = sorted(set(getattr(value, "__dict__", ())) - set(names))
    if hidden:
        raise InterfaceError(f"{where}: {cls.__name__} has an attribute {hidden[0]!r} that is no field")
    if not cls.__dataclass_params__.frozen:
        raise InterfaceError(f"{where}: dataclass {cls.__name__} can be changed; write @dataclass(frozen=True)")
    if _found(cls.__module__, cls.__qualname__) is not cls:
        raise InterfaceError(f"{where}: {cls.__qualname__} stands inside a function; define it at the top of its file")
    late = [field.name for field in fields(value) if _is_left_out(field)]
    whole = any(getattr(value, field.name) != field.default for field in fields(value) if _is_left_out(field))
    out.write(b"E" if whole else b"D")
    _text(out, f"{cls.__module__}:{cls.__qualname__}".encode())
    for name in names if whole else [name for name in names if name not in late]:
        _write(out, getattr(value, name), f"{where}.{name}", depth + 1)


def _is_left_out(field: Field[Any]) -> bool:
    return field.metadata == LEFT_OUT


def _write_array(out: BinaryIO, value: Any, where: str) -> None:
    """An array of numbers, a number of numpy, or a tensor."""
    letter, array = _as_array(value)
    if array is None or array.dtype.kind not in "biufc":
        name = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
        raise InterfaceError(f"{where}: got {name}; need plain data: {ALLOWED}")
    out.write(letter)
    _text(out, array.dtype.str.encode())
    _head(out, b"", array.ndim)
    for size in array.shape:
        _head(out, b"", size)
    _text(out, np.ascontiguousarray(array).tobytes())


def _as_array(value: Any) -> tuple[bytes, np.ndarray | None]:
    if type(value) is np.ndarray:
        return b"a", value
    if isinstance(value, np.generic):
        return b"g", np.asarray(value)
    torch = sys.modules.get("torch")
    if torch is not None and type(value) is torch.Tensor:
        return b"p", value.detach().cpu().numpy()
    return b"", None


def _found(module: str, name: str) -> object:
    """The class of this name in a module that is loaded; None if there is none."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _head(out: BinaryIO, letter: bytes, count: int) -> None:
    out.write(letter + struct.pack(">Q", count))


def _text(out: BinaryIO, data: bytes) -> None:
    _head(out, b"", len(data))
    out.write(data)


def _count(data: BinaryIO) -> int:
    return struct.unpack(">Q", data.read(8))[0]


def _read_text(data: BinaryIO) -> bytes:
    return data.read(_count(data))


def _read(data: BinaryIO) -> Any:
    return _READ[data.read(1)](data)


def _read_fields(data: BinaryIO, *, whole: bool) -> Any:
    """A dataclass as it was, without its constructor."""
    cls: Any = _found(*_read_text(data).decode().split(":"))
    made = object.__new__(cls)
    for field in fields(cls):
        is_told = whole or not _is_left_out(field)
        object.__setattr__(made, field.name, _read(data) if is_told else field.default)
    return made


def _read_array(data: BinaryIO) -> np.ndarray:
    dtype = np.dtype(_read_text(data).decode())
    shape = tuple(_count(data) for _ in range(_count(data)))
    return np.frombuffer(_read_text(data), dtype).reshape(shape).copy()


def _read_tensor(data: BinaryIO) -> Any:
    import torch

    return torch.from_numpy(_read_array(data))


def _write_fraction(out: BinaryIO, value: Fraction) -> None:
    _text(out, str(value).encode())


_SIMPLE: dict[type, tuple[bytes, Callable[[BinaryIO, Any], object]]] = {
    type(None): (b"N", lambda out, value: None),
    bool: (b"B", lambda out, value: out.write(b"1" if value else b"0")),
    int: (b"i", lambda out, value: _text(out, hex(value).encode())),
    float: (b"f", lambda out, value: out.write(struct.pack(">d", value))),
    complex: (b"c", lambda out, value: out.write(struct.pack(">dd", value.real, value.imag))),
    str: (b"s", lambda out, value: _text(out, value.encode("utf-8", "surrogatepass"))),
    bytes: (b"b", _text),
    Fraction: (b"q", _write_fraction),
}
_READ: dict[bytes, Callable[[BinaryIO], Any]] = {
    b"N": lambda data: None,
    b"B": lambda data: data.read(1) == b"1",
    b"i": lambda data: int(_read_text(data), 16),
    b"f": lambda data: struct.unpack(">d", data.read(8))[0],
    b"c": lambda data: complex(*struct.unpack(">dd", data.read(16))),
    b"s": lambda data: _read_text(data).decode("utf-8", "surrogatepass"),
    b"b": _read_text,
    b"q": lambda data: Fraction(_read_text(data).decode()),
    b"t": lambda data: tuple(_read(data) for _ in range(_count(data))),
    b"l": lambda data: [_read(data) for _ in range(_count(data))],
    b"d": lambda data: {_read(data): _read(data) for _ in range(_count(data))},
    b"D": lambda data: _read_fields(data, whole=False),
    b"E": lambda data: _read_fields(data, whole=True),
    b"a": _read_array,
    b"g": lambda data: _read_array(data)[()],
    b"p": _read_tensor,
}
