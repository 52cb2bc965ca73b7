"""What a process of a Ray cluster does: tasks of a run, with clips and plan from the object store.

Processes of one node share a folder among its temporary files: the clips, laid down once and mapped by all, a user's
files, and coded clips. It is removed at the end of the run, or by the next run of semlink there.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import semlink
from semlink.colour.look import Look
from semlink.errors import SemlinkError
from semlink.files import write_atomic
from semlink.link.results.lock import LOCK, hold_with_others
from semlink.link.scenario.scenario import Scenario
from semlink.link.sweep.clips import CLIPS_OF_A_RUN, Clips, Shape, clips_in
from semlink.link.sweep.grid import Task
from semlink.link.sweep.point_runner import Finished, PointRunner, Trial
from semlink.link.sweep.workers.one_task import ONE_THREAD, compute, portable
from semlink.payload import Frames
from semlink.plugins.named_files import content_digest
from semlink.plugins.source_text import with_version

__all__ = ["Answer", "Shipped", "code_digest", "forget", "work"]


@dataclass(frozen=True, slots=True)
class Shipped:
    """What every process needs, put into the object store once.

    Attributes:
        run: a name of this run that no other has.
        code: digest of the package that the driver runs.
        pixels: of the clips, float32.
        files: a user's, by the paths that they get in the folder of the scenario.
        outside: digests of files that are looked for where they stand.
        packages: installed ones that a user's code imports, with versions.
        secret: draws the trials in which the boundary is put to the proof, the same everywhere.
    """

    run: str
    code: str
    scenario: Scenario
    pixels: tuple[np.ndarray, ...]
    names: tuple[str, ...]
    motion: tuple[str, ...]
    digest: str
    look: Look
    calibration: tuple[np.ndarray, ...]
    files: Mapping[str, bytes]
    outside: Mapping[str, str]
    packages: tuple[str, ...]
    secret: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a task, or of some trials of one.

    Attributes:
        where: the node and the process.
        trials: by number, where only trials were asked for.
    """

    where: str
    seconds: float
    finished: Finished | None = None
    fault: BaseException | None = None
    trials: Mapping[int, Trial] | None = None


_RUNS: dict[str, PointRunner] = {}
"""What this process has of a run."""


def code_digest() -> str:
    """Of all files of the package."""
    return content_digest(Path(semlink.__file__).parent)


def work(
    run: str, store: Sequence[Any], task: Task, known: Mapping[int, Trial], trials: Sequence[int] | None
) -> Answer:
    """Compute a task, or only these of its trials; what goes wrong is told, not raised.

    Args:
        store: the reference of a `Shipped`, in a list, so that it is fetched by the first task of a process alone.
        known: trials of it that others have computed.
    """
    import ray

    started = time.monotonic()
    where = f"process {os.getpid()} on {socket.gethostname()}"
    try:
        if run not in _RUNS:
            _RUNS.clear()
            _RUNS[run] = _begin(ray.get(store[0]))
        runner = _RUNS[run]
        if trials is not None:
            return Answer(where, time.monotonic() - started, trials=runner.trials(task, trials))
        finished = runner.run(task, known) if known else compute(runner, task)
        return Answer(where, time.monotonic() - started, finished)
    except Exception as fault:  # noqa: BLE001 - whatever it is, the driver raises it
        return Answer(where, time.monotonic() - started, fault=portable(fault))


def forget(run: str) -> None:
    """Remove what a run left on this node."""
    shutil.rmtree(_folder(run), ignore_errors=True)


def _folder(run: str) -> Path:
    return Path(tempfile.gettempdir()) / f"{CLIPS_OF_A_RUN}{run}"


def _begin(shipped: Shipped) -> PointRunner:
    """Make this process ready for a run."""
    _refuse_another(shipped)
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    torch.set_num_threads(1)
    base = _folder(shipped.run)
    base.mkdir(parents=True, exist_ok=True)
    hold_with_others(base / LOCK)
    _lay_down(base / "scenario", shipped)
    clips = _clips(base / "clips.f32", shipped)
    return replace(PointRunner.of(shipped.scenario, clips, base / "coded", base / "scenario"), secret=shipped.secret)


def _refuse_another(shipped: Shipped) -> None:
    """Refuse to compute other points under the same keys.

    Raises:
        SemlinkError: code, packages or files here are not those of the driver.
    """
    host = socket.gethostname()
    if code_digest() != shipped.code:
        raise SemlinkError(f"{host}: its semlink is another than here; install the same on all nodes")
    for package in shipped.packages:
        found = with_version(package.partition("==")[0])
        if found != package:
            raise SemlinkError(f"{host}: has {found} where {package} is here; install the same on all nodes")
    for path, digest in shipped.outside.items():
        if not Path(path).is_file() or content_digest(Path(path)) != digest:
            why = "has another" if Path(path).exists() else "lacks"
            raise SemlinkError(
                f"{host}: {why} {path}; only files below the scenario's folder, or the one that semlink is started in, "
                "are sent to the nodes: move it there, or have the same at its place on every node"
            )


def _lay_down(folder: Path, shipped: Shipped) -> None:
    """A user's files at their places, from where modules are found too."""
    folder.mkdir(exist_ok=True)
    for name, data in shipped.files.items():
        if not (folder / name).exists():
            write_atomic(folder / name, data, durable=False)
    os.chdir(folder)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _clips(file: Path, shipped: Shipped) -> Clips:
    """The clips in a file of the node, which the first process writes; all map it."""
    if not file.exists():
        spare = file.with_name(f"clips.{os.getpid()}")
        with spare.open("wb") as out:
            for pixels in shipped.pixels:
                pixels.tofile(out)
        os.replace(spare, file)
    shapes: list[Shape] = [(p.shape[0], p.shape[1], p.shape[2]) for p in shipped.pixels]
    tried = tuple(Frames(torch.from_numpy(pixels.copy())[None], shipped.look.colour) for pixels in shipped.calibration)
    return clips_in(file, shapes, shipped.names, shipped.motion, shipped.digest, shipped.look, tried)
