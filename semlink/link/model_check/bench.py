"""Models of a scenario, or two networks alone, on the bench: what `semlink check-model` looks over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from semlink.errors import ScenarioError
from semlink.files import JsonDict
from semlink.link.model_check.examine import ModelReport, examined
from semlink.link.model_check.probe import Probe
from semlink.link.scenario.loader import apply_override
from semlink.link.scenario.scenario import Scenario, rates_of
from semlink.link.schemes.model.spec import ModelSpec
from semlink.link.sweep.clips import load_clips
from semlink.spec import BuildContext

__all__ = ["checked_models", "models_of", "tree_of_networks"]

BENCH: JsonDict = {
    "name": "bench",
    "source": {"kind": "scenes", "clips": 2, "frames": 4, "size": [64, 64]},
    "channel": {"kind": "awgn"},
    "sweep": {"snr_db": [0, 10, 20], "budget": 10},
}
"""Where two networks are looked at that no scenario names."""
MOST_CLIPS = 2
OF_SCENARIO = ("source.", "sweep.", "seed=")


def tree_of_networks(encoder: str, decoder: str, changes: Sequence[str]) -> JsonDict:
    """A scenario of an encoder and a decoder; `changes` are options of the scheme, or of `source` and `sweep`."""
    tree: JsonDict = {key: dict(part) if isinstance(part, dict) else part for key, part in BENCH.items()}
    entry: dict[str, Any] = {"name": encoder, "kind": "model", "encoder": {"network": encoder}}
    tree["schemes"] = [entry | {"decoder": {"network": decoder}}]
    for change in changes:
        place = change if change.startswith(OF_SCENARIO) else f"schemes.0.{change}"
        apply_override(tree, place, "symbols=halves, an option of the scheme")
    return tree


def models_of(scenario: Scenario, only: str | None = None) -> list[ModelSpec]:
    """Its schemes of `kind: model`.

    Raises:
        ScenarioError: there is none, or none of this name.
    """
    found = [spec for spec in scenario.schemes if isinstance(spec, ModelSpec)]
    if not found:
        raise ScenarioError(f"scenario {scenario.name}: has no scheme of kind: model")
    chosen = [spec for spec in found if only in (None, spec.name)]
    if not chosen:
        raise ScenarioError(f"--scheme: no model is called {only!r}; there are {', '.join(s.name for s in found)}")
    return chosen


def checked_models(scenario: Scenario, only: str | None = None) -> list[ModelReport]:
    """The report on each model, over white noise and with a few clips of the scenario's source.

    Raises:
        ScenarioError: no such model, or one that cannot be made.
        SourceError: no clip.
    """
    models = models_of(scenario, only)
    clips = _clips(scenario, scenario.folder)
    shape = clips[0].shape
    sweep = scenario.sweep
    levels = tuple(sorted(sweep.snr_db)) if sweep else (0.0, 10.0, 20.0)
    reports = []
    for spec in models:
        rates, budgets = rates_of(spec), () if sweep is None else sweep.budgets(shape.colour)
        rate = max(rates) if rates else None
        budget = None if rates or not budgets else int(max(budgets) * shape.num_pixels)
        context = BuildContext(frames=shape.t, colour=shape.colour, folder=scenario.folder)
        probe = Probe(spec, context, clips, levels, budget, rate, scenario.seed)
        probe.link  # noqa: B018 - what cannot be made is told before anything is looked at
        reports.append(examined(probe))
    return reports


def _clips(scenario: Scenario, folder: Path | None) -> list[Any]:
    """The first few clips that have the shape of the first."""
    frames = load_clips(scenario, folder).frames
    return [clip for clip in frames if clip.shape == frames[0].shape][:MOST_CLIPS]
