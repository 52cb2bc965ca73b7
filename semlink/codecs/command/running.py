"""A program started, watched and ended: no shell, a clean environment, a folder of its own, a time limit."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

__all__ = ["ProgramFailed", "run_program"]

KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR")
"""Of the environment; one thread each, as all that runs beside other workers."""
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
MOST_SAID = 200


class ProgramFailed(Exception):
    """What a program did not do, in words that follow its name."""


def run_program(words: Sequence[str], folder: Path, timeout_s: float) -> None:
    """Run a program in `folder` to its end; whatever it started ends with it.

    Raises:
        ProgramFailed: it cannot be started, says so by its exit code, or takes longer than `timeout_s`.
    """
    environment = {name: os.environ[name] for name in KEPT if name in os.environ} | ONE_THREAD
    log = folder / "said.txt"
    with log.open("wb") as said:
        try:
            process = subprocess.Popen(
                list(words),
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as fault:
            raise ProgramFailed(f"cannot be started ({getattr(fault, 'strerror', None) or fault})") from fault
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise ProgramFailed(f"has not ended after {timeout_s:g} s") from None
        finally:
            _end(process)
    if code:
        how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        raise ProgramFailed(f"{how}{_last_line(log)}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a program and of what it started."""
    with suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _last_line(log: Path) -> str:
    """What a program said last; '' if nothing."""
    with log.open("rb") as file:
        file.seek(max(log.stat().st_size - 4096, 0))
        lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
    shown = "".join(sign if sign.isprintable() else " " for sign in lines[-1])[:MOST_SAID] if lines else ""
    return f": {shown}" if shown else ""
