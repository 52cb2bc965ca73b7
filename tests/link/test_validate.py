"""Validation: verdicts and their chance, entries as data, one measurement for all that share it, and the command."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

import semlink
from semlink.cli import completion
from semlink.cli.commands import app
from semlink.errors import ResultsError, ScenarioError
from semlink.link.citations.bibtex import REFERENCES, read_bib
from semlink.link.citations.docstring_sources import keys_in
from semlink.link.validate import validation
from semlink.link.validate.chance import SURE, averaged, counted, quantile, seeds_of
from semlink.link.validate.entries.registry import chosen, entries, home
from semlink.link.validate.entry import Bench, CannotRun, Entry, Found, Rule, Shortfall, exactly, found_exactly
from semlink.link.validate.measures.channels import Capacity
from semlink.link.validate.run import validated
from semlink.link.validate.verdict import judged

EVERY = entries(home())


@dataclass(frozen=True, slots=True)
class Toy:
    """A number with an interval; or whatever goes wrong instead."""

    value: float = 1.0
    fault: str = ""

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        RUNS.append(self)
        if self.fault == "missing":
            raise CannotRun("needs a toy")
        if self.fault:
            raise ZeroDivisionError(self.fault)
        return {"": found_exactly(self.value), "clip@0": found_exactly(bench.seed)}


RUNS: list[Toy] = []
PLAIN = Entry("toys/one", "a toy", 1.0, "dB", exactly("it is one", 0.1), "[shannon1948]", Toy())


def found(value: float, shown: float = 0.1, sure: float = 0.2) -> Found:
    return Found(value, value - shown, value + shown, value - sure, value + sure)


# --- verdicts

TWO_SIDED, LOWER, HIGHER = Rule(0.3, 0.3, ""), Rule(math.inf, 0.05, ""), Rule(0.05, math.inf, "")
SHORT = Shortfall(8.0, 0.25, "trained for minutes")


@pytest.mark.parametrize(
    ("rule", "short", "ours", "verdict"),
    [
        (TWO_SIDED, None, found(10.0), "agrees"),
        (TWO_SIDED, None, found(10.45), "agrees"),  # 10.25 is not excluded
        (TWO_SIDED, None, found(10.55), "differs"),
        (TWO_SIDED, None, found(9.45), "differs"),
        (LOWER, None, found(9.5), "better"),
        (LOWER, None, found(9.95), "agrees"),  # 10.05 is not excluded with 95 %
        (LOWER, None, found(10.2), "agrees"),
        (LOWER, None, found(10.3), "differs"),
        (HIGHER, None, found(10.2), "better"),
        (HIGHER, None, found(9.7), "differs"),
        (HIGHER, SHORT, found(9.7), "falls short (known)"),
        (HIGHER, SHORT, found(7.6), "falls short (known)"),
        (HIGHER, SHORT, found(7.5), "differs"),
        (HIGHER, SHORT, found(10.0), "agrees"),
        (HIGHER, SHORT, found(11.0), "better"),
        (TWO_SIDED, SHORT, found(11.0), "differs"),
        (TWO_SIDED, None, found(math.nan), "differs"),
        (HIGHER, None, Found(10.0, 10.0, 10.0, math.nan, 10.0), "differs"),
    ],
)
def test_what_the_interval_allows_to_say(rule, short, ours, verdict):
    assert judged(replace(PLAIN, theirs=10.0, rule=rule, short=short), ours).verdict == verdict


@pytest.mark.source("clopper1934", "limits of a share")
@pytest.mark.parametrize(("hits", "of"), [(0, 50), (3, 50), (40, 2000), (50, 50)])
def test_a_share_misses_no_more_than_it_says(hits, of):
    """At the limits such a count, or one farther off, has just the chance that may be missed on that side."""
    ours = counted(hits, of)
    assert ours.least <= ours.low <= hits / of <= ours.high <= ours.most
    if hits:
        assert stats.binom.sf(hits - 1, of, ours.least) == pytest.approx(SURE / 2, rel=1e-6)
    if hits < of:
        assert stats.binom.cdf(hits, of, ours.most) == pytest.approx(SURE / 2, rel=1e-6)
        assert stats.binom.cdf(hits, of, ours.high) == pytest.approx(0.025, rel=1e-6)
    wider = counted(hits, of, together=4)
    assert wider.least <= ours.least and wider.most >= ours.most


def test_intervals_of_means_and_quantiles_hold_the_truth():
    rng, held = np.random.default_rng(5), {"mean": 0, "quantile": 0}
    for _ in range(400):
        draws = rng.normal(3, 2, 200)
        mean, tenth = averaged(draws), quantile(draws, 0.9)
        held["mean"] += mean.low <= 3 <= mean.high
        held["quantile"] += tenth.low <= 3 + 2 * stats.norm.ppf(0.9) <= tenth.high
        assert mean.least < 3 < mean.most and tenth.least < 3 + 2 * stats.norm.ppf(0.9) < tenth.most
    assert all(count > 400 * 0.95 - 4 * math.sqrt(400 * 0.95 * 0.05) for count in held.values())


def test_words_that_are_never_decoded_leave_no_upper_limit():
    draws = np.concatenate([np.zeros(20), np.full(180, np.inf)])
    lost = quantile(draws, 0.9)
    assert lost.value == lost.least == math.inf
    assert judged(replace(PLAIN, theirs=0.0), lost).verdict == "differs"


# --- entries


def test_every_entry_is_whole():
    names = [entry.name for entry in EVERY]
    assert len(set(names)) == len(names) > 1000
    assert {name.partition("/")[0] for name in names} == set(completion.SUBJECTS)
    known = read_bib(REFERENCES)
    for entry in EVERY:
        keys = [key for key, _ in keys_in(f"Source: {entry.source}")]
        assert keys and set(keys) <= set(known), entry.name
        assert math.isfinite(entry.theirs) and entry.what and entry.rule.why, entry.name
        assert entry.rule.below >= 0 and entry.rule.above >= 0, entry.name
        assert pickle.loads(pickle.dumps(entry)) == entry and hash(entry.measure) is not None


def test_what_is_quick_covers_every_subject_that_needs_no_data():
    quick = {entry.name.partition("/")[0] for entry in chosen(EVERY, "quick")}
    assert quick == set(completion.SUBJECTS) - {"imaging", "papers"}
    assert {entry.needs for entry in chosen(EVERY, "quick")} == {""}
    thresholds = [entry for entry in EVERY if entry.name.startswith("ldpc/threshold/normalised/")]
    assert len(thresholds) == 535 and sum(entry.cost == "quick" for entry in thresholds) >= 15


def test_points_are_chosen_by_name_beginning_and_pattern():
    assert [e.name for e in chosen(EVERY, "quick", ("capacity/awgn-10db",))] == ["capacity/awgn-10db"]
    begun = chosen(EVERY, "quick", ("coding/crc", "*rayleigh/power"))
    assert [e.name for e in begun] == ["channels/rayleigh/power", *(f"coding/crc/{n}" for n in ("16", "24a", "24b"))]
    assert chosen(EVERY, "full", ("ldpc",)) == tuple(e for e in EVERY if e.name.startswith("ldpc/"))
    with pytest.raises(ScenarioError, match="--only ldcp: no entry is called so; allowed: .* of capacity, channels"):
        chosen(EVERY, "quick", ("ldcp",))
    with pytest.raises(ScenarioError, match="--only imaging: no entry is called so; it takes longer: add --full"):
        chosen(EVERY, "quick", ("imaging",))


def test_a_paper_that_is_known_to_be_missed_has_what_was_committed_as_its_target():
    by_name = {entry.name: entry for entry in EVERY}
    missed = by_name["papers/gmlr-1-moving/joint"]
    assert (missed.theirs, missed.short.committed) == (31.17, 28.1) and "ten sequences" in missed.short.why
    assert by_name["papers/hit/hit-vcsnet-0.01/akiyo"].short is None  # above theirs
    assert not [entry.name for entry in EVERY if entry.short and entry.short.committed >= entry.theirs]


# --- the run


def test_entries_that_share_a_measurement_share_its_run():
    RUNS.clear()
    rows = validated(
        [PLAIN, replace(PLAIN, name="toys/two", theirs=1.05), replace(PLAIN, name="toys/c", part="clip*")], Bench(7)
    )
    assert [row.verdict for row in rows] == ["agrees", "agrees", "differs"] and rows[2].ours.value == 7
    assert [Toy()] == RUNS


def test_what_is_missing_cannot_run_and_what_is_broken_differs():
    missing, broken, unknown = validated(
        [
            replace(PLAIN, measure=Toy(fault="missing")),
            replace(PLAIN, name="toys/broken", measure=Toy(fault="by nothing")),
            replace(PLAIN, name="toys/clip", part="coastguard*"),
        ],
        Bench(),
    )
    assert (missing.verdict, missing.note) == ("cannot run here", "needs a toy")
    assert (broken.verdict, broken.note) == ("differs", "the measurement failed: ZeroDivisionError: by nothing")
    assert unknown.verdict == "cannot run here" and unknown.note.startswith("needs coastguard* among the clips")


def test_clips_that_are_not_there_are_named(tmp_path):
    wanted = [entry for entry in EVERY if entry.needs][:3]
    for row in validated(wanted, Bench(1, tmp_path, home())):
        assert row.verdict == "cannot run here" and "--data DIR" in row.note and row.entry.needs.split()[0] in row.note
    assert semlink.validate(full=True, only="imaging", data=tmp_path).passed


def test_a_number_follows_from_seed_and_measurement_alone():
    measure = Capacity("shannon", 10.0)
    streams = {seeds_of(Bench(seed), each).root for seed in (1, 2) for each in (measure, Capacity("shannon", 9.0))}
    assert len(streams) == 4
    alone = semlink.validate(only="channels/rician")
    among = semlink.validate(only=["channels/rayleigh", "channels/rician"])
    assert alone.rows[0].ours == among.rows[-2].ours
    assert semlink.validate(only="channels/rician", seed=2).rows[0].ours != alone.rows[0].ours


# --- falsified numbers, ours and theirs (tests/link/test_validate_mutants.py has many more)


def test_a_number_of_theirs_that_is_changed_differs_by_name(monkeypatch):
    false = tuple(replace(e, theirs=3.47) if e.name == "capacity/awgn-10db" else e for e in EVERY)
    monkeypatch.setattr(validation, "entries", lambda repository: false)
    told = semlink.validate(only="capacity")
    assert told.differing == ("capacity/awgn-10db",) and not told.passed
    assert "DIFFERS: capacity/awgn-10db: capacity of noise at 10 dB: ours 3.459, theirs 3.47 bit" in str(told)


@pytest.mark.parametrize(
    ("place", "false", "name"),
    [
        ("semlink.link.metrics.gaussian_window.C2", 0.05**2, "quality/scikit-image/ssim"),
        ("semlink.phy.channels.awgn.noise_var_from_snr", lambda db: 10 ** ((0.5 - db) / 10), "channels/noise/10db"),
        ("semlink.phy.capacity.LOG2_E", 1.44, "capacity/rayleigh-10db"),
    ],
)  # fmt: skip
def test_a_number_of_ours_that_is_changed_differs_by_name(monkeypatch, place, false, name):
    monkeypatch.setattr(place, false)
    assert semlink.validate(only=name).differing == (name,)


# --- the command


def run(*arguments: str):
    return CliRunner().invoke(app, ["validate", *arguments], standalone_mode=False)


def test_it_prints_writes_and_ends_with_0(tmp_path):
    done = run("--only", "capacity", "--json", str(tmp_path / "v.json"), "--page", str(tmp_path / "v.html"))
    assert done.exit_code == 0 and "9 points, seed 1: 9 agree" in done.output
    told = json.loads((tmp_path / "v.json").read_text())
    assert told["passed"] is True and told["verdicts"] == {"agrees": 9} and len(told["rows"]) == 9
    first = told["rows"][0]
    assert (first["name"], first["theirs"], first["verdict"]) == ("capacity/awgn-10db", 3.459, "agrees")
    assert first["ours"]["value"] == pytest.approx(3.4594, abs=1e-4) and first["source"] == "[shannon1948, theorem 17]"
    page = (tmp_path / "v.html").read_text()
    assert "<script" not in page and "capacity of noise at 10 dB" in page and "http" not in page.split("<body>")[1]
    run("--only", "capacity", "--page", str(tmp_path / "v.html"))  # ours may be written over


def test_it_ends_with_1_where_something_differs(monkeypatch, tmp_path):
    false = (replace(PLAIN, theirs=2.0, what="<b>a toy</b>"),)
    monkeypatch.setattr(validation, "entries", lambda repository: false)
    done = run("--page", str(tmp_path / "v.html"))
    assert done.return_value == 1 and "DIFFERS: toys/one: <b>a toy</b>: ours 1, theirs 2 dB" in done.output
    page = (tmp_path / "v.html").read_text()
    assert "<b>toys/one</b>: &lt;b&gt;a toy&lt;/b&gt;" in page and 'class="verdict differs"' in page


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--only", "nothing"), "--only nothing: no entry is called so"),
        (("--data", "nowhere"), "--data nowhere: no such folder"),
        (("--json", "nowhere/v.json"), "--json nowhere/v.json: no such folder"),
        (("--page", "nowhere/v.html"), "--page nowhere/v.html: no such folder"),
    ],
)
def test_bad_use_is_named_before_the_work(arguments, words):
    assert str(run(*arguments).exception).startswith(words)


def test_another_file_is_not_written_over(tmp_path):
    (tmp_path / "mine.html").write_text("mine")
    assert isinstance(run("--only", "capacity", "--page", str(tmp_path / "mine.html")).exception, ResultsError)
    assert (tmp_path / "mine.html").read_text() == "mine"


def test_a_list_measures_nothing(monkeypatch):
    monkeypatch.setattr(Capacity, "__call__", lambda *_: pytest.fail("measured"))
    told = run("--list", "--only", "capacity").output
    assert "capacity/awgn-10db" in told and told.endswith("9 points\n")
    assert "sci/kobe32_cacti.mat" in run("--list", "--full").output


@pytest.mark.parametrize(("wishes", "words"), [({"workers": 0}, "workers: got 0"), ({"seed": -1}, "seed: got -1")])
def test_nonsense_is_refused(wishes, words):
    with pytest.raises(ScenarioError, match=words):
        semlink.validate(**wishes)


@pytest.mark.slow
def test_two_workers_find_what_one_does():
    one, two = (semlink.validate(only=["coding", "channels/clarke"], workers=n) for n in (1, 2))
    assert [(row.name, row.verdict, row.ours) for row in one.rows] == [(r.name, r.verdict, r.ours) for r in two.rows]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_no_seed_cries_wolf(seed):
    assert semlink.validate(seed=seed).differing == ()
