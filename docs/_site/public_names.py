"""The reference of Python: all that is public, from its docstrings."""

from __future__ import annotations

import semlink

FIRST = ("load", "run", "results", "Results", "Comparison", "Scenario", "air", "Air", "ModuleScheme", "Metric")
ORDER = (*FIRST, "validate", "Validation")


def page() -> str:
    """A section for each name of `semlink.__all__`; those of the first steps first."""
    names = [*ORDER, *(name for name in semlink.__all__ if name not in ORDER)]
    lines = ["# Python", "", "All names of `semlink.__all__`. [How to use them](../how_to/python.md).", ""]
    for name in names:
        lines += [f"::: semlink.{name}", ""]
    return "\n".join(lines)
