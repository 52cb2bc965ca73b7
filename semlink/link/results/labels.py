"""What the columns of a results folder are called in tables and plots."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from semlink.files import Json
from semlink.link.results.rows import Row
from semlink.phy.specs.channels import CHANNELS
from semlink.phy.specs.codings import CODINGS
from semlink.spec import kinds_of

COST_NAMES = {
    "channel_uses_per_pixel": "channel uses per pixel",
    "measurements_per_pixel": "measurements per pixel",
}


SNR_NAME = "E\N{LATIN SUBSCRIPT SMALL LETTER S}/N\N{SUBSCRIPT ZERO}"


CHOSEN = re.compile(r"\bmcs (\w+) ([\d.]+)/1024\b")
QAM = re.compile(r"^(\d+)qam$", re.IGNORECASE)


def coding_name(modulation: str, rate: float) -> str:
    """16qam and 2/3: '16-QAM 2/3', other rates in 1024ths as tables of MCS have them."""
    for parts in (2, 3, 4, 5, 6):
        if math.isclose(rate * parts, round(rate * parts), abs_tol=1e-5):  # notes have three decimals of 1024ths
            told = f"{round(rate * parts)}/{parts}"
            break
    else:
        told = f"{rate * 1024:.4g}/1024"
    name = QAM.sub(r"\1-QAM", modulation).replace("qpsk", "QPSK").replace("bpsk", "BPSK")
    return f"{name} {told}"


def chosen_coding(note: str) -> str:
    """The modulation and rate that a note says were chosen; '' for none."""
    found = CHOSEN.search(note)
    return coding_name(found[1], float(found[2]) / 1024) if found else ""


def in_words(note: str) -> str:
    """A note as one reads it: `mcs 16qam 682.667/1024`, as files have it, is MCS 16-QAM 2/3."""
    return CHOSEN.sub(lambda found: f"MCS {coding_name(found[1], float(found[2]) / 1024)}", note)


def schemes_of(rows: Iterable[Row]) -> tuple[str, ...]:
    """Names of the schemes in the order of the file."""
    return tuple(dict.fromkeys(r.scheme for r in rows))


def place_in_words(row: Row) -> str:
    """Where a row stands, for a line on it."""
    parts = [row.scheme, row.channel]
    parts += [] if row.snr_db is None else [f"{row.snr_db:g} dB"]
    parts += [] if row.budget is None else [f"budget {row.budget:g}"]
    parts += [] if row.rate is None else [f"rate {row.rate:g}"]
    return ", ".join(part for part in parts if part)


def bound_words(manifest: Json) -> dict[str, str]:
    """By the scheme, what a bound is one on: `bound` for the quality itself, another word for something else.

    Schemes whose coding is none of ours are left out.
    """
    scenario = manifest.get("scenario") or {}
    channels = scenario.get("channel") or []
    kinds = {dict(channel).get("kind") for channel in (channels if isinstance(channels, list) else [channels])}
    fades = any(spec.fades and kinds & set(kinds_of(spec)) for spec in CHANNELS)
    found = {}
    for scheme in scenario.get("schemes") or ():
        words = [_bound_of(coding, fades=fades) for coding in _codings(scheme)]
        if any(words):
            found[str(scheme.get("name") or scheme.get("kind"))] = next(filter(None, words))
    return found


def _codings(tree: object) -> Iterator[Json]:
    """What stands under `coding` in a scheme, however deep."""
    if isinstance(tree, Mapping):
        for key, inner in tree.items():
            if key == "coding" and isinstance(inner, Mapping):
                yield inner
            yield from _codings(inner)


def _bound_of(coding: Json, *, fades: bool) -> str:
    for spec in CODINGS:
        if coding.get("kind") in kinds_of(spec):
            with suppress(ValueError):  # as another version wrote it
                return spec.model_validate(dict(coding)).bound_on(fades=fades)
    return ""
