"""Encoded clips are kept between runs; an edit, another revision or other weights make them stale like all else."""

from __future__ import annotations

from pathlib import Path

import pytest
from generator_toys import small_weights
from own_blocks import around, rows_of

from semlink.cli.new.blocks import skeleton
from semlink.codecs.specs import CompressAISpec, H264Spec, LatentCodecSpec
from semlink.link.schemes.digital.packet_store import StreamStore, store_of
from semlink.payload import Packet
from semlink.spec import NOTHING_KNOWN, Spec

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


PACKETS = (Packet(0, b"packet"),)


def made_anew(spec: Spec, folder: Path) -> bool:
    """Whether the store asks the codec for its packets."""
    asked = []

    def make() -> tuple[Packet, ...]:
        asked.append(spec)
        return PACKETS

    store = store_of(spec, StreamStore(folder), NOTHING_KNOWN)
    assert store is not None and store.get("key", make) == PACKETS
    return bool(asked)


def test_a_raised_revision_makes_packets_stale(tmp_path, monkeypatch):
    spec = H264Spec(kind="h264")
    assert [made_anew(spec, tmp_path) for _ in range(2)] == [True, False]
    monkeypatch.setattr(H264Spec, "revision", 2)
    assert [made_anew(spec, tmp_path) for _ in range(2)] == [True, False]


def test_weights_trained_again_make_packets_stale(tmp_path):
    spec = LatentCodecSpec(kind="gmlr", weights=str(small_weights(tmp_path, seed=0)))
    assert [made_anew(spec, tmp_path) for _ in range(2)] == [True, False]
    small_weights(tmp_path, seed=1)
    assert [made_anew(spec, tmp_path) for _ in range(2)] == [True, False]


def test_a_checkpoint_written_again_makes_packets_stale(tmp_path):
    file = tmp_path / "q3.pt"
    file.write_bytes(b"first")
    checkpoint = str(tmp_path / "q{quality}.pt")
    spec = CompressAISpec(kind="compressai", model="mbt2018-mean", checkpoint=checkpoint)
    assert [made_anew(spec, tmp_path) for _ in range(2)] == [True, False]
    file.write_bytes(b"again")
    assert [made_anew(spec, tmp_path) for _ in range(2)] == [True, False]
