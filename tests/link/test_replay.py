"""A transmission sent once more: the run's own numbers, every stage, and what each cost."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import toys
from markupsafe import escape
from small_runs import job

import semlink
from semlink.errors import PluginRefused, ScenarioError
from semlink.link.api.records import place_of
from semlink.link.api.replay import points_to_choose
from semlink.link.metrics.psnr_ssim import psnr_db
from semlink.link.page.replay import write_replay
from semlink.link.page.sections.reception import words_of
from semlink.link.report.replay import as_text, block_words, stages
from semlink.link.results.rows import Row
from semlink.link.sweep.grid import grid, place_in_rows
from semlink.link.sweep.run import run

NOISY = {
    "name": "noisy sensor",
    "kind": "digital",
    "codec": {"kind": f"{toys.__file__}:Thumbnails"},
    "coding": {"kind": "ldpc", "modulation": "qpsk", "rate": "1/2", "block_bits": 512},
    "sensor": {"kind": "programmable", "mean_count": 2, "read_noise": 0.1},
    "reconstruction": {"kind": "initial"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """At -2 dB every block of the 16-QAM is lost, at 8 dB none."""
    made = job(tmp_path_factory.mktemp("replay"), sweep={"snr_db": [-2, 8], "budget": [0.08]})
    run(made)
    return made.out


def replayed(folder, scheme: str, snr_db: float, **which):
    done = semlink.results(folder, plugins=True)
    key = next(p.key for p in done.run.points if (p.row.scheme, p.row.snr_db) == (scheme, snr_db))
    return done.replay(key[:12], **which)


def best(replay) -> dict[str, float]:
    return {ideal.stage: ideal.psnr_db for ideal in replay.blame}


def test_without_a_channel_a_clip_has_its_codecs_own_quality(folder):
    """Both where nothing arrived and where all did; with all blocks there the noise costs nothing."""
    clip, codec = toys.Ramps().clip(1), toys.Thumbnails()
    for snr_db, lost in ((-2.0, True), (8.0, False)):
        replay = replayed(folder, "16-QAM", snr_db, clip=1, trial=1)
        decoded = codec.decode(replay.packets, replay.shape)
        assert best(replay)["no channel"] == pytest.approx(psnr_db(clip, decoded), abs=1e-9)
        assert (replay.quality["psnr_db"] < best(replay)["no channel"] - 3) == lost
        assert (len(replay.arrived) < len(replay.packets)) == lost == bool(replay.reception.lost)
        assert best(replay)["no coding and no channel"] == 100
        assert "no quantisation               cannot be told: the codec has no form that rounds" in as_text(replay)


def test_it_is_the_transmission_that_was_scored(folder):
    for trial in (0, 1):
        replay = replayed(folder, "direct", 8.0, clip="ramp1", trial=trial)
        scored = semlink.results(folder).per_clip(scheme="direct", snr_db=8.0)
        assert replay.differs == () and replay.quality["psnr_db"] == scored[1, trial]
        assert replay.by_frame.shape == (4,) and replay.reception.symbols == 128
    told = as_text(replay)
    assert "the same numbers as the run scored: psnr_db" in told and "clip ramp1, trial 1" in told


def test_where_amplitudes_are_sent_bits_and_blocks_are_said_to_be_the_headers(folder):
    seen = replayed(folder, "16-QAM", 8.0).reception
    assert seen.side == ""
    coded, amplitudes = seen.scatters[0], replace(seen.scatters[0], name="analogue", points=seen.scatters[0].points[:0])
    split = replace(seen, scatters=(replace(coded, name="header"), amplitudes, replace(coded, name="rate map")))
    told = as_text(replace(replayed(folder, "16-QAM", 8.0), reception=split))
    assert "those of the header and the rate map; the other symbols carry amplitudes" in told
    assert "arrived, of the header and the rate map: amplitudes are in no block" in told
    said = " ".join(words_of(split))
    assert "Bits and blocks are those of the header and the rate map alone, other symbols carry amplitudes: " in said


def test_a_record_that_says_something_else_is_told_by_name(folder):
    done = semlink.results(folder, plugins=True)
    points = []
    for point in done.run.points:
        record = json.loads(json.dumps(dict(point.record)))
        record["clips"][0]["psnr_db"][0] += 0.25
        points.append(replace(point, record=record))
    lied = replace(done, run=replace(done.run, points=tuple(points)))
    found = lied.replay(points[0].key)
    assert len(found.differs) == 1 and found.differs[0].startswith("psnr_db is")
    assert "not what the run scored: psnr_db is" in as_text(found)


def test_a_noisy_sensor_is_blamed_for_what_it_costs(tmp_path):
    made = job(tmp_path, sweep={"snr_db": [8], "budget": [0.3]}, schemes=[NOISY], trials={"min": 1, "max": 1})
    run(made)
    replay = replayed(made.out, "noisy sensor", 8.0)
    found = best(replay)
    assert replay.readings == 2 and replay.differs == ()
    assert found["no noise in the sensor"] > replay.quality["psnr_db"] + 0.5
    assert found["no channel"] == replay.quality["psnr_db"]  # every block arrived
    assert found["no coding and no channel"] > replay.quality["psnr_db"]


def test_points_are_named_by_the_beginning_of_their_keys(folder):
    done = semlink.results(folder, plugins=True)
    with pytest.raises(ScenarioError, match=r"which point\? --point takes the beginning.*\n.*16-QAM, awgn, -2 dB"):
        done.replay()
    listed = points_to_choose(done.run)
    assert all(f"  {point.key}  " in listed for point in done.run.points) and "16-QAM, awgn, -2 dB" in listed
    assert "BLER 1\n" in listed and "--block N" in listed
    with pytest.raises(ScenarioError, match="--point 'nothing': 0 points"):
        done.replay("nothing")
    with pytest.raises(ScenarioError, match="trial: got 9"):
        done.replay(done.run.points[0].key, trial=9)


def test_code_of_the_folder_runs_only_where_it_is_allowed(folder):
    done = semlink.results(folder)
    with pytest.raises(PluginRefused, match="names code of a user"):
        done.replay(done.run.points[0].key)


def test_a_block_is_followed_to_its_decoder_and_its_frames(folder):
    """At -2 dB the 16-QAM's blocks are lost: with one back its packets' frames change, at 8 dB with one gone."""
    done = semlink.results(folder, plugins=True)
    for snr_db, lost in ((-2.0, True), (8.0, False)):
        replay = replayed(folder, "16-QAM", snr_db, clip=1, trial=1, block=0)
        block = replay.block
        (air,) = block.airs
        assert block.lost is lost and (air.first, air.points) == (0, 16)
        assert air.llrs.bits == 4 * (air.last - air.first) and air.decoding.checks_hold == (not lost,)
        assert (air.wrong_after > 0) == lost and (air.wrong > 0 or not lost)
        assert air.snr_db == pytest.approx(snr_db, abs=1.5)
        if replay.reception.told == 1:
            other = best(replay)["no channel"] if lost else replayed(folder, "16-QAM", -2.0, clip=1).quality["psnr_db"]
            assert block.otherwise_db == pytest.approx(other, abs=1e-9)
        told = as_text(replay)
        assert f"block 0     {'lost' if lost else 'arrived'}" in told and "parity checks" in told
    with pytest.raises(ScenarioError, match=r"block: got 99; this transmission has blocks 0 to \d"):
        done.replay(done.run.points[0].key, block=99)


def test_a_lossless_codec_costs_its_eight_bits(tmp_path):
    video = {"name": "video", "kind": "digital", "codec": {"kind": "h264"}, "coding": {"kind": "uncoded"}}
    made = job(tmp_path, sweep={"snr_db": [20], "budget": [0.6]}, schemes=[video], trials={"min": 1, "max": 1})
    run(made)
    found = best(replayed(made.out, "video", 20.0))
    clip = toys.Ramps().clip(0)
    assert found["no quantisation"] == pytest.approx(psnr_db(clip, (clip * 255).round() / 255), abs=1e-6)


def test_the_page_says_what_the_text_says_and_is_whole(folder, tmp_path):
    replay = replayed(folder, "16-QAM", -2.0, clip=1, trial=1, block=0)
    page = write_replay(replay, semlink.results(folder).run, tmp_path / "replay.html").read_text()
    for _, words in (*stages(replay), *block_words(replay)):
        assert str(escape(words)) in page
    assert f"+{best(replay)['no channel'] - replay.quality['psnr_db']:.2f} dB" in page
    assert all(f'<section id="{name}"' in page for name in ("stages", "reception", "block", "video", "blame"))
    assert ", trial 1." in page and "first trial" not in page.partition("<script")[0]


def test_a_point_whose_budget_has_more_digits_than_its_row_is_found():
    scenario = semlink.load(
        {
            "name": "thirds",
            "source": {"kind": "images", "colour": "rgb"},
            "channel": {"kind": "awgn"},
            "sweep": {"snr_db": [10 / 3], "budget_per_sample": [0.3, 1 / 9]},
            "schemes": [{"name": "a", "kind": "softcast"}],
        }
    )
    for point in grid(scenario):
        row = Row("a", "awgn", snr_db=float(f"{point.snr_db:.8g}"), budget=float(f"{point.budget:.8g}"))
        assert place_in_rows(scenario, point, ["awgn"]) == place_of(row)
    assert scenario.sweep.budgets("rgb") == (0.9, 0.333333333333)
