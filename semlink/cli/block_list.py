"""What `semlink list` prints: every block, its options with defaults, and plug-ins."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from semlink.cli.allowed import Schema, allowed, inner, shown
from semlink.errors import ScenarioError
from semlink.link.metrics.registry import METRICS
from semlink.link.scenario.schema import CATALOGUE, spec_schema
from semlink.plugins.entry_points import INTERFACES, offered
from semlink.spec import kinds_of

WIDTH = 100
METRIC = "metric"


def describe(interface: str | None = None) -> str:
    """All blocks as text, or those of one interface.

    Raises:
        ScenarioError: there is no such interface.
    """
    known = (*INTERFACES, METRIC)
    if interface is not None and interface not in known:
        raise ScenarioError(f"no interface {interface!r}; there are {', '.join(known)}")
    interfaces = [interface] if interface else known
    return "\n".join("\n".join(_interface(name)) for name in interfaces) + "\n"


def _interface(interface: str) -> Iterator[str]:
    yield interface
    for spec in CATALOGUE.get(interface, ()):
        yield f"  {' | '.join(kinds_of(spec))}"
        yield from _wrapped((spec.__doc__ or "").strip().split("\n\n")[0], 6)
        model = spec_schema(spec)
        yield from _options(model, model.get("$defs", {}))
    for kind, entry in sorted(offered(interface).items()):
        yield f"  {kind}   (plug-in: {entry.value}{_fault(entry)})"
    if interface == METRIC:
        yield from (f"  {metric.name}   {metric.label}" for metric in METRICS)
    name = "function" if interface == METRIC else "Class"
    yield f"  module:{name} | path/to/file.py:{name}   (yours)"
    yield ""


def _options(model: Schema, models: Schema, indent: int = 6) -> Iterator[str]:
    """A line for each option of a model: allowed values, default, meaning; options of models inside it below."""
    for name, option in model["properties"].items():
        if name == "kind" and indent == 6:
            continue
        default = f"default {shown(option['default'])}" if "default" in option else "needed"
        text = f"{name} ({allowed(option, models)}; {default}): {option.get('description', '')}"
        yield from _wrapped(text.rstrip(": "), indent, indent + 4)
        for kind, found in inner(option, models).items():
            if kind:
                yield f"{' ' * (indent + 4)}kind: {kind}"
            options = {key: value for key, value in found["properties"].items() if not kind or key != "kind"}
            yield from _options({"properties": options}, models, indent + 6)


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
