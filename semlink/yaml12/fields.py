"""Booleans are no numbers, and only `true` and `false` are booleans: for the fields of models that a file fills."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ValidationError, model_validator
from pydantic_core import InitErrorDetails

from semlink.yaml12.scalars import shortened
from semlink.yaml12.words import fit_to_show

MOST_WHOLE = 2**63 - 1
"""Whole numbers end here, wherever nothing smaller is said."""
Shown = Annotated[str, AfterValidator(fit_to_show)]
"""A name that tables, figures and the terminal show."""


class PlainValues(BaseModel):
    """Base of models that a file fills: refuses what pydantic takes for a number or a boolean and YAML does not.

    Text is refused that cannot be shown, as errors name it; that of options called in `prose` may have lines.
    """

    prose: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _refuse_false_numbers(cls, values: Any) -> Any:
        """Errors stand at the place of each such value."""
        given = values if isinstance(values, dict) else {}
        kinds: dict[str, Any] = {n: f.rebuild_annotation() for n, f in cls.model_fields.items() if n in given}
        told = [
            InitErrorDetails(type="value_error", loc=(name, *place), input=part, ctx={"error": ValueError(problem)})
            for name, annotation in kinds.items()
            for place, part in _parts(given[name])
            if (problem := _problem(part, _kinds(annotation)) or ("" if name in cls.prose else _unseen(part)))
        ]
        if told:
            raise ValidationError.from_exception_data(cls.__name__, told)
        return values


def _problem(part: object, kinds: frozenset[Any]) -> str:
    """What is wrong with a single value where values of `kinds` are expected; '' if nothing is, or others say it."""
    if isinstance(part, bool):
        return f"got {str(part).lower()}, which is no number" if _only_numbers(kinds, bool) else ""
    if isinstance(part, str | int | float) and bool in kinds and kinds <= {bool, type(None)}:
        return f"got {shortened(repr(part))}, expected true or false"
    if isinstance(part, int | float) and kinds & {int} and not kinds & {float, object} and abs(part) > MOST_WHOLE:
        return "got a number of more than 19 digits, expected a whole number"
    if isinstance(part, str) and part not in kinds and _only_numbers(kinds, str) and _reads_as_number(part):
        return f"got the text {shortened(repr(part))}, expected a number"
    return ""


def _unseen(part: object) -> str:
    """What is wrong with a text that cannot stand in a line; '' if nothing is."""
    try:
        fit_to_show(part if isinstance(part, str) else "")
    except ValueError as fault:
        return str(fault)
    return ""


def _only_numbers(kinds: frozenset[Any], other: type) -> bool:
    return bool(kinds & {int, float}) and not kinds & {other, object}


@cache
def _kinds(annotation: Any) -> frozenset[Any]:
    """The types of single values that an annotation names, and those that a file may write for it; `object` for any.

    Words that are allowed stand for themselves.
    """
    if get_origin(annotation) is Literal:
        return frozenset(value if isinstance(value, str) else type(value) for value in get_args(annotation))
    inner = [_written(part) for part in get_args(annotation) if part is not Ellipsis]
    if inner:
        found = [_kinds(part) for part in inner if isinstance(part, type) or get_origin(part) or part is Any]
        return frozenset().union(*found)
    return frozenset({annotation if isinstance(annotation, type) else object})


def _written(part: Any) -> Any:
    """A part of an annotation; of a validator what it takes from a file."""
    return part.json_schema_input_type if isinstance(part, BeforeValidator) else part


def _parts(value: Any) -> Iterator[tuple[tuple[int, ...], Any]]:
    """A value, or all that lists in it hold, with their places."""
    if isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from (((number, *place), inner) for place, inner in _parts(part))
    else:
        yield (), value


def _reads_as_number(text: str) -> bool:
    """Whether Python makes a number of what is text in YAML: `"7"` in quotation marks, `1_000`, `infinity`."""
    try:
        float(text)
    except ValueError:
        return False
    return True
