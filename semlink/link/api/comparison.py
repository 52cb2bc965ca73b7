"""A comparison that can be printed, and written as a table."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from semlink.files import JsonDict
from semlink.link.compare.compare import Comparison as Gaps, compare
from semlink.link.report.comparison_table import as_text, comparison_records, tables, write_compare_csv
from semlink.link.report.results_table import show
from semlink.link.results.finished import FinishedRun

__all__ = ["Comparison", "compared"]


@dataclass(frozen=True, slots=True)
class Comparison(Gaps):
    """Every scheme against one: `curves` holds BD figures, `points` paired differences, each with intervals."""

    def __str__(self) -> str:
        return as_text(self)

    def show(self) -> None:
        """Print the tables, styled where standard output is a terminal."""
        show(tables(self))

    def records(self) -> list[JsonDict]:
        """A dict for each number, as `compare.csv` has them: what it is, its value and its interval."""
        return comparison_records(self)

    def write(self, path: str | Path) -> Path:
        """Write `records` as a CSV file.

        Raises:
            ResultsError: it cannot be written.
        """
        write_compare_csv(self, path)
        return Path(path)


def compared(run: FinishedRun, reference: str, metric: str) -> Comparison:
    """Every scheme of a run against `reference`; see `Results.compare`."""
    gaps = compare(run, reference, metric)
    return Comparison(**{f.name: getattr(gaps, f.name) for f in fields(gaps)})
