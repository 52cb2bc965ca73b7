"""A queue of recipes: each for its time, the ended ones passed over, mistakes told in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from test_tokens_training import SHORT, made_up_pack
from token_toys import TOKEN_RECIPE
from typer.testing import CliRunner

from semlink.cli.commands import app
from semlink.errors import ScenarioError
from semlink.training.data.pack import save_pack
from semlink.training.model_card import verify_weights
from semlink.training.queue import load_queue

ROOT = Path(__file__).parents[2]


def queue(folder: Path, *names: str, **changes) -> Path:
    for name in names:
        recipe = TOKEN_RECIPE | {"name": name, "profiles": {"cpu": SHORT | {"steps": 2}}}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(recipe))
    entries = [{"recipe": f"{name}.yaml", "minutes": 5} | changes for name in names]
    (folder / "queue.yaml").write_text(yaml.safe_dump({"queue": entries}))
    return folder / "queue.yaml"


def test_all_are_trained_in_order_and_ended_ones_passed_over(tmp_path):
    save_pack(made_up_pack(), tmp_path / "pack.npz")
    command = ["train", str(queue(tmp_path, "one", "two")), "--data", str(tmp_path / "pack.npz")]
    first = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "runs")])
    assert first.exit_code == 0, first.output
    made = [tmp_path / "runs" / name / f"{name}.safetensors" for name in ("one", "two")]
    assert [verify_weights(path)["steps"] for path in made] == [2, 2]
    made[1].unlink()
    before = made[0].stat().st_mtime_ns
    again = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "runs")])
    assert "one.safetensors (ended before)" in again.output and made[1].exists()
    assert made[0].stat().st_mtime_ns == before


def test_a_recipe_is_no_queue_and_the_shipped_queue_is_one():
    assert load_queue(ROOT / "scenarios/train/compr_tokens.yaml") is None
    names = [queued.recipe.name for queued in load_queue(ROOT / "scenarios/train/queue.yaml") or ()]
    assert names[0] == "compr_tokens" and len(names) == len(set(names)) > 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"minutes": 0}, r"entry 1: minutes: got 0; allowed: a number above 0"),
        ({"minutes": "long"}, r"entry 1: minutes: got 'long'"),
        ({"hours": 2}, r"entry 1: got .*; allowed: \{recipe: FILE, minutes: NUMBER\}"),
        ({"recipe": 3}, r"entry 1: recipe: got 3; allowed: a file"),
        ({"recipe": "none.yaml"}, r"none.yaml"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path, changes, message):
    with pytest.raises(ScenarioError, match=message) as caught:
        load_queue(queue(tmp_path, "one", **changes))
    assert "\n" not in str(caught.value)


def test_a_name_stands_once_and_minutes_are_the_queues(tmp_path):
    file = queue(tmp_path, "one")
    file.write_text(yaml.safe_dump({"queue": [{"recipe": "one.yaml", "minutes": 1}] * 2}))
    with pytest.raises(ScenarioError, match="'one' stands twice"):
        load_queue(file)
    file.write_text("queue: []\n")
    with pytest.raises(ScenarioError, match="a queue is one list"):
        load_queue(file)
    refused = CliRunner().invoke(app, ["train", str(queue(tmp_path, "one")), "--minutes", "3"])
    assert isinstance(refused.exception, ScenarioError) and "minutes of its own" in str(refused.exception)
