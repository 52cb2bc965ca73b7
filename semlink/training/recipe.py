"""A training recipe: YAML in, a typed and hashed value out.

Unknown keys and wrong types are refused with the file and the line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, get_type_hints

from semlink.errors import ScenarioError, nearest
from semlink.training.data.clip_sampler import ClipSettings
from semlink.training.data.material import DataSpec
from semlink.yaml12.compose import lines_of
from semlink.yaml12.read import read_mapping
from semlink.yaml12.scalars import shortened
from semlink.yaml12.words import shown


@dataclass(frozen=True, slots=True)
class OptimiserSpec:
    """Adam with warm-up and a cosine to `final_share` of the rate; gradient norm clipped; weights averaged.

    Where `only` names parts of the model, nothing else learns, and the rest is stored bit for bit as the start has it.
    """

    learning_rate: float = 1e-3
    warmup: int = 200
    final_share: float = 0.01
    clip_norm: float = 1.0
    average: float = 0.999
    only: list = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StartSpec:
    """Weights to begin with: a shipped name or a file, less the tensors whose name ends in one of `skip`."""

    weights: str = ""
    skip: list = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Profile:
    """One machine's share of a recipe. `measured` says how long it took, and where."""

    steps: int
    batch: int = 4
    crop: int = 64
    precision: str = "bf16"
    compile: bool = False
    log_every: int = 50
    validate_every: int = 500
    validation_crop: int = 128
    checkpoint_every: int = 250
    measured: str = "not measured"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to train, on what, how long, and in which chance.

    `task` names an entry of `semlink.training.task`; `model` and `options`
    are its own.
    """

    name: str
    task: str
    data: DataSpec
    profiles: dict
    seed: int = 1
    model: dict = field(default_factory=dict)
    options: dict = field(default_factory=dict)
    clips: ClipSettings = field(default_factory=ClipSettings)
    optimiser: OptimiserSpec = field(default_factory=OptimiserSpec)
    start: StartSpec = field(default_factory=StartSpec)

    def profile(self, name: str) -> Profile:
        """Profile `name`.

        Raises:
            ScenarioError: the recipe has none of that name.
        """
        if name not in self.profiles:
            raise ScenarioError(f"profiles: got {name!r}, allowed: {sorted(self.profiles)}")
        return self.profiles[name]

    @property
    def digest(self) -> str:
        """SHA-256 of the resolved recipe, its profiles apart."""
        return sha256(json.dumps(self.resolved(), sort_keys=True).encode()).hexdigest()

    def resolved(self) -> dict[str, Any]:
        """All that was said or is meant by default, profiles apart; `only` where it is said, since older recipes
        could not."""
        table = asdict(self) | {"profiles": {}}
        if not self.optimiser.only:
            del table["optimiser"]["only"]
        return table


_WORDS = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    list: "a list",
    dict: "a mapping",
}


def load_recipe(path: str | Path) -> Recipe:
    """The recipe in a YAML file.

    Raises:
        ScenarioError: the file cannot be read, or says something that is not a recipe.
    """
    path = Path(path)
    table, node = read_mapping(path, f"a recipe, a mapping with the keys {', '.join(f.name for f in fields(Recipe))}")
    lines = {".".join(map(str, place)): line for place, line in lines_of(node)}
    profiles = table.get("profiles")
    recipe = _build(Recipe, table, _Place(path, lines, ""))
    built = {
        name: _build(Profile, values, _Place(path, lines, f"profiles.{name}"))
        for name, values in _mapping(profiles, _Place(path, lines, "profiles")).items()
    }
    own = {name: _Section(table.get(name, {}), _Place(path, lines, name)) for name in ("model", "options")}
    return replace(recipe, profiles=built, **own)


def build_options(kind: type, values: Mapping[str, Any], where: str) -> Any:
    """A task's own options as its dataclass `kind`, checked like the rest of the recipe.

    Errors name file and line where `values` is a part of a recipe that was loaded.
    """
    place = values.place if isinstance(values, _Section) else _Place(Path("recipe"), {}, where)
    return _build(kind, values, place)


@dataclass(frozen=True, slots=True)
class _Place:
    path: Path
    lines: Mapping[str, int]
    key: str

    def at(self, key: str) -> _Place:
        return _Place(self.path, self.lines, f"{self.key}.{key}".strip("."))

    def error(self, what: str) -> ScenarioError:
        """The error with its place: the line of the key, or of the nearest one around it."""
        if not self.lines:
            return ScenarioError(f"{self.path}: {self.key}: {what}")
        parts = self.key.split(".")
        around = (".".join(parts[:number]) for number in range(len(parts), 0, -1))
        line = next((self.lines[key] for key in around if key in self.lines), 1)
        return ScenarioError(f"{self.path}:{line}: {f'{shown(shortened(self.key))}: ' if self.key else ''}{what}")


class _Section(dict):
    """A mapping of a recipe that knows where it stands; what it holds is checked by the task."""

    def __init__(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]], place: _Place | None = None) -> None:
        super().__init__(values)
        self.place = place or _Place(Path("recipe"), {}, "")


def _build(kind: type, values: Any, place: _Place) -> Any:
    values = _mapping(values, place)
    hints, known = get_type_hints(kind), {f.name: f for f in fields(kind)}
    for key in values:
        if key not in known:
            near = nearest(str(key), known)
            hint = f"; did you mean {near!r}?" if near else f"; allowed: {sorted(known)}"
            raise place.at(str(key)).error(f"unknown key{hint}")
    missing = [f.name for f in known.values() if f.default is MISSING and f.default_factory is MISSING]
    for name in missing:
        if name not in values:
            raise place.error(f"the key {name!r} is missing")
    return kind(**{key: _value(hints[key], value, place.at(key)) for key, value in values.items()})


def _value(hint: Any, value: Any, place: _Place) -> Any:
    if isinstance(hint, type) and is_dataclass(hint):
        return _build(hint, value, place)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise place.error(f"got {shortened(repr(value))}, allowed: a number") from None
    if isinstance(hint, type) and (not isinstance(value, hint) or (hint is int and isinstance(value, bool))):
        raise place.error(f"got {shortened(repr(value))}, allowed: {_WORDS.get(hint, hint.__name__)}")
    return value


def _mapping(values: Any, place: _Place) -> Mapping[str, Any]:
    if not isinstance(values, Mapping):
        raise place.error(f"got {shortened(repr(values))}, allowed: a mapping")
    return values
