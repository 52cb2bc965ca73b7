"""A receiver in another process: it gets what arrived, the agreement, the scheme's entry, and nothing else."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]

RECEIVER = """
import json, pickle, sys
import numpy as np
from pydantic import TypeAdapter
from semlink.spec import BuildContext
from semlink.link.schemes.registry import AnyScheme
spec, heard, out = sys.argv[1:]
with open(heard, "rb") as file:
    received, agreement = pickle.load(file)
receiver = TypeAdapter(AnyScheme).validate_python(json.loads(spec)).build(BuildContext(frames=agreement.frames.t))
delivered = receiver.receive(received, agreement)
np.savez(out, pixels=delivered.frames.pixels.numpy(), lost=delivered.lost, blocks=delivered.blocks)
"""


def received_elsewhere(folder: Path, spec: dict[str, Any], received: Any, agreement: Any) -> Any:
    """What that receiver delivers: arrays `pixels`, `lost` and `blocks`."""
    (folder / "heard").write_bytes(pickle.dumps((received, agreement)))
    command = [sys.executable, "-c", RECEIVER, json.dumps(spec), str(folder / "heard"), str(folder / "there.npz")]
    env = dict(os.environ, PYTHONPATH=os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    subprocess.run(command, check=True, env=env, cwd=folder)
    return np.load(folder / "there.npz")
