"""One row of a results table: what `curves.csv` holds, how it is written and read.

A row is one scheme at one channel, one SNR and one budget (or rate). Columns
that a user's metric adds ride along in `extra` and stand at the end of the
file. Numbers are written with a fixed precision, so that equal results give
equal bytes.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType
from typing import Any

from semlink.errors import ResultsError
from semlink.files import Json, JsonDict, reason_of, write_atomic
from semlink.link.results.texts import from_cell, to_cell
from semlink.yaml12.words import shown

CURVES = "curves.csv"
TEXTS = ("scheme", "channel", "genie", "note")
COUNTS = ("trials", "clips", "seed", "agreement_bytes")
DECIMALS = {
    "channel_uses": 2,
    "payload": 2,
    "parity": 2,
    "crc": 2,
    "pilot": 2,
    "header": 2,
    "side_info": 2,
    "retransmission": 2,
    "psnr_db": 4,
    "psnr_ci95": 4,
    "psnr_clips_ci95": 4,
    "ssim": 5,
    "ssim_ci95": 5,
}
PER_SAMPLE = "channel_uses_per_sample"
"""A cost that stands behind the other columns, of runs in colour or with budgets per sample."""
SIGNIFICANT = 8  # digits of every other number


@dataclass(frozen=True, slots=True)
class Row:
    """One operating point of one scheme; None where there is nothing to say.

    Costs are complex channel uses per clip, split by purpose as the ledger
    does; `budget` is in channel uses per source pixel, `rate` is the scheme's
    own knob. `psnr_ci95` is the half width of the 95 % interval of the mean
    over trials with the clips held fixed (noise), `psnr_clips_ci95` that of
    the mean over clips (content). `genie` names the knowledge that no
    receiver could have, comma-separated; `bound` marks an idealised curve.
    `agreement_bytes` is the size of what both ends knew beforehand, `choice_bits`
    what of it the clips had a part in.
    """

    scheme: str
    channel: str = ""
    snr_db: float | None = None
    budget: float | None = None
    rate: float | None = None
    channel_uses: float | None = None
    channel_uses_per_pixel: float | None = None
    measurements_per_pixel: float | None = None
    payload: float | None = None
    parity: float | None = None
    crc: float | None = None
    pilot: float | None = None
    header: float | None = None
    side_info: float | None = None
    retransmission: float | None = None
    psnr_db: float | None = None
    psnr_ci95: float | None = None
    ssim: float | None = None
    ssim_ci95: float | None = None
    bler: float | None = None
    trials: int | None = None
    clips: int | None = None
    seed: int | None = None
    genie: str = ""
    note: str = ""
    psnr_clips_ci95: float | None = None
    bler_ci95_low: float | None = None
    bler_ci95_high: float | None = None
    outage: float | None = None
    bound: bool = False
    agreement_bytes: int | None = None
    choice_bits: float | None = None
    extra: Json = field(default_factory=lambda: MappingProxyType({}))

    @property
    def point(self) -> tuple[str, float | None, float | None, float | None]:
        """Where the row stands: channel, SNR, budget, rate (the rate only without a budget)."""
        return self.channel, self.snr_db, self.budget, self.rate if self.budget is None else None


COLUMNS = tuple(f.name for f in fields(Row) if f.name != "extra")
_OWN = {name: attrgetter(name) for name in COLUMNS}


def own_columns(row: Row) -> dict[str, str | float | bool | None]:
    """The own columns of `row` by name."""
    return {name: getattr(row, name) for name in COLUMNS}


def value(row: Row, column: str) -> float | None:
    """A number of `row`, own or extra; None where it is empty, text or not a number."""
    found = _OWN[column](row) if column in COLUMNS else row.extra.get(column)
    if isinstance(found, str | bool) or found is None or math.isnan(found):
        return None
    return float(found)


def cost_column(rows: Iterable[Row]) -> str:
    """What the cost axis shows: channel uses per pixel, or measurements where nothing is sent."""
    rows = tuple(rows)
    names = ("channel_uses_per_pixel", "measurements_per_pixel")
    return next((name for name in names if any(value(row, name) is not None for row in rows)), names[0])


def only_senses(row: Row) -> bool:
    """Whether it is of a scheme that sends nothing: no channel stands between it and the score."""
    return not row.channel and row.snr_db is None and row.channel_uses is None


def by_cost(rows: Iterable[Row]) -> list[tuple[str, list[Row]]]:
    """Rows whose costs are counted alike, each group with its column: those that send, then those that only sense."""
    rows = list(rows)
    groups = ([r for r in rows if not only_senses(r)], [r for r in rows if only_senses(r)])
    return [(cost_column(group), group) for group in groups if group]


def cells(row: Row) -> tuple[str, ...]:
    """The own columns of `row` as they stand in the file; equal for rows that a reader cannot tell apart."""
    return tuple(_cell(name, content) for name, content in own_columns(row).items())


def write_csv(rows: Sequence[Row], path: str | os.PathLike[str]) -> None:
    """Write `rows` under a header, all or nothing.

    Raises:
        ResultsError: the file cannot be written.
    """
    extras = tuple(dict.fromkeys(name for row in rows for name in row.extra))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*COLUMNS, *extras])
    for row in rows:
        writer.writerow([*cells(row), *(_cell(name, row.extra.get(name)) for name in extras)])
    write_atomic(path, out.getvalue().encode())


def read_csv(path: str | os.PathLike[str]) -> tuple[Row, ...]:
    """The rows of a `curves.csv`; unknown columns become `extra`.

    Raises:
        ResultsError: the file is missing, no table of results, or holds a number that is none.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ResultsError(f"{path}: cannot be read ({reason_of(error)})") from error
    reader = csv.reader(io.StringIO(text, newline=""))
    rows = []
    try:
        header = next(reader, [])
        if "scheme" not in header:
            raise ResultsError(f"{path}:1: no column 'scheme'; expected a table that `semlink run` wrote")
        for cells in reader:
            if cells:
                rows.append(_parse(dict(zip(header, cells)), f"{path}:{reader.line_num}"))
    except csv.Error as fault:
        raise ResultsError(
            f"{path}:{reader.line_num}: no table ({fault}); run again to have it written anew"
        ) from fault
    return tuple(rows)


