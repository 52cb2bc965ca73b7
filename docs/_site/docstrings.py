"""Sections of our docstrings stand without blank lines between them, and alike arguments in one line."""

from __future__ import annotations

import re
from typing import Any

import griffe

HEAD = re.compile(r"(?<=[^\n])\n((?:Args|Attributes|Raises|Returns|Yields):\n)")
ALIKE = re.compile(r"^( +)(\w+(?:, \w+)+): (.*(?:\n\1 +\S.*)*)", re.MULTILINE)


class Apart(griffe.Extension):
    """Puts a blank line before each section, and says of each argument what is said of several."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = ALIKE.sub(_each, HEAD.sub(r"\n\n\1", obj.docstring.value))


def _each(found: re.Match[str]) -> str:
    return "\n".join(f"{found[1]}{name}: {found[3]}" for name in found[2].split(", "))
