"""Files that are there whole or not at all, and what is in them."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semlink.errors import ResultsError

Json = Mapping[str, Any]
"""A JSON object, as it is read."""
JsonDict = dict[str, Any]
"""A JSON object, as it is made."""


def json_in(data: bytes) -> Any:
    """What a file of JSON holds.

    Raises:
        ValueError: no UTF-8, no JSON, nested too deep, a number of thousands of digits, or half a character.
    """
    try:
        found = json.loads(data.decode())
        if b"\\ud" in data.lower():
            json.dumps(found, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deep") from None
    return found


def write_atomic(path: str | os.PathLike[str], data: bytes, *, durable: bool = True) -> None:
    """Write a file whole or not at all: a temporary neighbour, then a rename.

    A `durable` file is on the disk when this returns; caches need not be.

    Raises:
        ResultsError: the folder or the disk does not take it.
    """
    path = Path(path)
    spare = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, spare = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            if durable:
                os.fsync(out.fileno())
        os.chmod(spare, 0o666 & ~_umask())
        os.replace(spare, path)
    except OSError as error:
        if spare is not None:
            Path(spare).unlink(missing_ok=True)
        raise ResultsError(f"{path}: cannot be written ({reason_of(error)})") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def reason_of(error: Exception) -> str:
    """What the system says went wrong, in lower case."""
    return (getattr(error, "strerror", None) or str(error)).lower()
