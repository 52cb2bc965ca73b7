"""A point's record and a manifest as they may be used, so that tables, plots and comparisons can rely on them.

A file may be valid JSON and still be no point: cut or changed by hand, merged from elsewhere, written by another
program. A record carries the checksum of its key and its text. Those that were written before there was one are
taken as they are, if what follows from their trials does.
"""

from __future__ import annotations

import hashlib
import json

from semlink.errors import ResultsError
from semlink.files import Json, JsonDict
from semlink.link.results.checked.laws import check_laws
from semlink.link.results.checked.shapes import ManifestShape, PlanShape, RecordShape, read_as
from semlink.link.results.rows import from_json

__all__ = ["CHECKSUM", "checked_manifest", "checked_plan", "checked_record", "sealed"]

CHECKSUM = "checksum"


def sealed(key: str, record: Json) -> JsonDict:
    """The record with the checksum of its key and all that it holds, as it is kept."""
    return {**record, CHECKSUM: _checksum(key, record)}


def checked_record(key: str, found: object) -> JsonDict:
    """`found` itself, if it is the record of the point `key`, as it was written.

    Raises:
        ValueError: says in a few words what is missing, of another kind, or cannot have been written.
    """
    record = read_as(RecordShape, found)
    assert isinstance(found, dict)
    if CHECKSUM in found and found[CHECKSUM] != _checksum(key, found):
        raise ValueError("its checksum is that of another content: it was changed after it was written")
    try:
        check_laws(record, from_json(record.row))
    except ResultsError as fault:
        raise ValueError(str(fault)) from None
    except OverflowError:
        raise ValueError("a number beyond all bounds") from None
    return found


def checked_manifest(found: object) -> JsonDict:
    """`found` itself, if it can be a manifest; what an older one lacks is no fault.

    Raises:
        ValueError: says in a few words what is of another kind.
    """
    read_as(ManifestShape, found)
    assert isinstance(found, dict)
    return found


def checked_plan(found: object) -> JsonDict:
    """`found` itself, if it can be the plan of a run.

    Raises:
        ValueError: says in a few words what is of another kind.
    """
    plan = read_as(PlanShape, found)
    assert isinstance(found, dict)
    if len(plan.grid) != len(plan.points_planned):
        raise ValueError("its points and their keys are not as many")
    return found


def _checksum(key: str, record: Json) -> str:
    text = json.dumps({name: part for name, part in record.items() if name != CHECKSUM})
    return hashlib.sha256(f"{key}\n{text}".encode()).hexdigest()
