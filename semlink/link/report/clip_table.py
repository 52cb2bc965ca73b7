"""`table.csv` and `table.md`: every clip under every scheme, and what a paper says of the same cell.

The numbers come from the point files, so the table can be drawn again without
running anything.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from semlink.files import Json, write_atomic
from semlink.link.metrics.draws import drawn
from semlink.link.metrics.intervals import ERROR, halfwidth, t_halfwidth
from semlink.link.metrics.registry import PSNR
from semlink.link.results.texts import to_cell
from semlink.link.scenario.published_table import PublishedSpec, TableSpec

MEAN = "mean"
ALL = "all"
ORACLE = "best rate for each clip (oracle)"


@dataclass(frozen=True, slots=True)
class Cell:
    """One clip, or the mean over clips, under one scheme; `psnr_ci95` is over trials, or over clips for the mean."""

    scheme: str
    channel: str
    snr_db: float | None
    budget: float | None
    rate: float | None
    clip: str
    motion: str
    frames: str
    psnr_db: float
    psnr_ci95: float | None = None
    ssim: float | None = None
    published_psnr_db: float | None = None
    psnr_difference_db: float | None = None
    published_ssim: float | None = None
    ssim_difference: float | None = None
    where: str = ""
    because: str = ""

    @property
    def column(self) -> tuple:
        """What a column of the printed table stands for."""
        return (self.scheme, self.channel, self.snr_db, self.budget, self.rate)


def cells(records: Iterable[Json], spec: TableSpec) -> tuple[Cell, ...]:
    """The table of finished points.

    Args:
        records: contents of point files, in the order of the grid.
    """
    plain = [cell for record in records if record["clips"] for cell in _of_point(record, spec)]
    whole = [*plain, *_oracles(plain, spec.oracle)]
    with_means = [*whole, *_means(whole)]
    order = {column: place for place, column in enumerate(dict.fromkeys(c.column for c in with_means))}
    with_means.sort(key=lambda cell: order[cell.column])
    return tuple(_beside(cell, spec) for cell in with_means)


def write_table(records: Iterable[Json], spec: TableSpec, folder: Path) -> list[Path]:
    """Write `table.csv` and `table.md` into `folder`."""
    found = cells(records, spec)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(Cell)])
    for cell in found:
        writer.writerow([_plain(content, name) for name, content in asdict(cell).items()])
    write_atomic(folder / "table.csv", text.getvalue().encode())
    write_atomic(folder / "table.md", as_markdown(found, spec).encode())
    return [folder / "table.csv", folder / "table.md"]


def as_markdown(found: Sequence[Cell], spec: TableSpec) -> str:
    """One table for each kind of frames: clips down, schemes across; published numbers in brackets."""
    kinds = list(dict.fromkeys(cell.frames for cell in found))
    parts = [_legend(found, spec)]
    for kind in sorted(kinds, key=lambda k: (k != ALL, k)):
        parts.append(_markdown_of([cell for cell in found if cell.frames == kind], kind))
    causes = dict.fromkeys((cell.where, cell.because) for cell in found if cell.published_psnr_db is not None)
    said = [
        f"- {' '.join(p for p in (where + ':' if where else '', why) if p)}" for where, why in causes if where or why
    ]
    if said:
        parts.append("Published numbers and why ours differ:\n\n" + "\n".join(said))
    return "\n\n".join(parts) + "\n"


def _legend(found: Sequence[Cell], spec: TableSpec) -> str:
    how = {"clip": "of the mean squared error of a clip", "frames": "the mean over frames of each frame's"}[spec.mean]
    counted = "" if spec.frames is None else f", first {spec.frames} frames"
    shown = "PSNR in dB / SSIM" if any(cell.ssim is not None for cell in found) else "PSNR in dB"
    beside = "; in brackets the published number" if any(c.published_psnr_db is not None for c in found) else ""
    return f"{shown} (PSNR {how}{counted}){beside}; ± is the 95 % interval of the mean over clips."


def _markdown_of(found: Sequence[Cell], kind: str) -> str:
    columns = list(dict.fromkeys(cell.column for cell in found))
    clips = [clip for clip in dict.fromkeys(cell.clip for cell in found) if clip != MEAN] + [MEAN]
    by_place = {(cell.clip, cell.column): cell for cell in found}
    head = ["clip" if kind == ALL else f"clip, {kind} frames", *(_head(column) for column in columns)]
    lines = [head, ["---"] * len(head)]
    for clip in clips:
        lines.append([clip, *(_shown(by_place.get((clip, column))) for column in columns)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _head(column: tuple) -> str:
    scheme, channel, snr_db, budget, rate = column
    parts = [f"{rate:g}" if rate is not None else "", f"{snr_db:g} dB" if snr_db is not None else ""]
    parts += [f"{budget:g} uses/px" if budget is not None else "", channel if channel else ""]
    return " ".join([scheme.replace("|", "/"), *(f"@ {part}" for part in parts if part)])


def _shown(cell: Cell | None) -> str:
    if cell is None:
        return ""
    text = f"{cell.psnr_db:.2f}"
    if cell.clip == MEAN and cell.psnr_ci95:
        text += f" ±{cell.psnr_ci95:.2f}"
    text += "" if cell.ssim is None else f" / {cell.ssim:.4f}"
    if cell.published_psnr_db is not None:
        theirs = "" if cell.published_ssim is None else f" / {cell.published_ssim:.4f}"
        text += f" ({cell.published_psnr_db:.2f}{theirs})"
    return text


def _of_point(record: Json, spec: TableSpec) -> Iterator[Cell]:
    head = {name: record[name] for name in ("scheme", "channel", "snr_db", "budget", "rate")}
    for clip in record["clips"]:
        counted = len(clip["psnr_by_frame"]) if spec.frames is None else min(spec.frames, len(clip["psnr_by_frame"]))
        kinds = list(record.get("frame_kinds") or [])[:counted]
        for kind in (ALL, *dict.fromkeys(kinds)):
            chosen = [n for n in range(counted) if kind == ALL or kinds[n] == kind]
            ssim = clip.get("ssim_by_frame")
            yield Cell(
                **head,
                clip=clip["name"],
                motion=clip["motion"],
                frames=kind,
                psnr_db=_psnr(clip, chosen, spec.mean),
                psnr_ci95=_noise(clip, float(record.get("error", ERROR))),
                ssim=None if ssim is None else float(np.mean([ssim[n] for n in chosen])),
            )


def _noise(clip: Json, error: float) -> float | None:
    """Half width of the interval of a clip's mean PSNR over trials; None for one trial."""
    if len(clip["psnr_db"]) < 2:
        return None
    lost = np.array(clip["lost"])[:, None] if clip.get("lost") else None
    return halfwidth(drawn([[q] for q in clip["psnr_db"]], PSNR, lost, [clip.get("extremes") or {}]), error)


