"""A queue of recipes: the most useful first, each for its time, so that a machine never lies idle.

    queue:
      - {recipe: compr_tokens.yaml, minutes: 120}
      - {recipe: semcom_tokens.yaml, minutes: 90}

What has ended is passed over, what was killed goes on, so the same command
serves from the first hour to the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from semlink.errors import ScenarioError
from semlink.training.recipe import Recipe, load_recipe
from semlink.yaml12.read import read_mapping

KEY = "queue"


@dataclass(frozen=True, slots=True)
class Queued:
    """One recipe of a queue, and the minutes it has in all."""

    path: Path
    recipe: Recipe
    minutes: float

    def weights(self, runs: Path) -> Path:
        """What the recipe leaves when it has ended, in its folder of `runs`."""
        return runs / self.recipe.name / f"{self.recipe.name}.safetensors"


def load_queue(path: str | Path) -> tuple[Queued, ...] | None:
    """The queue in a YAML file; None where the file holds something else, such as a recipe.

    Raises:
        ScenarioError: the file cannot be read, an entry is wrong, or one of its recipes is.
    """
    path = Path(path)
    table, _ = read_mapping(path, f"a recipe, or a queue of recipes under the key {KEY!r}")
    if KEY not in table:
        return None
    entries = table[KEY]
    if set(table) != {KEY} or not isinstance(entries, list) or not entries:
        raise ScenarioError(f"{path}: a queue is one list under the key {KEY!r}, got the keys {sorted(table)}")
    found = tuple(_entry(path, number, entry) for number, entry in enumerate(entries, 1))
    names = [queued.recipe.name for queued in found]
    for name in names:
        if names.count(name) > 1:
            raise ScenarioError(f"{path}: the recipe name {name!r} stands twice; allowed: once, runs are named by it")
    return found


def _entry(path: Path, number: int, entry: object) -> Queued:
    where = f"{path}: {KEY}: entry {number}"
    if not isinstance(entry, dict) or set(entry) != {"recipe", "minutes"}:
        raise ScenarioError(f"{where}: got {entry!r}; allowed: {{recipe: FILE, minutes: NUMBER}}")
    minutes = entry["minutes"]
    if isinstance(minutes, bool) or not isinstance(minutes, (int, float)) or not minutes > 0:
        raise ScenarioError(f"{where}: minutes: got {minutes!r}; allowed: a number above 0")
    if not isinstance(entry["recipe"], str):
        raise ScenarioError(f"{where}: recipe: got {entry['recipe']!r}; allowed: a file, beside the queue's")
    recipe = path.parent / entry["recipe"]
    return Queued(recipe, load_recipe(recipe), float(minutes))
