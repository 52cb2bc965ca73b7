"""Which references stand behind a piece of code, read from its docstrings.

Files are parsed, never imported: from a class or function the walk follows
the names that its code mentions, through the imports, as far as they lead
into the same package. Annotations are not followed, since a type that is only
named does nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import semlink
from semlink.errors import ScenarioError, UnknownBlock

ROOT = Path(semlink.__file__).resolve().parent
_SOURCE = re.compile(r"\bSources?(?::\s+(?=[^\[]*\[)|\s+(?=\[))")
_KEY = re.compile(r"\[(?=[^\]]*[a-z])([A-Za-z0-9][\w.:+-]*)(?:,\s*([^\]]*))?\]")


Place = tuple[Path, str | None]
TOOLS = {
    "av": ("pyav", "ffmpeg"),
    "bjontegaard": ("herglotz2022bd",),
    "compressai": ("begaint2020compressai",),
    "imagecodecs": ("imagecodecs",),
    "constriction": ("bamler2022constriction",),
    "numba": ("lam2015numba",),
    "numpy": ("harris2020numpy",),
    "PIL": ("pillow",),
    "scipy": ("virtanen2020scipy",),
    "sionna": ("hoydis2022sionna",),
    "skimage": ("vanderwalt2014skimage",),
    "torch": ("paszke2019pytorch",),
}
"""Of packages that make numbers, the keys: they are cited where code that is used calls them."""


@dataclass(frozen=True, slots=True, order=True)
class Citation:
    """`key` is cited at `where` (section, equation, table; may be empty) by `file`, or is a tool that it calls."""

    key: str
    where: str
    file: Path
    is_tool: bool = False


@dataclass(frozen=True, slots=True)
class _Module:
    path: Path
    tree: ast.Module
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, tuple[str, str | None]] = field(default_factory=dict)


def keys_in(docstring: str) -> Iterator[tuple[str, str]]:
    """(key, where) of every `[key, where]` from a `Source:` to the end of its paragraph."""
    for paragraph in re.split(r"\n\s*\n", docstring):
        start = _SOURCE.search(paragraph)
        if start:
            for key, where in _KEY.findall(paragraph[start.end() :]):
                yield key, " ".join(where.split())


def citations_of_file(path: Path) -> tuple[Citation, ...]:
    """Every citation in the docstrings of one file."""
    module = _parse(path)
    return tuple(dict.fromkeys(_citations([module.tree], path)))


def citations(starts: Iterable[Place], passed_over: Iterable[str] = ()) -> tuple[Citation, ...]:
    """The citations behind (file, name) pairs and all that their code leads to; None for a whole file.

    Args:
        starts: where to begin.
        passed_over: `module` (with all below it) or `module:name` of this package that is not followed.
    """
    found: dict[Citation, None] = {}
    seen: set[Place] = set()
    passed = frozenset(passed_over)
    waiting = list(starts)
    while waiting:
        path, name = place = waiting.pop()
        if place in seen or _is_passed(place, passed):
            continue
        seen.add(place)
        module = _parse(path)
        nodes = [module.tree] if name is None else module.definitions.get(name, [])
        if name is not None and not nodes and name in module.imports:
            waiting += _target(*module.imports[name])
            continue
        found.update(dict.fromkeys(citations_at(path, name)))
        waiting += _mentioned(module, nodes)
    return tuple(sorted(found))


def citations_at(path: Path, name: str | None) -> Iterator[Citation]:
    """The citations of one definition and of its file's docstring, and the tools that it calls; nothing is followed."""
    module = _parse(path)
    nodes = [module.tree] if name is None else module.definitions.get(name, [])
    yield from _citations(nodes, path)
    yield from _citations_in(ast.get_docstring(module.tree), path)
    yield from _tools(module, nodes)


def _is_passed(place: Place, passed: frozenset[str]) -> bool:
    path, name = place
    if not passed or not path.is_relative_to(ROOT):
        return False
    parts = [ROOT.name, *path.relative_to(ROOT).with_suffix("").parts]
    module = ".".join(parts)
    above = {".".join(parts[:length]) for length in range(1, len(parts) + 1)}
    return bool(passed & above) or f"{module}:{name}" in passed


