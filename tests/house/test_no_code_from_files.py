"""No file of data becomes code: the package evaluates no text, unpickles no file and starts no shell."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "semlink"
FILES = {str(path.relative_to(ROOT)): path for path in sorted(ROOT.rglob("*.py"))}
CALLED = {"eval", "exec", "compile", "__import__"}
"""Builtins that make code of text."""
METHODS = {
    ("pickle", "load"),
    ("torch", "load"),
    ("joblib", "load"),
    ("dill", "load"),
    ("marshal", "load"),
    ("marshal", "loads"),
    ("shelve", "open"),
    ("os", "system"),
    ("os", "popen"),
    ("subprocess", "getoutput"),
    ("subprocess", "getstatusoutput"),
    ("yaml", "load"),
    ("yaml", "unsafe_load"),
    ("yaml", "full_load"),
}
UNPICKLES = {("pickle", "loads"), ("pickle", "Unpickler")}

JUSTIFIED = {
    "codecs/video/compressai.py": {"torch.load"},  # CompressAI's own checkpoints; weights_only: tensors, no objects
    "link/schemes/model/checkpoint.py": {"torch.load"},  # weights of others, asked for by a word of its own; alike
    "link/sweep/workers/one_task.py": {
        "pickle.loads"
    },  # whether an error survives a pipe, of what was pickled a line before
    "link/chain/boundary/fresh_end.py": {"pickle.loads", "pickle.Unpickler"},  # what this process pickled itself
    "link/chain/boundary/witness.py": {"pickle.loads"},  # from the pipe to a process that this one started
    "link/chain/boundary/witness_server.py": {"pickle.loads"},  # from the pipe to the process that started it
}
"""What stands in the package all the same, and why it reads no file."""


def found_in(tree: ast.AST) -> set[str]:
    """What is called or inherited of the above, by name."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            pair = (node.value.id, node.attr)
            found |= {".".join(pair)} if pair in METHODS | UNPICKLES else set()
        if isinstance(node, ast.ImportFrom):
            pairs = {(str(node.module), alias.name) for alias in node.names}
            found |= {".".join(pair) for pair in pairs & (METHODS | UNPICKLES)}
        if isinstance(node, ast.Call):
            named = {word.arg: word.value for word in node.keywords}
            if isinstance(node.func, ast.Name) and node.func.id in CALLED:
                found.add(node.func.id)
            for word in ("shell", "allow_pickle"):
                if word in named and not (isinstance(named[word], ast.Constant) and named[word].value is False):
                    found.add(word)
            if ast.unparse(node.func) in ("np.load", "numpy.load") and "allow_pickle" not in named:
                found.add("np.load without allow_pickle=False")
    return found


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("eval(x)", "eval"),
        ("import pickle\npickle.load(f)", "pickle.load"),
        ("from pickle import load", "pickle.load"),
        ("np.load(p, allow_pickle=True)", "allow_pickle"),
        ("np.load(p)", "np.load without allow_pickle=False"),
        ("subprocess.run(c, shell=True)", "shell"),
        ("torch.load(p)", "torch.load"),
        ("class U(pickle.Unpickler): pass", "pickle.Unpickler"),
    ],
)
def test_each_of_them_would_be_found(text, named):
    assert named in found_in(ast.parse(text))


def test_a_model_is_no_built_in(text="model.eval().compile(x); re.compile(y); module.exec_module(m)"):
    assert found_in(ast.parse(text)) == set()


def test_the_package_makes_no_code_of_files():
    found = {name: what for name, path in FILES.items() if (what := found_in(ast.parse(path.read_text())))}
    assert found == JUSTIFIED


@pytest.mark.parametrize("name", [name for name, what in JUSTIFIED.items() if "torch.load" in what])
def test_each_torch_load_takes_tensors_alone(name):
    tree = ast.parse(FILES[name].read_text())
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func) == "torch.load"]
    (words,) = [{word.arg: ast.unparse(word.value) for word in call.keywords} for call in calls]
    assert words["weights_only"] == "True"
