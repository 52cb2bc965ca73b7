"""What README and docs show is true: scenarios load, snippets run, commands parse, keys and columns are explained."""

from __future__ import annotations

import csv
import re
import shlex
import subprocess
import sys
from configparser import ConfigParser
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import typer
import yaml
from schema_check import schema_faults
from terminal import semlink

from semlink.cli.commands import app
from semlink.link.results.rows import COLUMNS
from semlink.link.scenario.loader import load_scenario
from semlink.link.scenario.scenario import Scenario, Sweep, Trials
from semlink.plugins.trust.permission import commands_allowed
from semlink.sensing.sources.synthetic.scenes import SceneSource
from semlink.training.queue import load_queue
from semlink.training.recipe import load_recipe

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
SCENARIOS = sorted((ROOT / "scenarios").glob("*.yaml"))
FENCED = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`((?:source|channel|waveform|codec|coding|sensor|reconstruction|harq): \{.*?\})`")
WHOLE = {"name", "source", "schemes"}
BASE = yaml.safe_load(
    """
    name: page
    source: {kind: scenes}
    channel: {kind: awgn}
    sweep: {snr_db: 8, budget: 0.02}
    schemes: [{name: x, kind: digital, codec: {kind: h264}, coding: {kind: ldpc, modulation: qpsk, rate: 1/2}}]
    """
)


def fenced(language: str) -> list:
    return [
        pytest.param(page, text, id=f"{page.stem}-{number}")
        for page in PAGES
        for number, (found, text) in enumerate(FENCED.findall(page.read_text()))
        if found == language
    ]


def inline() -> list:
    return [pytest.param(text, id=f"{page.stem}-{text}") for page in PAGES for text in INLINE.findall(page.read_text())]


def commands() -> list:
    """Every line of a shell block that calls semlink."""
    found = []
    for page in PAGES:
        for _, text in [block for block in FENCED.findall(page.read_text()) if block[0] == "sh"]:
            calls = [part.strip() for line in text.splitlines() for part in re.split(r"&&|#|;", line)]
            found += [
                pytest.param(words[1:], id=f"{page.stem}-{call[:60]}")
                for call in calls
                if (words := shlex.split(call)) and words[0].rpartition("/")[2] == "semlink"
            ]
    return found


def placed(part: dict) -> dict:
    """A whole scenario around a fragment of one."""
    scheme = dict(BASE["schemes"][0])
    inside = {key: part[key] for key in ("codec", "coding", "sensor", "reconstruction") if key in part}
    if "sensor" in inside or "reconstruction" in inside:
        inside = {"sensor": {"kind": "programmable"}, "reconstruction": {"kind": "gap-tv"}} | inside
    if inside.get("coding", {}).get("kind") == "ldpc" and not {"mcs", "modulation"} & inside["coding"].keys():
        inside["coding"] = scheme["coding"] | inside["coding"]
    if "harq" in part:
        inside["coding"] = scheme["coding"] | {"harq": part["harq"]}
    rest = {key: value for key, value in part.items() if key not in inside and key != "harq"}
    return BASE | {"schemes": [scheme | inside]} | rest


def loaded(tree: dict, folder: Path) -> Scenario:
    path = folder / "page.yaml"
    path.write_text(yaml.safe_dump(tree))
    assert not schema_faults(tree)
    with commands_allowed():
        return load_scenario(path)


@pytest.mark.parametrize("page, text", fenced("yaml"))
def test_yaml_in_the_docs_is_a_scenario_or_part_of_one(page, text, tmp_path):
    tree = yaml.safe_load(text)
    scenario = loaded(tree if tree.keys() >= WHOLE else placed(tree), tmp_path)
    assert all(getattr(scenario, key, None) is not None for key in tree if key in Scenario.model_fields)


@pytest.mark.parametrize("text", inline())
def test_yaml_within_a_sentence_is_part_of_a_scenario(text, tmp_path):
    assert loaded(placed(yaml.safe_load(text)), tmp_path)


