"""What the classes and objects of a Python caller are kept under: their code, all that it rests on, their values."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
import torch
import semlink
from nets import Shrink, Grow
from semlink.plugins.live import live_digest
torch.manual_seed(1)
print(live_digest(semlink.ModuleScheme(Shrink(), Grow(), uses=128)), live_digest(Shrink))
"""
NETS = """
import torch
from nets_beside import scaled

class Base(torch.nn.Module):
    pass

class Shrink(Base):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 2)

    def forward(self, pixels):
        return scaled(pixels)

class Grow(Shrink):
    def forward(self, symbols):
        return symbols
"""
BESIDE = "def scaled(pixels):\n    return pixels * 0.5\n"


def digests(folder: Path, nets: str = NETS, beside: str = BESIDE) -> str:
    (folder / "nets.py").write_text(nets)
    (folder / "nets_beside.py").write_text(beside)
    script = folder / "script.py"
    script.write_text(SCRIPT.format(folder=str(folder)))
    return subprocess.run([sys.executable, script], capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_the_code_of_networks_counts_and_nothing_else_of_a_process(tmp_path):
    first = digests(tmp_path)
    assert digests(tmp_path) == first
    assert digests(tmp_path, NETS.replace("return symbols", "return symbols / 2")).split()[0] != first.split()[0]
    edited = digests(tmp_path, beside=BESIDE.replace("0.5", "0.25"))
    assert all(new != old for new, old in zip(edited.split(), first.split(), strict=True))
    assert digests(tmp_path, NETS.replace("Linear(4, 2)", "Linear(4, 2, bias=False)")).split()[0] != first.split()[0]


def test_a_class_of_a_notebook_counts_with_what_its_cells_define():
    """No file holds these: the code in memory is all there is."""
    found = []
    for amount, factor in ((1, "2"), (1, "2"), (2, "2"), (1, "3")):
        cells = {"__name__": "__main__"}
        exec(f"AMOUNT = {amount}\ndef grown(x):\n    return x * {factor} + AMOUNT\n", cells)
        exec("class Mine:\n    def __call__(self, x):\n        return grown(x)\n", cells)
        found.append(digest_in_notebook(cells["Mine"]))
    assert found[0] == found[1] and len(set(found)) == 3


def digest_in_notebook(cls: type) -> str:
    from semlink.plugins import live

    main = sys.modules["__main__"]
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(main, "__file__", raising=False)
        return live.live_digest(cls)
