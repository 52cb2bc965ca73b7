"""What JSON a point's record and a manifest are."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from semlink.files import Json
from semlink.yaml12.fields import Shown

__all__ = ["KEY", "ClipShape", "ManifestShape", "PlanShape", "RecordShape", "read_as"]

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


class ClipShape(_Part):
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

    @property
    def entries(self) -> Json:
        """All of it by name, a user's columns too."""
        return vars(self) | (self.model_extra or {})


class _Metric(_Part):
    column: Shown
    label: Shown = ""
    decimals: int = 0
    higher_is_better: bool = True


class RecordShape(_Part):
    scheme: Shown
    snr_db: float | None
    budget: float | None
    rate: float | None
    bound: bool
    row: dict[str, Any]
    clips: list[ClipShape]
    genie: list[str]
    channel: str = ""
    scenario: Shown | None = None
    metrics: list[_Metric] = []
    frame_kinds: list[str] = []
    group_frames: int = 1
    intervals: int = 0
    error: float = 0.05
    is_certain: bool = False


class ManifestShape(_Part):
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
    grid: list[Key] | None = None
    clips_digest: str | None = None
    shard: list[int] | None = None
    merged_from: list[dict[str, Any]] = []


class _Planned(_Part):
    """A point that a run is to compute: its name, and indices and values as a `GridPoint` has them."""

    name: Shown
    scheme: int
    channel: int | None
    snr_db: float | None
    budget: float | None
    rate: float | None


class PlanShape(ManifestShape):
    """A manifest before there is anything, with what a run is to do.

    `points_planned` are those of `grid`; `mine` says which of them the run computes, all if it is not there.
    """

    grid: list[Key]
    points_planned: list[_Planned]
    workers: int = 1
    mine: list[Key] | None = None


P = TypeVar("P", bound=_Part)


def read_as(part: type[P], found: object) -> P:
    """JSON as what it must be.

    Raises:
        ValueError: says in a few words what is missing or of another kind.
    """
    try:
        return part.model_validate(found)
    except ValidationError as fault:
        first = fault.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place}: {first['msg'].lower()}" if place else "not a JSON object") from None
