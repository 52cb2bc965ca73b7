"""The command line from inside a test, and a small scenario for it."""

from __future__ import annotations

import io
import re
import sys
from contextlib import ExitStack, chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from semlink.cli import commands as cli
from semlink.link.api.results import Results

TOYS = str(Path(__file__).parent / "toys.py")

TOY = f"""name: toy
source: {{kind: {TOYS}:Ramps, clips: 2}}
channel: {{kind: awgn}}
sweep: {{snr_db: [12, 20], budget: [0.03, 0.06, 0.15, 0.6]}}
trials: {{min: 2, max: 2}}
schemes:
  - {{name: direct, kind: {TOYS}:Direct}}
  - name: uncoded
    kind: digital
    codec: {{kind: {TOYS}:Thumbnails}}
    coding: {{kind: uncoded}}
  - name: coded
    kind: digital
    codec: {{kind: {TOYS}:Thumbnails}}
    coding: {{kind: convolutional, rate: 3/4}}
"""
"""3 schemes x 2 SNRs x 4 budgets on 4 frames of 64x64; every part of it is quick."""


PROGRESS = re.compile(r"^\S+: (preparing|\d+ of \d+ points.*)\n", re.MULTILINE)
"""What a run says of itself on a machine that is slow or busy; no test here means it."""


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code and what it said, but for how far it was."""

    code: int
    out: str
    err: str


def semlink(*arguments: object, folder: Path, figures: bool = False) -> Done:
    """Run a command in this process, in `folder`, with both streams caught.

    Args:
        figures: whether a run draws its own, which takes most of the time of a small one.
    """
    out, err = io.StringIO(), io.StringIO()
    code = None
    with ExitStack() as held:
        held.enter_context(redirect_stdout(out))
        held.enter_context(redirect_stderr(err))
        held.enter_context(chdir(folder))
        held.enter_context(patch.object(sys, "argv", ["semlink", *map(str, arguments)]))
        if arguments[:1] in (("run",), ("merge",)) and not figures:
            held.enter_context(patch.object(Results, "draw", lambda self: []))
        try:
            cli.main()
        except SystemExit as end:
            code = end.code
    assert isinstance(code, int)
    return Done(code, out.getvalue(), PROGRESS.sub("", err.getvalue()))


def scenario(folder: Path, *changes: tuple[str, str], text: str = TOY, name: str = "toy.yaml") -> Path:
    """`text` with some of it replaced, as a file."""
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the scenario"
        text = text.replace(old, new)
    path = folder / name
    path.write_text(text)
    return path
