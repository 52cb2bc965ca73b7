"""What a file of somebody else can do: name classes, which are looked at first, and nothing where none is wanted."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from fake_results import Law, make

import semlink
from semlink.cli import actions
from semlink.errors import InterfaceError, PluginFault, PluginRefused, ScenarioError, SourceError, UnknownBlock
from semlink.link.metrics.registry import metrics_named
from semlink.link.results.rows import Row, read_csv, write_csv
from semlink.plugins.files import load_class
from semlink.plugins.specs import PLUGIN_SPECS
from semlink.plugins.trust.permission import plugins_refused
from semlink.sensing.sources.files.container import open_container
from semlink.sensing.sources.files.video_source import VideoSource
from semlink.spec import BuildContext

SCENARIO = {
    "name": "small",
    "source": {"kind": "scenes", "frames": 2, "size": [16, 16], "clips": 1},
    "channel": {"kind": "awgn"},
    "sweep": {"snr_db": [4], "budget": [1.5]},
    "schemes": [{"name": "soft", "kind": "softcast"}],
    "metrics": ["psnr"],
    "trials": {"min": 2, "max": 2},
}
INTERFACES = tuple(PLUGIN_SPECS)


def built(interface: str, folder: Path, kind: str, **options):
    return PLUGIN_SPECS[interface](kind=kind, **options).build(BuildContext(folder=folder))


# --- a look before the call


@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize("kind", ["subprocess:Popen", "shutil:rmtree", "os:system", "builtins:exec", "pathlib:Path"])
def test_what_python_brings_along_is_never_a_block(interface, kind, tmp_path):
    with pytest.raises(UnknownBlock, match="of Python itself"):
        built(interface, tmp_path, kind, args=["touch", str(tmp_path / "run")], path=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_module_of_python_is_not_even_imported(tmp_path):
    code = (
        "from semlink.plugins.files import load_class\nimport sys\n"
        "try:\n    load_class('antigravity:X', 'channel')\nexcept Exception as fault:\n    print(fault)\n"
        "print('antigravity' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "of Python itself" in done.stdout and done.stdout.endswith("False\n")


def test_a_file_of_python_is_none_of_ones_own(tmp_path):
    with pytest.raises(UnknownBlock, match="file of Python itself"):
        load_class(f"{subprocess.__file__}:Popen", "channel")


@pytest.mark.parametrize("name", ["Popen", "rmtree"])
def test_nor_is_what_a_module_merely_imported(tmp_path, name):
    (tmp_path / "mine.py").write_text("from subprocess import Popen\nfrom shutil import rmtree\n")
    with pytest.raises(UnknownBlock, match="of Python itself"):
        built("channel", tmp_path, "mine.py:" + name)


@pytest.mark.parametrize("interface", INTERFACES)
def test_a_class_without_the_methods_is_refused_before_it_is_called(interface, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from pathlib import Path\n\nclass Other:\n    def __init__(self, **options):\n"
        "        Path(__file__).with_name('called').touch()\n"
    )
    with pytest.raises(InterfaceError, match="has no"):
        built(interface, tmp_path, "mine.py:Other")
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize("name", ["os:system", "shutil:rmtree", "builtins:print"])
def test_a_metric_of_python_itself_is_refused(name):
    with pytest.raises(UnknownBlock, match="of Python itself"):
        metrics_named([name])


# --- exit


CHANNEL = """
import sys
{top}
class Bad:
    name = "bad"
    def __init__(self):
        {made}
    def __call__(self, flow, seeds):
        {called}
