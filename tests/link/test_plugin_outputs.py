"""What a user's block hands on in the middle of a run is looked at: wrong counts are said, not scored."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from small_runs import job

import semlink
from semlink.errors import InterfaceError, ScenarioError, SourceError
from semlink.link.schemes.digital.bound import _exact
from semlink.link.schemes.digital.packets import check_blocks
from semlink.link.sweep.clips import check_clip
from semlink.link.sweep.run import run
from semlink.plugins.files import load_class


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        ((b"abc",), "receive gave 1 blocks; need 2"),
        ((b"abc", None, None), "receive gave 3 blocks; need 2"),
        ((None, b"abc"), "block 1 of receive has 3 bytes; need 4"),
    ],
)
def test_blocks_of_a_coding_are_counted(blocks, said):
    check_blocks((b"abc", None), (3, 4), "mine")
    with pytest.raises(InterfaceError, match=f"coding mine: .*{said}"):
        check_blocks(blocks, (3, 4), "mine")


def test_a_bound_may_ask_for_any_real_number_of_uses():
    assert _exact(6490.5, "mine") == Fraction(12981, 2)
    assert _exact(7, "mine") == 7
    for wrong in (-1.0, float("nan"), float("inf"), "many"):
        with pytest.raises(InterfaceError, match="bound mine: uses.*need a finite number >= 0"):
            _exact(wrong, "mine")


SILENT = """
import torch
from semlink.errors import Infeasible
from semlink.feedback import Feedback
from semlink.flow import Flow
from semlink.payload import Frames, Symbols

class Silent:
    def next_burst(self, frames, agreement, seeds, past, opening):
        return Flow(Symbols(torch.zeros(1, 0, dtype=torch.complex64)))

    def listen(self, bursts, agreement):
        return Feedback()

    def receive(self, bursts, agreement):
        shape = agreement.frames
        return Frames(torch.full((1, shape.t, shape.h, shape.w), 0.5))
"""


def test_a_scheme_that_is_silent_for_ever_is_ended(tmp_path):
    (tmp_path / "silent.py").write_text(SILENT)
    made = job(tmp_path, schemes=[{"name": "quiet", "kind": "silent.py:Silent"}])
    with pytest.raises(InterfaceError, match="17 empty bursts in a row; return None when all is said"):
        run(made)


def test_only_trials_of_the_run_are_sent_again(tmp_path):
    made = job(tmp_path)
    run(made)
    found = semlink.results(made.out, scenario=made.scenario)
    place = {"scheme": "direct", "snr_db": 5.0, "budget": 0.04}
    for trial in (-1, 10_000, "x"):
        with pytest.raises(ScenarioError, match="trial: got .*the run has trials 0 to"):
            found.frames(**place, clip=0, trial=trial)


def test_a_metric_that_is_not_there_names_the_functions_that_are(tmp_path):
    (tmp_path / "mine.py").write_text("def p90(reference, received):\n    return 1.0\n")
    with pytest.raises(semlink.errors.UnknownBlock, match="has no 'p9'; it defines p90"):
        load_class("mine.py:p9", "metric", folder=tmp_path)


def test_a_clip_of_complex_numbers_is_refused_not_cut_to_its_real_part():
    for clip in (np.zeros((1, 4, 4), complex), torch.zeros((1, 4, 4), dtype=torch.complex64)):
        with pytest.raises(SourceError, match="source mine: gave complex numbers; need float32"):
            check_clip(clip, "mine")
