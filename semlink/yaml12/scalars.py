"""What a scalar is: the core schema of YAML 1.2.

Booleans are `true` and `false` alone; `yes`, `on` and `no` are text. Whole
numbers are decimal whatever zeros stand in front (`010` is ten), `0o10` is
octal, `0xff` hexadecimal; `1e-3` is a number; `1:30`, `1_000`, `0b11` and
`2026-01-31` are text.

Source: [yaml12, section 10.3.2].
"""

from __future__ import annotations

import re

import yaml

PREFIX = "tag:yaml.org,2002:"
STR, NULL, BOOL, INT, FLOAT = (f"{PREFIX}{name}" for name in ("str", "null", "bool", "int", "float"))
SEQ, MAP = f"{PREFIX}seq", f"{PREFIX}map"
_FORMS = {
    NULL: re.compile(r"null|Null|NULL|~|"),
    BOOL: re.compile(r"true|True|TRUE|false|False|FALSE"),
    INT: re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    FLOAT: re.compile(
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN"
    ),
}
_WORDS = {NULL: "null", BOOL: "true or false", INT: "a whole number", FLOAT: "a number"}
_BASES = {"0o": 8, "0x": 16}
MOST_DIGITS = 1000


def plain_tag(text: str) -> str:
    """The tag of a plain scalar: the first kind of value whose form `text` has, else text."""
    return next((tag for tag, form in _FORMS.items() if form.fullmatch(text)), STR)


def scalar(node: yaml.ScalarNode) -> str | int | float | bool | None:
    """The value of a scalar node.

    Raises:
        ValueError: it does not have the form that its tag asks for, or a number has more than 1,000 digits.
    """
    text, tag = node.value, node.tag
    if tag == STR:
        return str(text)
    if not _FORMS[tag].fullmatch(text):
        raise ValueError(f"{shortened(text)!r} is not {_WORDS[tag]}, as its tag !!{tag.removeprefix(PREFIX)} says")
    if tag == NULL:
        return None
    if tag == BOOL:
        return text.lower() == "true"
    if len(text) > MOST_DIGITS:
        raise ValueError(f"a number of {len(text)} digits; allowed: at most {MOST_DIGITS}")
    if tag == INT:
        return int(text[2:], _BASES[text[:2]]) if text[:2] in _BASES else int(text)
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


def shortened(text: str) -> str:
    """Text that fits into a line of an error."""
    return text if len(text) <= 60 else f"{text[:57]}..."
