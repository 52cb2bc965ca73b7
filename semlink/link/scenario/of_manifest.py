"""The scenario that a results folder names, taken from its manifest."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from semlink.errors import PluginRefused, ScenarioError
from semlink.files import Json
from semlink.link.scenario.scenario import Scenario
from semlink.plugins.trust.permission import READS, REFUSED, STARTS, commands_allowed, pickles_allowed, plugins_refused

__all__ = ["scenario_of_manifest"]


def scenario_of_manifest(
    folder: Path, manifest: Json, *, plugins: bool, commands: bool, again: str, trusting: str, starting: str
) -> Scenario:
    """The scenario of a folder; its files are looked up where the run found them, seen from the folder.

    Args:
        plugins: whether it may name code of a user, and weights that are pickles.
        commands: whether it may name programs to start.
        again: what to do where there is none, in words.
        trusting: what else to do where it names code.
        starting: what to do where it names programs.
    Raises:
        ScenarioError: there is none, or none that can be used here.
    """
    kept = manifest.get("scenario")
    if not isinstance(kept, dict):
        raise ScenarioError(f"{folder}: holds no manifest with a scenario; {again}")
    try:
        with plugins_refused(not plugins, commands=not commands), commands_allowed(commands), pickles_allowed(plugins):
            scenario = Scenario.model_validate(kept)
    except ValidationError as fault:
        refused = [str(error["ctx"]["error"]) for error in fault.errors() if REFUSED in error["msg"]]
        if refused:
            told = _refusal(refused, f"{again}, or, {trusting}", starting)
            raise PluginRefused(f"{folder}: its scenario {told}") from fault
        raise ScenarioError(
            f"{folder}: its scenario was written by another version or names a live object; {again}"
        ) from fault
    home = manifest.get("scenario_folder")
    return scenario if home is None else scenario.at(folder / home)


def _refusal(refused: list[str], trusting: str, starting: str) -> str:
    """What is refused, and what allows it: classes and programs are allowed each by a word of its own."""
    programs = [line for line in refused if line.startswith(STARTS)]
    code = [line for line in refused if line not in programs]
    told = []
    if code and code[0].startswith(READS):
        told.append(f"{code[0].partition(', which ')[0]}; {trusting}")
    elif code:
        told.append(f"names code of a user ({code[0].partition(' names code')[0]}); {trusting}")
    if programs:
        told.append(f"{programs[0].partition(', which ')[0]}; {starting}")
    return "; and it ".join(told)
