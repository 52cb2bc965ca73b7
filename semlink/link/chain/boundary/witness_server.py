"""The server's side of `witness`: a process without clips, and a child of it for each receiver's end."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import torch

from semlink.blocks import ChannelBase, CodingBase, Scheme, WaveformBase
from semlink.caching import Memo
from semlink.errors import BoundaryError, SemlinkError
from semlink.kernels.compiled import make_ready
from semlink.link.chain.boundary.file_watch import Watch
from semlink.link.chain.boundary.folder_view import show_folders_as_they_were
from semlink.link.chain.boundary.fresh_end import TASKS, user_modules
from semlink.link.chain.boundary.left_alone import end_when_left
from semlink.link.chain.boundary.witness import Journey, read_message, write_message
from semlink.link.chain.calibration import LinkCalibration
from semlink.link.chain.link import Link
from semlink.payload import Agreement, ChannelOutput
from semlink.plugins.importing import found_first
from semlink.seeds import Seeds

__all__ = ["main"]


@dataclass(frozen=True, slots=True)
class Post:
    """The way back to the process that asks."""

    inlet: BinaryIO
    outlet: BinaryIO

    def hear(self) -> Any:
        return read_message(self.inlet)

    def say(self, word: str, value: Any = None) -> None:
        write_message(self.outlet, (word, value))


@dataclass(frozen=True, slots=True)
class DistantCalibration:
    """What of a calibration no clip has a part in, asked of the process that has the channel."""

    post: Post
    receiver: Scheme
    waveform: WaveformBase

    def quality(self, agreement: Agreement, delivery: float | None = None) -> float:
        raise BoundaryError("calibration: there are no clips here")

    def delivery(self, coding: CodingBase, uses: int, transmissions: int) -> float:
        """A user's coding works here, and only its symbols travel."""
        if not user_modules(pickle.dumps(coding)):
            return self.asked("delivery", coding, uses, transmissions)
        snr_db, root = self.asked("terms")
        link = Link(self.receiver, self.receiver, self.waveform, DistantChannel(self))
        return LinkCalibration(link, (), root, snr_db, Memo(1)).delivery(coding, uses, transmissions)

    def starting_snr_db(self, uses: int, outage: float = 0.1) -> int:
        return self.asked("starting_snr_db", uses, outage)

    def asked(self, word: str, *given: Any) -> Any:
        """What the process that has the channel says."""
        self.post.say(word, given)
        answer, value = self.post.hear()
        if answer == "raise":
            raise value
        return value


@dataclass(frozen=True, slots=True)
class DistantChannel(ChannelBase):
    """The channel, which stays where it is."""

    calibration: DistantCalibration

    def __call__(self, iq: torch.Tensor, snr_db: float, seeds: Seeds) -> ChannelOutput:
        return self.calibration.asked("channel", iq, snr_db, seeds)


def main() -> None:
    """Serve until the other process hangs up."""
    torch.set_num_threads(1)
    post = Post(os.fdopen(os.dup(0), "rb", buffering=0), os.fdopen(os.dup(1), "wb"))
    _look_away()
    make_ready()
    gc.freeze()  # no child looks for garbage in what is loaded here, which would copy it page by page
    try:
        while True:
            word, *given = post.hear()
            if word == "open":
                _in_a_child(post, *given)
    except EOFError:
        os._exit(0)  # nothing to put in order


def _look_away() -> None:
    """What a user's class reads or prints is nobody's message."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)


def _in_a_child(post: Post, journey: Journey, path: list[str], folder: str) -> None:
    """Serve one end; where the system cannot fork, in this process."""
    child = os.fork() if sys.platform != "win32" else 0
    if child:
        os.waitpid(child, 0)
        return
    try:
        end_when_left(post.inlet.fileno())
        os.chdir(folder)
        _serve(post, journey, path)
    except EOFError:
        pass
    finally:
        if sys.platform != "win32":
            os._exit(0)


def _serve(post: Post, journey: Journey, path: list[str]) -> None:
    """Make an end and answer its tasks until it is closed."""
    sys.path[:] = path
    sys.dont_write_bytecode = True  # an edit within a second would not be seen
    os.environ.clear()
    os.environ.update(journey.environment)
    try:
        for name, file in journey.modules:
            _load(name, file)
        receiver, waveform = pickle.loads(journey.data)
    except Exception as fault:  # noqa: BLE001 - told to the process that asks
        post.say("fault", f"{type(fault).__name__}: {fault}")
        while post.hear()[0] != "close":
            post.say("fault", BoundaryError("the receiver could not be made"))
        return
    post.say("done")
    watch = Watch(journey.made_ns)
    show_folders_as_they_were(watch.hides)
    while (message := post.hear())[0] == "task":
        _, task, given = message
        calibration = DistantCalibration(post, receiver, waveform)
        with _told(post):
            post.say("done", watch.over(partial(TASKS[task], receiver, waveform, calibration, *given)))


@contextmanager
def _told(post: Post) -> Iterator[None]:
    """What is raised inside reaches the process that asks."""
    try:
        yield
    except EOFError:
        raise
    except Exception as fault:  # noqa: BLE001
        known = isinstance(fault, SemlinkError)
        post.say("fault", fault if known else RuntimeError(f"{type(fault).__name__}: {fault}"))


def _load(name: str, file: str) -> None:
    """Import a user's module and what lies beside it, by its file where its name leads nowhere."""
    folders = Path(file).parents if file else ()
    above = name.count(".") + (Path(file).stem == "__init__")
    with found_first(folders[above]) if above < len(folders) else nullcontext():
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            spec = importlib.util.spec_from_file_location(name, file)
            assert spec is not None and spec.loader is not None
            sys.modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(sys.modules[name])
