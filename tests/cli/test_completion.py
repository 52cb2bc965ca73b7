"""What a shell completes is what the registries have; and the scripts for it are made."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from semlink.cli import completion
from semlink.cli.new.blocks import TEMPLATES
from semlink.link.plots.registry import PLOTS
from semlink.link.scenario.schema import CATALOGUE
from semlink.plugins.entry_points import INTERFACES
from semlink.spec import kinds_of


def test_words_are_those_of_the_registries():
    def kinds(interface):
        return [kind for spec in CATALOGUE[interface] for kind in kinds_of(spec)]

    assert sorted(completion.INTERFACES) == sorted([*INTERFACES, "metric"])
    assert sorted(completion.CHANNELS) == sorted(kinds("channel"))
    assert sorted(completion.CODECS) == sorted(kinds("codec"))
    assert sorted(completion.PLOTS) == sorted(plot.name for plot in PLOTS)
    assert list(completion.BLOCKS) == list(TEMPLATES)
    assert completion.new_kinds("sc") == ["scenario", "scheme"]


def test_names_of_schemes_are_those_of_the_folder(tmp_path):
    (tmp_path / "curves.csv").write_text("scheme,psnr_db\nH.264,30\nH.264,31\nSemCom,29\n")
    context = SimpleNamespace(params={"folder": tmp_path})
    assert completion.schemes(context, "") == ["H.264", "SemCom"]
    assert completion.schemes(context, "Sem") == ["SemCom"]
    assert completion.schemes(SimpleNamespace(params={"folder": tmp_path / "none"}), "") == []


def asked(shell: str, line: str) -> str:
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1), "_TYPER_COMPLETE_ARGS": line}
    env = os.environ | {"_SEMLINK_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"} | words
    done = subprocess.run([sys.executable, "-m", "semlink.cli"], env=env, capture_output=True, text=True, check=False)
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_answer(shell):
    assert "rayleigh" in asked(shell, "semlink check-channel ray"), shell
    assert "doctor" in asked(shell, "semlink doc")
