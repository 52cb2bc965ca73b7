"""What a run notes about itself while it goes on, in the folder `.run` of its results.

    plan.json          all points of the scenario, written before the first is computed
    took-<who>.txt     a line for each point that a process computed: its key, and the seconds that it took
    failed/<key>.json  a point that failed, until it is computed

No number rests on any of it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from semlink.errors import ResultsError
from semlink.files import JsonDict, drop_spares, json_in, machine, reason_of, write_atomic
from semlink.link.results.checked.records import checked_plan
from semlink.link.results.checked.shapes import KEY

__all__ = ["NOTES", "Notes"]

NOTES = ".run"
PLAN = "plan.json"
MOST_TIMES = 8
"""Files of times, one for each process that there was, from which on they are made one."""


@dataclass(frozen=True, slots=True)
class Notes:
    """The notes in a results folder."""

    results: Path

    @property
    def folder(self) -> Path:
        return self.results / NOTES

    def forget(self) -> None:
        """Remove all of them."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def tidy(self) -> None:
        """Make few files of many times; nobody else is at work here."""
        for folder in (self.folder, self.folder / "failed"):
            drop_spares(folder, is_ours=True)
        found = self._files_of_times()
        if len(found) > MOST_TIMES:
            text = "".join(f"{key} {seconds:.3f}\n" for key, seconds in self.times().items())
            write_atomic(self.folder / "took-before.txt", text.encode())
            for path in found:
                if path.name != "took-before.txt":
                    path.unlink(missing_ok=True)

    def write_plan(self, plan: JsonDict) -> None:
        """Keep what there is to do.

        Raises:
            ResultsError: the disk does not take it.
        """
        write_atomic(self.folder / PLAN, (json.dumps(plan) + "\n").encode(), durable=False)

    def plan(self) -> JsonDict | None:
        """What the last run here was to do; None where none has said so.

        Raises:
            ResultsError: the file is damaged.
        """
        try:
            return checked_plan(json_in((self.folder / PLAN).read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as fault:
            path = self.folder / PLAN
            raise ResultsError(f"{path}: cannot be read ({reason_of(fault)}); run again to have it written") from fault

    def took(self, key: str, seconds: float) -> None:
        """Note that this process has computed a point; what came of it is kept already."""
        with suppress(OSError):
            self.folder.mkdir(exist_ok=True)
            with (self.folder / f"took-{machine()}-{os.getpid()}.txt").open("a") as file:
                file.write(f"{key} {seconds:.3f}\n")
        with suppress(OSError):
            self._failed(key).unlink()

    def times(self) -> dict[str, float]:
        """Seconds that points took, by their keys."""
        return dict(self.all_times())

    def all_times(self) -> Iterator[tuple[str, float]]:
        """Every time that was noted; a point that was computed twice is there twice."""
        for path in self._files_of_times():
            with suppress(OSError, UnicodeDecodeError):
                for line in path.read_text().splitlines():
                    key, _, seconds = line.partition(" ")
                    with suppress(ValueError):  # a process may have been killed in the middle of its line
                        if KEY.fullmatch(key) and 0 <= float(seconds) < 1e9:
                            yield key, float(seconds)

    def fail(self, key: str, name: str, told: str) -> None:
        """Note that a point failed: which in words, and the line that is told of it."""
        with suppress(ResultsError):  # the failure itself is told
            write_atomic(self._failed(key), (json.dumps({"point": name, "told": told}) + "\n").encode(), durable=False)

    def failures(self) -> dict[str, JsonDict]:
        """Points that failed, each with its name and the line that was told."""
        found = {}
        for path in sorted((self.folder / "failed").glob("[!.]*.json")):
            with suppress(OSError, ValueError, KeyError, TypeError):
                kept = json_in(path.read_bytes())
                found[path.stem] = {"point": str(kept["point"]), "told": str(kept["told"])}
        return found

    def _failed(self, key: str) -> Path:
        return self.folder / "failed" / f"{key}.json"

    def _files_of_times(self) -> list[Path]:
        return sorted(self.folder.glob("took-*.txt"))
