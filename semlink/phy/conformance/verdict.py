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


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """All checks on one thing."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Nothing failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the checks that failed."""
        return tuple(check.name for check in self.checks if check.verdict == "fail")

    def __getitem__(self, name: str) -> Check:
        return next(check for check in self.checks if check.name == name)


def judged(name: str, good: bool, measured: str, expected: str = "") -> Check:
    """A check that passes if `good`."""
    return Check(name, "pass" if good else "fail", measured, expected)
