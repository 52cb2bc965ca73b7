"""Model cards: which weights there are, where, and what they say of themselves.

All cards are in the package. Tensors that only an ablation or a table of a paper needs are not: they lie in
`scenarios/weights` of the repository, and are taken from there if they are those of their card.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from semlink.errors import ModelError
from semlink.files import PACKED_SUFFIX, PLAIN_SUFFIX, as_file, json_in, reason_of
from semlink.weights.card_shape import checked_card
from semlink.weights.retired import why_retired

SHIPPED = Path(__file__).parent
OUTSIDE = Path("scenarios/weights")
"""Of the repository: tensors whose cards alone are in the package."""
MOST_BYTES = 1 << 24
"""Of a card."""
RANDOM = "random"  # weights that nobody trained, asked for by name


def shipped_names() -> tuple[str, ...]:
    """The names of all weights whose tensors are in the package."""
    return tuple(sorted({path.stem for suffix in (PACKED_SUFFIX, PLAIN_SUFFIX) for path in SHIPPED.glob(f"*{suffix}")}))


def outside_names() -> tuple[str, ...]:
    """The names of all weights whose card alone is in the package."""
    return tuple(sorted({path.stem for path in SHIPPED.glob("*.json")} - set(shipped_names())))


def places(name: str | Path) -> tuple[Path, ...]:
    """Where weights `name` may lie, the first that is there being meant."""
    path = Path(name)
    if path.suffix in (PLAIN_SUFFIX, PACKED_SUFFIX):
        return (path,)
    inside = tuple(SHIPPED / f"{name}{suffix}" for suffix in (PACKED_SUFFIX, PLAIN_SUFFIX))
    return inside + _places_outside(str(name)) if (SHIPPED / f"{name}.json").is_file() else inside


def find_weights(name: str | Path) -> Path:
    """Where weights `name` lie: a file as it is, otherwise those whose card is in the package.

    Raises:
        ModelError: there are none.
    """
    for path in places(name):
        if path.is_file():
            return path
    if retired := why_retired(str(name)):
        raise ModelError(retired)
    if str(name) in outside_names():
        raise ModelError(
            f"weights {str(name)!r}: the package has their card only; {OUTSIDE}/{name}{PLAIN_SUFFIX} of the "
            "repository is neither beside the package nor in the working directory"
        )
    allowed = f"a {PLAIN_SUFFIX} or {PACKED_SUFFIX} file or one of {[*shipped_names(), *outside_names()]}"
    raise ModelError(f"weights {str(name)!r}: no such file; allowed: {allowed}")


def card_path(path: Path) -> Path:
    """Where the card of a weights file is written."""
    return path.with_suffix(".json")


def read_card(path: Path) -> dict[str, Any]:
    """The card beside `path`, or in the package if the file is one of `scenarios/weights` without its own.

    Raises:
        ModelError: it is missing or not readable.
    """
    place = card_path(path)
    if not place.is_file() and path in _places_outside(path.stem):
        place = SHIPPED / place.name
    try:
        if place.is_file() and place.stat().st_size > MOST_BYTES:
            raise ValueError(f"above {MOST_BYTES} bytes")
        return checked_card(json_in(as_file(place).read_bytes()), str(place))
    except (OSError, ValueError) as why:
        what = f"{place}: no readable model card ({reason_of(why)}); weights without a card are not used"
        raise ModelError(what) from why


def card_of(name: str | Path, *tasks: str) -> tuple[Path, dict[str, Any]]:
    """Where weights `name` lie, and their card, which must be of one of `tasks`.

    Raises:
        ModelError: missing, without a card, or of something else.
    """
    path = find_weights(name)
    card = read_card(path)
    if card["task"] not in tasks:
        raise ModelError(f"{path}: weights for {card['task']!r}; allowed: those of {', '.join(map(repr, tasks))}")
    return path, card


def is_of(name: str | Path, task: str) -> bool:
    """Whether weights `name` are there and of `task`, as their card says."""
    try:
        return bool(read_card(find_weights(name))["task"] == task)
    except ModelError:
        return False


def _places_outside(name: str) -> tuple[Path, ...]:
    return tuple(folder / OUTSIDE / f"{name}{PLAIN_SUFFIX}" for folder in (SHIPPED.parents[1], Path.cwd()))
