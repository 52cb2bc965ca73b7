"""Citations: every key is known, and a run cites what it uses and nothing else."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from semlink.errors import ResultsError, UnknownBlock
from semlink.link.citations.bibtex import REFERENCES, cite, read_bib
from semlink.link.citations.docstring_sources import ROOT, citations, citations_of_file, keys_in, locate
from semlink.link.metrics import intervals
from semlink.link.results.qualities import Doubt

INTERVAL = {"clopper1934", "gaffke2005", "learnedmiller2019", "rubin1981", "lugannani1980"}

PLUGIN = '''
"""A channel of mine. Source: [mine2020, Sec. 2], [shannon1948, theorem 17]."""
from __future__ import annotations

from semlink.link.metrics.intervals import share_interval
from helpers import something


def used(x):
    """Source: [used2021]."""
    return CONSTANT + x


def unused(x):
    """Source: [unused2022, eq. (1)]."""


CONSTANT = 1.0
"""Source: [table2023, table 4]."""


class Annotated:
    """Source: [annotated2024]."""


class Mine:
    """Adds nothing."""

    def __call__(self, iq: Annotated) -> Annotated:
        """Source: [call2019, Fig. 3 and
        its caption]."""
        return used(iq)


class Counting(Mine):
    def count(self):
        return share_interval(1, 2)
'''


def keys_of(text):
    return {line.split("{")[1].rstrip(",") for line in text.splitlines() if line.startswith("@")}


@pytest.fixture
def plugin(tmp_path):
    (tmp_path / "my_channel.py").write_text(PLUGIN)
    return tmp_path


def test_every_key_of_the_package_is_in_the_bibliography():
    known = read_bib(REFERENCES)
    unknown = {
        f"{c.key} ({c.file.relative_to(ROOT)})"
        for path in sorted(ROOT.rglob("*.py"))
        for c in citations_of_file(path)
        if c.key not in known
    }
    assert not unknown, f"keys without an entry in references.bib: {', '.join(sorted(unknown))}"


def test_every_source_paragraph_names_a_key():
    """A `Source:` that the reader of keys does not understand would be lost."""
    lost = []
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = node.value.value if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) else ""
            lines = text.splitlines() if isinstance(text, str) else []
            paragraphs = sum("Source: [" in line for line in lines)
            if paragraphs and len(list(keys_in(text))) < paragraphs:
                lost.append(f"{path.name}: {text[:60]}")
    assert not lost


def test_entries_are_whole():
    entries = read_bib(REFERENCES)
    assert len(entries) >= 40
    for key, entry in entries.items():
        assert entry.count("{") == entry.count("}") and "title" in entry, key
        assert "author" in entry or "editor" in entry, key
        assert key == key.lower() and entry.isascii(), key


FOUNDATIONS = """
zhang2024crl zhang2024crl-supp hyder2019gmlr zhang2023hitvcsnet sun2020framediff 3gpp38211 3gpp38212 3gpp38214
3gpp38901 hoydis2022sionna proakis2008 polyanskiy2010 bjontegaard2001 wang2004 h264 h265 av1 jakubczak2011
bourtsoulatze2019 caire1998 tse2005 clarke1968 jakes1974 gilbert1960 elliott1963 cai2022mstpp yuan2016gaptv liao2014gap
"""


def test_the_foundations_are_there():
    assert set(FOUNDATIONS.split()) <= set(read_bib(REFERENCES))


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("Source: [proakis2008, eq. (4.3-13)].", [("proakis2008", "eq. (4.3-13)")]),
        ("One. Source: [a1], [b-2, table I]; its [c3] is [0, 1].", [("a1", ""), ("b-2", "table I"), ("c3", "")]),
        ("Source: [3gpp38212, 5.1\n    and 7.2].\n\nNot [this1, here].", [("3gpp38212", "5.1 and 7.2")]),
        ("Source [av1, section 5.3].", [("av1", "section 5.3")]),
        ("Takes [x1, y] without a source.", []),
        ("source: [x1].", []),
    ],
)
def test_keys_are_read_from_docstrings(text, keys):
    assert list(keys_in(text)) == keys


def test_only_what_the_code_reaches_is_cited(plugin):
    found = {c.key for c in citations([locate("my_channel.py:Mine", plugin)])}
    assert found == {"mine2020", "shannon1948", "used2021", "table2023", "call2019"}
    assert {c.key for c in citations([locate("my_channel.py:Counting", plugin)])} == found | INTERVAL
    whole = {c.key for c in citations([locate("my_channel.py", plugin)])}
    assert whole == found | INTERVAL | {"unused2022", "annotated2024"}


def test_a_plug_in_may_bring_its_own_entries(plugin):
    text = cite(["my_channel.py:Mine"], plugin)
    assert keys_of(text) == {"semlink", "shannon1948"}
    assert "% mine2020 in my_channel.py: Sec. 2" in text and "no entry for this key is known" in text
    (plugin / "references.bib").write_text("@misc{mine2020,\n  title = {Mine},\n}\n@misc{shannon1948, title = {no}}\n")
    text = cite(["my_channel.py:Mine"], plugin)
    assert "@misc{mine2020,\n  title = {Mine},\n}" in text and "A Mathematical Theory of Communication" in text


def test_functions_modules_and_blocks_within_blocks_are_followed():
    @dataclass(frozen=True)
    class Holder:
        inner: tuple

    for target in (
        intervals.share_interval,
        "semlink.link.metrics.intervals:share_interval",
        intervals,
        Holder(({"stop": intervals.share_interval},)),
    ):
        assert "clopper1934" in keys_of(cite([target])), target
    assert keys_of(cite([Doubt()])) == {"semlink"}
    assert "the binomial case" in cite([intervals.share_interval])


def test_names_that_lead_nowhere_are_said():
    for target in ("semlink.phy.nothing", "absent_module:X", "absent.py:X"):
        with pytest.raises(UnknownBlock, match="no such file or module"):
            cite([target])


@pytest.mark.parametrize(
    ("text", "message"),
    [("@misc{a1, title = {x}", "a1: the entry does not end"), ("@misc{a1, b}\n@misc{a1, c}\n", "'a1' comes twice")],
)
def test_a_broken_bibliography_is_named(tmp_path, text, message):
    (tmp_path / "r.bib").write_text(text)
    with pytest.raises(ResultsError, match=message):
        read_bib(tmp_path / "r.bib")
    with pytest.raises(ResultsError, match="cannot be read"):
        read_bib(tmp_path / "absent.bib")


SCENARIO = """
name: small
source: {kind: scenes, frames: 4, size: [64, 64], clips: 1}
channel: {kind: awgn}
sweep: {snr_db: 10, budget: 0.1}
schemes:
  - {name: H, kind: digital, codec: {kind: h264}, coding: {kind: ldpc, modulation: 16qam, rate: 2/3}}
metrics: [psnr, ssim]
"""


def test_a_scenario_is_cited_without_building_anything(tmp_path):
    (tmp_path / "small.yaml").write_text(SCENARIO)
    code = (
        "import sys; from pathlib import Path\n"
        "from semlink.link.scenario.loader import load_scenario\n"
        "from semlink.link.citations.bibtex import cite_scenario\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "sys.stdout.write(cite_scenario(load_scenario(folder / 'small.yaml', []), folder))\n"
        "assert not {'torch', 'sionna', 'av', 'matplotlib'} & set(sys.modules)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(ROOT).parent)
    assert run.returncode == 0, run.stderr
    found = keys_of(run.stdout)
    assert {"semlink", "3gpp38212", "3gpp38211", "h264", "wang2004", "clopper1934"} <= found
    assert not {"viterbi1967", "clarke1968", "gilbert1960"} & found
