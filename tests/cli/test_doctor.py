"""`semlink doctor`: it says what is wrong and what helps, tells no secret, and its exit code can be trusted."""

from __future__ import annotations

import json
from pathlib import Path

from terminal import semlink as command

from semlink.cli import doctor
from semlink.cli.doctor import BAD, Finding


def test_here_a_run_would_work_and_no_home_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    told = doctor.findings()
    text = doctor.as_lines(told)
    assert doctor.works(told), text
    assert {"semlink", "python", "torch", "libx264", "cpu", "memory", "gpu", "compiled loops"} <= {f.name for f in told}
    assert "hunter2" not in text and str(tmp_path) not in text and "~" in text
    assert json.loads(json.dumps(doctor.as_json(told)))["works"] is True
    assert all(one.do for one in told if one.state == BAD)


def test_what_is_bad_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "spare_bytes", lambda: 10**8)
    monkeypatch.setattr(doctor, "LIBRARIES", {"no-such-package": "nothing"})
    monkeypatch.setattr(doctor, "_takes_files", lambda place: False)
    looks = (doctor._memory, doctor._libraries, doctor._folders)
    bad = [one for look in looks for one in look()]
    assert [one.name for one in bad] == ["memory", "no-such-package", "results below", "temporary files"]
    assert all(one.state == BAD and one.do for one in bad) and not doctor.works(bad)
    assert "4 things to mend" in doctor.as_lines(bad) and "pip install no-such-package" in doctor.as_lines(bad)


def test_a_look_that_fails_is_a_line(monkeypatch):
    def broken():
        raise OSError("no such disk")

    for name in ("_libraries", "_encoders", "_memory", "_gpu", "_compiled", "_folders", "_cpu"):
        monkeypatch.setattr(doctor, name, broken)
    told = doctor.findings()
    assert any(one.found.startswith("OSError: no such disk") and one.state == "note" for one in told)
    assert doctor.works(told)


def test_the_exit_code_tells(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "findings", lambda: [Finding("disk", "full", BAD, "free some")])
    done = command("doctor", "--json", folder=tmp_path)
    assert done.code == 1 and json.loads(done.out)["findings"][0]["do"] == "free some"


def test_a_path_at_home_begins_with_a_tilde():
    assert doctor.homely(Path.home() / "x") == str(Path("~/x"))
    assert doctor.homely(Path("/nowhere/x")) == "/nowhere/x"
