"""What an option may be, in words, read from its JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from semlink.plugins.specs import PLUGIN_SPECS

Schema = Mapping[str, Any]
_TYPES = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "true | false",
    "null": "null",
    "object": "mapping",
}
_PLUGINS = {spec.__name__: interface for interface, spec in PLUGIN_SPECS.items()}


def allowed(schema: Schema, models: Schema) -> str:
    """The values that a schema allows, such as `whole number from 1 | null`.

    Args:
        models: the schemas that references lead to, by name.
    """
    if "enum" in schema or "const" in schema:
        return " | ".join(map(shown, schema.get("enum", [schema.get("const")])))
    several = schema.get("anyOf", schema.get("oneOf", ()))
    names = [_name(part) for part in several if "$ref" in part]
    interface = next((_PLUGINS[name] for name in names if name in _PLUGINS), None)
    if interface is not None:
        rest = [allowed(part, models) for part in several if "$ref" not in part]
        return " | ".join([f"a {interface}", *rest])
    if "$ref" in schema:
        return f"{{{', '.join(models[_name(schema)]['properties'])}}}"
    if several and "type" not in schema:
        return " | ".join(dict.fromkeys(allowed(part, models) for part in several))
    if several:
        return " | ".join(f"{{{', '.join(models[name]['properties'])}}}" for name in names) or _TYPES[schema["type"]]
    if schema.get("type") == "array":
        return _list(schema, models)
    return " ".join([_TYPES.get(schema.get("type", ""), "anything"), *_range(schema)])


def inner(schema: Schema, models: Schema) -> dict[str, Schema]:
    """The models other than blocks that stand in an option, by the kind that tells them apart, or ''."""
    parts = [schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())]
    names = [_name(part) for part in parts if "$ref" in part]
    names = [] if any(name in _PLUGINS for name in names) else names
    return {str(models[name]["properties"].get("kind", {}).get("const", "")): models[name] for name in names}


def shown(value: Any) -> str:
    """A value as it is written in a scenario."""
    return value if isinstance(value, str) and value else json.dumps(value)


def _name(reference: Schema) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _list(schema: Schema, models: Schema) -> str:
    if "prefixItems" in schema:
        return f"[{', '.join(allowed(part, models) for part in schema['prefixItems'])}]"
    entry = allowed(schema.get("items", {}), models)
    return f"list of {f'({entry})' if ' | ' in entry else entry}"


def _range(schema: Schema) -> list[str]:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if above is not None and schema["type"] == "integer":
        low, above = above + 1, None
    if low is not None and high is not None:
        return [f"from {low:g} to {high:g}"]
    words = (("from", low), ("above", above), ("up to", high), ("below", below))
    said = [f"{word} {limit:g}" for word, limit in words if limit is not None]
    return [" and ".join(said)] if said else []
