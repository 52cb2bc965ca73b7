"""Makes the notebooks from their sources: `python notebooks/make.py [NAME...]`.

Without names those are run whose code has changed, and words are taken over; with names these are.

A source is Python with `# %%` between cells and `# %% [markdown]` before text, as editors show it: differences can be
read, and what formats and checks Python formats and checks it. A notebook is the same cells with their outputs, which
the documentation shows. Needs `pip install '.[notebook]'`.
"""

from __future__ import annotations

import base64
import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from percent import cells_of
from PIL import Image

HERE = Path(__file__).resolve().parent
SOURCES = sorted(HERE.glob("[0-9]*.py"))


def executed(source: Path, seconds: int = 3600) -> Any:
    """The notebook of a source, run from the top in a fresh folder that has `results/` beside it.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell fails.
    """
    made = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    cells = [made[kind](text, id=f"cell-{number}") for number, (kind, text) in enumerate(cells_of(source.read_text()))]
    notebook = nbformat.v4.new_notebook(cells=cells)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / HERE.name
        place.mkdir()
        (Path(folder) / "results").symlink_to(HERE.parent / "results")
        shutil.copy(source, place)
        NotebookClient(notebook, timeout=seconds, resources={"metadata": {"path": str(place)}}).execute()
    for cell in cells:
        cell.metadata.clear()  # when each cell was run
        for output in cell.get("outputs", ()):
            shrink(output)
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return notebook


def shrink(output: Any) -> None:
    """Figures in 128 colours take a third of the room."""
    shown = output.get("data", {})
    if "image/png" in shown:
        stored = io.BytesIO()
        picture = Image.open(io.BytesIO(base64.b64decode(shown["image/png"])))
        picture.convert("RGB").quantize(128).save(stored, "PNG", optimize=True)
        shown["image/png"] = base64.b64encode(stored.getvalue()).decode()


def reworded(source: Path) -> bool:
    """Takes over the words of a source whose code is that of its notebook; False where something must be run."""
    path = source.with_suffix(".ipynb")
    if not path.exists():
        return False
    notebook, cells = nbformat.read(path, as_version=4), cells_of(source.read_text())
    kept = [(cell.cell_type, cell.source if cell.cell_type == "code" else "") for cell in notebook.cells]
    if kept != [(kind, text if kind == "code" else "") for kind, text in cells]:
        return False
    for cell, (_, text) in zip(notebook.cells, cells):
        cell.source = text
    nbformat.write(notebook, path)
    return True


def main(names: list[str]) -> None:
    for source in SOURCES:
        if source.stem in names or (not names and not reworded(source)):
            nbformat.write(executed(source), source.with_suffix(".ipynb"))
            sys.stdout.write(f"{source.with_suffix('.ipynb')}\n")


if __name__ == "__main__":
    main([Path(name).stem for name in sys.argv[1:]])
