"""What the server, from which workers are forked, imports before all else: it ends with the process that started it.

Left alone it would first import torch for seconds and take itself apart for one more. Linux kills it at once; elsewhere
it notices by itself, later.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

STARTED_BY = "SEMLINK_SERVER_OF"
"""The variable that names the process, where its main thread starts the server: other threads may end before it."""
PR_SET_PDEATHSIG = 1


def _end_with(process: str | None) -> None:
    if process is None or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(process):  # it was gone before
        os._exit(1)


_end_with(os.environ.pop(STARTED_BY, None))
