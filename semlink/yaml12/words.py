"""Names that are fit to be shown."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

UNSEEN = ("Cc", "Cs", "Zl", "Zp")
"""Categories of Unicode: control characters, halves of characters, line and paragraph separators."""
TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""What turns the direction of the text around it."""
SEEN = r"\S"
"""Of a name, as a regular expression: that something of it is seen."""
STRANGE = r"[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
"""All of these but halves of characters, which no file holds, as a regular expression that JSON Schema takes too."""


def strange_signs(text: str) -> Iterator[str]:
    """The signs of a text that steer a terminal, break a line or a figure, or turn what stands around them."""
    return (sign for sign in text if unicodedata.category(sign) in UNSEEN or sign in TURNING)


def shown(text: str) -> str:
    """A text in which each such sign is a replacement character."""
    if text.isascii() and text.isprintable():
        return text
    strange = set(strange_signs(text))
    return "".join("\N{REPLACEMENT CHARACTER}" if sign in strange else sign for sign in text) if strange else text


def fit_to_show(text: str) -> str:
    """The text, if it can stand in a table, a figure and a terminal.

    Raises:
        ValueError: names the first sign that cannot.
    """
    for sign in strange_signs(text):
        name = unicodedata.name(sign, "a control character")
        raise ValueError(
            f"got {text[:60]!r}, which holds U+{ord(sign):04X} ({name.lower()}); allowed: signs that are seen"
        )
    return text
