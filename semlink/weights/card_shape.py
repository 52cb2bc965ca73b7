"""What a model card must look like: anybody may have written the one beside a weights file."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from semlink.errors import ModelError

__all__ = ["LARGEST", "checked_card"]

LARGEST = 4096
"""Of every whole number that describes a model: channels, blocks, frames."""
DEEPEST = 6
EXPOSURES = (0, 1, 2, 4, 8)


class Told(dict[str, Any]):
    """A part of a card; what it does not say is an error that names the card."""

    def __init__(self, content: dict[str, Any], place: str) -> None:
        super().__init__(content)
        self.place = place

    def __missing__(self, key: str) -> Any:
        raise ModelError(f"{self.place}: the card does not tell {key!r}; write or fetch it again")

    def __reduce__(self) -> tuple[Any, ...]:
        return Told, (dict(self), self.place)


def checked_card(found: object, place: str) -> dict[str, Any]:
    """`found` as a card, if what it tells is of the kinds that loaders expect.

    Args:
        place: the file, for errors.
    Raises:
        ValueError: says which entry is missing or of another kind.
    """
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    if not _is_sha256(found.get("weights_sha256")):
        raise ValueError("weights_sha256: not a digest")
    for name in ("task", "architecture"):
        if not isinstance(found.get(name, ""), str) or "task" not in found:
            raise ValueError(f"{name}: not a text")
    parts = {name: found.get(name, {}) for name in ("model", "options", "facts", "probe")}
    for name, part in parts.items():
        if not isinstance(part, dict):
            raise ValueError(f"{name}: not a JSON object")
    _check_sizes(parts["model"], "model")
    _check_facts(parts["facts"])
    for name in ("probe", "decoder_probe"):
        probe = found.get(name) if name == "probe" else parts["facts"].get(name)
        if probe is not None and not _are_numbers(probe.get("values") if isinstance(probe, dict) else None, 16):
            raise ValueError(f"{name}: not the 16 numbers of an answer")
    return Told({**found, **{name: Told(part, place) for name, part in parts.items()}}, place)


def _check_sizes(value: Any, name: str, depth: int = 0) -> None:
    """Numbers within `LARGEST`, and nothing nested deep."""
    if depth > DEEPEST:
        raise ValueError(f"{name}: nested too deep")
    if isinstance(value, dict | list):
        named = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in named:
            _check_sizes(inner, f"{name}.{key}", depth + 1)
    elif _is_number(value) and not abs(value) <= LARGEST:
        raise ValueError(f"{name}: {value:.6g}; allowed: up to {LARGEST}")


def _check_facts(facts: dict[str, Any]) -> None:
    for name, value in facts.items():
        fits = FACTS.get(name)
        if fits is not None and value is not None and not fits(value):
            raise ValueError(f"facts.{name}: of another kind than such weights have")
    _check_sizes(facts.get("decoder", {}), "facts.decoder")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _are_numbers(value: Any, count: int | None = None) -> bool:
    return isinstance(value, list) and all(map(_is_number, value)) and count in (None, len(value))


def _is_sha256(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 64 and all(letter in "0123456789abcdef" for letter in value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST


def _is_pair(value: Any) -> bool:
    return _are_numbers(value, 2) and value[0] <= value[1]


def _are_prices(value: Any) -> bool:
    return _are_numbers(value, 2) and min(value) > 0


def _is_tile(value: Any) -> bool:
    if not isinstance(value, list) or not value or not all(isinstance(row, list) and row for row in value):
        return False
    counts = [count for row in value for count in row]
    return len({len(row) for row in value}) == 1 and all(_is_whole(c) and c in EXPOSURES for c in counts)


def _are_learned_maps(value: Any) -> bool:
    def fits(row: Any) -> bool:
        return isinstance(row, dict) and _is_number(row.get("mean_count")) and _is_tile(row.get("tile"))

    return isinstance(value, list) and all(map(fits, value))


def _is_text_or_counts(found: object) -> bool:
    """The name of a kind of maps, or the counts that uniform maps had."""
    return _is_text(found) or (isinstance(found, list) and all(type(count) is int for count in found))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_switch(value: Any) -> bool:
    return isinstance(value, bool)


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 < value <= 1


FACTS: dict[str, Callable[[Any], bool]] = {
    "tile": _is_tile,
    "learned": _are_learned_maps,
    "prices": _are_prices,
    "snr_db": _is_pair,
    "kept": _is_pair,
    "knobs": _is_pair,
    "noise_db": _is_pair,
    "num_frames": _is_whole,
    "stride": _is_whole,
    "group": _is_whole,
    "gop": _is_whole,
    "latent": _is_whole,
    "planes": _is_whole,
    "seed": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "mean_count": _is_number,
    "key_ratio": _is_share,
    "ratios": lambda value: _are_numbers(value) and len(value) > 0 and all(map(_is_share, value)),
    "channels": lambda value: isinstance(value, list) and len(value) > 0 and all(map(_is_whole, value)),
    "allocation": _is_text,
    "colour": _is_text,
    "loss": _is_text,
    "maps": _is_text_or_counts,
    "matrix": _is_text,
    "basis": _is_text,
    "masked": _is_switch,
    "fading": _is_switch,
    "joint": _is_switch,
    "decoder": lambda value: isinstance(value, dict),
    "decoder_probe": lambda value: isinstance(value, dict),
    "noise": lambda value: isinstance(value, dict) and all(map(_is_number, value.values())),
}
"""What loaders and blocks expect of a fact, by its name; what they do not read may be anything."""
