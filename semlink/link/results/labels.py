"""What the columns of a results folder are called in tables and plots."""

from __future__ import annotations

from collections.abc import Iterable

from semlink.link.results.rows import Row

COST_NAMES = {
    "channel_uses_per_pixel": "channel uses per pixel",
    "measurements_per_pixel": "measurements per pixel",
}


SNR_NAME = "E\N{LATIN SUBSCRIPT SMALL LETTER S}/N\N{SUBSCRIPT ZERO}"


def schemes_of(rows: Iterable[Row]) -> tuple[str, ...]:
    """Names of the schemes in the order of the file."""
    return tuple(dict.fromkeys(r.scheme for r in rows))
