"""What is said of a wrong option or argument, in the words of every other refusal."""

from __future__ import annotations

import re

WRONG = re.compile(r"Invalid value for '(?P<name>[^']+)': (?P<why>.*)", re.DOTALL)
WORDS = (
    (re.compile(r"Input should be greater than or equal to (\S+)"), r"need \1 or more"),
    (re.compile(r"Input should be less than or equal to (\S+)"), r"need at most \1"),
    (re.compile(r"Input should be a valid integer.*"), "need a whole number"),
    (re.compile(r"Input should be a valid number.*"), "need a number"),
)


def plain(message: str) -> str:
    """The message of a parser in a plain line: `--trial: need 0 or more`."""
    found = WRONG.fullmatch(message.removesuffix("."))
    if found is None:
        return message.removesuffix(".")
    why = found["why"].removesuffix(".")
    for pattern, words in WORDS:
        if pattern.fullmatch(why):
            return f"{found['name']}: {pattern.sub(words, why)}"
    return f"{found['name']}: {why}"
