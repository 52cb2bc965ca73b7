"""The documentation site: built with warnings as errors, every link leads somewhere, nothing comes from elsewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from semlink.link.scenario.schema import CATALOGUE, spec_schema
from semlink.spec import kinds_of

ROOT = Path(__file__).resolve().parents[2]
PARTS = ROOT / "docs/_site"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))


class Page(HTMLParser):
    """What a page names: places in it, links, and what a browser fetches with it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.pictures_without_words = 0
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list) -> None:
        found = dict(attrs)
        self.names |= {found[key] for key in ("id", "name") if found.get(key)}
        if tag in ("a", "area") and found.get("href"):
            self.links.append(found["href"])
        if tag == "link" and found.get("rel") != "canonical":
            self.fetched.append(found["href"])
        self.fetched += [found[key] for key in ("src", "poster", "data") if found.get(key)]
        self.pictures_without_words += tag == "img" and not found.get("alt")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    pytest.importorskip("mkdocs", reason="the site needs pip install '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Page]:
    return {path: Page(path) for path in sorted(site.rglob("*.html"))}


def test_every_link_leads_somewhere(pages, site):
    """Files, and places in pages; addresses outside are looked at, not asked for."""
    broken = []
    for path, page in pages.items():
        for link in page.links + page.fetched:
            parts = urlsplit(link)
            if parts.scheme in ("http", "https"):
                if not re.fullmatch(r"[\w-]+(\.[\w-]+)+", parts.netloc):
                    broken.append(f"{path.relative_to(site)}: {link}")
                continue
            if parts.scheme in ("data", "mailto", "javascript"):
                continue
            top = site if path.name == "404.html" else path.parent
            target = (
                top / unquote(parts.path.lstrip("/") if path.name == "404.html" else parts.path) if parts.path else path
            )
            target = target / "index.html" if target.is_dir() else target
            there = target.is_file() and (not parts.fragment or target.suffix != ".html" or knows(pages, target, parts))
            if not there:
                broken.append(f"{path.relative_to(site)}: {link}")
    assert len(pages) > 30 and not broken, broken


def knows(pages: dict[Path, Page], target: Path, parts) -> bool:
    return unquote(parts.fragment) in pages[Path(os.path.normpath(target))].names | {"__skip"}


def test_nothing_is_fetched_from_elsewhere(pages, site):
    assert not {link for page in pages.values() for link in page.fetched if urlsplit(link).scheme in ("http", "https")}
    sheets = "".join(path.read_text() for path in site.rglob("*.css"))
    assert not re.findall(r"(?:url\(|@import\s*)[\"']?https?:", sheets)


def test_pictures_have_words(pages):
    assert not [path.name for path, page in pages.items() if page.pictures_without_words]


@pytest.mark.parametrize("joint", CATALOGUE)
def test_every_option_of_every_block_is_explained(joint, monkeypatch):
    """With unit, default and range, from the models that a scenario is checked with."""
    monkeypatch.syspath_prepend(str(PARTS))
    import blocks

    rows = {line.split("|")[1].strip(" `"): line for line in blocks.page(joint).splitlines() if line.startswith("| `")}
    for spec in CATALOGUE[joint]:
        assert spec.__doc__ and all(f"`{kind}`" in blocks.page(joint) for kind in kinds_of(spec))
        options = {name: option for name, option in spec_schema(spec)["properties"].items() if name != "kind"}
        assert options.keys() <= rows.keys()
        assert not [name for name, option in options.items() if not option.get("description")]


def test_a_number_needs_its_unit(monkeypatch):
    monkeypatch.syspath_prepend(str(PARTS))
    import blocks

    assert blocks.unit("tdl", "speed_kmh", "number from 0 to 10000") == "km/h"
    assert blocks.unit("rician", "k_db", "number | null") == "dB"
    assert blocks.unit("h264", "tune", "film | null") == ""
    with pytest.raises(KeyError, match=r"mine\.weight: say its unit"):
        blocks.unit("mine", "weight", "number from 0")


def test_lists_and_tables_stand_apart():
    """Where a list or table follows a sentence at once, one reader of Markdown shows it and the other does not."""
    wrong = []
    for path in [
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    ]:
        lines = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.S | re.M).splitlines()
        for number, (before, line) in enumerate(zip(lines, lines[1:]), 2):
            begins = re.match(r"([-*]|\d+\.) |\|", line)
            if begins and before.strip() and not re.match(r"#|\s*([-*]|\d+\.) |\||\s{2,}", before):
                wrong.append(f"{path.name}:{number}: {line[:60]}")
    assert not wrong, wrong


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_its_source_with_outputs(path):
    """The same cells, each of them run, none with an error; small enough to be kept."""
    sys.path.insert(0, str(ROOT / "notebooks"))
    try:
        from percent import cells_of
    finally:
        sys.path.pop(0)
    cells = json.loads(path.read_text())["cells"]
    assert [(cell["cell_type"], "".join(cell["source"])) for cell in cells] == cells_of(
        path.with_suffix(".py").read_text()
    )
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert not [
        out for cell in code for out in cell["outputs"] if out["output_type"] == "error" or out.get("name") == "stderr"
    ]
    assert path.stat().st_size < 300_000


def test_every_source_has_its_notebook():
    assert [path.stem for path in sorted((ROOT / "notebooks").glob("[0-9]*.py"))] == [path.stem for path in NOTEBOOKS]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, monkeypatch):
    """From the top, in a fresh folder, with the same kinds of outputs as are kept."""
    pytest.importorskip("nbclient", reason="notebooks need pip install '.[notebook]'")
    monkeypatch.syspath_prepend(str(ROOT / "notebooks"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    from make import executed

    kept, made = json.loads(path.read_text())["cells"], executed(path.with_suffix(".py")).cells
    for before, now in zip(kept, made, strict=True):
        assert [kind(output) for output in before.get("outputs", ())] == [
            kind(output) for output in now.get("outputs", ())
        ]


def kind(output: dict) -> tuple:
    return output["output_type"], *sorted(output.get("data", ()))
