"""The core schema of YAML 1.2, lines of errors, limits, and values that survive being written and read."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given, settings, strategies as st

from semlink.errors import ScenarioError
from semlink.yaml12.compose import MOST_NODES, YamlFault, compose, lines_of
from semlink.yaml12.read import read_mapping, read_value
from semlink.yaml12.write import write_yaml

SPEC = {
    "null": None, "": None, "~": None, "NULL": None, "true": True, "True": True, "false": False, "FALSE": False,
    "0": 0, "0o7": 7, "0x3A": 58, "-19": -19, "0.": 0.0, "-0.0": -0.0, ".5": 0.5, "+12e03": 12000.0,
    "-2E+05": -200000.0, ".inf": math.inf, "-.Inf": -math.inf, "+.INF": math.inf,
}  # fmt: skip
"""The values of Section 10.3.2 of the specification, as its examples have them."""
NUMBERS = {"010": 10, "+010": 10, "0o10": 8, "08": 8, "1e-3": 0.001, "1E3": 1000.0, "-.5e1": -5.0, "1.": 1.0}
TEXTS = [
    "yes",
    "no",
    "on",
    "Off",
    "y",
    "N",
    "1:30",
    "190:20:30",
    "1_000",
    "0b11",
    "0O7",
    "-0x1",
    "2026-01-31",
    "+",
    "-a",
]
TEXTS += [".", "1e", "e3", "0o8", "0xg", "inf", "nan", "tRUE", "nULL", "2/3", "1.2.3", "١", "1e-3x", "=", ".e1"]


@pytest.mark.parametrize(("text", "value"), [*SPEC.items(), *NUMBERS.items()], ids=str)
@pytest.mark.source("yaml12", "section 10.3.2")
def test_plain_scalars_are_those_of_the_core_schema(text, value):
    found = read_value(f"[{text}]" if text else "- ", "text")[0]
    assert found == value and type(found) is type(value)
    assert read_value(f"'{text}'", "text") == text, "quotes make it text"


@pytest.mark.parametrize("text", TEXTS)
def test_all_else_is_text(text):
    assert read_value(text, "text") == text


@pytest.mark.parametrize("text", [".nan", ".NaN", ".NAN"])
def test_no_number_is_a_number(text):
    assert math.isnan(read_value(text, "text"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!!str 010", "010"),
        ("!!int 0x10", 16),
        ("!!float 3", 3.0),
        ("!!bool true", True),
        ("!!null ~", None),
        ("! 5", "5"),
    ],
)
def test_tags_of_the_schema_hold(text, value):
    found = read_value(text, "text")
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: 1\nb: !!int abc", 2, "'abc' is not a whole number, as its tag !!int says"),
        ("a: !!bool maybe", 1, "'maybe' is not true or false"),
        ("a: !!float 1:30", 1, "'1:30' is not a number"),
        ("a: 1\nb:\n  c: !!timestamp x", 3, "tag !!timestamp means nothing here; allowed: !!str, !!null"),
        ("a: !!python/object:os.system x", 1, "tag !!python/object:os.system means nothing here"),
        ("a: !!set {b}", 1, "tag !!set means nothing here; allowed: !!map"),
        ("a: " + "9" * 5000, 1, "a number of 5000 digits; allowed: at most 1000"),
        ("a: 1\nb: 2\na: 3", 3, "a: stands twice, first in line 1"),
        ("a: {1: x, 01: y}", 1, "1: stands twice"),
        ("a: 1\n? [x]\n: 2", 2, "got a list or a mapping as a key"),
        ("true: 1", 1, "got 'true' as a key; a key is a word or a whole number, others in quotes"),
        ("a: 1\nb: *c", 2, "alias *c has no anchor before it"),
        ("a: 1\nb: &b\n  c: *b", 3, "alias *b stands inside what it names"),
        ("a: [1\nb: 2", 2, "not valid YAML"),
        ("a: 1\n--- \nb: 1", 2, "a second document begins"),
        ("a: 1\nb: \x07", 2, r"not valid YAML: character '\x07'"),
        ("a: 1\nb: " + "[" * 200, 2, "nested more than 64 levels deep"),
        ("a: 1\nb:\n  <<: 3", 3, "<<: takes the keys of a mapping"),
        ("x: 1\na: [" + "1," * (MOST_NODES + 1) + "]", 2, "more than 50,000 values"),
        ("a: " + "x" * 1_000_001, 1, "too long; allowed: at most 1 MB"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else value,
)
def test_what_cannot_be_read_is_told_with_its_line(tmp_path, text, line, says):
    path = tmp_path / "file.yaml"
    path.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        read_mapping(path, "a mapping")
    assert str(caught.value).startswith(f"{path}:{line}: ") and says in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < len(str(path)) + 200


def test_files_that_are_none_are_refused_at_once(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe.yaml")
    for name, says in (("pipe.yaml", "is a device or pipe"), (".", "is a folder"), ("x" * 300, "cannot be read")):
        with pytest.raises(ScenarioError, match=says):
            read_mapping(tmp_path / name, "a mapping")
    (tmp_path / "latin.yaml").write_bytes("a: 1\nb: é".encode("latin-1"))
    with pytest.raises(ScenarioError, match=r"latin.yaml:2: is not text in UTF-8"):
        read_mapping(tmp_path / "latin.yaml", "a mapping")


def test_an_alias_is_a_copy_and_a_merge_gives_way():
    tree = read_value("a: &a {x: 1, y: [2]}\nb: *a\nc: {x: 3, <<: *a}\nd: {<<: [*a, {x: 9, z: 4}]}", "text")
    assert tree["b"] == tree["a"] and tree["b"] is not tree["a"] and tree["b"]["y"] is not tree["a"]["y"]
    assert tree["c"] == {"x": 3, "y": [2]} and tree["d"] == {"x": 1, "y": [2], "z": 4}


@pytest.mark.parametrize("wide", [2, 10])
def test_a_few_lines_that_unfold_to_millions_of_values_are_refused(wide):
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * wide)}]" for n in range(1, 31))]
    with pytest.raises(YamlFault, match="more than 50,000 values, aliases written out"):
        compose("\n".join(lines))


def test_the_parser_without_c_gives_the_same_trees(monkeypatch):
    text = "a: &x {b: [1, 0o7, 'q'], c: !!str 5}\nd: *x\ne: |\n  two\n  lines\nf: >-\n  folded\n  text\n"
    fast, lines = read_value(text, "text"), dict(lines_of(compose(text)))
    monkeypatch.setattr("semlink.yaml12.compose._PARSER", yaml.SafeLoader)
    assert read_value(text, "text") == fast == {
        "a": {"b": [1, 7, "q"], "c": "5"}, "d": {"b": [1, 7, "q"], "c": "5"}, "e": "two\nlines\n", "f": "folded text"
    }  # fmt: skip
    assert dict(lines_of(compose(text))) == lines and lines["a", "b", 1] == 1 and lines[("f",)] == 6


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from(TEXTS + list(NUMBERS)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_read_as_the_same_by_both_versions(value):
    assert read_value(write_yaml(value), "text") == value == yaml.safe_load(write_yaml(value))