def _psnr(clip: Json, chosen: Sequence[int], mean: str) -> float:
    by_frame = np.array([clip["psnr_by_frame"][n] for n in chosen])
    if mean == "frames":
        return float(by_frame.mean())
    if len(chosen) == len(clip["psnr_by_frame"]):
        return float(np.mean(clip["psnr_db"]))
    return float(-10 * np.log10(np.mean(10 ** (-by_frame / 10))))


def _oracles(found: Sequence[Cell], schemes: Sequence[str]) -> Iterator[Cell]:
    """The best of a scheme's rates for each clip and kind of frames."""
    for name in schemes:
        mine = [cell for cell in found if cell.scheme == name]
        for place in dict.fromkeys((c.channel, c.snr_db, c.clip, c.frames) for c in mine):
            rivals = [c for c in mine if (c.channel, c.snr_db, c.clip, c.frames) == place]
            best = max(rivals, key=lambda cell: cell.psnr_db)
            yield replace(best, scheme=f"{name}, {ORACLE}", budget=None, rate=None)


def _means(found: Sequence[Cell]) -> Iterator[Cell]:
    for place in dict.fromkeys((cell.column, cell.frames) for cell in found):
        mine = [cell for cell in found if (cell.column, cell.frames) == place]
        values = [cell.psnr_db for cell in mine]
        ssims = [cell.ssim for cell in mine if cell.ssim is not None]
        yield replace(
            mine[0],
            clip=MEAN,
            motion="",
            psnr_db=float(np.mean(values)),
            psnr_ci95=t_halfwidth(values) if len(values) > 1 else None,
            ssim=float(np.mean(ssims)) if ssims else None,
        )


def _beside(cell: Cell, spec: TableSpec) -> Cell:
    """The cell with the published number that belongs to it, if there is one."""
    theirs = next((p for p in spec.published if _belongs(p, cell)), None)
    if theirs is None:
        return cell
    return replace(
        cell,
        published_psnr_db=theirs.psnr_db,
        psnr_difference_db=None if theirs.psnr_db is None else cell.psnr_db - theirs.psnr_db,
        published_ssim=theirs.ssim,
        ssim_difference=None if theirs.ssim is None or cell.ssim is None else cell.ssim - theirs.ssim,
        where=theirs.where or spec.where,
        because=theirs.because or spec.because,
    )


def _belongs(theirs: PublishedSpec, cell: Cell) -> bool:
    same = theirs.scheme == cell.scheme or cell.scheme == f"{theirs.scheme}, {ORACLE}" and theirs.rate is None
    rate = theirs.rate is None or theirs.rate == cell.rate
    return same and rate and theirs.frames == cell.frames and fnmatch(cell.clip, theirs.clip)


def _plain(value: object, name: str) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, float):
        if name in ("snr_db", "budget", "rate"):
            return f"{value:g}"
        return f"{value:.4f}" if "ssim" in name else f"{value:.3f}"
    return to_cell(value) if isinstance(value, str) else str(value)
