"""Notebooks as pages, with the outputs that are kept in them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from places import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def files() -> dict[str, str | bytes]:
    """A page for each notebook and its pictures, by their addresses; the notebook itself is there to be taken."""
    made: dict[str, str | bytes] = {}
    for path in NOTEBOOKS:
        cells = json.loads(path.read_text())["cells"]
        pictures: dict[str, bytes] = {}
        parts = [part for number, cell in enumerate(cells) for part in _cell(cell, f"{path.stem}_{number}", pictures)]
        parts.append(f"[This notebook]({path.name}), to run it yourself: `pip install '.[notebook]'`.")
        made[f"tutorials/{path.stem}.md"] = "\n\n".join(parts) + "\n"
        made[f"tutorials/{path.name}"] = path.read_bytes()
        made |= {f"tutorials/{name}": stored for name, stored in pictures.items()}
    return made


def _cell(cell: dict, name: str, pictures: dict[str, bytes]) -> Iterator[str]:
    text = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        yield text
        return
    yield f"```python\n{text}\n```"
    for number, output in enumerate(cell["outputs"]):
        yield from _output(output, f"{name}_{number}.png", pictures)


def _output(output: dict[str, Any], name: str, pictures: dict[str, bytes]) -> Iterator[str]:
    """A figure, a table, or text as it was printed."""
    if output["output_type"] == "stream":
        yield _printed("".join(output["text"]))
        return
    shown = output["data"]
    if "image/png" in shown:
        pictures[name] = base64.b64decode("".join(shown["image/png"]))
        yield f"![What the cell above draws]({name})"
    elif "text/html" in shown:
        yield f'<div class="shown" markdown="0">\n{"".join(shown["text/html"]).strip()}\n</div>'
    else:
        yield _printed("".join(shown["text/plain"]))


def _printed(text: str) -> str:
    return f"```{{ .text .no-copy }}\n{text.rstrip()}\n```"
