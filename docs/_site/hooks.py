"""What makes the site more than the pages of `docs/`: pages from code, results and notebooks, and links that hold.

MkDocs calls the functions below by their names. Nothing is written into `docs/`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import blocks
import commands
import gallery
import public_names
import tutorials
import validation
from mkdocs.structure.files import File, Files
from places import PAGES_OUTSIDE, ROOT, page_of, relinked, source_of, targets

from semlink.plugins.entry_points import INTERFACES


def on_files(files: Files, config: Any) -> Files:
    """Adds pages that are made of something else, and every file of the repository that a page links to."""
    made: dict[str, str | bytes] = {page_of(path): (ROOT / path).read_text() for path in PAGES_OUTSIDE}
    for path in sorted((ROOT / "results/bench").glob("*.md")):
        made[page_of(str(path.relative_to(ROOT)))] = path.read_text()
    for interface in (*INTERFACES, "metric"):
        made[f"reference/blocks/{interface}.md"] = blocks.page(interface)
    made["reference/commands.md"] = commands.page()
    made["reference/published.md"] = validation.page()
    made["reference/python.md"] = public_names.page()
    made |= gallery.files()
    made |= tutorials.files()
    for address, content in made.items():
        files.append(File.generated(config, address, content=content))
    for address in linked(files):
        files.append(File.generated(config, page_of(address), content=(ROOT / address).read_bytes()))
    return files


def linked(files: Files) -> list[str]:
    """Files of the repository that pages link to and that are not in the site yet."""
    there = {file.src_uri for file in files}
    pages = [(file.content_string, source_of(file.src_uri)) for file in files.documentation_pages()]
    found = {target for text, source in pages for target in targets(text, source)}
    return sorted(path for path in found if page_of(path) not in there and Path(ROOT / path).is_file())


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links that hold in the repository become links that hold in the site; lone pages have no list beside them."""
    if page.parent is None:
        page.meta["hide"] = ["navigation"]
    return relinked(markdown, source_of(page.file.src_uri), page.file.src_uri)
