"""Points kept by an earlier version: rows made anew from their trials where the stop rule asks for just these."""

from __future__ import annotations

import json

from small_runs import job, rows, unpacked

from semlink.link.sweep.run import run


def as_kept_before(folder):
    """The points of `folder` as a version before kept them: no extremes, no checksum, other intervals."""
    for path in unpacked(folder):
        record = json.loads(path.read_text())
        for name in ("checksum", "intervals", "error", "is_certain"):
            del record[name]
        for clip in record["clips"]:
            del clip["extremes"]
        record["row"] |= {"psnr_ci95": 0.0, "ssim_ci95": 0.0}
        if record["row"]["bler"] is not None:
            record["row"] |= {"bler_ci95_low": 0.0, "bler_ci95_high": 0.3}
        path.write_text(json.dumps(record))


def test_with_a_fixed_number_of_trials_nothing_is_sent_again(tmp_path):
    first = run(job(tmp_path, trials={"min": 3, "max": 3}))
    table = rows(tmp_path / "out")
    as_kept_before(tmp_path / "out")
    again = run(job(tmp_path, trials={"min": 3, "max": 3}))
    assert again.computed == 0 and again.rows == first.rows and rows(tmp_path / "out") == table
    assert all(row.psnr_ci95 > 0 for row in again.rows)


def test_points_that_stopped_where_the_rule_would_not_are_sent_again(tmp_path):
    rule = {"min": 2, "max": 4, "ci_halfwidth_db": 0.1}
    first = run(job(tmp_path, trials=rule))
    assert {row.trials for row in first.rows} == {4}
    for path in unpacked(tmp_path / "out")[:3]:
        record = json.loads(path.read_text())
        del record["checksum"], record["intervals"]
        for clip in record["clips"]:
            for name in ("psnr_db", "ssim", "channel_uses", "blocks", "lost"):
                if name in clip:
                    clip[name] = clip[name][:2]
        record["row"]["trials"] = 2
        path.write_text(json.dumps(record))
    again = run(job(tmp_path, trials=rule))
    assert again.computed == 3 and again.rows == first.rows


def test_a_rule_that_cannot_be_met_and_a_lone_trial_are_said(tmp_path):
    noted = run(job(tmp_path, "wide", trials={"min": 2, "max": 4, "ci_halfwidth_db": 0.1})).rows
    said = "the interval after 4 trials is wider than the 0.1 dB asked for"
    assert all((said in row.note) == (row.psnr_ci95 > 0.1) for row in noted) and any(said in row.note for row in noted)
    lone = run(job(tmp_path, "lone", trials={"min": 1, "max": 1})).rows
    assert all(row.psnr_ci95 is None for row in lone)
    assert all("one trial: no interval over noise" in row.note for row in lone)
