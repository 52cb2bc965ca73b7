"""Importing what stands in the files now, and not what a process has in memory from before an edit."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

from semlink.plugins.named_files import content_digest

__all__ = ["found_first", "imported_as_now", "remember"]

MARK = "__semlink_contents__"
"""Attribute of a user's module: digests of its text, and of the files that it may have read since, by path."""
_STARTED = time.time()


@contextmanager
def imported_as_now(modules: Mapping[str, Path], files: Iterable[Path] = ()) -> Iterator[None]:
    """While modules are imported: if one of them, or a file that one may hold in memory, was edited, all are read anew.

    Args:
        modules: a user's modules that import one another, by name.
        files: that they may read and keep.
    """
    loaded = {name: path for name, path in modules.items() if name in sys.modules}
    if any(_is_edited(name, path) for name, path in loaded.items()):
        for name in loaded:
            del sys.modules[name]
    importlib.invalidate_caches()
    found = {path: content_digest(path) for path in (*modules.values(), *files)}
    with _without_old_bytecode(modules.values()):
        yield
    for name in modules:
        remember(sys.modules.get(name), found)


def remember(module: ModuleType | None, files: Mapping[Path, str]) -> None:
    """Note the digests of files that a module may hold in memory from now on."""
    if module is not None:
        known = vars(module).setdefault(MARK, {})
        known.update({path: digest for path, digest in files.items() if path not in known})


@contextmanager
def found_first(folder: Path) -> Iterator[None]:
    """Modules in `folder` are found first, as those beside a script are; later they are found last."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        if str(folder) not in sys.path:
            sys.path.append(str(folder))


@contextmanager
def _without_old_bytecode(files: Iterable[Path]) -> Iterator[None]:
    """Python tells compiled files from newer texts by whole seconds and by size, which misses quick edits."""
    for file in files:
        compiled = Path(importlib.util.cache_from_source(str(file)))
        with suppress(OSError):
            if file.stat().st_mtime > compiled.stat().st_mtime - 2:
                compiled.unlink()
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _is_edited(name: str, path: Path) -> bool:
    """Whether a module in memory is of another file, or what it holds was edited; where nothing is known, is young."""
    module = sys.modules[name]
    if Path(getattr(module, "__file__", None) or "").resolve() != path.resolve():
        return True
    known = vars(module).get(MARK)
    if known is None:
        return path.stat().st_mtime > _STARTED
    return any(not file.exists() or content_digest(file) != digest for file, digest in known.items())
