"""Cells of a notebook's source: Python with `# %%` between cells, and `# %% [markdown]` before text."""

from __future__ import annotations

import re

MARK = re.compile(r"^# %%( \[markdown\])?\n", re.MULTILINE)


def cells_of(source: str) -> list[tuple[str, str]]:
    """Kind and text of each cell."""
    _, *parts = MARK.split(source)
    kinds, texts = parts[::2], parts[1::2]
    return [
        ("markdown", re.sub(r"^# ?", "", text, flags=re.MULTILINE).strip()) if kind else ("code", text.strip())
        for kind, text in zip(kinds, texts)
    ]
