"""The JSON Schema and the loader give one verdict on every shipped scenario with one of its values changed.

More of it: `pytest -m slow tests/link/test_schema_and_loader.py`.
"""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from schema_check import validator

from semlink.link.scenario.loader import read_yaml
from semlink.link.scenario.scenario import Scenario
from semlink.phy.specs.codings import RATE

SCENARIOS = sorted((Path(__file__).resolve().parents[2] / "scenarios").glob("*.yaml"))
VALUES: tuple[Any, ...] = (
    *("7", "0.5", "7.0", "1e3", "0x10", " 7", " 7 ", "1_000", "2/3", "2/0", "3/2", "754/1024", "true", "null"),
    *(True, False, None, [], [1], [1, 2], ["a"], {}, {"kind": "x"}, -1, -0.5, 0, 0.5, 1.0, 2.0, 1, 2, 3, 7),
    *(10**18, 2**63, 1e300, 10**400, float("inf"), float("nan")),
    *("", "nothing", "é", "\N{GRINNING FACE}", "x:y", "a\tb", "a\n", "a\u202eb", "a\u200fb", "a\u2028b"),
)
WHOLE = (
    "no scheme is called",  # a name in `table` that no scheme has
    "two schemes are called",
    "below trials.min",
    "but the ofdm waveform",  # its bandwidth is not the channel's
)
"""What only the loader refuses: JSON Schema has no words for one value that follows from another."""
MISSPELT, GONE = object(), object()
Place = tuple[int | str, ...]


def places(tree: Any, at: Place = ()) -> Iterator[Place]:
    """Every value and list of a scenario."""
    if isinstance(tree, list):
        yield at
    parts = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in parts:
        yield from places(value, (*at, key))
    if not isinstance(tree, dict | list):
        yield at


def excerpt(tree: dict, at: Place) -> tuple[dict, Place]:
    """The scenario with no other schemes than the one that is changed; and without its table, which names others."""
    made = copy.deepcopy(tree)
    if at[0] != "table":
        made.pop("table", None)
    if at[0] == "schemes" and len(at) > 1:
        return made | {"schemes": [made["schemes"][at[1]]]}, ("schemes", 0, *at[2:])
    if at[0] not in ("table", "schemes"):
        made["schemes"] = made["schemes"][:1]
    return made, at


def changed(tree: dict, at: Place, value: object) -> dict:
    made, at = excerpt(tree, at)
    here: Any = made
    for part in at[:-1]:
        here = here[part]
    if value in (MISSPELT, GONE):
        found = here.pop(at[-1])
        if value is MISSPELT and isinstance(at[-1], str):
            here[f"{at[-1]}x"] = found
    else:
        here[at[-1]] = value
    return made


def refused(tree: dict) -> list[str]:
    try:
        Scenario.model_validate(tree)
    except ValidationError as fault:
        return [f"{one['loc']}: {one['msg']}" for one in fault.errors(include_url=False)]
    return []


def agree(tree: dict, at: Place, value: object) -> None:
    made = changed(tree, at, value)
    said = refused(made)
    if said and all(any(words in line for words in WHOLE) for line in said):
        return
    assert bool(said) is not validator().is_valid(made), (at, value, said)


def kinds_of_places() -> dict[tuple, list[tuple[Path, Place]]]:
    """Where each option stands, of all scenarios."""
    found: dict[tuple, list[tuple[Path, Place]]] = {}
    for path in SCENARIOS:
        for at in places(read_yaml(path)[0]):
            if at:
                found.setdefault(tuple(part for part in at if isinstance(part, str)), []).append((path, at))
    return found


def cases(share: float, seed: int) -> Iterator[tuple[Path, Place, object]]:
    rng = random.Random(seed)
    for _, found in sorted(kinds_of_places().items()):
        for value in (*VALUES, MISSPELT, GONE):
            if rng.random() < share:
                yield (*rng.choice(found), value)


FAILED = (
    ("quickstart", ("seed",), "7"),
    ("quickstart", ("seed",), 1e300),
    ("quickstart", ("schemes", 0, "name"), "a\u202eb"),
    ("fig12", ("schemes", 3, "coding", "rate"), " 7 "),
    ("table_gmlr_3", ("schemes", 4, "reconstruction", "rank"), "7"),
    ("compressive_link", ("schemes", 1, "sensor", "ratio"), float("nan")),
    ("table_hit", ("table", "published", 18, "rate"), 10**400),
)
"""What once got two verdicts."""


def test_what_once_got_two_verdicts_gets_one():
    for name, at, value in FAILED:
        agree(read_yaml(SCENARIOS[0].with_name(f"{name}.yaml"))[0], at, value)


def test_some_changed_scenarios_get_one_verdict():
    for path, at, value in cases(0.001, 0):
        agree(read_yaml(path)[0], at, value)


@pytest.mark.slow
def test_many_changed_scenarios_get_one_verdict():
    trees = {path: read_yaml(path)[0] for path in SCENARIOS}
    for path, at, value in cases(1.0, 1):
        agree(trees[path], at, value)


def test_a_code_rate_as_text_is_a_share_and_nothing_else():
    """The schema has the same expression."""
    for n, d in [(n, d) for d in (0, 1, 2, 9, 10, 11, 99, 100, 101, 1024, 99_999) for n in (*range(12), 98, 100, 754)]:
        assert bool(re.match(RATE, f"{n}/{d}")) is (0 < n < d), (n, d)
    assert all(re.match(RATE, text) for text in (" 2 / 3 ", "0.5", ".5", "0.999"))
    for text in ("1.0", "0.0", "7", "1e-1", "-1/2", "1/3/4", "1/3x", "02/03", "2 2/3", "1/100000"):
        assert not re.match(RATE, text), text
