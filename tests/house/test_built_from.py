"""What is built knows the commit that it was built from, and a build leaves nothing in the working tree."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from semlink.link.results import code

ROOT = Path(__file__).parents[2]
SETTINGS = """[metadata]
name = semlink
version = 1
[options]
packages = semlink
[options.package_data]
semlink = built_from.txt
"""


@pytest.fixture
def clone(tmp_path) -> Path:
    """A small package with the build of this one, committed."""
    folder = tmp_path / "clone"
    (folder / "semlink").mkdir(parents=True)
    (folder / "semlink/__init__.py").touch()
    (folder / "setup.cfg").write_text(SETTINGS)
    (folder / ".gitignore").write_text("build/\n*.egg-info/\n")
    shutil.copy(ROOT / "setup.py", folder)
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "all")
    return folder


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, check=True).stdout.strip()


def built(folder: Path, *command: str) -> Path:
    out = folder.parent / f"{folder.name}-{command[0]}"
    where = "--build-lib" if command[0] == "build_py" else "--dist-dir"
    words = [sys.executable, "setup.py", "-q", *command, where, str(out)]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    return out


def test_a_build_notes_the_commit_and_whether_the_package_differs(clone, monkeypatch):
    head = git(clone, "rev-parse", "HEAD")
    assert code._noted_commit(built(clone, "build_py") / "semlink") == head
    assert git(clone, "status", "--porcelain") == ""
    (clone / "semlink/__init__.py").write_text("changed = 1\n")
    assert code._noted_commit(built(clone, "build_py") / "semlink") == f"{head}+"
    shutil.rmtree(clone / ".git")  # a folder that was copied: what an earlier build noted does not stay
    assert code._noted_commit(built(clone, "build_py") / "semlink") is None


def test_a_source_distribution_hands_the_commit_on(clone):
    head = git(clone, "rev-parse", "HEAD")
    (packed,) = built(clone, "sdist").glob("*.tar.gz")
    with tarfile.open(packed) as all_of_it:
        all_of_it.extractall(clone.parent, filter="data")
    git(clone.parent, "init", "-q")  # unpacked inside of another repository
    assert code._noted_commit(built(clone.parent / "semlink-1", "build_py") / "semlink") == head


@pytest.mark.parametrize("noted", ["", "main", "../x", "\x1b[2J", "0" * 39])
def test_what_is_no_commit_is_not_told(tmp_path, noted):
    (tmp_path / "built_from.txt").write_text(noted)
    assert code._noted_commit(tmp_path) is None and code._noted_commit(tmp_path / "nowhere") is None
