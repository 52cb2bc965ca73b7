"""First against second order, plain sign and the other variants over training, from the runs' own curves.

    python benchmarks/delta_sigma_training.py RUNS [--out results/delta_sigma_order]

RUNS holds the run folders of scenarios/train/delta_sigma_{order1,order2,sign,scan,channelconv,k16}.yaml.
Writes training.csv (recipe, step and every figure) and training.png.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

VARIANTS = {
    "order1": "first order",
    "order2": "second order",
    "sign": "plain sign",
    "scan": "first order along the channels",
    "channelconv": "Channel-Conv3D",
    "k16": "16 channels alone",
}
SMOOTHED = 20
"""Logged losses, each of one batch, to a point of the curve."""


def read_curves(runs: Path) -> list[dict[str, str]]:
    """All rows of all variants that are there, each with its recipe."""
    rows = []
    for name in VARIANTS:
        path = runs / f"delta_sigma_{name}" / "curves.csv"
        if path.is_file():
            with path.open(newline="") as file:
                rows += [{"recipe": name} | row for row in csv.DictReader(file)]
    return rows


def draw(rows: list[dict[str, str]], path: Path) -> None:
    """Loss, a running mean, on the left; validation PSNR at half of the channels on the right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name in dict.fromkeys(row["recipe"] for row in rows):
        mine = [row for row in rows if row["recipe"] == name]
        steps, losses = [int(row["step"]) for row in mine], [float(row["loss"]) for row in mine]
        spans = [losses[max(0, n - SMOOTHED + 1) : n + 1] for n in range(len(losses))]
        left.plot(steps, [sum(span) / len(span) for span in spans], label=VARIANTS[name])
        known = [row for row in mine if row.get("psnr_k16_db")]
        quality = [float(row["psnr_k16_db"]) for row in known]
        right.plot([int(row["step"]) for row in known], quality, label=VARIANTS[name])
    left.set(xlabel="step", ylabel=f"ln squared error, mean of {SMOOTHED} logged batches")
    right.set(xlabel="step", ylabel="PSNR [dB], 16 channels, clips never trained on")
    right.legend(fontsize="small")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--out", type=Path, default=Path("results/delta_sigma_order"))
    asked = parser.parse_args()
    rows = read_curves(asked.runs)
    if not rows:
        raise SystemExit(
            f"{asked.runs}: no run of {', '.join(VARIANTS)}; train scenarios/train/delta_sigma_*.yaml first"
        )
    asked.out.mkdir(parents=True, exist_ok=True)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with (asked.out / "training.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    draw(rows, asked.out / "training.png")


if __name__ == "__main__":
    main()