def locate(target: str, folder: Path | None = None) -> Place:
    """The file and name that `module`, `module:Name` or `file.py:Name` stands for, without importing it.

    Raises:
        UnknownBlock: no such file or module.
    """
    place, _, name = target.rpartition(":") if ":" in target else (target, "", "")
    if place.endswith(".py"):
        tried = [Path(place)] if folder is None else [folder / place, Path(place)]
        path = next((p.resolve() for p in tried if p.is_file()), None)
    else:
        path = _module_path(place) or _found_elsewhere(place)
    if path is None:
        raise UnknownBlock(f"{target}: no such file or module to take citations from")
    return path, name or None


def _module_path(name: str) -> Path | None:
    """The file of a module of this package; None for others."""
    first, *rest = name.split(".")
    if first != "semlink":
        return None
    base = ROOT.joinpath(*rest)
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)


def _found_elsewhere(name: str) -> Path | None:
    import importlib.util

    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    origin = spec.origin if spec else None
    return Path(origin) if origin and origin.endswith(".py") else None


@lru_cache(maxsize=512)
def _parse(path: Path) -> _Module:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, SyntaxError, UnicodeDecodeError) as fault:
        raise ScenarioError(f"{path}: cannot be read for citations ({fault})") from fault
    module = _Module(path, tree)
    before: list[str] = []
    for node in tree.body:
        before = _define(module, node, before)
    for part in ast.walk(tree):
        _import(module, part)
    return module


def _define(module: _Module, node: ast.stmt, before: list[str]) -> list[str]:
    """Enter what `node` defines; a string right after a constant belongs to that constant."""
    names: list[str] = []
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            names = [name]
        case ast.Assign(targets=targets):
            names = [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            names = [name]
        case ast.Expr(value=ast.Constant(value=str())):
            for name in before:
                module.definitions[name].append(node)
    for name in names:
        module.definitions.setdefault(name, []).append(node)
    return names


def _import(module: _Module, node: ast.AST) -> None:
    match node:
        case ast.ImportFrom(module=str() as source, names=names, level=0):
            for alias in names:
                module.imports.setdefault(alias.asname or alias.name, (source, alias.name))
        case ast.Import(names=names):
            for alias in names:
                module.imports.setdefault(alias.asname or alias.name.split(".")[0], (alias.name, None))


def _mentioned(module: _Module, nodes: Iterable[ast.AST]) -> Iterator[Place]:
    """Where the names in the code of `nodes` are defined."""
    for node in nodes:
        for part in _code(node):
            match part:
                case ast.Attribute(value=ast.Name(id=base), attr=attr) if base in module.imports:
                    source, name = module.imports[base]
                    whole = source if name is None else f"{source}.{name}"
                    yield from _target(whole, attr)
                case ast.Name(id=name) if name in module.definitions:
                    yield module.path, name
                case ast.Name(id=name) if name in module.imports and module.imports[name][1]:
                    yield from _target(*module.imports[name])


def _tools(module: _Module, nodes: Iterable[ast.AST]) -> Iterator[Citation]:
    """The packages that the code of `nodes` calls by name."""
    for node in nodes:
        for part in _code(node):
            sources = [module.imports.get(part.id, ("", None))[0]] if isinstance(part, ast.Name) else []
            sources += [alias.name for alias in part.names] if isinstance(part, ast.Import) else []
            sources += [part.module or ""] if isinstance(part, ast.ImportFrom) else []
            for source in sources:
                for key in TOOLS.get(source.split(".")[0], ()):
                    yield Citation(key, "", module.path, is_tool=True)


def _target(source: str, name: str | None) -> list[Place]:
    """The place of `name` in a module of this package; nothing for other packages, modules or unknown names."""
    path = _module_path(source)
    if path is None or name is None:
        return []
    module = _parse(path)
    return [(path, name)] if name in module.definitions or name in module.imports else []


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below `node` but annotations and what only type checkers read."""
    yield node
    passed = {"annotation", "returns"} | ({"body"} if _is_type_checking(node) else set())
    for name, child in ast.iter_fields(node):
        if name in passed:
            continue
        for part in child if isinstance(child, list) else [child]:
            if isinstance(part, ast.AST):
                yield from _code(part)


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _citations(nodes: Iterable[ast.AST], path: Path) -> Iterator[Citation]:
    """Citations in docstrings, and in strings that stand alone, at any depth."""
    for node in nodes:
        for part in ast.walk(node):
            if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant):
                yield from _citations_in(part.value.value, path)


def _citations_in(text: object, path: Path) -> Iterator[Citation]:
    if isinstance(text, str):
        for key, where in keys_in(text):
            yield Citation(key, where, path)
