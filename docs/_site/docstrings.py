"""Sections of our docstrings stand without blank lines between them; mkdocstrings wants these."""

from __future__ import annotations

import re
from typing import Any

import griffe

HEAD = re.compile(r"(?<=[^\n])\n((?:Args|Attributes|Raises|Returns|Yields):\n)")


class Apart(griffe.Extension):
    """Puts a blank line before each section."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = HEAD.sub(r"\n\n\1", obj.docstring.value)
