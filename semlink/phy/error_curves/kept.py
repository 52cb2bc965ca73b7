"""Curves once measured, kept in the user's cache folder for all later runs.

The folder is the platform's own (`SEMLINK_CACHE` names another, `off` none). A
curve is a small file named after everything it depends on, written whole or
not at all; what cannot be read or written is measured again. Nothing but time
depends on it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from platformdirs import user_cache_path

from semlink.caching import digest_of
from semlink.errors import ResultsError
from semlink.files import json_in, write_atomic
from semlink.phy.error_curves.waterfall import Waterfall

REVISION = 1
"""Raised by whoever changes what a curve is: the coding, its decoder, the demapper, or how it is measured."""
MOST_FILES = 4096
"""Kept at once; the oldest go first."""


def kept(parts: tuple[object, ...], make: Callable[[], Waterfall]) -> Waterfall:
    """The curve of what `parts` describe (by their `repr`), measured once for all processes."""
    folder = cache_folder()
    if folder is None:
        return make()
    path = folder / f"{digest_of(REVISION, *parts)[:32]}.json"
    known = _read(path)
    if known is None:
        known = make()
        _write(path, known)
    return known


def cache_folder() -> Path | None:
    """Where curves are kept; None for nowhere."""
    said = os.environ.get("SEMLINK_CACHE", "")
    if said.lower() == "off":
        return None
    return (Path(said) if said else user_cache_path("semlink", appauthor=False)) / "error_curves"


def _read(path: Path) -> Waterfall | None:
    try:
        found = json_in(path.read_bytes())
        return Waterfall(float(found["middle_db"]), float(found["width_db"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path, curve: Waterfall) -> None:
    told = {"middle_db": curve.middle_db, "width_db": curve.width_db}
    try:
        write_atomic(path, json.dumps(told).encode(), durable=False)
        _forget_oldest(path.parent)
    except (OSError, ResultsError):
        pass  # a cache that cannot be written costs time and nothing else


def _forget_oldest(folder: Path) -> None:
    files = list(folder.glob("*.json"))
    if len(files) <= MOST_FILES:
        return
    for path in sorted(files, key=_age)[: len(files) - MOST_FILES]:
        path.unlink(missing_ok=True)


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
