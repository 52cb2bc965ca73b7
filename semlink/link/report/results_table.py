"""The table that ends a run: one line per scheme and operating point.

Knowledge that no receiver has is printed bold and named, bounds in italics
and named; without a terminal the names remain.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from semlink.link.metrics.registry import METRICS, PSNR, Metric
from semlink.link.results.labels import COST_NAMES, in_words
from semlink.link.results.rows import Row, by_cost, value

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

__all__ = [
    "add",
    "as_text",
    "grid",
    "number",
    "point_name",
    "remarks",
    "results_table",
    "show",
    "text_of",
]

SNR_HEAD = "SNR dB"
READINGS_HEAD = "readings/pixel"
SPENT, READ = COST_NAMES  # columns of the two kinds of cost
LEAST_NAME = 18  # columns for names, however narrow the terminal


def results_table(rows: Sequence[Row], metrics: Sequence[Metric] = METRICS) -> Table:
    """`rows` as a rich table, a section per channel and SNR, reasons for gaps below.

    Args:
        metrics: a column for each that some row carries; PSNR with its interval over trials.
    """
    rows = tuple(rows)
    qualities = {_head(m): m for m in metrics if m is PSNR or any(value(row, m.column) is not None for row in rows)}
    channels = list(dict.fromkeys(r.channel for r in rows))
    costs = [cost for cost, _ in by_cost(rows)]
    columns = _columns(rows, costs, len([c for c in channels if c]) > 1, qualities)
    noted = list(dict.fromkeys(r.note for r in rows if r.note))
    table = grid(_title(rows, channels), [*columns, "note"] if noted else columns)
    for place in sorted({(r.channel, r.snr_db) for r in rows}, key=lambda p: (channels.index(p[0]), _order(p[1]))):
        before = None
        for row in (r for r in rows if (r.channel, r.snr_db) == place):
            cells = [_cell(row, column, qualities.get(column)) for column in columns]
            cells[0] = "" if row.scheme == before else cells[0]
            cells += [f"({noted.index(row.note) + 1})" if row.note else ""] if noted else []
            style = " ".join(s for s, on in (("bold", row.genie), ("italic", row.bound)) if on)
            add(table, *cells, style=style)
            before = row.scheme
        table.add_section()
    remarks(table, noted)
    return table


def as_text(rows: Sequence[Row], width: int = 100, metrics: Sequence[Metric] = METRICS) -> str:
    """The table as plain text of `width` columns, or of as many as it needs."""
    return text_of(results_table(rows, metrics), width)


def text_of(content: RenderableType, width: int = 100) -> str:
    """Rich content as plain text, without colour or trailing blanks; wider than `width` if it must be."""
    import io

    from rich.console import Console

    out = io.StringIO()
    wide = Console(file=out, width=10 * width, color_system=None, force_terminal=False, legacy_windows=False)
    wide.width = max(width, _needed(content, wide))
    wide.print(content)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def show(content: RenderableType) -> None:
    """Rich content on standard output: styled in a terminal, plain text of 100 columns or more in a pipe or file.

    Where it needs more columns than there are, the terminal breaks its lines: nothing of a table is left out.
    """
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        sys.stdout.write(text_of(content))
        return
    console.width = max(console.width, _needed(content, Console(width=10 * console.width)))
    console.print(content)


def _needed(content: RenderableType, console: Console) -> int:
    """Columns that content takes at least, no number of a table cut; `console` is as wide as anything may be."""
    from rich.cells import cell_len

    for table in _tables_in(content):
        for column in table.columns:
            if column.no_wrap:
                lines = [line for cell in (column.header, *column.cells) for line in str(cell).splitlines()]
                column.min_width = max(map(cell_len, lines), default=1)
    return console.measure(content).minimum


def _tables_in(content: RenderableType) -> Iterator[Table]:
    from rich.console import Group
    from rich.table import Table

    if isinstance(content, Table):
        yield content
    elif isinstance(content, Group):
        for part in content.renderables:
            yield from _tables_in(part)


def grid(title: str, heads: Sequence[str]) -> Table:
    """An empty table in the house's look: a rule below the heads, names to the left, numbers to the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    table.pad_edge = False
    for head in heads:
        if head in ("scheme", "channel"):
            table.add_column(head, overflow="fold", min_width=LEAST_NAME if head == "scheme" else None)
        else:
            table.add_column(Text(head), justify="right", no_wrap=True)
    return table


