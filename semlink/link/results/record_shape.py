"""What a point's record and a manifest must look like, so that tables, plots and comparisons can rely on them.

A file may be valid JSON and still be no point: cut by hand, merged from elsewhere, written by another program.
"""

from __future__ import annotations

import math
import re
from statistics import fmean
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from semlink.errors import ResultsError
from semlink.files import JsonDict
from semlink.link.results.rows import Row, from_json
from semlink.yaml12.fields import Shown

__all__ = ["KEY", "checked_manifest", "checked_record"]

KEY = re.compile(r"[\w-]{1,80}")
"""A point's name in its folder, which leads nowhere else."""
Numbers = list[float]
Key = Annotated[str, Field(pattern=rf"^{KEY.pattern}$")]


class _Part(BaseModel):
    """A JSON object with these entries, and others."""

    model_config = ConfigDict(extra="allow", strict=True)


class _Told(_Part):
    """What a reconstruction tells of itself, as plots read it."""

    plane: list[Numbers] = []
    loss: list[Numbers] = []


class _Clip(_Part):
    name: Shown
    motion: Shown
    psnr_db: Numbers
    channel_uses: Numbers
    psnr_by_frame: Numbers
    ssim_by_frame: Numbers = []
    psnr_of_first_trial: Numbers = []
    blocks: list[int] = []
    lost: list[int] = []
    extremes: dict[str, tuple[float, float] | Numbers] = {}
    told: _Told = _Told()


class _Metric(_Part):
    column: Shown
    label: Shown = ""
    decimals: int = 0
    higher_is_better: bool = True


class _Record(_Part):
    scheme: Shown
    snr_db: float | None
    budget: float | None
    rate: float | None
    bound: bool
    row: dict[str, Any]
    clips: list[_Clip]
    genie: list[str]
    channel: str = ""
    scenario: Shown | None = None
    metrics: list[_Metric] = []
    frame_kinds: list[str] = []
    group_frames: int = 1
    intervals: int = 0
    error: float = 0.05
    is_certain: bool = False


class _Manifest(_Part):
    scenario: dict[str, Any] = {}
    keys: list[Key] | None = None
    shown: list[Key] = []
    packages: dict[str, str] = {}
    clips: list[dict[str, Any]] = []
    warnings: list[str] = []
    version: str | None = None
    commit: str | None = None
    device: str | None = None
    scenario_folder: str | None = None
    wall_s: float = 0.0
    points: int = 0
    points_computed_in_this_run: int = 0


P = TypeVar("P", bound=_Part)


def checked_record(found: object) -> JsonDict:
    """`found` itself, if it is the record of a point.

    Raises:
        ValueError: says in a few words what is missing or of another kind.
    """
    record = _read_as(_Record, found)
    try:
        row = from_json(record.row)
    except ResultsError as fault:
        raise ValueError(str(fault)) from None
    _check_lengths(record, row)
    assert isinstance(found, dict)
    return found


def checked_manifest(found: object) -> JsonDict:
    """`found` itself, if it can be a manifest; what an older one lacks is no fault.

    Raises:
        ValueError: says in a few words what is of another kind.
    """
    _read_as(_Manifest, found)
    assert isinstance(found, dict)
    return found


def _read_as(part: type[P], found: object) -> P:
    try:
        return part.model_validate(found)
    except ValidationError as fault:
        first = fault.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place}: {first['msg'].lower()}" if place else "not a JSON object") from None


def _check_lengths(record: _Record, row: Row) -> None:
    """One number a trial in every column that counts trials."""
    columns = ("psnr_db", "channel_uses", *_scored(row))
    for number, clip in enumerate(record.clips):
        trials = len(clip.psnr_db) if row.trials is None else row.trials
        told = vars(clip) | (clip.model_extra or {})
        held = {name: told.get(name) for name in columns} | {n: told[n] for n in ("blocks", "lost") if told[n]}
        for name, values in held.items():
            if not isinstance(values, list) or len(values) != trials or not all(map(_is_number, values)):
                raise ValueError(f"clips.{number}.{name}: not a number for each of {trials} trials")
        if not trials or not clip.psnr_by_frame:
            raise ValueError(f"clips.{number}: no trial, or no frame")
    found = [fmean(clip.psnr_db) for clip in record.clips]
    if found and (row.psnr_db is None or not math.isclose(fmean(found), row.psnr_db, rel_tol=1e-6)):
        raise ValueError("row.psnr_db: not the mean of the clips' values")


def _scored(row: Row) -> list[str]:
    """The columns of the row's other qualities."""
    own = [] if row.ssim is None else ["ssim"]
    return own + [name for name, value in row.extra.items() if _is_number(value) and not name.endswith("_ci95")]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
