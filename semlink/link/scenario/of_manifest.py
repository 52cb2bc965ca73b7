"""The scenario that a results folder names, taken from its manifest."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from semlink.errors import PluginRefused, ScenarioError
from semlink.files import Json
from semlink.link.scenario.scenario import Scenario
from semlink.plugins.trust.permission import REFUSED, plugins_refused

__all__ = ["scenario_of_manifest"]


def scenario_of_manifest(folder: Path, manifest: Json, *, plugins: bool, again: str, trusting: str) -> Scenario:
    """The scenario of a folder; its files are looked up where the run found them, seen from the folder.

    Args:
        plugins: whether it may name code of a user.
        again: what to do where there is none, in words.
        trusting: what else to do where it names code.
    Raises:
        ScenarioError: there is none, or none that can be used here.
    """
    kept = manifest.get("scenario")
    if not isinstance(kept, dict):
        raise ScenarioError(f"{folder}: holds no manifest with a scenario; {again}")
    try:
        with plugins_refused(not plugins):
            scenario = Scenario.model_validate(kept)
    except ValidationError as fault:
        refused = [str(error["ctx"]["error"]) for error in fault.errors() if REFUSED in error["msg"]]
        if refused:
            what = refused[0].partition(" names code")[0]
            raise PluginRefused(
                f"{folder}: its scenario names code of a user ({what}); {again}, or, {trusting}"
            ) from fault
        raise ScenarioError(
            f"{folder}: its scenario was written by another version or names a live object; {again}"
        ) from fault
    home = manifest.get("scenario_folder")
    return scenario if home is None else scenario.at(folder / home)