def add(table: Table, *cells: str, style: str = "") -> None:
    """Append a line; brackets in names stay what they are."""
    from rich.text import Text

    table.add_row(*(Text(cell, style=style) for cell in cells))


def remarks(table: Table, notes: Sequence[str]) -> None:
    """Numbered remarks below `table`."""
    from rich.text import Text

    if notes:
        table.caption = Text("\n".join(f"({place}) {in_words(note)}" for place, note in enumerate(notes, start=1)))
        table.caption_justify = "left"


def number(found: float | None, digits: int = 6) -> str:
    """A plain number with at most `digits` significant digits; '' for none."""
    return "" if found is None or math.isnan(found) else f"{found:.{digits}g}"


def _head(metric: Metric) -> str:
    """The label, its unit without brackets."""
    return f"{metric.title} {metric.unit}".strip()


def _columns(rows: Sequence[Row], costs: Sequence[str], channels: bool, qualities: Mapping[str, Metric]) -> list[str]:
    """The heads that have something to show."""
    heads = ["scheme", *(["channel"] if channels else [])]
    optional = {
        SNR_HEAD: ("snr_db",),
        "point": ("budget", "rate"),
        **({"uses": ("channel_uses", SPENT)} if SPENT in costs else {}),
        **({READINGS_HEAD: (READ,)} if READ in costs else {}),
        **{head: (metric.column,) for head, metric in qualities.items()},
        "BLER": ("bler",),
        "trials": ("trials",),
    }
    shown = (head for head, names in optional.items() if any(value(r, n) is not None for r in rows for n in names))
    return [*heads, *shown]


def _cell(row: Row, column: str, quality: Metric | None) -> str:
    if quality is not None:
        return _quality(row, quality)
    match column:
        case "scheme":
            return row.scheme + (f" (genie: {row.genie})" if row.genie else "") + (" (bound)" if row.bound else "")
        case "channel":
            return row.channel
        case "point":
            return point_name(row)
        case "uses":
            return "" if value(row, "channel_uses") is None else f"{row.channel_uses:.0f}"
        case "BLER":
            return number(value(row, "bler"), 2)
        case "readings/pixel":
            return number(value(row, READ), 4) if row.channel_uses is None else ""
    return number(value(row, {SNR_HEAD: "snr_db"}.get(column, column)), 4)


def point_name(row: Row) -> str:
    """The operating point in a few letters: the budget, or the scheme's own rate."""
    if row.budget is not None:
        return number(row.budget)
    return f"rate {number(row.rate)}" if row.rate is not None else ""


def _quality(row: Row, metric: Metric) -> str:
    """A quality; PSNR, which the stop rule works on, with its interval."""
    found, half = value(row, metric.column), value(row, metric.interval)
    if found is None:
        return "-" if metric.column == PSNR.column else ""
    text = f"{found:.{metric.decimals}f}"
    if metric.column != PSNR.column:
        return text
    return f"{text} \N{PLUS-MINUS SIGN}{half:.2f}" if half else text + " " * 6


def _title(rows: Sequence[Row], channels: Iterable[str]) -> str:
    names = [name for name in channels if name]
    clips = {r.clips for r in rows if r.clips}
    parts = [f"channel {names[0]}"] if len(names) == 1 else []
    parts += [f"{min(clips)} clip{'s' if min(clips) > 1 else ''}"] if len(clips) == 1 else []
    parts += ["budgets in uses per pixel"] if any(r.budget is not None for r in rows) else []
    return ", ".join(["Results", *parts]) + "; \N{PLUS-MINUS SIGN}: 95 % interval over trials"


def _order(snr_db: float | None) -> float:
    return -math.inf if snr_db is None else snr_db
