"""What a transmitter leaves beside the air does its receiver no good, wherever it is left."""

from __future__ import annotations

import itertools
import os
import time
from contextlib import suppress

import cheats
import pytest
import torch
import toys
from small_runs import job

from semlink.errors import BoundaryError, InterfaceError, LedgerMismatch, SemlinkError
from semlink.link.chain.boundary import foresight, witness
from semlink.link.chain.boundary.file_watch import files_clock_ns
from semlink.link.chain.boundary.foresight import Evidence
from semlink.link.chain.boundary.fresh_end import is_ours
from semlink.link.chain.boundary.settle import Deal, Settled
from semlink.link.chain.link import Link
from semlink.link.chain.transmit import run_clip
from semlink.link.metrics.psnr_ssim import psnr_db
from semlink.link.schemes.digital.scheme import DigitalScheme
from semlink.link.sweep.clips import load_clips
from semlink.link.sweep.run import run
from semlink.payload import Agreement, Frames, Point, Terms
from semlink.phy.channels.awgn import Awgn
from semlink.phy.coding.ldpc_coding import LdpcCoding
from semlink.phy.waveforms.plain import Plain
from semlink.plugins import adapted
from semlink.seeds import Seeds

POINT = Point(10.0, 1000)


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """Where cheats leave files and shared memory; what they left is forgotten."""
    folder = tmp_path / "left"
    folder.mkdir()
    monkeypatch.setenv(cheats.FOLDER, str(folder))
    monkeypatch.setenv("CHEATS_RUN", f"{os.getpid()}_{time.time_ns()}")
    yield
    cheats.LEFT.clear()
    cheats.InAClass.kept.clear()
    while cheats.OPEN:
        with suppress(FileNotFoundError):  # Python 3.11 has a process forget blocks that another one made
            cheats.OPEN.pop().unlink()


@pytest.fixture
def clips() -> list[Frames]:
    return [Frames(torch.from_numpy(toys.Ramps().clip(number)[None])) for number in range(2)]


def linked(make, waveform=None) -> Link:
    return Link(make(), make(), waveform or Plain(), Awgn())


def sent(link: Link, clip: Frames, terms=None, trial=0, **options):
    seeds = Seeds(1, trial=trial)
    return run_clip(link, clip, Agreement(clip.shape, POINT, terms or Terms()), seeds, budget=1000, **options)


LEAVERS = [
    cheats.InAGlobal,
    cheats.InAClass,
    cheats.InADefault,
    cheats.InTheGenerator,
    cheats.InMemory,
    cheats.InFrames,
    cheats.InFiles,
    cheats.InRenamedFiles,
    cheats.InNames,
    cheats.InScannedNames,
    cheats.InLinks,
    cheats.InTimes,
    cheats.InADatabase,
    cheats.InSharedMemory,
    cheats.InThePacketStore,
]
ROUGHLY = (cheats.InNames, cheats.InTimes, cheats.InTheGenerator)
"""Whose frames are better than honest ones, and not perfect."""


@pytest.mark.parametrize("cheat", LEAVERS, ids=lambda cheat: cheat.__name__)
def test_what_is_left_beside_the_air_is_found(cheat, clips):
    """Each finds the right clip among many, so that another transmission in between overwrites nothing."""
    link = linked(cheat)
    honest = psnr_db(clips[0].pixels[0].numpy(), sent(linked(toys.Direct), clips[0]).frames.pixels[0].numpy())
    gained = psnr_db(clips[0].pixels[0].numpy(), sent(link, clips[0]).frames.pixels[0].numpy())
    assert gained > honest if issubclass(cheat, ROUGHLY) else gained == 100  # it works where nobody looks
    with pytest.raises(BoundaryError, match="did not reach its antenna|while the run went on|not come over the air"):
        sent(link, clips[0], audit=True, decoy=clips[1])


def test_the_clock_of_files_parts_what_was_written_before_from_what_comes_after(tmp_path):
    """It ticks in milliseconds, so a file that is written at once may be dated before a finer clock's reading."""
    for number in range(20):
        before, after = tmp_path / f"{number}_before", tmp_path / f"{number}_after"
        before.touch()
        now = files_clock_ns()
        after.touch()
        assert before.stat().st_ctime_ns < now <= after.stat().st_ctime_ns


def test_trials_that_are_put_to_the_proof_cannot_be_reckoned(tmp_path):
    """A whole run, whose scheme knows the seed and how such trials could be drawn from it."""
    made = job(
        tmp_path,
        sweep={"snr_db": [8], "budget": [0.04]},
        trials={"min": 4, "max": 16, "ci_halfwidth_db": 0.001},
        schemes=[{"name": "x", "kind": f"{cheats.__file__}:Calculating"}],
    )
    with pytest.raises(
        BoundaryError, match=r"^x, 8 dB, budget 0.04, .*, trial \d: the receiver (gave|fails) .*antenna$"
    ):
        run(made)


