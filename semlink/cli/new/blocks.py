"""`semlink new`: a working skeleton of a block, to be filled with one's own idea.

A skeleton is a Python file of `semlink.cli.templates` that runs as it stands. Its docstring
shows, indented, how a scenario names it; file and class there are replaced by the user's.
"""

from __future__ import annotations

import ast
import keyword
import re
import sys
import textwrap
from importlib.metadata import packages_distributions
from importlib.resources import files
from pathlib import Path

from semlink.errors import ScenarioError

TEMPLATES = {
    "source": "source.py",
    "sensor": "sensor.py",
    "reconstruction": "reconstruction.py",
    "codec": "codec.py",
    "coding": "coding.py",
    "rate-bound": "rate_bound.py",
    "channel": "channel.py",
    "waveform": "waveform.py",
    "scheme": "schemes/one_way.py",
    "feedback-scheme": "schemes/feedback.py",
    "bound-scheme": "schemes/bound.py",
    "sensing-scheme": "schemes/sensing_only.py",
    "metric": "metric.py",
    "model": "model.py",
}
"""What can be made, and the file that it is made from."""


def write_skeleton(kind: str, path: Path) -> str:
    """Write a skeleton of `kind` to `path` and say how a scenario names it.

    The class is called after the file: `rain_fade.py` defines `RainFade`.

    Raises:
        ScenarioError: an unknown kind, a file that is there already or is no Python file, a folder
            that is not there, or a file name that no class can be called after.
    """
    if kind not in TEMPLATES:
        raise ScenarioError(f"new: unknown kind {kind!r}, expected one of {', '.join(['scenario', *TEMPLATES])}")
    name = block_name(kind, path)
    if path.exists():
        raise ScenarioError(f"new: {path} is there already; name another file")
    shadowed = shadows(path.stem)
    if shadowed:
        raise ScenarioError(f"new: {path.name} has the name of {shadowed}, which it would hide; choose another name")
    text = skeleton(kind, path, name)
    try:
        path.write_text(text)
    except OSError as fault:
        raise ScenarioError(f"new: {path} cannot be written: {fault.strerror}") from fault
    return f"{path} holds {name}, a {kind} that runs as it is. In a scenario:\n\n{scenario_lines(text)}"


def shadows(stem: str) -> str:
    """What Python already calls `stem`, and a file of this name beside a script would hide; '' for nothing."""
    if stem in sys.stdlib_module_names:
        return "a module of Python"
    return "an installed library" if stem in packages_distributions() else ""


def skeleton(kind: str, path: Path, name: str) -> str:
    """The text of a skeleton, with the template's file and class replaced by the user's."""
    text = (files("semlink.cli.templates") / TEMPLATES[kind]).read_text()
    stem = f"my_{kind.replace('-', '_')}"
    placeholder = block_name(kind, Path(f"{stem}.py"))
    theirs = {f"{stem}.py": path.as_posix(), placeholder: name}
    return re.sub(rf"\b(?:{re.escape(stem)}\.py|{placeholder})\b", lambda found: theirs[found[0]], text)


def block_name(kind: str, path: Path) -> str:
    """The class (for a metric, the function) that a file of this name holds.

    Raises:
        ScenarioError: not a `.py` file, or its name makes no Python name.
    """
    words = [word for word in re.split(r"[^0-9A-Za-z]+", path.stem) if word]
    name = "_".join(words).lower() if kind == "metric" else "".join(word[0].upper() + word[1:] for word in words)
    if path.suffix != ".py" or not name.isidentifier() or keyword.iskeyword(name):
        raise ScenarioError(f"new: {path}: expected a Python file named after what it will hold, such as my_{kind}.py")
    return name


def scenario_lines(text: str) -> str:
    """The indented lines of a skeleton's docstring: what goes into a scenario."""
    docstring = ast.get_docstring(ast.parse(text), clean=False) or ""
    return textwrap.dedent("\n".join(line for line in docstring.splitlines() if line.startswith("    "))) + "\n"
