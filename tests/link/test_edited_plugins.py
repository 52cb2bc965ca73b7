"""Edit, rerun, believe: after an edit of anything that a user's class rests on its points are computed anew."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from own_blocks import around

from semlink.cli.new.blocks import TEMPLATES, scenario_lines, skeleton
from semlink.errors import InterfaceError
from semlink.link.results.rows import Row
from semlink.link.scenario.loader import load_scenario
from semlink.link.sweep.plan import Job
from semlink.link.sweep.run import run
from semlink.plugins import fingerprint

SPOTS = {
    "source": ("0.4 * np.sin", "0.4 * LEVEL * np.sin"),
    "sensor": ("slots + noise", "LEVEL * slots + noise"),
    "reconstruction": ("mixed.repeat_interleave", "(LEVEL * mixed).repeat_interleave"),
    "codec": ("np.round(clip[", "np.round(LEVEL * clip["),
    "coding": ("if zlib.crc32(block)", "if LEVEL == 1 and zlib.crc32(block)"),
    "rate-bound": ("- self.gap_db", "- self.gap_db / LEVEL**3"),
    "channel": ("10 ** (-snr_db / 20)", "10 ** (-snr_db / 20) / LEVEL**3"),
    "waveform": ("self.pilots = pilots", "self.pilots = int(pilots / LEVEL)"),
    "scheme": ("/ self.gain + 0.5", "/ self.gain + 0.5 * LEVEL"),
    "feedback-scheme": ("* 0.5**0.5 + 0.5", "* 0.5**0.5 + 0.5 * LEVEL"),
    "bound-scheme": ("Frames(shown)", "Frames(LEVEL * shown)"),
    "sensing-scheme": ("(read + noise)", "(LEVEL * read + noise)"),
    "metric": ("float(np.abs", "float(LEVEL * np.abs"),
    "model": ("SIZE * means", "LEVEL * SIZE * means"),
}
"""Where the skeleton of each kind gets a number that its results follow."""

NUMBER = """
from pathlib import Path

from beside_it import AMOUNT

LEVEL = 1.0 * AMOUNT * float(Path(__file__).with_name("level.txt").read_text())
"""
EDITS = {
    "own text": ("mine.py", "LEVEL = 1.0", "LEVEL = 0.5"),
    "module beside": ("beside_it.py", "= MORE", "= MORE / 2"),
    "module beside that": ("further.py", "1.0", "0.5"),
    "file named in the text": ("level.txt", "1.0", "0.5"),
}


def written(kind: str, folder: Path) -> dict:
    """A block with all that it rests on, and the scenario that it stands in."""
    text = skeleton(kind, Path("mine.py"), "mine" if kind == "metric" else "Mine")
    old, new = SPOTS[kind]
    assert old in text
    head, future, body = text.partition("from __future__ import annotations\n")
    (folder / "mine.py").write_text(head + future + NUMBER + body.replace(old, new))
    (folder / "beside_it.py").write_text("from further import MORE\n\nAMOUNT = MORE\n")
    (folder / "further.py").write_text("MORE = 1.0\n")
    (folder / "level.txt").write_text("1.0")
    (folder / "unrelated.py").write_text("AMOUNT = 1.0\n")
    return around(scenario_lines(text))


def rows(scenario: dict, folder: Path, out: str, *, fresh: bool = False) -> tuple[int, tuple[Row, ...]]:
    """How many points were computed, and the rows."""
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(scenario))
    report = run(Job(load_scenario(path), folder / out, folder), fresh=fresh)
    return report.computed, report.rows


@pytest.mark.parametrize(
    "kind, edit",
    [
        pytest.param(kind, edit, marks=[] if edit == "module beside that" else pytest.mark.slow)
        for kind in TEMPLATES
        for edit in EDITS
    ],
)
def test_a_block_of_each_kind_is_computed_anew_after_every_edit(kind, edit, tmp_path):
    scenario = written(kind, tmp_path)
    computed, first = rows(scenario, tmp_path, "kept")
    assert computed
    (tmp_path / "unrelated.py").write_text("AMOUNT = 0.5\n")
    (tmp_path / "level.txt.bak").write_text("0.5")
    assert rows(scenario, tmp_path, "kept") == (0, first)
    file, old, new = EDITS[edit]
    text = (tmp_path / file).read_text()
    (tmp_path / file).write_text(text.replace(old, new))
    again, edited = rows(scenario, tmp_path, "kept")
    assert again == computed and edited != first
    assert edited == rows(scenario, tmp_path, "never seen")[1]
    (tmp_path / file).write_text(text)
    assert rows(scenario, tmp_path, "kept") == (0, first)


CHANNEL = """
from functools import cache
from pathlib import Path

import numpy as np

from semlink.blocks import ChannelBase
from semlink.payload import ChannelOutput


@cache
def loss_in(path):
    return float(Path(path).read_text())


class Mine(ChannelBase):
    def __init__(self, table="", others=()):
        self.table, self.others = Path(__file__).parent / table, others

    def __repr__(self):
        return "Mine()"

    def __call__(self, iq, snr_db, seeds):
        deep = Path(__file__).parent / "folder" / "deep" / "loss"
        loss = loss_in(self.table if self.table.is_file() else deep)
        noise = seeds.complex_normal("mine", iq.shape[1]).to(iq) * 10 ** (-snr_db / 20) * loss
        return ChannelOutput(iq + noise, noise_var=10 ** (-snr_db / 10) * loss**2)
