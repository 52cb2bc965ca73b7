"""A results folder: point files, `curves.csv`, `manifest.json`.

A point is written whole or not at all, under a name that follows from what it
depends on. A rerun computes what is missing; see `points` for how they are kept.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from semlink import __version__
from semlink.errors import ResultsError
from semlink.files import Json, JsonDict, as_file, drop_spares, json_in, write_atomic
from semlink.link.results.code import commit
from semlink.link.results.lock import unwritable
from semlink.link.results.points import Points
from semlink.link.results.rows import CURVES, Row, from_json, write_csv

LEAST_FREE_BYTES = 20_000_000
LOG = "error.log"
"""The traceback of a run that a user's class ended."""
RECORDED = ("torch", "numpy", "scipy", "av", "numba", "sionna-no-rt", "constriction", "scikit-commpy", "scikit-image")


@dataclass(frozen=True, slots=True)
class Results:
    """Paths and files of one results folder; of what writes to it there is one run at a time (`lock`)."""

    folder: Path

    def prepare(self, *, fresh: bool) -> None:
        """Make the folder and prove that it can be written.

        Raises:
            ResultsError: it cannot, or the disk is nearly full.
        """
        try:
            if fresh and (self.folder / "points").is_dir():
                shutil.rmtree(self.folder / "points")
            (self.folder / "points").mkdir(parents=True, exist_ok=True)
            self.drop_spares()
            (self.folder / LOG).unlink(missing_ok=True)
            write_atomic(self.folder / "points" / ".probe", b"semlink\n")
            (self.folder / "points" / ".probe").unlink()
            free = shutil.disk_usage(self.folder).free
        except OSError as fault:
            raise unwritable(self.folder, fault) from fault
        if free < LEAST_FREE_BYTES:
            raise ResultsError(f"{self.folder}: only {free / 1e6:.0f} MB free on this disk; a run needs 20 MB")

    def write_log(self, text: str) -> Path:
        """Keep the whole of what went wrong in a user's class.

        Raises:
            ResultsError: the disk does not take it.
        """
        write_atomic(self.folder / LOG, text.encode(errors="replace"))
        return self.folder / LOG

    def tidy(self) -> None:
        """After a failure: no half-written file stays, and no folder that holds nothing."""
        self.drop_spares()
        with contextlib.suppress(OSError):
            (self.folder / "points").rmdir()

    def drop_spares(self) -> None:
        """Remove what killed writers left unfinished; figures are drawn beside a run, and may be in the making."""
        drop_spares(self.folder / "points", is_ours=True)
        drop_spares(self.folder, is_ours=False)

    @property
    def points(self) -> Points:
        return Points(self.folder / "points")

    def point_path(self, key: str) -> Path:
        return self.points.path(key)

    def keys(self) -> list[str]:
        """The keys of all points here, finished or damaged."""
        return self.points.keys()

    def read(self, key: str) -> JsonDict | None:
        """A finished point, None if it is missing.

        Raises:
            ResultsError: it is damaged.
        """
        return self.points.read(key)

    def write(self, key: str, record: Json) -> None:
        """Keep a finished point.

        Raises:
            ResultsError: the disk does not take it.
        """
        self.points.write(key, record)

    def write_curves(self, keys: Iterable[str]) -> tuple[Row, ...]:
        """Collect the points into `curves.csv`, in the order of the grid."""
        records = self.points.records(keys)
        rows = tuple(from_json(record["row"]) for record in records if record is not None)
        write_csv(rows, self.folder / CURVES)
        return rows

    def manifest(
        self,
        scenario: Json,
        *,
        seconds: float,
        workers: int,
        computed: int,
        keys: Sequence[str],
        shown: Sequence[str],
        clips_digest: str,
        clips: Sequence[Json] = (),
        warnings: Sequence[str] = (),
        files: Path | None = None,
        grid: Sequence[str] = (),
        shard: tuple[int, int] | None = None,
    ) -> JsonDict:
        """What made these results, and which points they are.

        Args:
            keys: of all points, in the order of `curves.csv`.
            shown: of those that pictures show.
            clips_digest: of the names and pixels of the clips; keys follow from it and the scenario.
            clips: name, motion class and what the source tells of each clip, such as the range of its luma.
            warnings: what a user should know before believing the numbers, a line each.
            files: where the scenario's files were looked up; kept relative to this folder.
            grid: keys of all points that the scenario has, where not all are here.
            shard: which part of how many was computed.
        """
        return {
            "scenario": dict(scenario),
            "version": __version__,
            "commit": commit(),
            "packages": packages(),
            "device": f"cpu ({platform.machine()}, {os.cpu_count()} cores)",
            "workers": workers,
            "points": len(keys),
            "points_computed_in_this_run": computed,
            "wall_s": round(seconds, 1),
            **({} if files is None else {"scenario_folder": os.path.relpath(files.resolve(), self.folder.resolve())}),
            "keys": list(keys),
            **({"grid": list(grid)} if list(grid) not in ([], list(keys)) else {}),
            **({} if shard is None else {"shard": list(shard)}),
            "shown": list(shown),
            "clips_digest": clips_digest,
            "clips": [dict(clip) for clip in clips],
            "warnings": list(warnings),
        }

    def write_manifest(self, manifest: Json) -> None:
        """Keep it; of a run that computed nothing it leaves what tells of the work that made the points, such as time,
        workers and commit.
        """
        before = {} if manifest["points_computed_in_this_run"] else self._of_the_last_work()
        write_atomic(self.folder / "manifest.json", (json.dumps({**manifest, **before}, indent=1) + "\n").encode())

    def _of_the_last_work(self) -> JsonDict:
        """What the manifest here has of the run that computed something."""
        try:
            before = json_in(as_file(self.folder / "manifest.json").read_bytes())
            return {name: before[name] for name in ("version", "commit", "packages", "device", "workers", "wall_s")}
        except (OSError, ValueError, KeyError, TypeError):
            return {}


def packages() -> dict[str, str]:
    """Versions here of what numbers rest on."""
    return dict(_packages())


@cache
def _packages() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in RECORDED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
