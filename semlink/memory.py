"""How much memory is left, so that what cannot fit is said before it is tried."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from semlink.errors import MemoryShort

__all__ = ["LIBRARIES_BYTES", "collecting_little", "refuse_beyond_memory", "said", "said_bytes", "spare_bytes"]

LIBRARIES_BYTES = 4_000_000_000
"""Addresses that torch and the other libraries take in a process; a tenth of it is memory in use."""

GROUPS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
"""Files below /sys/fs/cgroup with the limit of a container and what is used of it."""


@contextmanager
def collecting_little() -> Iterator[Callable[[], None]]:
    """Libraries and what is built once are not looked through for garbage meanwhile: some 300,000 objects each time.

    What is given is to be called when more has been built that stays.
    """
    if gc.get_freeze_count():  # the user has done it
        yield lambda: None
        return
    gc.freeze()
    try:
        yield gc.freeze
    finally:
        gc.unfreeze()


def spare_bytes() -> int | None:
    """What this process can still take: the least of the machine's, its container's and its own; None: nobody says."""
    found = [left for left in (_of_machine(), *_of_containers(), _of_process()) if left is not None]
    return max(min(found), 0) if found else None


def refuse_beyond_memory(what: str, needed: int) -> None:
    """Refuse work that takes more memory than there is.

    Args:
        needed: bytes.
    Raises:
        MemoryShort: says both amounts.
    """
    spare = spare_bytes()
    if spare is not None and needed > spare:
        raise MemoryShort(
            f"{what} take{'' if what.endswith('s') else 's'} {said_bytes(needed)}; {said_bytes(spare)} are free"
        )


@contextmanager
def said(what: str) -> Iterator[None]:
    """Memory that runs out inside is one line that names `what`.

    Raises:
        MemoryShort: with what the library asked for, where it says so.
    """
    try:
        yield
    except MemoryError as fault:
        raise MemoryShort(_line(what, fault)) from fault
    except RuntimeError as fault:  # as torch says it
        if "can't allocate memory" not in str(fault):
            raise
        raise MemoryShort(_line(what, fault)) from fault


def _line(what: str, fault: Exception) -> str:
    asked = " ".join(str(fault).rpartition("DefaultCPUAllocator: ")[2].split()) or "out of memory"
    spare = spare_bytes()
    left = "" if spare is None else f", {said_bytes(spare)} are free"
    return f"{what}: memory is short: {asked.partition('. Error code')[0]}{left}; fewer --workers or smaller clips help"


def said_bytes(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def _of_machine() -> int | None:
    with suppress(OSError, ValueError, IndexError):
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        return 1024 * sum(int(lines[name].split()[0]) for name in ("MemAvailable", "SwapFree") if name in lines)
    return None


def _of_containers() -> Iterator[int]:
    for limit, used in GROUPS:
        with suppress(OSError, ValueError):
            folder = Path("/sys/fs/cgroup")
            yield int((folder / limit).read_text()) - int((folder / used).read_text())


def _of_process() -> int | None:
    """What a limit on the process's addresses (`ulimit -v`) leaves."""
    if sys.platform == "win32":
        return None
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return None
    with suppress(OSError, ValueError, IndexError):
        return limit - int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    return None
