"""What figures show of rows, without a folder."""

from __future__ import annotations

from pathlib import Path

from semlink.link.metrics.registry import PSNR
from semlink.link.plots.choice import Choice, View
from semlink.link.plots.curves.model import Sheet
from semlink.link.plots.curves.over_cost import cost_sheets
from semlink.link.plots.curves.over_snr import snr_sheets
from semlink.link.plots.curves.quantity import difference, quantity_of
from semlink.link.plots.curves.scene import scene
from semlink.link.results.finished import FinishedPoint, FinishedRun, metrics_of


def run_of(rows) -> FinishedRun:
    """Rows, or a run as it is."""
    if isinstance(rows, FinishedRun):
        return rows
    return FinishedRun(Path("."), tuple(FinishedPoint(row) for row in rows), metrics_of(rows))


def view(metric=PSNR, **choice) -> View:
    return View(metric, choice=Choice.of(**choice))


def _of(sheets, rows, metric, choice) -> list[Sheet]:
    run, look = run_of(rows), view(metric, **choice)
    reference = look.choice.reference
    quantity = quantity_of(metric) if reference is None else difference(run, reference, metric)
    return list(sheets(scene(run, quantity, look)))


def costs(rows, metric=PSNR, **choice) -> list[Sheet]:
    """Over the cost."""
    return _of(cost_sheets, rows, metric, choice)


def snrs(rows, metric=PSNR, **choice) -> list[Sheet]:
    """Over the SNR."""
    return _of(snr_sheets, rows, metric, choice)
