"""Encoded clips are kept between runs; an edit of a user's codec makes them stale like everything else."""

from __future__ import annotations

from pathlib import Path

import pytest
from own_blocks import around, rows_of

from semlink.cli.new import skeleton

SCENARIO = "schemes: [{name: it, kind: digital, codec: {kind: mine.py:Mine}, coding: {kind: uncoded}}]"


@pytest.mark.parametrize("inherits", [True, False])
def test_an_edited_codec_codes_anew(inherits, tmp_path):
    text = skeleton("codec", Path("mine.py"), "Mine")
    if not inherits:
        text = text.replace("class Mine(CodecBase):", "class Mine:")
    coarse = text.replace("STEPS = (2, 4, 8, 16, 32)", "STEPS = (16, 32)")
    assert coarse != text
    (tmp_path / "mine.py").write_text(text)
    (fine,) = rows_of(around(SCENARIO), tmp_path)
    (tmp_path / "mine.py").write_text(coarse)
    (edited,) = rows_of(around(SCENARIO), tmp_path)
    assert float(edited["channel_uses"]) < float(fine["channel_uses"])
    assert float(edited["psnr_db"]) < float(fine["psnr_db"])
