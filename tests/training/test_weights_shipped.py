"""All weights of the package: small enough together, each what its card says; those outside it, and those of before."""

from __future__ import annotations

from pathlib import Path

import pytest

from semlink.errors import ModelError
from semlink.training.model_card import verify_weights
from semlink.training.recipe import load_recipe
from semlink.weights.cards import OUTSIDE, SHIPPED, find_weights, outside_names, read_card, shipped_names
from semlink.weights.retired import REPLACED

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = 40_000_000
LARGEST = 16_000_000


def test_the_package_holds_less_than_40_mb():
    sizes = {path.name: path.stat().st_size for path in SHIPPED.iterdir() if path.is_file()}
    assert sum(sizes.values()) < MOST_BYTES
    assert max(sizes.values()) < LARGEST and not [name for name in sizes if name.endswith(".safetensors")]


@pytest.mark.parametrize("name", [*shipped_names(), *outside_names()])
def test_each_answers_its_probe(name):
    card = verify_weights(name)
    assert card["name"] == name and card["data"]["terms"] and card["steps"] > 0


def test_tensors_outside_the_package_are_used_from_a_checkout_or_the_working_folder(tmp_path, monkeypatch):
    name = "vcsnet_01"
    assert find_weights(name) == ROOT / OUTSIDE / f"{name}.safetensors"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("semlink.weights.cards.SHIPPED", tmp_path / "lib" / "weights")
    (tmp_path / "lib/weights").mkdir(parents=True)
    (tmp_path / f"lib/weights/{name}.json").write_text((SHIPPED / f"{name}.json").read_text())
    with pytest.raises(ModelError, match=f"weights '{name}': the package has their card only; {OUTSIDE}/{name}.safet"):
        find_weights(name)
    (tmp_path / OUTSIDE).mkdir(parents=True)
    path = tmp_path / OUTSIDE / f"{name}.safetensors"
    path.write_bytes((ROOT / OUTSIDE / path.name).read_bytes())
    assert find_weights(name) == path and read_card(path)["name"] == name
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(ModelError, match="not those of the card"):
        verify_weights(name)


def test_a_file_elsewhere_does_not_borrow_a_card_of_the_package(tmp_path):
    (tmp_path / "vcsnet_01.safetensors").write_bytes((ROOT / OUTSIDE / "vcsnet_01.safetensors").read_bytes())
    with pytest.raises(ModelError, match="no readable model card"):
        read_card(tmp_path / "vcsnet_01.safetensors")


@pytest.mark.parametrize("name", REPLACED)
def test_weights_of_before_say_what_replaces_them(name):
    line = (
        f"weights '{name}' were of the published architecture and are no longer shipped; '{REPLACED[name]}' replaces "
    )
    with pytest.raises(ModelError, match=f"^{line}.*scenarios/train/{name}.yaml trains the old ones") as told:
        find_weights(name)
    assert "\n" not in str(told.value) and REPLACED[name] in shipped_names()
    assert name not in {*shipped_names(), *outside_names()}
    assert load_recipe(ROOT / f"scenarios/train/{name}.yaml").name == name