"""


@pytest.mark.parametrize(
    "options, file",
    [
        ({"table": "loss.dat"}, "loss.dat"),
        pytest.param({"others": [{"inside": "folder"}]}, "folder/deep/loss", marks=pytest.mark.slow),
        pytest.param({"others": ["folder/*/{any}"]}, "folder/deep/loss", marks=pytest.mark.slow),
        ({}, "folder/deep/loss"),
    ],
)
def test_files_that_options_name_or_a_class_declares_count(options, file, tmp_path):
    declares = "" if options else "\n    files = ('folder/deep',)\n"
    (tmp_path / "mine.py").write_text(CHANNEL + declares)
    (tmp_path / "folder/deep").mkdir(parents=True)
    for place in ("loss.dat", "folder/deep/loss"):
        (tmp_path / place).write_text("1.0")
    scenario = around("name: own") | {"channel": {"kind": "mine.py:Mine", **options}}
    computed, first = rows(scenario, tmp_path, "kept")
    (tmp_path / "unrelated.dat").write_text("1.0")
    assert computed == 1 and rows(scenario, tmp_path, "kept") == (0, first)
    (tmp_path / file).write_text("3.0")
    again, edited = rows(scenario, tmp_path, "kept")
    assert again == 1 and edited != first and edited == rows(scenario, tmp_path, "never seen")[1]
    (tmp_path / file).write_text("1.0")
    assert rows(scenario, tmp_path, "kept") == (0, first)


def test_a_declared_file_that_is_not_there_is_named(tmp_path):
    (tmp_path / "mine.py").write_text(CHANNEL + "\n    files = 'weights.npz'\n")
    scenario = around("name: own") | {"channel": {"kind": "mine.py:Mine"}}
    with pytest.raises(InterfaceError, match=r"channel mine.py:Mine: files names 'weights.npz', which is not in"):
        rows(scenario, tmp_path, "out")


def codec_scenario(name: str, **options) -> dict:
    codec = {"kind": f"mine.py:{name}", **options}
    scheme = {"name": "it", "kind": "digital", "codec": codec, "coding": {"kind": "uncoded"}}
    return around("name: own") | {"schemes": [scheme]}


def test_two_codecs_of_one_repr_share_no_streams(tmp_path):
    text = skeleton("codec", Path("mine.py"), "Mine")
    dark = "def encode_at(self, clip, rate):\n        return super().encode_at(clip * 0.5, rate)\n"
    other = f"\n\nclass Other(Mine):\n    {dark}"
    (tmp_path / "mine.py").write_text(text + other)
    for name in ("Mine", "Other"):
        _, shared = rows(codec_scenario(name), tmp_path, "kept")
        assert shared == rows(codec_scenario(name), tmp_path, f"only {name}")[1]
    bits = [rows(codec_scenario("Mine", bits=b), tmp_path, "kept")[1][0].psnr_db for b in (8, 2)]
    assert bits[0] > bits[1] + 1


def test_fresh_forgets_points_pictures_and_coded_clips(tmp_path):
    (tmp_path / "mine.py").write_text(skeleton("codec", Path("mine.py"), "Mine"))
    scenario = codec_scenario("Mine")
    computed, first = rows(scenario, tmp_path, "kept")
    kept = sorted(path for path in (tmp_path / "kept/.cache").rglob("*.json"))
    assert kept
    kept[0].write_text('{"infeasible": "spoilt"}')
    assert rows(scenario, tmp_path, "kept") == (0, first)
    assert rows(scenario, tmp_path, "kept", fresh=True) == (computed, first)


@pytest.mark.parametrize("text", ["from . import near\n", "from own_package_of_tests.inner import near\n"])
def test_a_module_of_a_package_is_followed_through_the_package(text, tmp_path, monkeypatch):
    inner = tmp_path / "site-packages/own_package_of_tests/inner"
    inner.mkdir(parents=True)
    (inner.parent / "__init__.py").write_text("")
    (inner / "__init__.py").write_text("")
    (inner / "mine.py").write_text(text + "import numpy\nclass Mine: ...\n")
    (inner / "near.py").write_text("LEVEL = 1\n")
    (inner / "far.py").write_text("LEVEL = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))
    kind = "own_package_of_tests.inner.mine:Mine"
    before = fingerprint(kind)
    (inner / "far.py").write_text("LEVEL = 2\n")
    assert fingerprint(kind) == before
    (inner / "near.py").write_text("LEVEL = 2\n")
    assert fingerprint(kind) != before


def test_an_installed_package_counts_with_its_version(tmp_path, monkeypatch):
    site = tmp_path / "site-packages"
    (site / "their_package.dist-info").mkdir(parents=True)
    (site / "their_package.py").write_text("LEVEL = 1\n")
    (tmp_path / "mine.py").write_text("import their_package\nclass Mine: ...\n")
    monkeypatch.syspath_prepend(str(site))

    def key(version: str) -> str:
        about = f"Metadata-Version: 2.1\nName: their_package\nVersion: {version}\n"
        (site / "their_package.dist-info/METADATA").write_text(about)
        return fingerprint("mine.py:Mine", folder=tmp_path)

    before = key("1.0")
    (site / "their_package.py").write_text("LEVEL = 2\n")
    assert key("1.0") == before != key("1.1")
