"""The points of a results folder: a file each while a run goes on, all in one file when it has ended.

    points/<key>.json                 one finished point
    points/packed-<digest>.jsonl.gz   many: a line {"key": ..., "record": ...} for each, in order of keys
    points/damaged/                   what is no point and was set aside

A record carries a checksum, so that one that was changed afterwards does not count.
Every file is written whole or not at all, and a pack before what it holds is
removed, so a killed process loses nothing and several may run side by side.
Folders are merged by copying their `points` together: there may be any number
of packs, and the next run makes one of them. What is not of the run stays and is
told; of a point that stands there twice with different numbers neither counts.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import math
import os
import stat
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from semlink.errors import ResultsError
from semlink.files import Json, JsonDict, json_in, reason_of, write_atomic
from semlink.link.results.checked.records import CHECKSUM, checked_record, sealed
from semlink.link.results.checked.shapes import KEY
from semlink.yaml12.words import shown

ORIGINS_TOLD = 4
TRIES = 5  # to read packs while another run replaces them
MOST_BYTES = 1 << 26
"""Of one record; more is none."""


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
        """A finished point, None if it is missing.

        Raises:
            ResultsError: it is damaged, or a pack is.
        """
        with contextlib.suppress(FileNotFoundError):
            return _record(self.path(key))
        line = self._packed().get(key)
        return None if line is None else json.loads(line)["record"]

    def write(self, key: str, record: Json) -> None:
        """Keep a finished point, with a checksum.

        Raises:
            ResultsError: the disk does not take it.
        """
        write_atomic(self.path(key), (json.dumps(sealed(key, record), indent=1) + "\n").encode())

    def pack(self) -> None:
        """Bring all finished points into one file; damaged ones stay where they are.

        Raises:
            ResultsError: a pack is damaged, or the disk does not take the new one.
        """
        packs, lines, packed = self._packs(), dict(self._packed()), []
        for path in self._loose():
            with contextlib.suppress(FileNotFoundError, ResultsError):
                lines[path.stem] = json.dumps({"key": path.stem, "record": _record(path)})
                packed.append(path)
        if not packed and len(packs) <= 1:
            return
        target = self._write_pack(lines)
        for path in {*packed, *packs} - {target}:
            path.unlink(missing_ok=True)

    def replace(self, lines: Mapping[str, str]) -> None:
        """Have exactly these points in one file, each a line of a pack by its key.

        Raises:
            ResultsError: the disk does not take it.
        """
        packs, loose = self._packs(), self._loose()
        target = self._write_pack(lines)
        for path in {*packs, *loose} - {target}:
            path.unlink(missing_ok=True)

    def records(self, keys: Iterable[str]) -> Iterator[JsonDict | None]:
        """What `read` gives for each key; packs are looked for once, so many keys take no longer each."""
        packed = self._packed()
        for key in keys:
            if not self.path(key).exists() and key in packed:
                yield json.loads(packed[key])["record"]
            else:
                yield self.read(key)

    def looked_over(self) -> tuple[dict[str, JsonDict], list[str]]:
        """Every whole record by its key, and a line for each file that is damaged; nothing is moved."""
        found: dict[str, JsonDict] = {}
        faults = []
        for path in self._packs():
            pack = _whole_lines(path, _stamp(path))
            faults += [f"{path}: damaged ({pack.why})"] if pack.why else []
            found |= {key: json.loads(line)["record"] for key, line in pack.lines.items()}
        for path in self._loose():
            try:
                found[path.stem] = _record(path)
            except ResultsError as fault:
                cause = fault.__cause__
                faults.append(f"{path}: damaged ({reason_of(cause if isinstance(cause, Exception) else fault)})")
        return found, faults

    def set_aside(self) -> list[str]:
        """Move what is no point into `damaged`, so that it is computed again; what is whole of a damaged pack stays.

        Returns:
            A line for each file that was moved.
        Raises:
            ResultsError: the disk does not take it.
        """
        said = []
        for path in self._loose():
            try:
                _record(path)
            except FileNotFoundError:
                continue
            except ResultsError as fault:
                cause = fault.__cause__
                said.append(self._moved(path, reason_of(cause if isinstance(cause, Exception) else fault)))
        for path in self._packs():
            with contextlib.suppress(FileNotFoundError):
                pack = _whole_lines(path, _stamp(path))
                if pack.why:
                    if pack.lines:
                        self._write_pack(pack.lines)
                    kept = f"{len(pack.lines)} whole points of it are kept"
                    said.append(f"{self._moved(path, pack.why)}; {kept}")
        return said

    def contradictions(self) -> dict[str, list[JsonDict]]:
        """The records of every point that stands here several times with different numbers.

        What an earlier version kept is none beside the same point with intervals of today.
        """
        texts: dict[str, dict[str, None]] = {}
        packs = [_whole_lines(path, _stamp(path)) for path in self._packs()]
        for pack in packs:
            for key, line in (*pack.lines.items(), *pack.others):
                texts.setdefault(key, {})[line] = None
        for path in self._loose():
            if path.stem in texts:
                texts[path.stem][json.dumps({"key": path.stem, "record": _record(path)})] = None
        several = {
            key: [json.loads(line)["record"] for line in lines] for key, lines in texts.items() if len(lines) > 1
        }
        return {key: found for key, records in several.items() if len(found := _different(_newest(records))) > 1}

    def settle(self) -> list[str]:
        """Set points aside that stand here twice with different numbers: nothing tells which are right.

        Returns:
            A line that says so, where there are any.
        """
        found = self.contradictions()
        if not found:
            return []
        for key, records in found.items():
            for record in records:
                write_atomic(self._place_aside(self.path(key)), json.dumps({"key": key, "record": record}).encode())
            self.path(key).unlink(missing_ok=True)
        packs = self._packs()
        target = self._write_pack({key: line for key, line in self._packed().items() if key not in found})
        for path in {*packs} - {target}:
            path.unlink(missing_ok=True)
        return [f"{self.told_twice(found)}; they are set aside in {self.folder / 'damaged'} and computed again"]

    def told_twice(self, found: Mapping[str, Sequence[Json]]) -> str:
        """That points stand here twice, with one of them."""
        key, records = next(iter(found.items()))
        numbers = ", ".join(f"{record['row'].get('psnr_db')} dB by {made_by(record)}" for record in records[:2])
        plural = "point stands" if len(found) == 1 else "points stand"
        return f"{self.folder}: {len(found)} {plural} here twice with different numbers, such as {key} ({numbers})"

    def strangers(self, keys: Iterable[str]) -> str:
        """Which points here are of other runs than that of `keys`, by scenario and version; '' if none is."""
        others = sorted(set(self.keys()) - set(keys))
        kinds = Counter(_origin(record) for record in self.records(others) if record is not None)
        told = [f"{count} of {origin}" for origin, count in kinds.most_common(ORIGINS_TOLD)]
        rest = sum(kinds.values()) - sum(count for _, count in kinds.most_common(ORIGINS_TOLD))
        told += [f"{rest} of others"] if rest else []
        plural = "point is" if sum(kinds.values()) == 1 else "points are"
        return f"{self.folder}: {sum(kinds.values())} {plural} of other runs: {', '.join(told)}" if told else ""

    def reject(self, key: str, why: str) -> str:
        """Set a point aside that is whole, but cannot be that of its key; what is computed then counts before it.

        Returns:
            A line that says so.
        """
        path = self.path(key)
        if not path.exists():
            packs, lines = self._packs(), dict(self._packed())
            write_atomic(self._place_aside(path), lines.pop(key).encode())
            target = self._write_pack(lines)
            for pack in {*packs} - {target}:
                pack.unlink(missing_ok=True)
            return f"{self.folder}: packed point {key} ({why}); it is set aside and computed again"
        return self._moved(path, why)

    def _moved(self, path: Path, why: str) -> str:
        place = self._place_aside(path)
        try:
            place.parent.mkdir(exist_ok=True)
            os.replace(path, place)
        except FileNotFoundError:
            raise
        except OSError as fault:
            raise ResultsError(f"{path}: damaged ({why}), and cannot be set aside ({reason_of(fault)})") from fault
        return f"{path}: damaged ({why}); it is set aside in {place.parent} and computed again"

    def _place_aside(self, path: Path) -> Path:
        place = self.folder / "damaged" / path.name
        while place.exists() or place.is_symlink():
            place = place.with_name(f"{place.name}.again")
        return place

    def _write_pack(self, lines: Mapping[str, str]) -> Path:
        text = "".join(f"{_sealed_line(key, lines[key])}\n" for key in sorted(lines)).encode()
        target = self.folder / f"packed-{hashlib.sha256(text).hexdigest()[:12]}.jsonl.gz"
        write_atomic(target, gzip.compress(text, mtime=0))
        return target

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
    """Changes with the file; of a link that leads nowhere its own.

    Raises:
        FileNotFoundError: there is none.
    """
    try:
        state = path.stat()
    except OSError:
        state = path.lstat()
    return state.st_mtime_ns, state.st_size


def _lines(path: Path, stamp: tuple[int, int]) -> Mapping[str, str]:
    pack = _whole_lines(path, stamp)
    if pack.why:
        raise ResultsError(f"{path}: damaged ({pack.why}); delete it, or run again to have what is missing computed")
    return pack.lines


@dataclass(frozen=True, slots=True)
class _Pack:
    """What a pack holds.

    Attributes:
        lines: those that are points, by key.
        others: key and line of points that stand in it more than once, and are not alike.
        why: what is wrong with the first line that is no point; '' if all are.
    """

    lines: Mapping[str, str]
    others: Sequence[tuple[str, str]]
    why: str


@lru_cache(maxsize=8)
def _whole_lines(path: Path, stamp: tuple[int, int]) -> _Pack:
    """What is whole of a pack."""
    lines: dict[str, str] = {}
    others, why = [], ""
    try:
        for number, data in enumerate(_unpacked(path), start=1):
            try:
                key, line = _key_of(data), data.decode().rstrip("\n")
                if lines.setdefault(key, line) != line:
                    others.append((key, line))
            except ValueError as fault:
                why = why or f"line {number}: {fault}"
    except FileNotFoundError:
        raise
    except (OSError, EOFError, zlib.error, ValueError) as fault:
        why = why or reason_of(fault)
    return _Pack(lines, others, why)


def _newest(records: Sequence[JsonDict]) -> list[JsonDict]:
    """Those whose intervals follow from the trials as the latest version has it."""
    latest = max(record.get("intervals", 0) for record in records)
    return [record for record in records if record.get("intervals", 0) == latest]


def differ(records: Sequence[JsonDict]) -> bool:
    """Whether records of one point have different numbers, of those whose intervals are as the latest has them."""
    return len(_different(_newest(records))) > 1


def _different(records: Sequence[JsonDict]) -> list[JsonDict]:
    """One record of each kind of numbers; machines may differ in the last digits."""
    found: list[JsonDict] = []
    for record in records:
        if not any(_has_the_numbers_of(record["row"], other["row"]) for other in found):
            found.append(record)
    return found


def _has_the_numbers_of(row: Json, other: Json) -> bool:
    """Whether all that `row` and `other` measure is the same but for rounding."""
    return row.keys() == other.keys() and all(_is_near(row[name], other[name]) for name in row if name != "note")


def _is_near(a: object, b: object) -> bool:
    if isinstance(a, int | float) and isinstance(b, int | float):
        return math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-4)
    return a == b


def _origin(record: Json) -> str:
    """Scenario and version that a record tells of."""
    name = record.get("scenario")
    return f"{'a scenario' if name is None else repr(name)} ({made_by(record)})"


def made_by(record: Json) -> str:
    """The version of semlink that a record tells of."""
    versions = record.get("versions")
    versions = versions if isinstance(versions, dict) else {}
    commit = versions.get("commit")
    told = f", commit {commit[:7]}" if isinstance(commit, str) and commit else ""
    return f"semlink {shown(str(versions.get('semlink', 'of an unknown version'))[:40])}{shown(told)}"


def _key_of(line: bytes) -> str:
    """The key in a line of a pack.

    Raises:
        ValueError: it holds no point.
    """
    found = json_in(line)
    if not isinstance(found, dict) or not isinstance(found.get("key"), str) or not KEY.fullmatch(found["key"]):
        raise ValueError("no key of a point")
    checked_record(found["key"], found.get("record"))
    return found["key"]


def _sealed_line(key: str, line: str) -> str:
    """A line of a pack with the checksum that those of earlier versions lack."""
    if f'"{CHECKSUM}": "' in line:
        return line
    return json.dumps({"key": key, "record": sealed(key, json.loads(line)["record"])})


def _unpacked(path: Path) -> Iterator[bytes]:
    """The lines of a compressed file, one after the other, so that none takes more memory than a record may."""
    if not path.is_file() and (path.exists() or path.is_symlink()):
        raise ValueError("not a file")
    with gzip.open(path) as file:
        while line := file.readline(MOST_BYTES):
            if len(line) == MOST_BYTES:
                raise ValueError(f"a line above {MOST_BYTES} bytes")
            yield line


def _record(path: Path) -> JsonDict:
    """The record in a loose file.

    Raises:
        FileNotFoundError: there is none.
        ResultsError: it is damaged.
    """
    try:
        state = path.stat()
        if state.st_size > MOST_BYTES or not stat.S_ISREG(state.st_mode):
            raise ValueError("no file, or a far too large one")
        return checked_record(path.stem, json_in(path.read_bytes()))
    except FileNotFoundError as missing:
        if not path.is_symlink():
            raise
        raise ResultsError(f"{path}: a link that leads nowhere; delete it, or run again") from missing
    except (OSError, ValueError) as fault:
        what = f"{path}: damaged record of a point ({reason_of(fault)})"
        raise ResultsError(f"{what}; delete it, or run again to have it computed") from fault
