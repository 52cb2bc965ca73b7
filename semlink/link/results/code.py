"""Which code made results."""

from __future__ import annotations

import json
import re
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

__all__ = ["commit"]

GIT = ("git", "--no-optional-locks", "-C")
"""Asked without writing: a run that is killed meanwhile would leave a lock in the user's repository."""


@cache
def commit() -> str | None:
    """The commit that the package runs from, with '+' if its files differ.

    Outside a checkout the one that it was built from (`setup.py` notes it), or that pip installed from; else None, and
    the version tells.
    Asked once in a process: code that is changed afterwards is not the code that runs.
    """
    here = Path(__file__).resolve().parents[3]
    if not (here / ".git").exists():
        return _noted_commit(here / "semlink") or _installed_commit()
    try:
        head = subprocess.run([*GIT, here, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        dirty = subprocess.run(
            [*GIT, here, "status", "--porcelain", "--", "semlink"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+" if dirty.stdout.strip() else "")


def _noted_commit(package: Path) -> str | None:
    """What the build noted beside the code, if that is the name of a commit."""
    try:
        noted = (package / "built_from.txt").read_text().strip()
    except (OSError, ValueError):
        return None
    return noted if re.fullmatch(r"[0-9a-f]{40,64}\+?", noted) else None


def _installed_commit() -> str | None:
    """What pip noted where it installed from a repository (`direct_url.json` of PEP 610)."""
    try:
        noted = distribution("semlink").read_text("direct_url.json")
        return str(json.loads(noted or "{}")["vcs_info"]["commit_id"])
    except (PackageNotFoundError, OSError, ValueError, KeyError, TypeError):
        return None
