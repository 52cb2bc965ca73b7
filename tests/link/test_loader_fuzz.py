"""Shipped scenarios, damaged by chance: read or refused in lines that begin with file and line, and quickly."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

import pytest

from semlink.errors import SemlinkError
from semlink.link.scenario.loader import load_scenario
from semlink.training.recipe import load_recipe

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = [path.read_text() for path in sorted((ROOT / "scenarios").glob("*.yaml"))]
RECIPES = [path.read_text() for path in sorted((ROOT / "scenarios/train").glob("*.yaml"))]
BITS = [
    *[
        "!!int abc",
        "!!bool maybe",
        "!!timestamp x",
        "!!float 1:30",
        "!!binary zz",
        "!!python/object:os.system x",
        "!x y",
    ],
    *[
        "-",
        "+",
        ".",
        "0b",
        "0x",
        "0o",
        "0o9",
        "1:30",
        "010",
        "1e-3",
        "1_000",
        "true",
        "no",
        "yes",
        "null",
        "~",
        "2026-01-31",
    ],
    *["", "[", "]", "{", "}", "{}", "[]", "&a [*a]", "*a", "&a", "<<: *a", "<<: 3", "? ", "? [a]\n: b", "- ", "'", '"'],
    *[
        "|",
        "> ",
        "\t",
        "\x00",
        "\x7f",
        "\ud800",
        "\u2028",
        "²",
        "é" * 50,
        "9" * 5000,
        "1e999",
        "-.inf",
        ".nan",
        "[.nan]",
    ],
    *[
        "[" * 2000,
        "{a: " * 500,
        "- " * 300,
        "%TAG ! x",
        "---",
        "...",
        "--- a",
        "#",
        "name",
        "kind: x:y",
        "kind: f.py:C",
    ],
    *[
        "1e99999999999",
        "2/3",
        "1/0",
        "1e9999999/3",
        "a: b: c",
        "@x",
        "`x",
        "size: 200",
        "12:30:45",
        "-0",
        "1.",
        "NaN",
        "On",
    ],
]
KEYS = [
    "schemes.².name",
    "schemes.0.name",
    "schemes.0",
    "schemes",
    "source",
    "source.size",
    "sweep.snr_db.0",
    "sweep.snr_db",
]
KEYS += ["sweep.snr_db.-1", "a.b.c", "", "..", "name", "channel.kind", "channel", "schemes.0.coding.rate", "trials.min"]
KEYS += ["schemes." + "9" * 5000, "metrics.0", "waveform", "table", "table.published", "schemes.0.rates", "source.path"]
BOMB = "a0: &a0 [x]\n" + "\n".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 31)) + "\n"


def damaged(text: str, others: list[str], rng: random.Random) -> str:
    """`text` after one to four changes: pieces put in, cut out, doubled, moved to the right, values exchanged."""
    for _ in range(rng.randint(1, 4)):
        here, lines = rng.randrange(len(text) + 1), text.split("\n")
        line, what = rng.randrange(len(lines)), rng.randrange(8)
        if what == 0:
            text = text[:here] + rng.choice(BITS) + text[here:]
        elif what == 1:
            text = text[:here] + text[here + rng.randint(1, 20) :]
        elif what == 2 and (values := list(re.finditer(r"(?<=: )[^,{}\[\]\n]+", text))):
            value = rng.choice(values)
            text = text[: value.start()] + rng.choice(BITS) + text[value.end() :]
        elif what == 3:
            text = "\n".join([*lines[:line], lines[line], *lines[line:]])
        elif what == 4:
            text = "\n".join([*lines[:line], " " * rng.randint(1, 6) + lines[line], *lines[line + 1 :]])
        elif what == 5:
            text = text[:here] + chr(rng.choice([rng.randrange(128), rng.randrange(0x3000)])) + text[here + 1 :]
        elif what == 6:
            other = rng.choice(others)
            start = rng.randrange(len(other))
            text = text[:here] + other[start : start + rng.randint(5, 200)]
        elif rng.random() < 0.3:
            text = BOMB + text
    return text


def check(path: Path, text: str, overrides: list[str], read) -> bool:
    """Whether it was read; refused in anything but lines with a place, or slowly, fails."""
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    started = time.process_time()
    try:
        read(path, overrides)
        return True
    except SemlinkError as fault:
        for line in str(fault).splitlines():
            assert overrides or re.match(rf"{re.escape(str(path))}:\d+: ", line), (line, text)
        return False
    finally:
        assert time.process_time() - started < 20, (text, overrides)


def run(tmp_path: Path, seed: int, tries: int) -> int:
    rng, read = random.Random(seed), 0
    for _ in range(tries):
        kind = rng.random()
        if kind < 0.25:
            words = ["[4, 8]", "{kind: x}", "5", "[1, a]", *BITS]
            overrides = [f"{rng.choice(KEYS)}{rng.choice(['=', '=', ''])}{rng.choice(words)}" for _ in range(2)]
            read += check(tmp_path / "s.yaml", rng.choice(SCENARIOS), overrides, load_scenario)
        elif kind < 0.4:
            text = damaged(rng.choice(RECIPES), SCENARIOS, rng)
            read += check(tmp_path / "r.yaml", text, [], lambda path, _: load_recipe(path))
        else:
            read += check(tmp_path / "s.yaml", damaged(rng.choice(SCENARIOS), SCENARIOS, rng), [], load_scenario)
    return read


def test_no_damage_to_a_file_is_a_traceback_or_a_hang(tmp_path):
    assert 0 < run(tmp_path, seed=1, tries=150) < 150


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_no_damage_to_thousands_of_files_is_a_traceback_or_a_hang(tmp_path, seed):
    assert 0 < run(tmp_path, seed, tries=1000) < 1000