def refuse_no_folder(folder: Path) -> None:
    """Refuse what is no folder.

    Raises:
        ResultsError: says whether a file is there, or nothing.
    """
    if folder.is_file():
        raise ResultsError(f"{folder}: is a file; expected the folder that `semlink run` wrote")
    if not folder.is_dir():
        raise ResultsError(f"{folder}: no such folder; expected one that `semlink run` wrote")


def read_folder(directory: str | os.PathLike[str]) -> tuple[Row, ...]:
    """The rows of a results folder.

    Raises:
        ResultsError: there is no such folder, or it holds no readable, filled `curves.csv`.
    """
    folder = Path(directory)
    refuse_no_folder(folder)
    if not (folder / CURVES).is_file():
        raise ResultsError(f"{folder}: holds no {CURVES}; finish `semlink run` with --out {folder} first")
    rows = read_csv(folder / CURVES)
    if not rows:
        raise ResultsError(f"{folder / CURVES}: holds a header but no rows")
    return rows


def to_json(row: Row) -> JsonDict:
    """`row` as plain JSON values; infinities as the words 'inf' and '-inf'."""
    own = {name: _plain(content) for name, content in own_columns(row).items()}
    return own | {"extra": {name: _plain(v) for name, v in row.extra.items()}}


def from_json(values: Json) -> Row:
    """The row that `to_json` made; unknown names are kept as `extra`.

    Raises:
        ResultsError: no JSON object, or a value is not of its column's type.
    """
    if not isinstance(values, Mapping) or not isinstance(values.get("extra") or {}, Mapping):
        raise ResultsError("row: not a JSON object, or one with an 'extra' that is none")
    own = {name: _typed(name, v, "row") for name, v in values.items() if name in COLUMNS}
    if not own.get("scheme"):
        raise ResultsError("row: has no 'scheme'")
    strange = {name: v for name, v in values.items() if name not in COLUMNS and name != "extra"}
    extra = {shown(str(name)): _number_or_text(v) for name, v in (dict(values.get("extra") or {}) | strange).items()}
    for name, v in extra.items():
        if not isinstance(v, float | str | None):
            raise ResultsError(f"row: {name}: got {_short(v)}, expected a number or a text")
    return Row(**own, extra=extra)


def _cell(name: str, content: str | float | bool | None) -> str:
    """One cell of the table: fixed precision, no trailing zeros but in qualities, '' for nothing."""
    if content is None or content is False:
        return ""
    if content is True:
        return "yes"
    if isinstance(content, str):
        return to_cell(" ".join(content.split()))
    if name in COUNTS:
        return str(int(content))
    number = float(content)
    if math.isnan(number):
        return ""
    if name not in DECIMALS or math.isinf(number):
        return f"{number + 0.0:.{SIGNIFICANT}g}"
    text = f"{number:.{DECIMALS[name]}f}"
    return text if DECIMALS[name] > 2 else text.rstrip("0").rstrip(".")


def _parse(cells: Mapping[str, str], where: str) -> Row:
    own = {name: _typed(name, from_cell(text), where) for name, text in cells.items() if name in COLUMNS}
    if not own.get("scheme"):
        raise ResultsError(f"{where}: no name of a scheme")
    extra = {shown(name): _number_or_text(from_cell(text)) for name, text in cells.items() if name not in COLUMNS}
    return Row(**own, extra={name: found for name, found in extra.items() if found is not None})


def _typed(name: str, content: Any, where: str) -> Any:
    """A cell or JSON value as the type of its column."""
    if name in TEXTS:
        return _text(name, content, where)
    if name == "bound":
        return content is True or str(content).lower() in ("yes", "true", "1")
    if content is None or content == "":
        return None
    try:
        return int(content) if name in COUNTS else float(content)
    except (TypeError, ValueError, OverflowError):
        kind = "a whole number" if name in COUNTS else "a number"
        raise ResultsError(f"{where}: {name}: got {_short(content)}, expected {kind}") from None


def _text(name: str, content: Any, where: str) -> str:
    if content is not None and not isinstance(content, str):
        raise ResultsError(f"{where}: {name}: got {_short(content)}, expected a text")
    return shown(content or "")


def _number_or_text(content: Any) -> Any:
    try:
        return float(content)
    except (TypeError, ValueError, OverflowError):
        return content or None


def _short(content: Any) -> str:
    text = repr(content)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _plain(content: str | float | bool | None) -> str | float | bool | None:
    if content is None or isinstance(content, str | bool | int):
        return content
    number = float(content)
    if math.isnan(number):
        return None
    return number if math.isfinite(number) else str(number)
