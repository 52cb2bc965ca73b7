"""What `semlink list` prints: every block, its options with defaults, and plug-ins."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from semlink.errors import ScenarioError
from semlink.link.scenario.schema import CATALOGUE
from semlink.plugins.entry_points import INTERFACES, offered
from semlink.spec import Spec, kinds_of

WIDTH = 100


def describe(interface: str | None = None) -> str:
    """All blocks as text, or those of one interface.

    Raises:
        ScenarioError: there is no such interface.
    """
    if interface is not None and interface not in INTERFACES:
        raise ScenarioError(f"no interface {interface!r}; there are {', '.join(INTERFACES)}")
    interfaces = [interface] if interface else [j for j in INTERFACES if j in CATALOGUE or offered(j)]
    return "\n".join("\n".join(_interface(name)) for name in interfaces) + "\n"


def _interface(interface: str) -> Iterator[str]:
    yield interface
    for spec in CATALOGUE.get(interface, ()):
        yield f"  {' | '.join(kinds_of(spec))}"
        yield from _wrapped((spec.__doc__ or "").strip().split("\n\n")[0], 6)
        yield from _options(spec)
    for kind, entry in sorted(offered(interface).items()):
        yield f"  {kind}   (plug-in: {entry.value}{_fault(entry)})"
    if interface != "scheme":
        yield "  module:Class | path/to/file.py:Class   (yours)"
    yield ""


def _options(spec: type[Spec]) -> Iterator[str]:
    for name, field in spec.model_fields.items():
        if name == "kind":
            continue
        default = "needed" if field.is_required() else f"default {_shown(field.default)}"
        yield from _wrapped(f"{name} ({default}): {field.description or ''}".rstrip(": "), 6, 10)


def _shown(value: Any) -> str:
    return "none" if value is None else str(list(value)) if isinstance(value, tuple) else str(value)


def _fault(entry: Any) -> str:
    try:
        entry.load()
    except Exception as fault:  # noqa: BLE001 - a broken plug-in is reported, never fatal
        return f"; fails to import: {type(fault).__name__}: {fault}"
    return ""


def _wrapped(text: str, indent: int, later: int | None = None) -> list[str]:
    return textwrap.wrap(
        " ".join(text.split()), WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (later or indent)
    )
