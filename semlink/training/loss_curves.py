"""Loss and validation curves of a run: a tidy CSV, and a picture where matplotlib is installed."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from semlink.files import write_atomic


class Curves:
    """Figures by step; rows beyond a resumed checkpoint are forgotten."""

    def __init__(self, folder: Path, *, keep_below: int) -> None:
        self.path = folder / "curves.csv"
        self.rows: list[dict[str, float]] = []
        if keep_below and self.path.exists():
            with self.path.open(newline="") as file:
                rows = [
                    {key: _number(key, value) for key, value in row.items() if value} for row in csv.DictReader(file)
                ]
            self.rows = [row for row in rows if row["step"] <= keep_below]

    def add(self, step: int, loss: float, figures: Mapping[str, float]) -> None:
        self.rows.append({"step": step, "loss": loss, **figures})

    def last(self) -> dict[str, float]:
        """The newest value of every figure."""
        newest: dict[str, float] = {}
        for row in self.rows:
            newest |= row
        return newest

    def save(self) -> None:
        """Write all rows, atomically."""
        columns = list(dict.fromkeys(key for row in self.rows for key in row))
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns)
        writer.writeheader()
        writer.writerows(self.rows)
        write_atomic(self.path, text.getvalue().encode())

    def draw(self) -> None:
        """`curves.png`: loss on the left, every other figure on the right, on plain axes where not all are positive."""
        if find_spec("matplotlib") is None or not self.rows:
            return
        from matplotlib.figure import Figure

        names = list(dict.fromkeys(key for row in self.rows for key in row if key not in ("step", "loss")))
        figure = Figure(figsize=(10 if names else 5, 4), layout="constrained")
        left, *others = figure.subplots(1, 2 if names else 1, squeeze=False)[0]
        losses = [row["loss"] for row in self.rows]
        left.plot([row["step"] for row in self.rows], losses)
        left.set(xlabel="step", ylabel="loss", yscale="log" if min(losses) > 0 else "linear")
        for right in others:
            for name in names:
                points = [(row["step"], row[name]) for row in self.rows if name in row]
                right.plot(*zip(*points), label=name)
            right.set(xlabel="step")
            right.legend(fontsize="small")
        figure.savefig(self.path.with_suffix(".png"))


def _number(key: str, text: str) -> float:
    return int(text) if key == "step" else float(text)
