"""Where a file of the repository stands in the site, and links that lead there."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES_OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
    "results/README.md": "evidence/findings.md",
}
"""Pages whose source is not in `docs/`."""
LINK = re.compile(r"(\]\()(?!\w+:|#)([^)#\s]+)(#[^)\s]*)?(\))")
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.DOTALL | re.MULTILINE)


def page_of(path: str) -> str:
    """The address in the site of a file of the repository, both from their tops.

    Pages of `docs/` keep their place; other files that pages link to lie below `repository/`.
    """
    if path in PAGES_OUTSIDE:
        return PAGES_OUTSIDE[path]
    if path == "results/commands.yaml":
        return "evidence/index.md"  # the gallery is made of it
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if path.startswith("notebooks/"):
        return f"tutorials/{Path(path).stem}.md"
    if path.startswith("results/bench/") and path.endswith(".md"):
        return f"evidence/bench/{posixpath.basename(path)}"
    return f"repository/{path}"


def source_of(address: str) -> str:
    """The file of the repository that a page of the site is made of; of one made of code, where it would lie."""
    if address.startswith("evidence/bench/"):
        return address.replace("evidence", "results", 1)
    outside = {page: path for path, page in PAGES_OUTSIDE.items()}
    return outside.get(address, f"docs/{address}")


def targets(text: str, source: str) -> Iterator[str]:
    """Files of the repository that a page links to, from the top."""
    for found in LINK.finditer(CODE.sub(_blank, text)):
        yield _target(found[2], source)


def relinked(text: str, source: str, address: str) -> str:
    """A page whose links, which hold in the repository, hold in the site."""
    hidden = CODE.sub(_blank, text)
    parts, end = [], 0
    for found in LINK.finditer(hidden):
        to = posixpath.relpath(page_of(_target(found[2], source)), posixpath.dirname(address) or ".")
        parts += [text[end : found.start()], f"]({to}{found[3] or ''})"]
        end = found.end()
    return "".join([*parts, text[end:]])


def _target(link: str, source: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), link))


def _blank(found: re.Match[str]) -> str:
    """Code as long as it was and without a link in it; a code span may be a link's text."""
    return re.sub(r"[\[\]()]", " ", found[0])


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Lines of a Markdown table; bars within cells are escaped."""
    cells = [tuple(cell.replace("|", "\\|") for cell in row) for row in rows]
    return [f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *cells)]
