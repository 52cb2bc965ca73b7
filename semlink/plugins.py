"""User classes: found by module path, by file path, or by entry point."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from typing import Any

from semlink.errors import InterfaceError, ScenarioError, UnknownBlock
from semlink.spec import PluginSpec, offered

REQUIRED_METHODS = {
    "source": ("__len__", "name", "clip"),
    "sensor": ("measure",),
    "channel": ("__call__",),
    "waveform": ("data_uses", "modulate", "demodulate"),
    "codec": ("encode", "encode_at", "decode"),
    "scheme": ("agree", "transmit", "receive"),
}
"""The methods of a block at each joint, as in `semlink.blocks`."""


def load_class(kind: str, joint: str, *, folder: Path | None = None) -> type:
    """The class that `kind` names.

    Args:
        kind: `module:Class`, `path/to/file.py:Class` (relative to `folder`,
            then to the working directory), or the name of an entry point.
    Raises:
        UnknownBlock: no such module, file, class or entry point.
        ScenarioError: the user's module fails while it is imported.
    """
    if ":" not in kind:
        entry = offered(joint).get(kind)
        if entry is None:
            raise UnknownBlock(f"{joint}: no plug-in offers kind {kind!r}")
        module_name, class_name = entry.value.split(":")
    else:
        module_name, class_name = kind.rsplit(":", 1)
    module = (_file_module if module_name.endswith(".py") else _module)(module_name, joint, folder)
    found = getattr(module, class_name, None)
    if found is None:
        classes = sorted(n for n, v in vars(module).items() if inspect.isclass(v) and v.__module__ == module.__name__)
        raise UnknownBlock(
            f"{joint}: {module_name} has no {class_name!r}; it defines {', '.join(classes) or 'no class'}"
        )
    return found


def build(spec: PluginSpec, joint: str, *, folder: Path | None = None) -> Any:
    """An instance of the user's class with the scenario's options.

    Raises:
        ScenarioError: the constructor does not take these options.
    """
    cls = load_class(spec.kind, joint, folder=folder)
    options = spec.options()
    check_options(cls, options, joint, spec.kind)
    try:
        made = cls(**options)
    except (TypeError, ValueError) as fault:
        raise ScenarioError(f"{joint} {spec.kind}: {fault}") from fault
    missing = [name for name in REQUIRED_METHODS.get(joint, ()) if not callable(getattr(made, name, None))]
    if missing:
        raise InterfaceError(
            f"{joint} {spec.kind}: has no {missing[0]}; a {joint} needs {', '.join(REQUIRED_METHODS[joint])}"
        )
    return made


def check_options(cls: type, options: dict[str, Any], joint: str, kind: str) -> None:
    """Compare options with the constructor's signature.

    Raises:
        ScenarioError: an option it does not take, or one it needs and did not get.
    """
    try:
        parameters = inspect.signature(cls).parameters
    except ValueError:
        return
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    unknown = [] if takes_any else sorted(set(options) - set(parameters))
    if unknown:
        allowed = ", ".join(parameters) or "no options"
        raise ScenarioError(f"{joint} {kind}: unknown option {unknown[0]!r}; it takes {allowed}")
    fixed = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [n for n, p in parameters.items() if p.default is p.empty and p.kind not in fixed]
    missing = [n for n in needed if n not in options]
    if missing:
        raise ScenarioError(f"{joint} {kind}: option {missing[0]!r} is needed and not given")


def fingerprint(kind: str, *, folder: Path | None = None) -> str:
    """SHA-256 of the file behind a file plug-in, so that an edit makes its points stale; '' otherwise."""
    path = kind.rsplit(":", 1)[0]
    if not path.endswith(".py"):
        return ""
    return hashlib.sha256(_find_file(path, "plug-in", folder).read_bytes()).hexdigest()


def _module(name: str, joint: str, folder: Path | None) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as fault:
        if fault.name and (name == fault.name or name.startswith(f"{fault.name}.")):
            file = f"{name.replace('.', '/')}.py"
            near = any((place / file).is_file() for place in (folder or Path("."), Path(".")))
            hint = f"; for the file write kind: {file}:..." if near else ""
            raise UnknownBlock(
                f"{joint}: no module named {fault.name!r} is installed (from kind '{name}:...'){hint}"
            ) from fault
        raise ScenarioError(f"{joint}: {name} fails to import: {fault}") from fault
    except (ImportError, SyntaxError, NameError, AttributeError, TypeError, ValueError) as fault:
        raise ScenarioError(f"{joint}: {name} fails to import: {type(fault).__name__}: {fault}") from fault


def _find_file(name: str, joint: str, folder: Path | None) -> Path:
    tried = [Path(name)] if folder is None else [folder / name, Path(name)]
    for path in tried:
        if path.is_file():
            return path.resolve()
    raise UnknownBlock(f"{joint}: no file {name!r}; looked for {' and '.join(str(p) for p in tried)}")


def _file_module(name: str, joint: str, folder: Path | None) -> Any:
    path = _find_file(name, joint, folder)
    module_name = f"semlink_user_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}_{path.stem}"
    if module_name in sys.modules:
        return sys.modules[module_name]
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise UnknownBlock(f"{joint}: {path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as fault:
        del sys.modules[module_name]
        raise ScenarioError(f"{joint}: {name} fails to import: {type(fault).__name__}: {fault}") from fault
    return module


def build_block(spec: Any, joint: str, folder: Path | None = None) -> Any:
    """The block that a spec describes; user classes are looked up from `folder` first."""
    from semlink.plugins import build
    from semlink.spec import PluginSpec

    if isinstance(spec, PluginSpec):
        return build(spec, joint, folder=folder)
    return spec.build()
