"""Whatever a user's class is like, it is refused or guarded: one line with its name, and no other exception."""

from __future__ import annotations

import itertools
import os
import random
from pathlib import Path

import pytest

import semlink
from semlink.errors import SemlinkError

BASE = {
    "name": "small",
    "source": {"kind": "scenes", "frames": 2, "size": [16, 16], "clips": 1},
    "channel": {"kind": "awgn"},
    "sweep": {"snr_db": [4], "budget": [1.5]},
    "schemes": [{"name": "soft", "kind": "softcast", "margin_db": 0}],
    "metrics": ["psnr"],
    "trials": {"min": 1, "max": 1},
}
VALUES = (
    *("None", "5", "-1", "'x'", "b''", "[]", "{}", "object()", "float('nan')", "np.zeros(0)", "np.zeros((2, 16, 16))"),
    *("np.full((2, 16, 16), 7, np.float32)", "torch.zeros(1, 3)", "lambda *a: a", "given", "iter([])", "10 ** 400"),
    *(
        "1 / 0",
        "int('x')",
        "{}['x']",
        "[][0]",
        "exec('raise SystemExit')",
        "exit(3)",
        "(_ for _ in ()).throw(OSError('a\\nb'))",
    ),
    *("exec('raise KeyError(chr(27))')", "torch.full((1, 384), float('nan'), dtype=torch.complex64)"),
)
"""What a method returns, or raises."""
METHODS = {
    "source": ("__len__(self)", "name(self, *given)", "clip(self, *given)"),
    "channel": ("__call__(self, *given)",),
    "scheme": ("agree(self, *given)", "transmit(self, *given)", "receive(self, *given)"),
}
QUICK = ("source", "channel")
"""Of which no receiver works in a process of its own."""
SEED = os.environ.get("FUZZ_SEED", "1")
"""Another one, other cases in the slow tests."""
NUMBER = itertools.count()


def written(folder: Path, interface: str, rng: random.Random) -> str:
    """A class with random methods; the `kind` that names it."""
    methods = [m for m in METHODS[interface] if rng.random() < 0.9]
    lines = ["import numpy as np", "import torch", "class Odd:", "    name_ = 1"]
    if rng.random() < 0.5 and interface != "source":
        lines.append(f"    name = {rng.choice(('1', repr('odd'), 'None'))}")
    for method in methods:
        value = rng.choice(("1", "2")) if method.startswith("__len__") and rng.random() < 0.7 else rng.choice(VALUES)
        lines += [
            f"    def {method}:",
            *(["        given = ()"] if "given" not in method else []),
            f"        return {value}",
        ]
    if rng.random() < 0.1:
        lines.insert(
            rng.randrange(len(lines)), rng.choice(("raise ImportError('no')", "exit()", "x = = 1", "\0", "1 / 0"))
        )
    file = folder / f"odd{next(NUMBER)}.py"
    file.write_text("\n".join(lines) + "\n")
    return f"{file}:Odd"


def meet(folder: Path, seed: str, interfaces: tuple[str, ...] = tuple(METHODS)) -> None:
    rng = random.Random(seed)
    interface = rng.choice(interfaces)
    kind = written(folder, interface, rng)
    part = {"schemes": [{"name": "odd", "kind": kind}]} if interface == "scheme" else {interface: {"kind": kind}}
    try:
        semlink.run(semlink.load(BASE | part), folder / "out")
    except SemlinkError as fault:
        assert "\n" not in str(fault) and str(fault).isprintable(), seed


FAILED: tuple[str, ...] = ()
"""Seeds of classes that once got through."""


def test_odd_classes_are_refused_in_a_line(tmp_path):
    for seed in (*FAILED, *(f"0-{n}" for n in range(8))):
        meet(tmp_path, seed, QUICK)


@pytest.mark.slow
def test_many_odd_classes_are_refused_in_a_line(tmp_path):
    for n in range(400):
        meet(tmp_path, f"{SEED}-{n}")