@pytest.mark.parametrize("words", commands())
def test_commands_in_the_docs_parse(words):
    """Options and arguments as they stand; files of the repository must be there."""
    command = typer.main.get_command(app).commands[words[0]]  # type: ignore[attr-defined]
    command.make_context(words[0], [word.rstrip("]") if word == "]" else word for word in words[1:]])
    for word in words[1:]:
        if word.startswith(("scenarios/", "docs/")):
            assert (ROOT / word.partition(":")[0]).exists(), word


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_files_that_a_page_names_are_there(page):
    """As they stand, or below the package; `my_...` is a file that the reader writes."""
    named = set(re.findall(r"`((?:\w+/)*\w+\.py)[:`]", page.read_text()))
    ours = {name for name in named if not name.startswith(("my_", "path/", "file.py", "rain_"))}
    known = [
        f"/{path.relative_to(ROOT)}"
        for top in ("semlink", "docs", "tests", "benchmarks")
        for path in (ROOT / top).rglob("*.py")
    ]
    assert not [name for name in ours if not any(path.endswith(f"/{name}") for path in known)]


DOTTED = re.compile(r"`(?:semlink\.([a-z]\w*(?:\.\w+)*)|((?:phy|sensing|codecs|link|nn)(?:\.\w+)+))")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_names_of_the_package_on_a_page_can_be_imported(page):
    for own, room in DOTTED.findall(page.read_text()):
        assert found_in_package(own or room), f"{page.name} names {own or room}"


def found_in_package(name: str) -> bool:
    """Whether a dotted name is a module of the package, or something in one."""
    place: object = import_module("semlink")
    for part in name.split("."):
        if not hasattr(place, part):
            try:
                import_module(f"{getattr(place, '__name__', '')}.{part}")
            except ImportError:
                return False
        place = getattr(place, part)
    return True


def readme_channel() -> str:
    (code,) = [text for found, text in FENCED.findall((ROOT / "README.md").read_text()) if found == "python"]
    return code


