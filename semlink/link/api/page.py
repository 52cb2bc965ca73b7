"""One HTML page for a run: what it is, its table, its figures, what made it. It needs no other file."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from semlink.files import Json, write_atomic
from semlink.link.metrics.registry import Metric
from semlink.link.plots.registry import PLOTS, Plot
from semlink.link.plots.style import rendered
from semlink.link.report.comparison_table import as_text
from semlink.link.report.results_table import number, point_name
from semlink.link.results.finished import FinishedRun
from semlink.link.results.labels import COST_NAMES
from semlink.link.results.rows import Row, by_cost, value
from semlink.yaml12.write import write_yaml

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from semlink.link.compare.compare import Comparison

__all__ = ["page", "write_page"]

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.85rem}
.wide{overflow-x:auto}
th{border-bottom:1px solid #888;text-align:right;padding:.2rem .6rem;white-space:nowrap}
td{text-align:right;padding:.1rem .6rem;white-space:nowrap}
th:first-child,td:first-child,td.text,th.text{text-align:left}
td.text{white-space:normal;min-width:9rem}
tr.first td{border-top:1px solid #ddd}tr.genie{font-weight:bold}tr.bound{font-style:italic}
img{max-width:100%;height:auto}figure{margin:1rem 0}figcaption{color:#555;font-size:.85rem}
pre{background:#f6f6f6;padding:.8rem;overflow-x:auto;font-size:.8rem}.quiet{color:#555;font-size:.85rem}
""".strip()
TYPES = {"svg": "image/svg+xml", "png": "image/png"}


def write_page(run: FinishedRun, path: Path, metric: Metric, comparison: Comparison | None = None) -> Path:
    """Write the page.

    Raises:
        ResultsError: the file cannot be written.
    """
    write_atomic(path, page(run, metric, comparison).encode())
    return path


def page(run: FinishedRun, metric: Metric, comparison: Comparison | None = None) -> str:
    """The page as HTML; names and notes are escaped, figures are inside."""
    scenario: Json = run.manifest.get("scenario") or {}
    name = str(scenario.get("name") or run.folder.resolve().name or "results")
    parts = [f"<h1>{escape(name)}</h1>", *_described(scenario)]
    parts += [f"<p class=quiet>{escape(_made_by(run))}</p>"]
    parts += ["<h2>Results</h2>", f"<div class=wide>{_table(run)}</div>", *_legend(run.rows)]
    if comparison is not None:
        parts += [f"<h2>Against {escape(comparison.reference)}</h2>", f"<pre>{escape(as_text(comparison, 130))}</pre>"]
    parts += ["<h2>Figures</h2>", *_figures(run, metric)]
    if scenario:
        text = write_yaml(dict(scenario), width=110)
        parts += [
            "<h2>Scenario</h2>",
            f"<details><summary>every default filled in</summary><pre>{escape(text)}</pre></details>",
        ]
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><title>{escape(name)}</title>"
    return f"<!doctype html>\n<html lang=en><head>{head}<style>{STYLE}</style></head>\n<body>\n" + "\n".join(
        [*parts, "</body></html>\n"]
    )


def _described(scenario: Json) -> list[str]:
    words = str(scenario.get("description") or "")
    return [f"<p>{escape(words)}</p>"] if words else []


def _made_by(run: FinishedRun) -> str:
    """Who made the numbers, in a line."""
    manifest = run.manifest
    packages = manifest.get("packages") or {}
    found = {
        "semlink": manifest.get("version"),
        "commit": str(manifest.get("commit") or "")[:12] or None,
        "torch": packages.get("torch"),
        "device": manifest.get("device"),
        "wall time": None if manifest.get("wall_s") is None else f"{manifest['wall_s']} s",
        "seed": next((row.seed for row in run.rows if row.seed is not None), None),
    }
    return ", ".join(f"{name} {content}" for name, content in found.items() if content is not None)


def _table(run: FinishedRun) -> str:
    """A line for each row; knowledge that no receiver has is bold and named, bounds are in italics and named."""
    rows, costs = run.rows, [cost for cost, _ in by_cost(run.rows)] or [*COST_NAMES][:1]
    heads = [
        "scheme",
        "channel",
        "SNR dB",
        "point",
        *(COST_NAMES[cost] for cost in costs),
        *(m.label for m in run.metrics),
    ]
    heads += ["BLER", "trials", "note"]
    texts = {"scheme", "channel", "note"}
    lines = ["<tr>" + "".join(f"<th{' class=text' * (h in texts)}>{escape(h)}</th>" for h in heads) + "</tr>"]
    before = None
    for row in rows:
        cells = dict(zip(heads, _cells(row, run.metrics, costs)))
        kinds = [k for k, on in (("first", row.scheme != before), ("genie", row.genie), ("bound", row.bound)) if on]
        body = "".join(f"<td{' class=text' * (h in texts)}>{escape(text)}</td>" for h, text in cells.items())
        lines.append(f'<tr class="{" ".join(kinds)}">{body}</tr>')
        before = row.scheme
    return f"<table>{''.join(lines)}</table>"


def _cells(row: Row, metrics: Sequence[Metric], costs: Sequence[str]) -> Iterator[str]:
    yield row.scheme + (f" (genie: {row.genie})" if row.genie else "") + (" (bound)" if row.bound else "")
    yield row.channel
    yield number(row.snr_db)
    yield point_name(row)
    own = next(cost for cost, _ in by_cost([row]))
    yield from (number(value(row, cost), 4) if cost == own or len(costs) == 1 else "" for cost in costs)
    for metric in metrics:
        found, half = value(row, metric.column), value(row, metric.interval)
        text = "" if found is None else f"{found:.{metric.decimals}f}"
        yield text + (f" \N{PLUS-MINUS SIGN}{half:.{metric.decimals}f}" if text and half else "")
    yield number(value(row, "bler"), 2)
    yield "" if row.trials is None else str(row.trials)
    yield row.note


def _legend(rows: Iterable[Row]) -> list[str]:
    words = ["\N{PLUS-MINUS SIGN}: 95 % interval of the mean over trials, clips held fixed"]
    words += ["bold: knowledge that no receiver has"] if any(row.genie for row in rows) else []
    words += ["italics: an idealised bound"] if any(row.bound for row in rows) else []
    return [f"<p class=quiet>{'; '.join(words)}.</p>"]


def _figures(run: FinishedRun, metric: Metric) -> Iterator[str]:
    for plot in PLOTS:
        for _, figure in plot.figures(run, metric):
            yield f"<figure>{_image(plot, figure)}<figcaption>{escape(plot.shows)}</figcaption></figure>"


def _image(plot: Plot, figure: Figure) -> str:
    kind = "svg" if "svg" in plot.formats else "png"
    data = b64encode(rendered(figure, kind)).decode()
    return f'<img alt="{escape(plot.shows)}" src="data:{TYPES[kind]};base64,{data}">'
