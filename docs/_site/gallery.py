"""The gallery: every folder of `results/` with its command, what it shows, and a picture drawn from its points."""

from __future__ import annotations

import io
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import yaml
from markdown.extensions.toc import slugify
from places import ROOT

import semlink

RESULTS = ROOT / "results"
DPI = 80
TOP = """# Gallery of evidence

Every folder of `results/` with the command that made it and a picture drawn from its points. What it says about the
claims of the papers: [findings](../../results/README.md). Clips of others are not in the repository: give your own for
`source.path`. A folder whose scenario draws its own scenes can be made again as it is.
"""


def files() -> dict[str, str | bytes]:
    """The page, its pictures and its tables, by their addresses."""
    commands = yaml.safe_load((RESULTS / "commands.yaml").read_text())
    findings = (RESULTS / "README.md").read_text()
    found = {name: heading_of(name, findings) for name in commands}
    lines = [TOP]
    made: dict[str, str | bytes] = {}
    for heading in dict.fromkeys(found[name] for name in sorted(commands, key=lambda name: place(name, findings))):
        lines += [f"## {heading}", "", f"[What was found](../../results/README.md#{slugify(heading, '-')})", ""]
        for name in (name for name in commands if found[name] == heading):
            title = [] if name == heading else [f"### {name}", ""]
            lines += [*title, *_entry(name, commands[name]), ""]
            made[f"evidence/pictures/{name}.png"] = picture(RESULTS / name)
            made[f"evidence/tables/{name}.csv"] = (RESULTS / name / "curves.csv").read_bytes()
    return {"evidence/index.md": "\n".join(lines), **made}


def place(name: str, findings: str) -> int:
    """Where the findings tell of a folder: the heading that names it, else its command, else the first mention.

    `table_gmlr_*` names all that begin so.

    Raises:
        ValueError: nowhere.
    """
    begins = "|".join(name[:end] + r"\*" for end in range(4, len(name) + 1))
    named = rf"(?<!\w)(?:{re.escape(name)}(?!\w)|{begins})"
    found = re.search(rf"^##+ .*?{named}", findings, re.MULTILINE)
    found = found or re.search(rf"scenarios/{name}\.yaml", findings)
    found = found or re.compile(named).search(findings, findings.index("\n## "))
    if found is None:
        raise ValueError(f"results/README.md says nothing of {name}")
    return found.start()


def heading_of(name: str, findings: str) -> str:
    """The heading under which the findings first tell of a folder."""
    before = findings[: findings.index("\n", place(name, findings))]
    return re.findall(r"^##+ (.*)$", before, re.MULTILINE)[-1]


def _entry(name: str, made: dict) -> Iterator[str]:
    manifest = json.loads((RESULTS / name / "manifest.json").read_text())
    about = manifest["scenario"].get("description") or name
    changes = " ".join(f"--set {shlex.quote(change)}" for change in made["set"])
    yield from (f"{about[0].upper()}{about[1:]}.", "")
    yield from ("```sh", f"semlink run {made['file']} {changes}".rstrip(), "```", "")
    yield f"![{about}](pictures/{name}.png){{ loading=lazy }}"
    told = f"{manifest['points']} points, semlink {manifest['version']}, commit {manifest['commit'][:10]}"
    yield from ("", f"{told}. [Table](tables/{name}.csv), [scenario](../../{made['file']}).")
    if "stale" in manifest:
        yield from ("", f"**Stale**: {manifest['stale']}")


def picture(folder: Path) -> bytes:
    """Quality over cost; over SNR where more of these were run."""
    results = semlink.results(folder)
    rows = results.table(pandas=False)
    levels = {row["snr_db"] for row in rows}
    costs = {(row["budget"], row["rate"]) for row in rows}
    figure = results.plot("snr" if len(levels) > len(costs) else "cost")
    stored = io.BytesIO()
    figure.savefig(stored, dpi=DPI, format="png")
    return stored.getvalue()
