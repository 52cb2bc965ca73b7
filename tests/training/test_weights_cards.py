"""Cards that somebody else wrote: whatever they say, a loader answers with the network or with one line."""

from __future__ import annotations

import json
import shutil
import zlib
from pathlib import Path

import pytest

from semlink.codecs.delta_sigma.binary_maps import load_delta_sigma
from semlink.errors import ModelError
from semlink.nn.generative.generator_weights import load_generator
from semlink.sensing.programmable.decoder_weights import load_decoder
from semlink.sensing.programmable.sensor import learned_tile
from semlink.training.model_card import load_model
from semlink.weights.card_shape import LARGEST
from semlink.weights.cards import find_weights, read_card, shipped_names
from semlink.weights.packed import MAGIC, unpack

NAME = "gmlr_digits"
CARD = json.loads(find_weights(NAME).with_suffix(".json").read_text())


@pytest.fixture
def weights(tmp_path):
    """The generator of digits under a name of its own, with a card that a test may write."""
    return shutil.copy(find_weights(NAME), tmp_path / "mine.packed")


def changed(name: str, folder: Path, part: str, new: dict) -> Path:
    """A copy of shipped weights whose card has `new` in a part of it."""
    mine = Path(shutil.copy(find_weights(name), folder / "mine.packed"))
    card = json.loads(find_weights(name).with_suffix(".json").read_text())
    mine.with_suffix(".json").write_text(json.dumps(card | {part: card[part] | new}))
    return mine


def told(part: str, **new) -> str:
    return json.dumps(CARD | {part: CARD[part] | new})


BROKEN = {
    "a list": "[]",
    "empty": "",
    "null": "null",
    "deep": "[" * 100_000,
    "digits": '{"task": ' + "1" * 5000 + "}",
    "no digest": json.dumps({key: value for key, value in CARD.items() if key != "weights_sha256"}),
    "another digest": json.dumps(CARD | {"weights_sha256": "0" * 64}),
    "no task": json.dumps({key: value for key, value in CARD.items() if key != "task"}),
    "a task that is a list": json.dumps(CARD | {"task": ["generator"]}),
    "no facts": json.dumps({key: value for key, value in CARD.items() if key != "facts"}),
    "no probe": json.dumps({key: value for key, value in CARD.items() if key != "probe"}),
    "a short probe": json.dumps(CARD | {"probe": {"values": [0.1]}}),
    "a probe of words": json.dumps(CARD | {"probe": {"values": ["a"] * 16}}),
    "a model of 576 GB": told("facts", channels=[LARGEST, LARGEST, LARGEST, LARGEST], latent=LARGEST),
    "beyond all": told("facts", latent=10**30),
    "another model": told("facts", channels=[8, 8, 8, 8]),
    "too few layers": told("facts", channels=[256]),
    "words for sizes": told("facts", latent="many"),
}


@pytest.mark.parametrize("card", BROKEN.values(), ids=BROKEN)
def test_a_broken_card_is_one_line(weights, card):
    (weights.with_suffix(".json")).write_text(card)
    with pytest.raises(ModelError, match="mine") as caught:
        load_generator(weights)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("part", "new"),
    [
        ("model", {"width": 10**6}),
        ("model", {"depth": [[[[[[[[1]]]]]]]]}),
        ("facts", {"learned": [{"mean_count": 2.5, "tile": [[1, 2], [4]]}]}),
        ("facts", {"learned": [5]}),
        ("facts", {"snr_db": [20.0, 0.0]}),
        ("facts", {"prices": [0.0, 1.0]}),
    ],
)
def test_what_blocks_rely_on_is_looked_at(tmp_path, part, new):
    mine = changed("sensor", tmp_path, part, new)
    for use in (load_decoder, lambda path: learned_tile(str(path), 2.5)):
        with pytest.raises(ModelError, match=rf"mine.*{next(iter(new))}"):
            use(mine)


def test_a_size_in_words_is_one_line(tmp_path):
    mine = changed("sensor", tmp_path, "model", {"width": "wide"})
    with pytest.raises(ModelError, match="mine.packed: the card describes no model that can be built"):
        load_decoder(mine)


def test_a_fact_that_is_missing_is_named(tmp_path):
    mine = shutil.copy(find_weights(NAME), tmp_path / "mine.packed")
    mine.with_suffix(".json").write_text(json.dumps(CARD | {"facts": {}}))
    with pytest.raises(ModelError, match=r"mine\.json: the card does not tell 'latent'"):
        load_generator(mine)


def test_a_size_that_a_task_refuses_is_one_line(tmp_path):
    mine = changed("delta_sigma", tmp_path, "model", {"scan": "sideways"})
    for use in (load_delta_sigma, load_model):
        with pytest.raises(ModelError, match="mine.packed: the card describes no model that can be built .*scan"):
            use(mine)


def test_every_shipped_card_is_one():
    assert all(read_card(find_weights(name))["task"] for name in shipped_names())


def test_packed_weights_that_unpack_to_more_than_any_file_are_refused(monkeypatch):
    bomb = MAGIC + zlib.compress((16).to_bytes(8, "little") + bytes(1_000_000))
    monkeypatch.setattr("semlink.weights.packed.MOST_BYTES", 100_000)
    with pytest.raises(ValueError, match="above 100000 bytes"):
        unpack(bomb)
