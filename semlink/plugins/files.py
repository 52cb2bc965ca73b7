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

from semlink.errors import ScenarioError, UnknownBlock, raised, traced
from semlink.plugins.entry_points import entry_point
from semlink.plugins.importing import found_first, imported_as_now
from semlink.plugins.named_files import files_of
from semlink.plugins.source_text import SourceText, is_installed, module_file, text_of
from semlink.plugins.trust.look import refuse_standard_file, refuse_standard_module, refuse_standard_origin
from semlink.plugins.trust.permission import refuse_plugin


def load_class(kind: str, interface: str, *, folder: Path | None = None, options: object = ()) -> Any:
    """The class, or for metrics the function, that `kind` names.

    Args:
        kind: `module:Class`, `path/to/file.py:Class` (relative to `folder`,
            then to the working directory), or the name of an entry point.
        options: that it will be built with. Where its text, or a file that text or options name, was edited since
            it was imported, it is imported anew.
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
    refuse_plugin(interface, kind)
    module_name, class_name = place.rsplit(":", 1)
    load = _file_module if module_name.endswith(".py") else _module
    module = load(module_name, interface, folder, options)
    found = vars(module).get(class_name)
    if found is None:
        sort = inspect.isroutine if interface == "metric" else inspect.isclass
        own = sorted(n for n, v in vars(module).items() if sort(v) and v.__module__ == module.__name__)
        none = "no function" if interface == "metric" else "no class"
        raise UnknownBlock(f"{interface}: {module_name} has no {class_name!r}; it defines {', '.join(own) or none}")
    refuse_standard_origin(found, interface, kind)
    return found


def source_of(kind: str, interface: str = "", folder: Path | None = None) -> SourceText | None:
    """The source text that a user's class rests on; None for a module that is no file. Arguments as of `load_class`."""
    entry = None if ":" in kind else entry_point(interface, kind)
    name = (kind if entry is None else entry.value).rsplit(":", 1)[0]
    if name.endswith(".py"):
        return text_of(_find_file(name, "plug-in", folder))
    file = module_file(name)
    return None if file is None else text_of(file, name)


def fingerprint(kind: str, *, interface: str = "", folder: Path | None = None) -> str:
    """SHA-256 of the text that a user's class rests on, so that an edit makes its points stale.

    '' for a module that is no file. Arguments as of `load_class`.
    """
    text = source_of(kind, interface, folder)
    return "" if text is None else text.digest


def source_file(thing: object) -> Path | None:
    """The file that a class or a function stands in; None where there is none, as in a notebook."""
    module = sys.modules.get(getattr(thing, "__module__", None) or "")
    path = Path(getattr(module, "__file__", None) or "")
    return path.resolve() if path.is_file() else None


def _module(name: str, interface: str, folder: Path | None, options: object) -> ModuleType:
    refuse_standard_module(name, interface)
    try:
        place = module_file(name)
        if place is None or is_installed(place):
            return importlib.import_module(name)
        text = text_of(place, name)
        with imported_as_now(text.files, [path for _, path in files_of(text, options, folder)]):
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
    except (Exception, SystemExit) as fault:
        raise traced(ScenarioError(f"{interface}: {name} fails to import: {raised(fault)}"), fault) from fault


def _find_file(name: str, interface: str, folder: Path | None) -> Path:
    tried = [Path(name)] if folder is None else [folder / name, Path(name)]
    for path in tried:
        if path.is_file():
            return path.resolve()
    raise UnknownBlock(f"{interface}: no file {name!r}; looked for {' and '.join(str(p) for p in tried)}")


def _file_module(name: str, interface: str, folder: Path | None, options: object) -> ModuleType:
    path = _find_file(name, interface, folder)
    refuse_standard_file(path, interface)
    text = text_of(path)
    content = hashlib.sha256(str(path).encode() + text.digest.encode()).hexdigest()
    module_name = f"semlink_user_{content[:12]}_{path.stem}"  # an edited file is another module
    modules = {module_name: path, **{n: place for n, place in text.files.items() if n}}
    with imported_as_now(modules, [place for _, place in files_of(text, options, folder)]):
        return sys.modules.get(module_name) or _executed(module_name, path, name, interface)


def _executed(module_name: str, path: Path, name: str, interface: str) -> ModuleType:
    """The module of a file, which finds what lies beside it as a script would."""
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise UnknownBlock(f"{interface}: {path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        with found_first(path.parent):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as fault:
        del sys.modules[module_name]
        raise traced(ScenarioError(f"{interface}: {name} fails to import: {raised(fault)}"), fault) from fault
    return module
