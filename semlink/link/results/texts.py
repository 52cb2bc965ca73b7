"""Names in tables, where a spreadsheet would take some for formulas.

=HYPERLINK("...")    stands in a table as    '=HYPERLINK("...")    and is read from there as it was
"""

from __future__ import annotations

__all__ = ["from_cell", "to_cell"]

FORMULA = ("=", "+", "-", "@")
MARK = "'"


def to_cell(text: str) -> str:
    """A text as a cell of a table, which no spreadsheet takes for a formula."""
    return MARK + text if text.lstrip(MARK).startswith(FORMULA) else text


def from_cell(cell: str) -> str:
    """The inverse of `to_cell`."""
    marked = cell.startswith(MARK) and cell.lstrip(MARK).startswith(FORMULA)
    return cell[len(MARK) :] if marked else cell
