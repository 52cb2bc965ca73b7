"""The source text that a user's class rests on: its own file, and whatever that imports of the user's.

Imports are read from the text and followed: modules beside the file, modules of
the same installed package, and what else on the Python path is no installed
package. Packages that are installed count with their version, Python's own
library and those that semlink itself computes with do not.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import all_suffixes
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

from semlink.plugins.named_files import content_digest

__all__ = ["SourceText", "is_installed", "text_of"]

OURS = frozenset(
    {"semlink", "torch", "numpy", "scipy", "av", "numba", "sionna", "constriction", "commpy", "skimage", "matplotlib"}
    | {"pydantic", "yaml", "safetensors", "typer", "rich"}
)
"""What semlink itself is made of: its versions stand in the manifest, and no block's key has them."""
INSTALLED = ("site-packages", "dist-packages")
_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class SourceText:
    """Files by the name that they are imported as, the first one of all first; installed packages with versions."""

    files: dict[str, Path]
    packages: tuple[str, ...] = ()

    @property
    def main(self) -> Path:
        """The file that the class stands in."""
        return next(iter(self.files.values()))

    @property
    def digest(self) -> str:
        """SHA-256 of the file where it stands alone, else of the digests of all, by name."""
        own = content_digest(self.main)
        if len(self.files) == 1 and not self.packages:
            return own
        others = sorted((name, content_digest(path)) for name, path in list(self.files.items())[1:])
        return hashlib.sha256(repr((own, others, self.packages)).encode()).hexdigest()


def text_of(file: Path, name: str = "") -> SourceText:
    """The text that `file` rests on.

    Args:
        name: of the module that it is; '' for a file that is loaded by its path.
    """
    beside = None if name else file.parent
    top = name.partition(".")[0]
    files, packages, waiting = {name: file}, set(), [(name, file)]
    while waiting:
        module, path = waiting.pop()
        for wanted in _imports(path.read_bytes(), _package_of(module, path)):
            for part, place in _found(wanted, beside):
                own_package = part.partition(".")[0]
                if is_installed(place) and own_package != top:
                    packages.add(with_version(own_package))
                elif part not in files and place != file:
                    files[part] = place
                    waiting.append((part, place))
    return SourceText(files, tuple(sorted(packages)))


def is_installed(path: Path) -> bool:
    """Whether a file is of an installed package, or of semlink."""
    return any(part in INSTALLED for part in path.parts) or path.is_relative_to(_PACKAGE)


def module_file(name: str) -> Path | None:
    """The file of a module on the Python path, which is not imported; None where there is none."""
    found = [path for part, path in _found(name, None, ours=True) if part == name]
    return found[0] if found else None


@lru_cache(maxsize=512)
def _imports(text: bytes, package: str) -> tuple[str, ...]:
    """Dotted names that a text imports; of `from a import b` both `a` and `a.b`, since b may be a module."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return ()
    return tuple(dict.fromkeys(name for node in ast.walk(tree) for name in _imported(node, package)))


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        parts = package.split(".")[: -(node.level - 1) or None] if node.level else []
        base = ".".join([*filter(None, parts), *([node.module] if node.module else [])])
        if base:
            yield from (base, *(f"{base}.{alias.name}" for alias in node.names))
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
            yield node.args[0].value


def _package_of(module: str, path: Path) -> str:
    """The package that relative imports in a module begin from."""
    return module if path.stem == "__init__" else module.rpartition(".")[0]


def _found(dotted: str, beside: Path | None, *, ours: bool = False) -> Iterator[tuple[str, Path]]:
    """The files of a dotted name, from its top package on, each with its own name."""
    parts = dotted.split(".")
    folders = [] if beside is None else [beside]
    top = _in(folders, parts[0])
    skipped = parts[0] == "semlink" or (top is None and (parts[0] in OURS or parts[0] in sys.stdlib_module_names))
    if skipped and not ours:
        return
    top = top or _in([Path(place or ".") for place in sys.path], parts[0]) or _hooked(parts[0])
    for number, part in enumerate(parts):
        place = top if number == 0 else _in(folders, part)
        if place is None:
            return
        file, folders = place
        if file is not None:
            yield ".".join(parts[: number + 1]), file.resolve()


Place = tuple[Path | None, list[Path]]
"""The file of a module, if it has one, and the folders of its submodules."""


def _in(folders: list[Path], name: str) -> Place | None:
    """A module of this name in one of the folders, as Python would find it."""
    spaces = []
    for folder in folders:
        package = folder / name
        if (package / "__init__.py").is_file():
            return package / "__init__.py", [package]
        for suffix in (".py", *all_suffixes()):
            if (folder / f"{name}{suffix}").is_file():
                return folder / f"{name}{suffix}", []
        if package.is_dir():
            spaces.append(package)
    return (None, spaces) if spaces else None


def _hooked(name: str) -> Place | None:
    """A top package that only an import hook finds, such as one installed in development mode."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    file = Path(spec.origin) if spec.origin and Path(spec.origin).is_file() else None
    return file, [Path(place) for place in spec.submodule_search_locations or ()]


def with_version(package: str) -> str:
    """`name==version` of the distribution that holds an installed package."""
    try:
        return f"{package}=={version(package)}"
    except PackageNotFoundError:
        holders = _holders().get(package, ())
        return "".join(f"{package}=={version(holder)}" for holder in sorted(set(holders))) or package


@lru_cache(maxsize=1)
def _holders() -> dict[str, list[str]]:
    return dict(packages_distributions())
