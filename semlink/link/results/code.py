"""Which code made results."""

from __future__ import annotations

import json
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

    Outside a checkout the one that pip installed from, where it knows that; else None, and the version tells.
    Asked once in a process: code that is changed afterwards is not the code that runs.
    """
    here = Path(__file__).resolve().parents[3]
    if not (here / ".git").exists():
        return _installed_commit()
    try:
        head = subprocess.run([*GIT, here, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        dirty = subprocess.run(
            [*GIT, here, "status", "--porcelain", "--", "semlink"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+" if dirty.stdout.strip() else "")


def _installed_commit() -> str | None:
    """What pip noted where it installed from a repository (`direct_url.json` of PEP 610)."""
    try:
        noted = distribution("semlink").read_text("direct_url.json")
        return str(json.loads(noted or "{}")["vcs_info"]["commit_id"])
    except (PackageNotFoundError, OSError, ValueError, KeyError, TypeError):
        return None
