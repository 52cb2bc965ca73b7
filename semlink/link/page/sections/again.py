"""How to do it again: scenario, command, commit, versions, seeds, clips, weights with their cards, citations."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from semlink.errors import ModelError, SemlinkError
from semlink.files import Json, JsonDict, json_in, reason_of
from semlink.link.page.parts import NamedRun, PageOptions, Section
from semlink.plugins.trust.permission import plugins_refused
from semlink.weights.card_shape import checked_card
from semlink.weights.cards import SHIPPED
from semlink.yaml12.write import write_yaml

__all__ = ["section"]

CARD_NAME = re.compile(r"[A-Za-z]\w{0,60}")
TOLD_OF_CARDS = ("task", "architecture", "parameters", "steps", "seed", "recipe_sha256", "weights_sha256", "versions")
MOST_WORDS = 300
"""Letters of one entry of a card."""


def section(runs: Sequence[NamedRun], options: PageOptions) -> Section | None:
    """A part for each folder; None where none has a manifest."""
    told = [_told(run) for run in runs if run.run.manifest]
    return Section("again", "How to do it again", context={"folders": told}) if told else None


def _told(run: NamedRun) -> JsonDict:
    manifest = run.run.manifest
    scenario: Json = manifest.get("scenario") or {}
    name = str(scenario.get("name") or run.name)
    bib, why_not = _citations(scenario)
    file = f"{_file_name(name)}_again.yaml"
    return {
        "id": f"again-{run.place}",
        "name": run.name,
        "scenario": write_yaml(dict(scenario), width=100) if scenario else "",
        "file": file,
        "commands": _commands(run, file, str(manifest.get("commit") or "")),
        "beside": _beside(run),
        "facts": list(_facts(run)),
        "packages": dict(manifest.get("packages") or {}),
        "clips": [_clip(clip) for clip in manifest.get("clips") or ()],
        "weights": [_card(weights) for weights in dict.fromkeys(_weights(scenario))],
        "bib": bib,
        "why_no_bib": why_not,
    }


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name)[:100] or "scenario"


def _commands(run: NamedRun, file: str, commit: str) -> list[str]:
    """What is typed where the page was made."""
    folder = run.run.folder
    shown = Path(folder.name) if folder.is_absolute() else folder
    checkout = [f"git checkout {commit.removesuffix('+')}"] if re.fullmatch(r"[0-9a-f]{7,64}\+?", commit) else []
    place = file if folder.is_absolute() else os.path.normpath(os.path.join(_beside(run), file))
    return [*checkout, f"semlink run {shlex.quote(place)} --out {shlex.quote(os.fspath(shown))}"]


def _beside(run: NamedRun) -> str:
    """Where the scenario's paths count from; no absolute path, which would tell of the machine."""
    inside = run.run.manifest.get("scenario_folder")
    if not inside or os.path.isabs(str(inside)):
        return ""
    folder = run.run.folder
    return str(inside) if folder.is_absolute() else os.path.normpath(os.path.join(folder, str(inside)))


def _facts(run: NamedRun) -> Iterator[tuple[str, str]]:
    manifest = run.run.manifest
    seeds = sorted({row.seed for row in run.run.rows if row.seed is not None})
    computed = dict.fromkeys(_made_by(record) for record in run.run.records)
    found = {
        "semlink": manifest.get("version"),
        "commit": manifest.get("commit"),
        "points computed by": "; ".join(filter(None, computed)) if len(computed) > 1 else None,
        "seed, the root of all chance": ", ".join(map(str, seeds)),
        "device": manifest.get("device"),
        "workers": manifest.get("workers"),
        "time taken": None if not manifest.get("wall_s") else f"{manifest['wall_s']:,.0f} s",
        "points": manifest.get("points"),
        "clips (SHA-256 of names and pixels)": manifest.get("clips_digest"),
    }
    yield from ((name, str(content)) for name, content in found.items() if content)


def _made_by(record: Json) -> str:
    versions = record.get("versions")
    if not isinstance(versions, Mapping):
        return ""
    return " ".join(str(part) for part in (versions.get("semlink"), str(versions.get("commit") or "")[:12]) if part)


def _clip(clip: Json) -> list[str]:
    return [str(clip.get(name) or "") for name in ("name", "motion", "range")]


def _weights(part: object) -> Iterator[str]:
    """Names of weights anywhere in a scenario."""
    if isinstance(part, Mapping):
        for name, inside in part.items():
            if name == "weights" and isinstance(inside, str):
                yield inside
            else:
                yield from _weights(inside)
    elif isinstance(part, list):
        for inside in part:
            yield from _weights(inside)


def _card(name: str) -> JsonDict:
    """What the package's card says; of a user's own weights the name alone, since their files are not here."""
    if not CARD_NAME.fullmatch(name) or not (SHIPPED / f"{name}.json").is_file():
        return {"name": name, "entries": [], "why": "not of this package; their card lies beside them"}
    try:
        card = checked_card(json_in((SHIPPED / f"{name}.json").read_bytes()), name)
    except (ModelError, OSError, ValueError) as fault:
        return {"name": name, "entries": [], "why": f"no readable card ({reason_of(fault)})"}
    data: Json = card["data"] if isinstance(card.get("data"), Mapping) else {}
    told = {key: card[key] for key in TOLD_OF_CARDS if card.get(key) not in (None, "")}
    told |= {f"data: {key}": data[key] for key in ("items", "held_out", "terms") if key in data}
    told |= {f"trained for: {key}": found for key, found in card["facts"].items()}
    return {"name": name, "entries": [(key, _short(found)) for key, found in told.items()], "why": ""}


def _short(found: object) -> str:
    if isinstance(found, Mapping):
        found = ", ".join(f"{key} {value}" for key, value in found.items())
    text = f"{found:,}" if isinstance(found, int) and not isinstance(found, bool) else str(found)
    return text if len(text) <= MOST_WORDS else f"{text[: MOST_WORDS - 3]}..."


def _citations(scenario: Json) -> tuple[str, str]:
    """BibTeX, or why there is none. Nothing that the folder names is imported."""
    from pydantic import ValidationError

    from semlink.link.citations.bibtex import cite_scenario
    from semlink.link.scenario.scenario import Scenario

    try:
        with plugins_refused():
            return cite_scenario(Scenario.model_validate(dict(scenario))), ""
    except ValidationError as fault:
        reason = str(fault.errors(include_url=False, include_context=False)[0]["msg"])
    except SemlinkError as fault:
        reason = str(fault)
    return "", f"`semlink cite` on the scenario prints them; not from here: {reason}"