def test_each_clip_is_put_to_the_proof_once_in_so_many_trials_and_each_run_in_others(tmp_path):
    made = job(tmp_path)
    clips = load_clips(made.scenario, tmp_path)
    runners = [made.runner(clips) for _ in range(4)]
    deals = [Deal(Settled(b"agreed"), Agreement(clips.frames[0].shape, POINT), None)]
    proofs = [[trial for trial in range(60) if one._is_audited(deals, 4, 0, trial)] for one in runners]
    assert all([trial // 4 for trial in row] == list(range(15)) for row in proofs)
    assert len(set(map(tuple, proofs))) == 4


@pytest.mark.parametrize("cheat", [cheats.InFiles, cheats.InADatabase, cheats.InSharedMemory, cheats.InThePacketStore])
def test_files_and_shared_memory_are_named(cheat, clips):
    with pytest.raises(
        BoundaryError, match="the receiver (reads|maps|fails without) .*, which was written while the run went on"
    ):
        sent(linked(cheat), clips[0], audit=True)


def test_the_environment_carries_nothing(clips):
    before = dict(os.environ)
    with pytest.raises(SemlinkError, match="nothing was left here"):
        sent(linked(cheats.InTheEnvironment), clips[0])
    assert dict(os.environ) == before


@pytest.mark.parametrize("cheat", [cheats.InLinks, cheats.InTimes])
def test_files_that_are_only_looked_at_are_named(cheat, clips):
    link = linked(cheat)
    time.sleep(0.03)  # the clock of a file system may be behind, and nothing stands between link and file as in a run
    with pytest.raises(BoundaryError, match="the receiver looks at .*, which was written while the run went on"):
        sent(link, clips[0], audit=True)


@pytest.mark.parametrize("honest", [cheats.WorksInAFile, cheats.WorksInAFolder])
def test_an_honest_receiver_may_use_temporary_files(honest, clips):
    outcome = sent(linked(honest), clips[0], audit=True)
    assert torch.equal(outcome.frames.pixels, sent(linked(toys.Direct), clips[0]).frames.pixels)


def test_what_is_written_into_an_agreement_stays_there(clips):
    outcome = sent(linked(cheats.InTheAgreement), clips[0], terms={"room": 1}, audit=True)
    assert torch.equal(outcome.frames.pixels, torch.full_like(clips[0].pixels, 0.5))


def test_the_clip_that_is_scored_cannot_be_changed(clips):
    before = clips[0].pixels.clone()
    sent(linked(cheats.Fader), clips[0], audit=True)
    assert torch.equal(clips[0].pixels, before)


def test_a_class_of_a_user_is_seen_wherever_it_stands_in_a_block():
    ours = Plain(), Awgn(), torch.zeros(2), {"a": Frames}
    assert is_ours(ours)
    for theirs in (toys.Direct(), toys.Direct, toys.Ramps().clip, lambda: None):
        assert not is_ours((*ours, {"deep": [theirs]}))
    mixed = Link(adapted("scheme", toys.Direct()), DigitalScheme(None, None), Plain(), Awgn())  # its other end ours
    assert mixed.fresh.is_foreign is False and mixed.is_ours is False


def test_frames_that_were_received_cannot_be_changed(clips):
    link = linked(cheats.LateComer)
    outcome = sent(link, clips[0])
    before = outcome.frames.pixels.clone()
    sent(link, clips[1])
    assert torch.equal(outcome.frames.pixels, before)


@pytest.mark.parametrize("cheat", [cheats.NoisePicker, cheats.Louder])
def test_noise_and_snr_cannot_be_changed_by_who_sends(cheat, clips):
    outcome = sent(linked(cheat), clips[0])
    assert torch.equal(outcome.frames.pixels, sent(linked(toys.Direct), clips[0]).frames.pixels)


@pytest.mark.parametrize("cheat, says", [(cheats.Smuggler, "symbols as Laden"), (cheats.Accountant, "gave FreeLedger")])
def test_symbols_and_ledger_of_an_own_class(cheat, says, clips):
    with pytest.raises(InterfaceError, match=says):
        sent(linked(cheat), clips[0])


def audited(make, clips, **options) -> None:
    """Six transmissions of one link, each put to the proof."""
    link = linked(make)
    for trial in range(6):
        clip = clips[trial % 2]
        run_clip(link, clip, Agreement(clip.shape, POINT), Seeds(1, (trial % 2,), trial), audit=True, **options)


@pytest.mark.parametrize("cheat", [cheats.Canceller, cheats.Subtracter])
def test_noise_that_is_drawn_a_second_time_and_taken_off(cheat, clips):
    before, after = (sent(linked(make), clips[0]).frames.pixels for make in (toys.Direct, cheat))
    assert (after - clips[0].pixels).square().mean() < (before - clips[0].pixels).square().mean()
    with pytest.raises(BoundaryError, match="better than with each of 200 other draws of the channel"):
        audited(cheat, clips)


@pytest.mark.parametrize("cheat", [cheats.Canceller, cheats.Subtracter])
def test_one_transmission_is_enough_to_tell(cheat, clips):
    with pytest.raises(BoundaryError, match="in 3 receptions"):
        sent(linked(cheat), clips[0], audit=True)


def test_the_same_noise_is_looked_at_once(clips, monkeypatch):
    """Points share the noise of a trial: what is lucky at one of them is so at all, and proves nothing.

    After luck the clip is sent in further trials until the evidence is gone: 101 / 2^7 is below 1.
    """
    lucky = iter([True, *[False] * 7, True])
    monkeypatch.setattr(foresight, "_is_best", lambda *about: next(lucky))
    monkeypatch.setattr(foresight, "MOST_TIMES", 20)
    link = linked(toys.Direct)
    for _ in range(3):
        sent(link, clips[0], audit=True)
    assert link.foreseen.times == 8 and link.foreseen.seen == {((0,), trial) for trial in range(8)}


@pytest.mark.parametrize("cheat", [cheats.LateCanceller, cheats.Canceller])
def test_who_foresees_later_is_found_later(cheat, clips, monkeypatch):
    """After the first receptions some more are looked at, drawn so that nobody knows which."""
    link = linked(cheat)
    link.foreseen.times = foresight.MOST_TIMES
    monkeypatch.setattr(foresight.secrets, "randbelow", lambda most: 1)
    sent(link, clips[0], audit=True, trial=40)
    monkeypatch.setattr(foresight.secrets, "randbelow", lambda most: 0)
    with pytest.raises(BoundaryError, match="in 3 receptions"):
        sent(link, clips[0], audit=True, trial=40)


def test_half_of_the_trials_are_enough_to_tell(clips, monkeypatch):
    lucky = itertools.cycle([True, False])
    monkeypatch.setattr(foresight, "_is_best", lambda *about: next(lucky))
    with pytest.raises(BoundaryError, match="in 7 receptions"):
        sent(linked(toys.Direct), clips[0], audit=True)


def test_who_foresees_nothing_is_not_suspected(clips):
    audited(toys.Direct, clips)


def test_evidence_grows_by_what_chance_does_not_do():
    """One in 201 wins is what chance does: the mean of the weight's factor is 1."""
    won, lost = Evidence(), Evidence()
    won.weigh(True)
    lost.weigh(False)
    assert (won.weight + 200 * lost.weight) / 201 == pytest.approx(1)
    won.weigh(True)
    with pytest.raises(BoundaryError, match="in 3 receptions"):
        won.weigh(True)


def test_a_waveform_that_remembers_what_it_sent(clips):
    link = linked(toys.Direct, adapted("waveform", cheats.Shared()))
    assert (
        float((sent(link, clips[0]).frames.pixels - sent(linked(toys.Direct), clips[0]).frames.pixels).abs().max())
        > 0.1
    )
    with pytest.raises(BoundaryError, match="did not reach its antenna"):
        sent(link, clips[0], audit=True)


def test_a_codec_that_writes_a_number_and_looks_up_the_clip(clips):
    def make() -> DigitalScheme:
        return DigitalScheme(cheats.TwoFaced(), {"only": LdpcCoding(2, 0.5)})

    outcome = sent(linked(make), clips[0], terms=Terms(coding="only"))
    assert torch.equal(outcome.frames.pixels, clips[0].pixels)
    with pytest.raises(BoundaryError, match="did not reach its antenna"):
        sent(linked(make), clips[0], terms=Terms(coding="only"), audit=True)


@pytest.mark.parametrize(
    "options, says",
    [
        ({"acks": 129}, "129 acknowledgements of a burst of 128"),
        ({"snr_db": 10**30}, r"snr_db 1e\+30; allowed: -15 to 48"),
    ],
)
def test_feedback_holds_no_more_than_it_says(options, says, clips):
    with pytest.raises(InterfaceError, match=says):
        sent(linked(lambda: cheats.Talker(**options)), clips[0])


def test_a_symbol_too_many_is_still_found_behind_all_this(clips):
    with pytest.raises(LedgerMismatch):
        sent(linked(toys.FreeRider), clips[0])


def test_one_process_serves_many_receivers(clips):
    """Another receiver's end takes the place of the one before, and that one comes back."""
    links = [linked(toys.Direct), linked(cheats.WorksInAFile)]
    for link in (*links, *links):
        assert sent(link, clips[0], audit=True).blocks == 0
    assert len(witness._lines) == 1