def test_the_channel_of_the_readme_runs_at_the_first_try(tmp_path):
    """Copied as it stands, in a file outside the package, by the words around it."""
    code = readme_channel()
    name = re.match(r"# (\w+\.py)\n", code)
    assert name
    (tmp_path / name[1]).write_text(code)
    entry = re.search(r"`channel: (\{kind: \w+\.py:.*?\})`", (ROOT / "README.md").read_text())
    assert entry
    spec = yaml.safe_load(entry[1])
    small = {
        "source": {"kind": "scenes", "clips": 1, "frames": 4, "size": [64, 64]},
        "sweep": {"snr_db": 12, "budget": 0.2},
    }
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(BASE | small | {"channel": spec, "trials": {"min": 2, "max": 2}}))
    done = semlink("run", path, "--workers", 1, folder=tmp_path)
    assert done.code == 0, done.err
    with (tmp_path / "results/page/curves.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["channel"] == "my_channel.py:Dropouts(share=0.02)" and float(row["psnr_db"]) > 15
    examined = semlink("check-channel", spec["kind"], folder=tmp_path)
    assert examined.code == 0, examined.out


def test_a_fading_channel_that_states_its_coherence_gets_pilots_unasked(tmp_path):
    """The worked example of the channels page, without the waveform that its scenario names."""
    small = {"source": {"kind": "scenes", "clips": 1, "frames": 4, "size": [64, 64]}, "trials": {"min": 2, "max": 2}}
    channel = {"kind": str(ROOT / "docs/examples/shadowed.py:Shadowed"), "coherence": 64}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(BASE | small | {"channel": channel, "sweep": {"snr_db": 25, "budget": 0.3}}))
    done = semlink("run", path, "--workers", 1, folder=tmp_path)
    assert done.code == 0, done.err
    with (tmp_path / "results/page/curves.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["pilot"]) > 0.05 * float(row["channel_uses"]) and row["genie"] == ""
    assert float(row["psnr_db"]) > 22


RUN_ELSEWHERE = {
    "README": "below",
    "CONTRIBUTING": "test_contributing.py",
    "python": "below, from top to bottom",
    "bring_your_model": "below, from top to bottom",
}
SMALLER = {"clips/*.mkv": "clips/*.png", "(256, 256)": "(64, 64)", "my/clips": "clips", "minutes=60": "steps=2"}


def runnable() -> list:
    found = [p for p in fenced("python") if p.values[0].stem not in RUN_ELSEWHERE]
    slow = [pytest.mark.slow]
    return [pytest.param(*p.values, id=p.id, marks=slow if p.values[0].stem == "training" else []) for p in found]


@pytest.mark.parametrize("page, text", runnable())
def test_python_in_the_docs_runs(page, text, tmp_path, monkeypatch):
    """As it stands, with fewer pixels and steps; `clips` is a folder of pictures, `pixels` a clip as it says."""
    import torch
    from PIL import Image

    clip = SceneSource(clips=1, frames=160, size=(64, 64)).clip(0)
    (tmp_path / "clips").mkdir()
    for number, frame in enumerate(clip):
        Image.fromarray((frame * 255).astype("uint8")).save(tmp_path / "clips" / f"{number}.png")
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")
    for whole, part in SMALLER.items():
        text = text.replace(whole, part)
    monkeypatch.chdir(tmp_path)
    exec(compile(text, str(page), "exec"), {"pixels": torch.from_numpy(clip[None, :16])})


def test_the_page_on_python_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    """As a notebook written from the page alone: its blocks in order, in one namespace."""
    blocks = [p.values[1] for p in fenced("python") if p.values[0] == ROOT / "docs/how_to/python.md"]
    monkeypatch.chdir(tmp_path)
    notebook = ModuleType("notebook")
    monkeypatch.setitem(sys.modules, "notebook", notebook)
    here = vars(notebook)
    for number, text in enumerate(blocks):
        exec(compile(text, f"python.md, block {number}", "exec"), here)
    said = capsys.readouterr().out
    assert "SoftCast" in said and "less that of H.264, QPSK 1/2" in said and "did you mean 'softcast'" in said
    assert (tmp_path / "report.html").stat().st_size > 50_000 and (tmp_path / "figures/ssim_vs_cost.svg").exists()
    assert here["heard"].iq.shape == (8, 500) and here["air"].uses(500) == 536
    assert float(here["symbols"].grad.abs().min()) > 0


@pytest.mark.slow
def test_the_page_on_models_runs_from_top_to_bottom(tmp_path):
    """Its files written, its commands run in their order; the shipped example is looked at, and run elsewhere."""
    text = (ROOT / "docs/how_to/bring_your_model.md").read_text()
    for folder in ("scenarios", "docs"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    said = {}
    for language, block in FENCED.findall(text):
        name = re.match(r"# (my_\w+\.\w+)\n", block)
        if name:
            (tmp_path / name[1]).write_text(block)
        for line in block.splitlines() if language == "sh" else ():
            words = shlex.split(line)
            if words[:2] == ["semlink", "run"] and "scenarios" in line:
                words += ["--set", "source.clips=1", "--set", "source.size=[64,64]", "--set", "sweep.snr_db=[8]"]
                words += ["--set", "trials={min: 1, max: 1}", "--workers", "1"]
            if words[0] == "semlink":
                done = semlink(*words[1:], folder=tmp_path)
                assert done.code == 0 or words[1] == "check-model" and done.code == 1, (line, done.err)
                said[line] = done.out
            else:
                subprocess.run([sys.executable, *words[1:]], cwd=tmp_path, check=True)
    assert "pass  leakage" in said["semlink check-model my_model.yaml"]
    assert "FAIL" not in said["semlink check-model scenarios/images_deepjscc.yaml"]
    assert (tmp_path / "results/my_model/report.html").exists()


def test_every_public_name_and_plot_is_explained():
    import semlink
    from semlink.link.metrics.registry import METRICS
    from semlink.link.plots.registry import PLOTS

    text = explained("how_to/python.md")
    everywhere = "".join(page.read_text() for page in PAGES)
    words = {"`semlink." + name for name in ("load", "run", "results", "air", "ModuleScheme", "Metric", "errors")}
    assert not [word for word in words if word not in text]
    assert not [name for name in semlink.__all__ if not re.search(rf"\b{name}\b", everywhere)]
    assert not [plot.name for plot in PLOTS if f"`{plot.name}`" not in text]
    methods = [name for name, found in vars(semlink.Results).items() if callable(found) and not name.startswith("_")]
    assert not [name for name in methods if not re.search(rf"\b{name}\b", text)]
    assert not [metric.name for metric in METRICS if f"`{metric.name}`" not in explained("reference/scenarios.md")]


def test_the_help_of_plot_names_every_kind():
    from semlink.cli.commands.app import KINDS
    from semlink.link.plots.registry import PLOTS

    assert sorted(re.findall(r"\b(?!or\b)\w+", KINDS)) == sorted(plot.name for plot in PLOTS)


def test_blocks_of_code_are_of_a_language_that_is_tested():
    found = {page: set(re.findall(r"^``` ?(\w*)$", page.read_text(), re.MULTILINE)) for page in PAGES}
    assert not {page.name: extra for page, langs in found.items() if (extra := langs - {"", "yaml", "python", "sh"})}
    for page in PAGES:
        assert not [head for head, _ in re.findall(r"^```(.*?)\n(.*?)^```$", page.read_text(), re.S | re.M) if not head]


@pytest.mark.parametrize("page, text", fenced("sh"))
def test_shell_in_the_docs_is_shell(page, text):
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page, text", fenced("python"))
def test_python_in_the_docs_compiles(page, text):
    compile(text, str(page), "exec")


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_shipped_scenarios_load_under_their_own_name(path):
    assert load_scenario(path).name == path.stem


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_what_a_manifest_writes_out_is_a_scenario_again(path):
    scenario = load_scenario(path)
    assert Scenario.model_validate(scenario.model_dump(mode="json")) == scenario


@pytest.mark.parametrize("path", sorted((ROOT / "scenarios/train").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_recipes_load(path):
    assert load_queue(path) or load_recipe(path).name == path.stem


def test_the_custom_channel_runs(tmp_path):
    """The worked example, made small."""
    small = (
        "source.size=[64,64]",
        "source.frames=4",
        "source.clips=1",
        "sweep={snr_db: [14], budget: 0.15}",
        "trials={max: 4}",
    )
    options = [word for change in small for word in ("--set", change)]
    done = semlink("run", ROOT / "scenarios/custom_channel.yaml", "--workers", 1, *options, folder=tmp_path)
    assert done.code == 0, done.err
    with (tmp_path / "results/custom_channel/curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 and {row["scheme"] for row in rows} == {
        s.name for s in load_scenario(SCENARIOS[0].parent / "custom_channel.yaml").schemes
    }
    told = {row["scheme"]: float(row["psnr_db"]) for row in rows if "told=True" in row["channel"]}
    untold = {row["scheme"]: float(row["psnr_db"]) for row in rows if "told=True" not in row["channel"]}
    best = next(name for name in told if "best" in name)
    assert told[best] >= untold[best] > 20


# the reference tables


def explained(page: str) -> str:
    return (ROOT / "docs" / page).read_text()


@pytest.mark.parametrize("model", [Scenario, Sweep, Trials], ids=lambda model: model.__name__)
def test_every_key_of_a_scenario_is_explained(model):
    assert not [name for name in model.model_fields if f"| `{name}` |" not in explained("reference/scenarios.md")]


def test_every_column_is_explained():
    text = explained("reference/results.md")
    assert not [name for name in COLUMNS if f"`{name}`" not in text]


def test_every_dependency_has_its_reason():
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    needed = [re.split(r"[<>=]", line)[0] for line in setup["options"]["install_requires"].split()]
    table = re.findall(r"^\| ([^|]+) \|", explained("explanation/architecture.md"), re.MULTILINE)
    named = {name.strip() for row in table for name in row.split(",")}
    assert not [name for name in needed if name not in named]
    assert not [n for n in setup["options.extras_require"] if n not in ("test", "lint") and f"extra `{n}`" not in named]


def test_both_commands_of_the_readme_share_an_environment():
    """After `pip install .` and a run, compiled kernels stay behind in a package without modules.

    A plain path, which `pip install -e` writes where `package_dir` is given, finds the real package behind it.
    """
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert setup["options"]["package_dir"].split() == ["=", "."]