"""


def test_a_plug_in_that_exits_while_it_is_imported_is_an_error(tmp_path):
    (tmp_path / "bad.py").write_text("import sys\nsys.exit()\n")
    with pytest.raises(ScenarioError, match=r"bad\.py fails to import: SystemExit"):
        load_class("bad.py:Bad", "channel", folder=tmp_path)


def test_a_plug_in_that_exits_when_it_is_made_or_called_is_an_error(tmp_path):
    source = (
        "class Bad:\n    def __init__(self, early=False):\n        if early:\n            raise SystemExit(0)\n"
        "    def __len__(self):\n        return 1\n    def name(self, index):\n        return 'a'\n"
        "    def clip(self, index):\n        exit()\n"
    )
    (tmp_path / "bad.py").write_text(source)
    with pytest.raises(ScenarioError, match="__init__ raised SystemExit"):
        built("source", tmp_path, "bad.py:Bad", early=True)
    with pytest.raises(PluginFault, match=r"clip raised SystemExit.*bad\.py:10"):
        built("source", tmp_path, "bad.py:Bad").clip(0)


def test_a_metric_that_exits_is_an_error(tmp_path):
    (tmp_path / "bad.py").write_text("def score(reference, received):\n    raise SystemExit(0)\n")
    metric = metrics_named(["bad.py:score"], tmp_path)[-1]
    with pytest.raises(InterfaceError, match="SystemExit"):
        metric.score(None, None)


# --- no plug-ins at all


NAMES_CODE = {
    "channel.kind": "mine.py:Rain",
    "source.kind": "mine.py:Source",
    "schemes.0.kind": "mine.py:Scheme",
    "metrics": ["psnr", "mine.py:score"],
}


@pytest.mark.parametrize(("place", "value"), NAMES_CODE.items())
def test_a_scenario_that_names_code_is_refused_with_its_line(tmp_path, place, value):
    (tmp_path / "mine.py").write_text("raise AssertionError('imported')\n")
    file = tmp_path / "s.yaml"
    file.write_text(json.dumps(SCENARIO, indent=1))
    semlink.load(file, plugins=False)
    semlink.load(file, {place: value})
    with pytest.raises(ScenarioError, match="is refused here") as caught:
        semlink.load(file, {place: value}, plugins=False)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(f"{file} with --set: {place}")


@pytest.mark.parametrize("command", ["run", "show", "cite"])
def test_the_commands_refuse_on_demand(tmp_path, command):
    file = tmp_path / "s.yaml"
    file.write_text(json.dumps(SCENARIO | {"channel": {"kind": "mine.py:Rain"}}, indent=1))
    (tmp_path / "mine.py").write_text("raise AssertionError('imported')\n")
    done = subprocess.run(
        [sys.executable, "-m", "semlink.cli", command, str(file), "--no-plugins"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(semlink.__file__).parents[1]), "PATH": ""},
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "s.yaml:" in done.stderr and "refused" in done.stderr
    assert not (tmp_path / "results").exists()


def test_check_channel_refuses_on_demand(tmp_path):
    with pytest.raises(ScenarioError, match="is refused here"):
        actions.check_channel(str(tmp_path / "mine.py:Rain"), [], 1, plugins=False)


def test_inside_nothing_is_imported_whoever_asks(tmp_path):
    (tmp_path / "mine.py").write_text("raise AssertionError('imported')\n")
    with plugins_refused(), pytest.raises(PluginRefused):
        load_class("mine.py:Rain", "channel", folder=tmp_path)
    with pytest.raises(ScenarioError, match="imported"):
        load_class("mine.py:Rain", "channel", folder=tmp_path)


def test_frames_of_a_folder_that_names_code_need_a_word(tmp_path):
    make(tmp_path, [Law("soft")])
    (tmp_path / "mine.py").write_text("raise AssertionError('imported')\n")
    scenario = SCENARIO | {"source": {"kind": "mine.py:Source"}}
    (tmp_path / "manifest.json").write_text(json.dumps({"scenario": scenario, "scenario_folder": "."}))
    with pytest.raises(PluginRefused, match="plugins=True"):
        semlink.results(tmp_path).source()
    with pytest.raises(ScenarioError, match="imported"):
        semlink.results(tmp_path, plugins=True).source()


# --- names


@pytest.mark.parametrize("name", ["a\x1b[31m", "a\0", "a\nb", "a\u202eb", "a\u2028", "\x07"])
def test_names_that_steer_a_terminal_are_refused(name):
    for scheme in ({"kind": "softcast"}, {"kind": "mine.py:Scheme"}):
        with pytest.raises(ScenarioError, match=r"schemes.0.*name.*U\+00|schemes.0.*name.*U\+20") as caught:
            semlink.load(SCENARIO | {"schemes": [scheme | {"name": name}]})
        assert str(caught.value).isprintable()


def test_names_of_other_peoples_tables_are_shown_without_them(tmp_path):
    (tmp_path / "curves.csv").write_text("scheme,note,x\x1b]\na\x1b[31mb,c\x07,1\n")
    (row,) = read_csv(tmp_path / "curves.csv")
    assert (row.scheme, row.note, list(row.extra)) == ("a\ufffd[31mb", "c\ufffd", ["x\ufffd]"])


@pytest.mark.parametrize("name", ["=1+1", "+x", "-x", "@SUM(A1)", "'=x", "''-y", "'plain", "plain", "a=b"])
def test_no_name_is_a_formula_and_every_name_comes_back(tmp_path, name):
    write_csv([Row(scheme=name, note=name, snr_db=-3.0)], tmp_path / "c.csv")
    with (tmp_path / "c.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert not line["scheme"].startswith(("=", "+", "-", "@")) and line["snr_db"] == "-3"
    (row,) = read_csv(tmp_path / "c.csv")
    assert (row.scheme, row.note, row.snr_db) == (name, name, -3.0)


def test_nor_in_the_other_tables(tmp_path):
    make(tmp_path, [Law("=ref"), Law("@other", base=25)])
    path = semlink.results(tmp_path).compare("=ref").write(tmp_path / "compare.csv")
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert {line["scheme"] for line in lines} == {"'@other"} and {line["reference"] for line in lines} == {"'=ref"}


# --- playlists


PLAYLISTS = {
    "list.m3u8": "#EXTM3U\n#EXTINF:1,\n{video}\n",
    "list.mp4": "#EXTM3U\n#EXTINF:1,\n{video}\n",
    "hidden.mkv": "ffconcat version 1.0\nfile '{video}'\n",
    "bom.mkv": "\ufeffffconcat version 1.0\nfile '{video}'\n",
    "dash.mp4": "<?xml version='1.0'?><MPD><BaseURL>http://localhost/</BaseURL></MPD>",
    "sdp.mp4": "v=0\no=- 0 0 IN IP4 127.0.0.1\n",
    "address.ts": "http://localhost/x.mp4",
}


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_playlist_is_refused_by_name(tmp_path, name):
    path = tmp_path / name
    path.write_text(PLAYLISTS[name].format(video="/etc/hostname"), encoding="utf-8")
    with pytest.raises(SourceError, match=rf"{name}: is a playlist"):
        VideoSource(path=str(path), frames=1)


def test_a_name_is_never_taken_for_a_protocol(tmp_path, monkeypatch):
    """A file called like an address is that file: here no video, and no connection is tried."""
    monkeypatch.chdir(tmp_path)
    strange = Path("http:") / "localhost:9" / "a.mp4"
    strange.parent.mkdir(parents=True)
    strange.write_bytes(b"nothing")
    with pytest.raises(SourceError, match="cannot be read as video: Invalid data"):
        VideoSource(path=str(strange), frames=1)


def test_ffmpeg_has_no_protocol_but_that_of_files(tmp_path, monkeypatch):
    given = {}
    monkeypatch.setattr("av.open", lambda name, **options: given.update(options, name=name) or pytest.skip.Exception)
    (tmp_path / "a.mp4").write_bytes(b"nothing")
    with pytest.raises(AttributeError):
        open_container(tmp_path / "a.mp4")
    assert given["options"] == {"protocol_whitelist": "file"} and Path(given["name"]).is_absolute()
