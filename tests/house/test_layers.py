"""The house: imports run one way, and starting up stays light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "semlink"
ORDER = {
    "semlink": (
        "errors, units, seeds, caching, colour, kernels, files, memory, yaml12, spec",
        "payload, ledger, weights, plain_data",
        "feedback, flow",
        "blocks",
        "plugins",
        "nn",
        "phy | sensing | codecs",
        "training",
        "link",
        "cli",
    ),
    "semlink.phy": (
        "validation, soft_demapping, qam, power, superposition, effective_snr, ldpc",
        "capacity",
        "channels | error_curves",
        "coding | waveforms | bounds | conformance",
        "specs",
    ),
    "semlink.sensing": ("total_variation | sources", "block_cs | programmable | random_projections", "specs"),
    "semlink.sensing.sources": ("luma_range, clips, motion", "files", "pictures | synthetic"),
    "semlink.codecs": (
        "entropy, rate_search, readings_domain, readings_klt, token_readings",
        "packetization",
        "analogue | latent_codec | semantic | task_aware | video",
        "command | pictures | projections | tokens",
        "delta_sigma",
        "specs",
    ),
    "semlink.training": (
        "data, muon",
        "recipe",
        "task",
        "tasks",
        "tokens",
        "loop, evaluate, loss_curves, interrupt, state, model_card, compact_pack, queue",
    ),
    "semlink.link": (
        "metrics",
        "citations | results",
        "films",
        "chain | compare",
        "schemes",
        "scenario",
        "sweep | report",
        "model_check | plots | verify",
        "page",
        "validate | api",
    ),
    "semlink.link.schemes": (
        "base, camera, coded_header, interleaver, symbol_pairs",
        "behind_sensor, readings_view",
        "analogue | delta_sigma_direct | digital | model | semantic | sensing_only",
        "hybrid | measurements",
        "registry",
    ),
}
"""What of a room may import what: only what stands before it, or beside it with a comma between; never with a bar."""
MOST_QUESTIONS = 5  # calls of getattr and hasattr in semlink.link: blocks have methods, nobody asks what they are
HEAVY = ("torch", "sionna", "matplotlib", "av", "scipy", "numba", "skimage", "commpy", "constriction")


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> set[str]:
    """Modules of the package that a file imports, late imports too; those for type checkers alone do not count."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inside)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inside in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and id(node) not in typing_only:
            assert node.level == 0, f"{path}: relative import"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import) and id(node) not in typing_only:
            found |= {alias.name for alias in node.names}
    return found & MODULES.keys()


MODULES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
GRAPH = {name: imported(path) - {name} for name, path in MODULES.items()}


def part_of(module: str, room: str) -> str | None:
    """The file or folder of `room` that holds a module."""
    inner = module.removeprefix(f"{room}.")
    return None if inner == module else inner.split(".")[0]


def may(part: str, target: str, order: Sequence[str]) -> bool:
    """Whether `part` may import `target`."""
    place = {name: rank for rank, line in enumerate(order) for name in re.split(r", | \| ", line)}
    assert {part, target} <= place.keys(), f"put {sorted({part, target} - place.keys())} in its place in ORDER"
    return place[target] < place[part] or (place[target] == place[part] and "|" not in order[place[part]])


@pytest.mark.parametrize("room", ORDER)
def test_imports_run_one_way(room):
    arrows = {
        (name, target): may(part, aim, ORDER[room])
        for name in MODULES
        if (part := part_of(name, room))
        for target in GRAPH[name]
        if (aim := part_of(target, room)) and aim != part
    }
    assert arrows and not [arrow for arrow, allowed in arrows.items() if not allowed]


@pytest.mark.parametrize("room", ORDER)
def test_everything_in_a_room_has_its_place(room):
    parts = {part for name in MODULES if (part := part_of(name, room))} - {"__main__"}
    assert parts == {name for line in ORDER[room] for name in re.split(r", | \| ", line)}


def test_files_do_not_import_one_another_in_a_circle():
    graph = {name: {t for t in targets if MODULES[t].name != "__init__.py"} for name, targets in GRAPH.items()}
    assert list(TopologicalSorter(graph).static_order())


def test_folders_files_and_functions_stay_small():
    folders = Counter(path.parent for path in MODULES.values() if path.name != "__init__.py")
    assert not [f"{folder}: {count} files" for folder, count in folders.items() if count > 12]
    assert not [path for path in MODULES.values() if path.read_text().count("\n") > 450]
    assert not [f"{path}: {name}" for path in MODULES.values() for name, lines in bodies(path) if lines > 60]


def bodies(path: Path) -> Iterator[tuple[str, int]]:
    """Names of functions with the lines of their bodies, docstrings not counted."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            yield node.name, node.end_lineno - first.lineno + 1


def test_the_runner_calls_methods_and_asks_no_questions():
    asked = [
        f"{name}:{node.lineno}"
        for name, path in MODULES.items()
        if name.startswith("semlink.link")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("getattr", "hasattr")
    ]
    assert len(asked) <= MOST_QUESTIONS, asked


def modules_after(*arguments: str) -> set[str]:
    code = (
        "import sys\nfrom semlink.cli.commands import app\n"
        f"try:\n    app({list(arguments)!r}, standalone_mode=False)\nexcept SystemExit:\n    pass\n"
        "sys.stderr.write('MODULES ' + ' '.join(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    return set(done.stderr.rsplit("MODULES ", 1)[1].split())


def test_import_of_the_package_loads_nothing_heavy():
    code = "import sys, semlink; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert not set(HEAVY) & set(done.stdout.split())


@pytest.mark.parametrize("arguments", [("--help",), ("show", "scenarios/quickstart.yaml"), ("list",), ("schema",)])
def test_light_commands_load_nothing_heavy(arguments):
    loaded = modules_after(*arguments)
    assert not set(HEAVY) & loaded
    if arguments == ("--help",):  # 0.2 s; what is imported is what a start takes
        assert len(loaded) < 450 and "pydantic" not in loaded


def test_loading_a_scenario_and_reading_results_load_nothing_heavy(tmp_path):
    (tmp_path / "curves.csv").write_text("scheme,channel_uses_per_pixel,psnr_db\na,0.1,30\nb,0.1,31\n")
    code = (
        "import sys, semlink; semlink.load('scenarios/quickstart.yaml', {'seed': 2});"
        f"print(semlink.results({str(tmp_path)!r}).table(pandas=False)[0]['psnr_db']);"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.startswith("30.0") and not set(HEAVY) & set(done.stdout.split())


def test_types_are_shipped():
    shipped = re.search(r"package_data\]\nsemlink =\n((?:    .*\n)*)", (ROOT / "setup.cfg").read_text())
    assert (PACKAGE / "py.typed").is_file() and shipped and "py.typed" in shipped[1].split()


def test_public_names_are_there():
    import semlink

    for name in semlink.__all__:
        assert getattr(semlink, name).__name__.removeprefix("semlink.") == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        semlink.nothing  # noqa: B018
