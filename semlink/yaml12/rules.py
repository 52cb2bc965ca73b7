"""Rules between the options of a block, in the words of JSON Schema, so that an editor knows them too.

The loader says them in plain words (the validators of the specs); a test holds that both refuse the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Rule = dict[str, Any]
RuleOf = Callable[[Rule], Rule]
"""What a rule is, given the schema that it belongs to."""


def given(*options: str) -> Rule:
    """All of these options are there, and not null."""
    return {"required": list(options), "properties": {option: {"not": {"type": "null"}} for option in options}}


def is_one_of(option: str, *values: Any, or_unsaid: bool = False) -> Rule:
    """The option has one of these values; `or_unsaid`: or it is not there."""
    return {"properties": {option: {"enum": list(values)}}} | ({} if or_unsaid else {"required": [option]})


def matches(option: str, pattern: str) -> Rule:
    """The option is there, a text in which the pattern is found."""
    return {"required": [option], "properties": {option: {"type": "string", "pattern": pattern}}}


def inside(option: str, rule: Rule) -> Rule:
    """The option is there, and the rule holds for what is in it."""
    return {"required": [option], "properties": {option: rule}}


def for_each(option: str, rule: Rule) -> Rule:
    """The rule holds for every entry of the option's list, if it is there."""
    return {"properties": {option: {"items": rule}}}


def either(*rules: Rule) -> Rule:
    """One of the rules holds, or several."""
    return {"anyOf": list(rules)}


def no(*rules: Rule) -> Rule:
    """The rules do not hold together."""
    return {"not": rules[0] if len(rules) == 1 else {"allOf": list(rules)}}


def where(condition: Rule, rule: Rule) -> Rule:
    """Where the condition holds, the rule does."""
    return {"if": condition, "then": rule}


def only_where(condition: Rule, *options: str) -> RuleOf:
    """Where the condition does not hold, these options are at their defaults."""

    def rule(schema: Rule) -> Rule:
        kept = {option: {"const": schema["properties"][option]["default"]} for option in options}
        return {"if": condition, "else": {"properties": kept}}

    return rule


def ruled(*rules: Rule | RuleOf) -> Callable[[Rule], None]:
    """For `json_schema_extra` of a model: all of the rules hold."""

    def extend(schema: Rule) -> None:
        schema["allOf"] = [rule if isinstance(rule, dict) else rule(schema) for rule in rules]

    return extend
