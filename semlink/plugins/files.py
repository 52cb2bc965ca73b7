"""The class that a `kind` names."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from semlink.errors import ScenarioError, UnknownBlock
from semlink.plugins.entry_points import entry_point


def load_class(kind: str, interface: str, *, folder: Path | None = None) -> Any:
    """The class, or for metrics the function, that `kind` names.

    Args:
        kind: `module:Class`, `path/to/file.py:Class` (relative to `folder`,
            then to the working directory), or the name of an entry point.
    Raises:
        UnknownBlock: no such module, file, class or entry point.
        ScenarioError: the user's module fails while it is imported.
    """
    place = kind
    if ":" not in kind:
        entry = entry_point(interface, kind)
        if entry is None:
            raise UnknownBlock(f"{interface}: no plug-in offers kind {kind!r}")
        place = entry.value
    module_name, class_name = place.rsplit(":", 1)
    module = (_file_module if module_name.endswith(".py") else _module)(module_name, interface, folder)
    found = vars(module).get(class_name)
    if found is None:
        sort = inspect.isroutine if interface == "metric" else inspect.isclass
        own = sorted(n for n, v in vars(module).items() if sort(v) and v.__module__ == module.__name__)
        none = "no function" if interface == "metric" else "no class"
        raise UnknownBlock(f"{interface}: {module_name} has no {class_name!r}; it defines {', '.join(own) or none}")
    return found


def fingerprint(kind: str, *, interface: str = "", folder: Path | None = None) -> str:
    """SHA-256 of the file that defines a user's class, so that an edit makes its points stale.

    '' for a module that is no file. Arguments as of `load_class`.
    """
    entry = None if ":" in kind else entry_point(interface, kind)
    name = (kind if entry is None else entry.value).rsplit(":", 1)[0]
    if name.endswith(".py"):
        return hashlib.sha256(_find_file(name, "plug-in", folder).read_bytes()).hexdigest()
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return ""
    file = None if found is None or found.origin is None else Path(found.origin)
    return hashlib.sha256(file.read_bytes()).hexdigest() if file is not None and file.is_file() else ""


def file_digest(cls: type) -> str:
    """SHA-256 of the file that a class stands in; '' where there is none."""
    path = Path(getattr(sys.modules.get(cls.__module__), "__file__", None) or "")
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _module(name: str, interface: str, folder: Path | None) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as fault:
        if fault.name and (name == fault.name or name.startswith(f"{fault.name}.")):
            file = f"{name.replace('.', '/')}.py"
            near = any((place / file).is_file() for place in (folder or Path("."), Path(".")))
            hint = f"; for the file write kind: {file}:..." if near else ""
            raise UnknownBlock(
                f"{interface}: no module named {fault.name!r} is installed (from kind '{name}:...'){hint}"
            ) from fault
        raise ScenarioError(f"{interface}: {name} fails to import: {fault}") from fault
    except Exception as fault:
        raise ScenarioError(f"{interface}: {name} fails to import: {type(fault).__name__}: {fault}") from fault


def _find_file(name: str, interface: str, folder: Path | None) -> Path:
    tried = [Path(name)] if folder is None else [folder / name, Path(name)]
    for path in tried:
        if path.is_file():
            return path.resolve()
    raise UnknownBlock(f"{interface}: no file {name!r}; looked for {' and '.join(str(p) for p in tried)}")


def _file_module(name: str, interface: str, folder: Path | None) -> ModuleType:
    path = _find_file(name, interface, folder)
    content = hashlib.sha256(str(path).encode() + path.read_bytes()).hexdigest()
    module_name = f"semlink_user_{content[:12]}_{path.stem}"  # an edited file is another module
    if module_name in sys.modules:
        return sys.modules[module_name]
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise UnknownBlock(f"{interface}: {path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as fault:
        del sys.modules[module_name]
        raise ScenarioError(f"{interface}: {name} fails to import: {type(fault).__name__}: {fault}") from fault
    return module
