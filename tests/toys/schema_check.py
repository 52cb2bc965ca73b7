"""The JSON Schema of scenarios as an editor applies it."""

from __future__ import annotations

from functools import cache

from jsonschema import Draft202012Validator

from semlink.link.scenario.schema import json_schema


@cache
def validator() -> Draft202012Validator:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def schema_faults(tree: object) -> list[str]:
    """What the schema refuses of a scenario, with places; nothing if it is one."""
    return [f"{fault.json_path}: {fault.message[:200]}" for fault in validator().iter_errors(tree)]
