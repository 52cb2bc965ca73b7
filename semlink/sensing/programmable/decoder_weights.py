"""Trained decoders of the programmable sensor, read from weights and checked against their card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from semlink.errors import ModelError
from semlink.sensing.programmable.decoder_network import Reconstruction, probe
from semlink.weights.cards import card_of
from semlink.weights.tensors import load_verified

DECODERS = {
    "reconstruction": "",
    "ratio_policy": "decoder.",
    "ratio_ste": "decoder.",
    "semantic": "decoder.",
    "compression": "decoder.",
}
CAPTURES = {"ratio_ste": 4}
TRANSMISSION = ("semantic", "compression")
"""Tasks whose card keeps the decoder's sizes and probe apart from its own."""


def load_decoder(name: str | Path) -> tuple[Reconstruction, dict[str, Any]]:
    """The decoder and the card of weights `name`, ready for use.

    Raises:
        ModelError: missing, damaged, of another kind, or with a wrong answer to the probe.
    """
    path, card = card_of(name, *sorted(DECODERS))
    spec, prefix = card["model"], DECODERS[card["task"]]
    if card["task"] in TRANSMISSION:
        if "decoder_probe" not in card["facts"]:
            raise ModelError(f"{path}: holds no decoder of readings; it was trained beside that of another file")
        spec, card = card["facts"]["decoder"], card | {"probe": card["facts"]["decoder_probe"]}

    def make() -> Reconstruction:
        return Reconstruction(
            spec.get("num_frames", 16),
            spec.get("width", 16),
            spec.get("stages", 3),
            masked=spec.get("masked", False),
            captures=CAPTURES.get(card["task"], 1),
            estimated=spec.get("estimated", False),
            norm_first=spec.get("norm_first", False),
        )

    decoder = load_verified(make, path, card, probe, prefix=prefix)
    return decoder.to(memory_format=torch.channels_last), card  # type: ignore[call-overload]
