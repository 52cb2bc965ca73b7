"""Files and texts in YAML 1.2: their values, their nodes, and one line for whatever is wrong."""

from __future__ import annotations

import stat
from pathlib import Path

import yaml

from semlink.errors import ScenarioError, nearest
from semlink.files import JsonDict, reason_of
from semlink.yaml12.compose import MOST_BYTES, YamlFault, compose, construct


def read_mapping(path: Path, expected: str) -> tuple[JsonDict, yaml.Node]:
    """The mapping in a file, and its node tree for line numbers.

    Args:
        expected: what the mapping is, for the error where the file holds something else.
    Raises:
        ScenarioError: no such file, above a megabyte, not YAML 1.2, not a mapping, or a key twice; with the line.
    """
    text = _text(path)
    try:
        node = compose(text)
        tree = None if node is None else construct(node)
    except YamlFault as fault:
        raise ScenarioError(f"{path}:{fault.line}: {fault.problem}") from fault
    if node is None or not isinstance(tree, dict):
        raise ScenarioError(f"{path}:1: expected {expected}")
    return tree, node


def read_value(text: str, where: str) -> object:
    """The value that `text` spells, as on the right of `--set key=`; `where` is what errors call it.

    Raises:
        ScenarioError: not YAML 1.2.
    """
    try:
        node = compose(text)
        return None if node is None else construct(node)
    except YamlFault as fault:
        raise ScenarioError(f"{where}: {fault.problem}") from fault


def _text(path: Path) -> str:
    try:
        _check_file(path)
        return path.read_text(encoding="utf-8-sig")
    except ScenarioError:
        raise
    except FileNotFoundError:
        beside = {p.stem: p for p in path.parent.glob("*.y*ml")}
        near = nearest(path.stem, beside)
        hint = f"; did you mean {beside[near]}?" if near else ""
        raise ScenarioError(f"{path}: no such file{hint}") from None
    except UnicodeDecodeError as fault:
        line = fault.object.count(b"\n", 0, fault.start) + 1
        raise ScenarioError(f"{path}:{line}: is not text in UTF-8") from fault
    except (OSError, ValueError) as fault:
        raise ScenarioError(f"{path}: cannot be read: {reason_of(fault)}") from fault


def _check_file(path: Path) -> None:
    """See that a path leads to a file of a size that a person writes; a pipe would be waited for."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        kind = "folder" if stat.S_ISDIR(status.st_mode) else "device or pipe"
        raise ScenarioError(f"{path}: is a {kind}; need a file")
    if status.st_size > MOST_BYTES:
        raise ScenarioError(f"{path}:1: too long; allowed: at most {MOST_BYTES // 1_000_000} MB")
