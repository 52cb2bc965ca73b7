"""What is changed by hand in a record is found: by its checksum, and without one what follows from the trials."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from semlink.link.results.checked.records import CHECKSUM, checked_record, sealed
from semlink.link.results.folder import Results
from semlink.link.results.rows import COLUMNS

RESULTS = Path(__file__).resolve().parents[2] / "results"
NOT_OF_TRIALS = {
    "measurements_per_pixel",
    "psnr_ci95",
    "psnr_clips_ci95",
    "ssim_ci95",
    "bler_ci95_low",
    "bler_ci95_high",
    "seed",
    "agreement_bytes",
    "choice_bits",
}
"""Numbers of a row that follow from the scenario, or take a stop rule to tell."""


def records() -> Iterator[tuple[str, dict]]:
    """Committed points, none of which has a checksum: digital, a bound, behind a sensor, and one that does not fit."""
    found = Results(RESULTS / "cliff")
    keys = found.keys()
    kept = {key: found.read(key) for key in keys}
    for key, record in kept.items():
        if CHECKSUM not in record:
            yield key, record


ALL = dict(records())
SENT = next(key for key, record in ALL.items() if record["row"]["outage"])
BOUND = next(key for key, record in ALL.items() if record["row"]["bound"] and record["clips"])
UNSENT = next((key for key, record in ALL.items() if not record["clips"]), None)


def test_committed_points_hold():
    assert all(checked_record(key, record) is record for key, record in ALL.items())


@pytest.mark.parametrize("key", [SENT, BOUND])
@pytest.mark.parametrize("factor", [1.001, -1.0, float("nan")])
def test_every_number_that_follows_from_the_trials_is_reckoned_again(key, factor):
    numbers = [name for name, told in ALL[key]["row"].items() if type(told) in (int, float) and told != 0]
    assert {"channel_uses", "psnr_db", "ssim", "payload", "trials", "clips", "snr_db"} <= set(numbers)
    for name in set(numbers) - NOT_OF_TRIALS:
        record = copy.deepcopy(ALL[key])
        told = record["row"][name]
        record["row"][name] = told + 1 if isinstance(told, int) and factor > 0 else told * factor
        with pytest.raises(ValueError, match="row|clips"):
            checked_record(key, record)


@pytest.mark.parametrize("name", [*COLUMNS, "extra"])
def test_every_column_is_there(name):
    record = copy.deepcopy(ALL[SENT])
    del record["row"][name]
    with pytest.raises(ValueError, match=f"row: (no {name}|has no 'scheme')"):
        checked_record(SENT, record)


BY_HAND = {
    "PSNR of a trial, and of the row": (
        lambda r: (r["clips"][0].update(psnr_db=[35.0] * r["row"]["trials"]), mean_again(r)),
        "the first is not that of its frames",
    ),
    "a cost below zero": (
        lambda r: r["row"].update(side_info=-5.0, payload=r["row"]["payload"] + r["row"]["side_info"] + 5),
        "row.side_info: got -5",
    ),
    "costs of a clip": (lambda r: r["clips"][0].update(channel_uses=[1.0] * r["row"]["trials"]), "clips' values"),
    "blocks lost": (lambda r: r["clips"][0]["lost"].__setitem__(0, 10**6), "other losses than blocks"),
    "no blocks": (lambda r: [clip.update(blocks=[], lost=[]) for clip in r["clips"]], "not those of the clips' blocks"),
    "outage of a clip": (lambda r: r["clips"][0].update(outage=0.123), r"clips\.0\.bler, outage"),
    "frames that are none": (lambda r: r["clips"][0].update(psnr_by_frame=[float("nan")] * 16), "number that is none"),
    "above the budget": (lambda r: (r.update(budget=1e-5), r["row"].update(budget=1e-5)), "above the budget"),
    "a clip less": (lambda r: r["clips"].pop(), r"row\.clips"),
    "no clips": (lambda r: r.update(clips=[]), r"row\.trials"),
    "genie": (lambda r: r.update(genie=["knows all"]), r"row\.genie"),
    "a number beyond all": (lambda r: r["clips"][0]["blocks"].__setitem__(0, 10**400), "beyond all bounds"),
}


def mean_again(record: dict) -> None:
    values = [psnr for clip in record["clips"] for psnr in clip["psnr_db"]]
    record["row"]["psnr_db"] = sum(values) / len(values)


@pytest.mark.parametrize("name", BY_HAND)
def test_what_cannot_be_is_said(name):
    change, said = BY_HAND[name]
    record = copy.deepcopy(ALL[SENT])
    change(record)
    with pytest.raises(ValueError, match=said) as caught:
        checked_record(SENT, record)
    assert len(str(caught.value)) < 100


def places(part: object, *place: int | str) -> Iterator[tuple[int | str, ...]]:
    inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    yield place
    for name, held in inner:
        yield from places(held, *place, name)


def test_the_checksum_sees_every_change_and_no_writing_to_a_file():
    record = sealed(SENT, ALL[SENT])
    assert checked_record(SENT, json.loads(json.dumps(record, indent=1)))
    with pytest.raises(ValueError, match="checksum"):
        checked_record("other", record)
    every = [place for place in places(record) if place]
    for place in every[:: len(every) // 200]:
        changed = copy.deepcopy(record)
        inner = changed
        for name in place[:-1]:
            inner = inner[name]
        inner[place[-1]] = "by hand"
        with pytest.raises(ValueError):
            checked_record(SENT, changed)
