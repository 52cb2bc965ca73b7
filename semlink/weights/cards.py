"""Model cards: which weights there are, where, and what they say of themselves."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from semlink.errors import ModelError

SHIPPED = Path(__file__).parent


RANDOM = "random"  # weights that nobody trained, asked for by name


def shipped_names() -> tuple[str, ...]:
    """The names of all weights in the package."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.safetensors")))


def find_weights(name: str | Path) -> Path:
    """Where weights `name` lie: a .safetensors file as it is, otherwise a shipped name.

    Raises:
        ModelError: there are none.
    """
    path = Path(name)
    found = path if path.suffix == ".safetensors" else SHIPPED / f"{name}.safetensors"
    if not found.is_file():
        allowed = f"a .safetensors file or one of {list(shipped_names())}"
        raise ModelError(f"weights {str(name)!r}: no such file; allowed: {allowed}")
    return found


def card_path(path: Path) -> Path:
    """Where the card of a weights file stands."""
    return path.with_suffix(".json")


def read_card(path: Path) -> dict[str, Any]:
    """The card beside `path`.

    Raises:
        ModelError: it is missing or not readable.
    """
    try:
        return json.loads(card_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as why:
        what = f"{card_path(path)}: no readable model card ({why}); weights without a card are not used"
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


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    return sha256(path.read_bytes()).hexdigest()
