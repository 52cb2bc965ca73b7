"""Citations: every key is known, and a run cites what it uses and nothing else."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import semlink
from semlink.errors import ResultsError, UnknownBlock
from semlink.link.citations.bibtex import REFERENCES, cite, cite_scenario, read_bib, used_by
from semlink.link.citations.docstring_sources import (
    ROOT,
    TOOLS,
    citations,
    citations_at,
    citations_of_file,
    keys_in,
    locate,
)
from semlink.link.metrics import intervals
from semlink.link.results.qualities import Doubt
from semlink.link.scenario.schema import CATALOGUE
from semlink.spec import kinds_of

INTERVAL = {"clopper1934", "gaffke2005", "learnedmiller2019", "rubin1981", "lugannani1980", "harris2020numpy"}

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
    assert {c.key for c in citations([locate("my_channel.py:Counting", plugin)])} == found | INTERVAL | {
        "harris2020numpy"
    }
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


SCHEMES = {
    "h264": {"kind": "digital", "codec": {"kind": "h264"}},
    "h265": {"kind": "digital", "codec": {"kind": "h265"}},
    "av1": {"kind": "digital", "codec": {"kind": "av1"}},
    "tokens": {
        "kind": "digital",
        "codec": {"kind": "task-aware", "weights": "compr_tokens"},
        "sensor": {"kind": "programmable", "mean_count": 2},
        "reconstruction": {"kind": "deep", "weights": "sensor"},
    },
    "semantic": {
        "kind": "semantic",
        "weights": "semcom_tokens",
        "sensor": {"kind": "programmable", "mean_count": 2},
        "reconstruction": {"kind": "gap-tv"},
    },
    "delta-sigma": {"kind": "digital", "codec": {"kind": "delta-sigma"}},
    "softcast": {"kind": "softcast"},
}
LDPC = {"kind": "ldpc", "modulation": "16qam", "rate": "2/3"}
RUN = "semlink clopper1934 gaffke2005 virtanen2020scipy harris2020numpy paszke2019pytorch"
H264 = "h264 x264 pyav ffmpeg"
DECODED = "3gpp38211 3gpp38212 hocevar2004 jones2003"
NR = f"{DECODED} lam2015numba"
CHOSEN = "3gpp38214 brueninghaus2005 polyanskiy2010"
HEARD = "chase1985"
OTHERS = f"av1 svt-av1 dav1d h265 x265 {HEARD} {CHOSEN} 3gpp38901 hoydis2022sionna gilbert1960 clarke1968 viterbi1967"
LEARNED = "zhang2024crl balle2018hyperprior cai2022mstpp yang2020improving"
USED = [
    # what a scenario has, what must be cited, what must not
    (
        "h264",
        {},
        f"{RUN} {H264} {NR} proakis2008",
        f"{OTHERS} {LEARNED} shannon1948 wang2003 yaml12 chen2002 bossen2013",
    ),
    ("h264", {"metrics": ["psnr"]}, H264, "wang2004 wang2003"),
    ("h264", {"metrics": ["psnr", "ms_ssim"]}, "wang2003 wang2004", ""),
    ("h265", {}, f"h265 x265 pyav {NR}", f"h264 x264 av1 svt-av1 {HEARD} {CHOSEN}"),
    ("av1", {}, f"av1 svt-av1 dav1d {NR}", "h264 x264 h265 x265"),
    ("h264", {"coding": {"kind": "ldpc", "mcs": 5}}, "3gpp38214", "brueninghaus2005 chase1985"),
    ("h264", {"coding": {"kind": "ldpc", "mcs": "best"}}, f"{NR} {CHOSEN}", f"{HEARD} mittal2002"),
    ("h264", {"coding": LDPC | {"harq": {}}}, HEARD, CHOSEN.replace("3gpp38214 ", "")),
    ("h264", {"coding": LDPC | {"backend": "sionna"}}, "hoydis2022sionna", "chen2002"),
    ("h264", {"coding": {"kind": "convolutional"}}, "viterbi1967 yasuda1984 3gpp38211", "hocevar2004 jones2003"),
    ("h264", {"coding": {"kind": "uncoded"}}, "3gpp38211", "viterbi1967 hocevar2004"),
    ("h264", {"coding": {"kind": "capacity"}}, "shannon1948", f"{DECODED} caire1998 ungerboeck1982 goldsmith1997"),
    ("h264", {"coding": {"kind": "capacity", "modulation": "qpsk"}}, "ungerboeck1982", "caire1998"),
    ("h264", {"coding": {"kind": "capacity", "modulation": "qpsk", "bitwise": True}}, "caire1998", "ungerboeck1982"),
    (
        "h264",
        {"coding": {"kind": "capacity"}, "channel": {"kind": "rayleigh"}},
        "goldsmith1997 shannon1948",
        "yang2014",
    ),
    (
        "h264",
        {"channel": {"kind": "rayleigh"}},
        "xiao2006 clarke1968",
        "3gpp38901 gilbert1960 goldsmith1997 hoeher1997",
    ),
    ("h264", {"channel": {"kind": "tdl"}}, "3gpp38901 hoydis2022sionna hoeher1997", "clarke1968 gilbert1960"),
    ("h264", {"channel": {"kind": "cdl"}}, "3gpp38901 hoydis2022sionna", "clarke1968"),
    (
        "h264",
        {"channel": {"kind": "gilbert-elliott", "p_gb": 0.1, "p_bg": 0.5}},
        "gilbert1960 elliott1963",
        "clarke1968",
    ),
    ("h264", {"channel": {"kind": "erasure", "probability": 0.1}}, "proakis2008", "gilbert1960 elliott1963"),
    ("h264", {"channel": {"kind": "phase-noise", "linewidth": 1e-4}}, "foschini1988", "3gpp38901"),
    ("h264", {"source": {"kind": "scenes"}}, "vanderwalt2014skimage bt709", "bossen2013 srivastava2015moving"),
    ("h264", {"source": {"kind": "video", "path": "a/*.mkv"}}, "pyav", "bossen2013 bt709 vanderwalt2014skimage"),
    ("h264", {"source": {"kind": "video", "path": "a.mkv", "range": "full"}}, "bt709", "bossen2013"),
    ("softcast", {"source": {"kind": "video", "path": "a_cif.yuv"}}, "bossen2013", "pyav h264"),
    ("h264", {"source": {"kind": "digits"}}, "lecun1998mnist hyder2019gmlr", "srivastava2015moving"),
    (
        "h264",
        {"source": {"kind": "digits", "motion": "bouncing", "path": "m.npz"}},
        "srivastava2015moving",
        "lecun1998mnist",
    ),
    ("softcast", {}, "jakubczak2011 lee1976 3gpp38212", "ahmed1974 h264 chen2002 hoydis2022sionna"),
    ("softcast", {"transform": "klt"}, "jakubczak2011 ahmed1974", ""),
    ("tokens", {}, "zhang2024crl bamler2022constriction cai2022mstpp", "yang2020improving cui2021gained h264 pyav"),
    ("semantic", {}, "zhang2024crl bourtsoulatze2019 yuan2016gaptv liao2014gap", "cai2022mstpp h264 chase1985"),
    ("delta-sigma", {}, "sun2020framediff", f"{LEARNED} bamler2022constriction h264"),
]


def scenario_of(name, changes):
    changes = dict(changes)
    whole = {"name": "small", "channel": {"kind": "awgn"}, "sweep": {"snr_db": 10, "budget": 0.1}}
    whole["source"] = {"kind": "wheel", "frames": 16}
    whole |= {key: changes.pop(key) for key in ("channel", "metrics", "source") if key in changes}
    coding = {"coding": changes.pop("coding", LDPC)} if SCHEMES[name]["kind"] == "digital" else {}
    return semlink.load(whole | {"schemes": [{"name": name, **SCHEMES[name], **coding, **changes}]})


@pytest.mark.parametrize(("name", "changes", "needed", "others"), USED)
def test_what_a_run_uses_is_cited_and_no_more(name, changes, needed, others):
    cited = keys_of(cite_scenario(scenario_of(name, changes)))
    assert not set(needed.split()) - cited
    assert not set(others.split()) & cited


@pytest.mark.parametrize(
    ("kind", "files", "needed", "others"),
    [
        ("video", ["clip/001.png", "clip/002.png"], "pillow", "bossen2013 pyav"),
        ("video", ["clip/a.mkv"], "pyav", "bossen2013"),
        ("video", ["clip/a_cif.yuv"], "bossen2013", "pyav"),
        ("dataset", ["clip/one/001.png"], "pillow", "bossen2013 pyav kianigaloogahi2017 ponttuset2017 soomro2012"),
        ("dataset", ["clip/one/240/one/1.jpg"], "kianigaloogahi2017", "bossen2013 pyav ponttuset2017 soomro2012"),
        ("dataset", ["clip/run/v_1.avi"], "soomro2012 pyav", "bossen2013 kianigaloogahi2017 ponttuset2017"),
    ],
)
def test_of_a_folder_what_it_holds_tells_what_reads_it(tmp_path, kind, files, needed, others):
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    scenario = scenario_of("softcast", {"source": {"kind": kind, "path": str(tmp_path / "clip")}})
    cited = keys_of(cite_scenario(scenario))
    assert not set(needed.split()) - cited
    assert not set(others.split()) & cited


BORROW_ALL = {"error-free", "sensing"}
"""Kinds with nothing of their own: what they do is all in the blocks they hold."""


def test_every_block_says_where_it_comes_from():
    for spec in (spec for specs in CATALOGUE.values() for spec in specs):
        assert (keys_of(cite([spec])) > {"semlink"}) == BORROW_ALL.isdisjoint(kinds_of(spec)), spec


def test_every_reference_is_cited_by_code_or_by_a_test_of_a_published_fact():
    cited = {c.key for path in ROOT.rglob("*.py") for c in citations_of_file(path)} | {"semlink"}
    cited |= {key for keys in TOOLS.values() for key in keys}
    marks = "".join(path.read_text() for path in Path(__file__).parents[1].rglob("test_*.py") if path != Path(__file__))
    cited |= set(re.findall(r'mark\.source\(\s*"([^"]+)"', marks))
    assert not set(read_bib(REFERENCES)) - cited


@pytest.mark.slow
def test_what_ran_is_what_is_cited(tmp_path):
    """The keys in docstrings of the code that a run really came to; kernels of numba show nowhere."""
    places = set()

    def noted(frame, event, _):
        code = frame.f_code
        if event == "call" and code.co_flags & inspect.CO_OPTIMIZED and code.co_filename.startswith(str(ROOT)):
            places.add((Path(code.co_filename), code.co_qualname.split(".")[0]))

    scenario = scenario_of("h264", {"source": {"kind": "scenes", "clips": 1, "frames": 4, "size": [32, 32]}})
    sys.setprofile(noted)
    try:
        semlink.run(scenario, out=tmp_path / "run", workers=1)
    finally:
        sys.setprofile(None)
    ran = {c.key for path, name in places for c in citations_at(path, name) if not c.is_tool}
    cited = {c.key for c in used_by(scenario) if not c.is_tool}
    of_kernels, of_doubt = {"jones2003"}, {"rubin1981", "lugannani1980", "satterthwaite1946", "learnedmiller2019"}
    assert cited - ran - of_kernels - of_doubt <= {"h264", "x264"}, "cited, and never run"
    assert ran - cited <= {"yaml12"}, "run, and not cited"


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
