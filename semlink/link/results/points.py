"""The points of a results folder: a file each while a run goes on, all in one file when it has ended.

    points/<key>.json                 one finished point
    points/packed-<digest>.jsonl.gz   many: a line {"key": ..., "record": ...} for each, in order of keys

Every file is written whole or not at all, and a pack before what it holds is
removed, so a killed process loses nothing and several may run side by side.
Folders are merged by copying their `points` together: there may be any number
of packs, and the next run makes one of them.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from semlink.errors import ResultsError
from semlink.files import Json, JsonDict, write_atomic

TRIES = 5  # to read packs while another run replaces them


@dataclass(frozen=True, slots=True)
class Points:
    """The folder `points` of a results folder."""

    folder: Path

    def path(self, key: str) -> Path:
        """Where one point is written."""
        return self.folder / f"{key}.json"

    def keys(self) -> list[str]:
        """The keys of all points here, finished or damaged."""
        return sorted({path.stem for path in self._loose()} | set(self._packed()))

    def read(self, key: str) -> JsonDict | None:
        """A finished point, None if it is missing or damaged.

        Raises:
            ResultsError: a pack is damaged.
        """
        with contextlib.suppress(FileNotFoundError):
            return _record(self.path(key))
        line = self._packed().get(key)
        return None if line is None else _checked(json.loads(line)["record"])

    def write(self, key: str, record: Json) -> None:
        """Keep a finished point.

        Raises:
            ResultsError: the disk does not take it.
        """
        write_atomic(self.path(key), (json.dumps(record, indent=1) + "\n").encode())

    def pack(self) -> None:
        """Bring all finished points into one file; damaged ones stay where they are.

        Raises:
            ResultsError: a pack is damaged, or the disk does not take the new one.
        """
        packs, lines, packed = self._packs(), dict(self._packed()), []
        for path in self._loose():
            with contextlib.suppress(FileNotFoundError):
                record = _record(path)
                if record is not None:
                    lines[path.stem] = json.dumps({"key": path.stem, "record": record})
                    packed.append(path)
        if not packed and len(packs) <= 1:
            return
        text = "".join(f"{lines[key]}\n" for key in sorted(lines)).encode()
        target = self.folder / f"packed-{hashlib.sha256(text).hexdigest()[:12]}.jsonl.gz"
        write_atomic(target, gzip.compress(text, mtime=0))
        for path in {*packed, *packs} - {target}:
            path.unlink(missing_ok=True)

    def _loose(self) -> list[Path]:
        return sorted(self.folder.glob("[!.]*.json"))

    def _packs(self) -> list[Path]:
        return sorted(self.folder.glob("[!.]*.jsonl.gz"))

    def _packed(self) -> Mapping[str, str]:
        """Lines of all packs by key; packs that a run beside this one replaces meanwhile are looked for anew."""
        for _ in range(TRIES):
            with contextlib.suppress(FileNotFoundError):
                return {key: line for path in self._packs() for key, line in _lines(path, _stamp(path)).items()}
        raise ResultsError(f"{self.folder}: packed points vanish while they are read; is another run removing them?")


def _stamp(path: Path) -> tuple[int, int]:
    """Changes with the file."""
    state = path.stat()
    return state.st_mtime_ns, state.st_size


@lru_cache(maxsize=8)
def _lines(path: Path, stamp: tuple[int, int]) -> Mapping[str, str]:
    try:
        lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        return {json.loads(line)["key"]: line for line in lines}
    except FileNotFoundError:
        raise
    except (OSError, EOFError, ValueError, KeyError, TypeError) as fault:
        raise ResultsError(f"{path}: damaged ({fault}); delete it and run again") from fault


def _record(path: Path) -> JsonDict | None:
    """The record in a loose file, None if it is damaged."""
    try:
        return _checked(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise
    except (OSError, ValueError):
        return None


def _checked(record: object) -> JsonDict | None:
    return record if isinstance(record, dict) and "row" in record else None
