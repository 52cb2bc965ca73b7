"""The house: imports run one way, and starting up stays light."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "semlink"
ALLOWED = {
    "vocabulary": set(),
    "nn": set(),
    "phy": {"nn"},
    "sensing": {"nn"},
    "codecs": {"nn"},
    "training": {"nn", "phy", "sensing", "codecs"},
    "link": {"nn", "phy", "sensing", "codecs", "training"},
    "cli": {"link", "training"},
}
HEAVY = ("torch", "sionna", "matplotlib", "av", "scipy", "numba", "skimage", "commpy", "constriction")


def room(path: Path) -> str:
    """The package's own `__init__` names what is public, from any room, and imports it on first use."""
    if path == PACKAGE / "__init__.py":
        return "cli"
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return first if first in ALLOWED else "vocabulary"


def imported_rooms(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found |= {n.split(".")[1] for n in names if n.startswith("semlink.")}
    return {name for name in found if name in ALLOWED}


SKELETONS = PACKAGE / "cli" / "templates"
"""What `semlink new` copies: a user's files, which nothing of the package imports, and which may import any room."""
IN_ROOMS = [path for path in sorted(PACKAGE.rglob("*.py")) if SKELETONS not in path.parents]


@pytest.mark.parametrize("path", IN_ROOMS, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    here = room(path)
    assert imported_rooms(path) - {here} <= ALLOWED[here]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_and_functions_stay_small(path):
    text = path.read_text()
    assert text.count("\n") <= 450
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            assert node.end_lineno - first.lineno < 60, node.name


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
    assert not set(HEAVY) & modules_after(*arguments)


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


def test_start_up_is_quick():
    """Half a second of processor time, however busy the machine is."""
    spent = []
    for _ in range(4):
        before = os.times()
        subprocess.run([sys.executable, "-m", "semlink.cli", "--help"], capture_output=True, cwd=ROOT, check=True)
        after = os.times()
        spent.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert min(spent) < 0.5


def test_public_names_are_there():
    import semlink

    for name in semlink.__all__:
        assert getattr(semlink, name).__name__.removeprefix("semlink.") == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        semlink.nothing  # noqa: B018
