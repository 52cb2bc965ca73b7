"""An agreement is plain data of limited size, and takes no more from the clips than a choice."""

from __future__ import annotations

import math

import cheats
import pytest
import torch
import toys

from semlink.caching import Memo
from semlink.errors import BoundaryError, InterfaceError, SemlinkError
from semlink.link.chain.boundary.settle import Question, Settled, settled
from semlink.link.chain.calibration import LinkCalibration
from semlink.link.chain.link import Link
from semlink.link.chain.transmit import run_clip
from semlink.payload import Frames, Point
from semlink.phy.channels.awgn import Awgn
from semlink.phy.waveforms.plain import Plain
from semlink.seeds import Seeds

POINT = Point(10.0, 1000)
CLIPS = [Frames(torch.from_numpy(toys.Ramps().clip(number)[None])) for number in range(2)]


def settle(make, clips=CLIPS) -> Settled:
    link = Link(make(), make(), Plain(), Awgn())
    calibration = LinkCalibration(link, clips, 77, POINT.snr_db, Memo(9))
    return settled(link, Question(CLIPS[0].shape, POINT), calibration)


@pytest.mark.parametrize(
    "cheat, says",
    [
        (cheats.Reader, "clips"),
        (cheats.Seer, "takes more from the clips than a choice"),
        (cheats.Heap, "takes more from the clips than a choice"),
        (cheats.Reckoner, "another agreement that it did not ask about"),
        (cheats.Noter, "another agreement that it did not ask about"),
        (cheats.Sounder, "it fails"),
        (cheats.Prober, "asks about another agreement"),
    ],
)
def test_what_an_agreement_takes_from_the_clips_is_found(cheat, says):
    with pytest.raises(SemlinkError, match=says):
        settle(cheat)


def test_a_choice_is_counted():
    made = settle(cheats.Chooser)
    assert made.choice_bits == pytest.approx(math.log2(5))
    assert made.agreement.terms["step"] in range(5) and len(made.data) < 300


def test_a_search_that_goes_by_the_order_is_counted_by_the_order():
    """All steps are alike here, so it asks about all nine: 9! orders."""
    assert settle(cheats.Climber).choice_bits == pytest.approx(math.log2(math.factorial(9)))


def test_an_agreement_without_questions_has_no_bits():
    assert settle(toys.Direct).choice_bits == 0


def test_another_snr_than_that_of_the_point():
    with pytest.raises(InterfaceError, match=r"Agreement.point: got Point\(snr_db=90.0, .*; need Point\(snr_db=10.0"):
        settle(cheats.Dreamer)


@pytest.mark.parametrize("size, fits", [(65_000, True), (66_000, False)])
def test_an_agreement_has_a_largest_size(size, fits):
    if fits:
        assert size < len(settle(lambda: cheats.Packer(size)).data) <= 65_536
        return
    with pytest.raises(BoundaryError, match=r"an agreement of 66,\d{3} bytes; allowed are 65,536 \(64 KiB\)"):
        settle(lambda: cheats.Packer(size))


def test_an_object_in_an_agreement():
    with pytest.raises(InterfaceError, match=r"Agreement.terms.values\['cell'\]: got cheats.Cell; need plain data"):
        settle(cheats.Closer)


def test_the_calibration_ends_with_agree():
    make = cheats.Keeper
    link = Link(make(), make(), Plain(), Awgn())
    calibration = LinkCalibration(link, CLIPS, 77, POINT.snr_db, Memo(9))
    agreed = settled(link, Question(CLIPS[0].shape, POINT), calibration).agreement
    with pytest.raises(SemlinkError, match="it ended with agree"):
        run_clip(link, CLIPS[0], agreed, Seeds(1))


def test_each_end_has_an_agreement_of_its_own():
    made = settle(cheats.Chooser)
    here, there = made.agreement, made.agreement
    assert here == there and here.terms is not there.terms and here.terms.values is not there.terms.values
