"""The outcome of a check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["pass", "fail", "skip"]


@dataclass(frozen=True, slots=True)
class Check:
    """One property: its name, the verdict, what was measured and what was expected."""

    name: str
    verdict: Verdict
    measured: str
    expected: str = ""


def judged(name: str, good: bool, measured: str, expected: str = "") -> Check:
    """A check that passes if `good`."""
    return Check(name, "pass" if good else "fail", measured, expected)
