"""Hot loops as machine code, compiled once and kept where that works.

numba ends a program that may write no cache, and at every start that finds an
entry cut short. Here code that cannot be kept is compiled in every process,
and what is damaged is thrown away and compiled again. A signal that comes
meanwhile is answered when the code is whole.
"""

from __future__ import annotations

import os
import signal
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import wraps
from hashlib import sha256
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, NullCache
from numba.core.sigutils import normalize_signature

__all__ = ["cache_folder", "compiled", "make_ready"]


def compiled(**options: Any) -> Callable[[Callable], Any]:
    """`numba.njit` with `options`, its machine code kept for the next process."""

    def made(function: Callable) -> Any:
        kernel = numba.njit(**options)(function)
        kernel._cache = _cache_of(function)  # as `cache=True` sets it
        kernel.compile = _undisturbed(kernel.compile)  # here numba gets code, from its compiler or from its cache
        return kernel

    return made


def cache_folder(kernel: Any) -> Path | None:
    """Where the machine code of a compiled loop is kept; None: nowhere."""
    return Path(kernel._cache.cache_path) if isinstance(kernel._cache, _Kept) else None


def make_ready() -> None:
    """Do here what numba does at the first call of a compiled loop, so that no process forked from this one has to."""
    from numba.core.registry import cpu_target

    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()


def _undisturbed(compile_for: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(compile_for)
    def whole(signature: Any) -> Any:
        with _signals_later():
            return compile_for(signature)

    return whole


@contextmanager
def _signals_later() -> Iterator[None]:
    """Signals that Python answers are answered at the end.

    Most of the time goes by in LLVM, so that Python would answer in the function by which LLVM hands out what it made.
    An exception there (of Ctrl-C, of the end of a Ray worker) is lost, and so is the code: numba then fails.
    """
    if threading.current_thread() is not threading.main_thread():  # which answers no signals
        yield
        return
    came: list[int] = []

    def answer_what_came() -> None:
        for number in came:
            signal.raise_signal(number)

    with ExitStack() as stack:
        stack.callback(answer_what_came)
        for number in signal.valid_signals():
            answer = signal.getsignal(number)
            if callable(answer):
                stack.callback(signal.signal, number, answer)
                signal.signal(number, lambda number, _: came.append(number))
        yield


def _cache_of(function: Callable) -> _Kept | NullCache:
    """Beside the source, else in the user's folder of caches, else among the temporary files, else nowhere."""
    if os.path.expanduser("~") == "~":  # nobody's home: numba would make a folder of this name where we are
        _keep_among_temporary_files()
    for where in (lambda: None, _keep_among_temporary_files):
        where()
        with suppress(OSError, RuntimeError):
            return _Kept(function)
    return NullCache()


def _keep_among_temporary_files() -> None:
    """Name a folder of this user's own to numba, here and in processes that begin later, unless others can write it."""
    with suppress(OSError, AttributeError):  # no place for temporary files, or no users
        folder = Path(tempfile.gettempdir()) / f"semlink-compiled-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022:
            os.environ["NUMBA_CACHE_DIR"] = numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]


class _Sealed(CompileResultCacheImpl):
    """Machine code with a checksum: numba would run what it finds."""

    def __init__(self, function: Callable) -> None:
        super().__init__(function)
        self._of_source = self.locator.get_source_stamp()

    def reduce(self, data: Any) -> Any:
        packed = super().reduce(data)
        return self._checksum(packed), packed

    def rebuild(self, target_context: Any, kept: Any) -> Any:
        checksum, packed = kept
        if checksum != self._checksum(packed):
            raise ValueError("damaged")
        return super().rebuild(target_context, packed)

    def _checksum(self, packed: tuple) -> str:
        """Of the object code, which stands first, and of the source: the index is new before the code is."""
        return sha256(repr((self._of_source, packed[0])).encode()).hexdigest()


class _Kept(FunctionCache):
    """numba's cache of a function; what is wrong with it costs time and nothing else."""

    _impl_class = _Sealed

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        if self._is_blocked():
            return None
        try:
            found = super().load_overload(sig, target_context)
            if found is not None and tuple(found.signature.args) != tuple(normalize_signature(sig)[0]):
                raise ValueError("of other arguments")  # two processes began the index at once
            return found
        except Exception:  # noqa: BLE001 - unpickling half of something may raise anything
            for path in self._entries():
                with suppress(OSError):
                    path.unlink()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        if not self._is_blocked():
            with suppress(OSError, EOFError, ValueError):  # the disk is full, or another process damaged the index
                super().save_overload(sig, data)

    def _is_blocked(self) -> bool:
        """Whether something that is no file stands where an entry would; a FIFO would be waited for."""
        return any(path.exists() and not path.is_file() for path in self._entries())

    def _entries(self) -> list[Path]:
        """The index, and the first few signatures: no function here has more."""
        names = (f"{self._impl.filename_base}{end}" for end in (".nbi", *(f".{n}.nbc" for n in range(1, 9))))
        return [Path(self.cache_path, name) for name in names]
