"""Encoded clips are kept between runs; an edit, another revision or other weights make them stale like all else."""

from __future__ import annotations

from pathlib import Path

import pytest
from own_blocks import around, rows_of

from semlink.cli.new import skeleton
from semlink.codecs.specs import TaskAwareSpec, VideoCodecSpec
from semlink.link.schemes.digital import packet_store
from semlink.link.schemes.digital.packet_store import StreamStore, store_of
from semlink.payload import Packet
from semlink.spec import Spec

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

    store = store_of(spec, StreamStore(folder))
    assert store is not None and store.get("key", make) == PACKETS
    return bool(asked)


def test_a_raised_revision_makes_packets_stale(tmp_path, monkeypatch):
    spec = VideoCodecSpec(kind="h264")
    assert [made_anew(spec, tmp_path) for _ in range(2)] == [True, False]
    monkeypatch.setattr(VideoCodecSpec, "revision", 2)
    assert [made_anew(spec, tmp_path) for _ in range(2)] == [True, False]


def test_weights_trained_again_make_packets_stale(tmp_path, monkeypatch):
    spec = TaskAwareSpec(kind="task-aware", weights="compr")
    assert [made_anew(spec, tmp_path) for _ in range(2)] == [True, False]
    monkeypatch.setattr(packet_store, "read_card", lambda path: {"weights_sha256": "of a second training"})
    assert [made_anew(spec, tmp_path) for _ in range(2)] == [True, False]
