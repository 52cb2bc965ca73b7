"""Scenarios drawn by chance from all registered kinds: valid by their looks, small, with some absurd numbers."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from semlink.errors import SemlinkError
from semlink.link.metrics.registry import METRICS
from semlink.link.scenario.schema import CATALOGUE, json_schema
from semlink.plugins.specs import PLUGIN_SPECS
from semlink.spec import kinds_of
from semlink.weights.cards import outside_names, shipped_names

SCHEMA = json_schema()
PLUGINS = {spec.__name__ for spec in PLUGIN_SPECS.values()}
ABSURD = (0, -1, 1e-300, 1e300, -1e300, 10**18, -(10**18), 1e-9, 0.5, 1.5, 2**31, 2**63, 10**400)
TYPICAL = (0, 1, 2, 3, 4, 7, 8, 10, 16, 0.1, 0.25, 0.5, 30, 100)
BUDGETS = (0.01, 0.05, 0.1, 0.3, 0.3, 1, 1, 2, 10, 1000, 1e-12, 1e-300)
SNRS = (-200, -20, -3, 0, 4, 8, 12, 20, 30, 40, 200)
TEXTS = ("", "x", "nothing", "A", "é", "-1", "yuv420p", "gray", "480p", "0" * 300)
FILES = ("stack.npz", "map.npy", "map.txt", "film.yuv", "none.mkv", "folder", ".", "/dev/null", "*.png", "a\tb")
PAIRS = {
    "block": ("linear", "block-tv", "multi-hypothesis", "hit-vcsnet", "vcsnet"),
    "programmable": ("initial", "gap-tv", "deep"),
    "random": ("gmlr", "fill"),
}
"""The reconstructions that take a sensor's readings."""
WEIGHTS = {
    "deep": ("sensor", "sensor_decoder"),
    "programmable": ("sensor",),
    "task-aware": ("compr_tokens",),
    "semantic": ("semcom_tokens", "semcom_noran_tokens", "jscc_tokens"),
    "delta-sigma": ("delta_sigma", "delta_sigma_scan", "delta_sigma_tokens"),
    "delta-sigma-direct": ("delta_sigma", "delta_sigma_sign"),
    "gmlr": ("gmlr_digits", "random"),
    "hit-vcsnet": ("hit_10",),
    "vcsnet": ("vcsnet_10",),
    "block": ("blocks", "hit_10"),
}
"""Those that suit."""
SMALL = {
    "doppler": (0, 0.001, 0.01),
    "linewidth": (0, 0.001, 0.01),
    "mean_count": (1, 2, 4),
    "mean_ratio": (0.125, 0.25),
}
"""What options of no told range mostly are."""
LONG = {"epochs", "search", "iterations", "transmissions", "clips", "frames", "kernel", "max", "min", "most"}
"""Options that are work; what is absurd there is refused, and what is large takes its time by right."""


def write_files(folder: Path) -> None:
    """What the scenarios name."""
    np.savez(folder / "stack.npz", images=np.arange(4 * 28 * 28, dtype=np.uint8).reshape(4, 28, 28))
    np.save(folder / "map.npy", np.array([[1, 2], [4, 0]]))
    (folder / "map.txt").write_text("1 2\n4 8\n")
    (folder / "film.yuv").write_bytes(bytes(range(256)) * 24 * 16)
    (folder / "folder").mkdir(exist_ok=True)


class Draw:
    """What one seed gives.

    Args:
        calm: no absurd numbers, and nothing that takes long.
    """

    def __init__(self, seed: str, calm: bool) -> None:
        self.rng, self.calm = random.Random(seed), calm
        self.names = (*shipped_names(), *outside_names()[:3], "random", "nowhere")

    def scenario(self) -> dict[str, Any]:
        """One that the loader mostly accepts: of several the first that it does."""
        for _ in range(6):
            made = self._scenario()
            if self.rng.random() < 0.1 or _is_accepted(made):
                break
        return made

    def _scenario(self) -> dict[str, Any]:
        rng = self.rng
        schemes = [self.block("scheme") | {"name": f"S{n}"} for n in range(1 if self.calm else rng.randint(1, 2))]
        made = {"name": "drawn", "source": self.source(), "schemes": schemes}
        if rng.random() < 0.95:
            channels = [self.block("channel") for _ in range(rng.choice((1, 1, 1, 2)))]
            made["channel"] = channels[0] if len(channels) == 1 or self.calm else channels
            made["sweep"] = {"snr_db": self.some(SNRS)}
            if rng.random() < 0.85:
                made["sweep"]["budget"] = self.some(BUDGETS[:8] if self.calm else BUDGETS)
        if rng.random() < 0.3:
            made["waveform"] = self.block("waveform")
        made["metrics"] = rng.sample([metric.name for metric in METRICS], rng.randint(1, 2))
        made["trials"] = {"min": 1, "max": 1} if self.calm or rng.random() < 0.8 else self.model(_model("Trials"))
        if rng.random() < 0.1:
            made["calibration"] = {"source": made["source"] if rng.random() < 0.7 else self.source()}
        return made

    def some(self, values: tuple) -> Any:
        """A number, or a list of one or two."""
        if not self.calm and self.rng.random() < 0.05:
            values = ABSURD
        if self.rng.random() < 0.4 or self.calm:
            return self.rng.choice(values)
        return [self.rng.choice(values) for _ in range(self.rng.randint(1, 2))]

    def source(self) -> dict[str, Any]:
        """Few small clips, now and then of absurd size."""
        rng, made = self.rng, self.block("source")
        given = {"frames": rng.choice((1, 2, 4, 5, 8, 16, 16, 16)), "clips": rng.choice((1, 1, 2))}
        if "size" in _model_of("source", made["kind"])["properties"]:
            given["size"] = [rng.choice((8, 16, 32, 33, 64, 64, 64)) for _ in "hw"]
        if made["kind"] == "wheel":
            del given["clips"]
        if self.calm or rng.random() < 0.9:
            made |= given
        if "size" not in made:  # slow pictures of full size move far, and are long work by right
            made.pop("frames_per_second", None)
        return made

    def block(self, interface: str) -> dict[str, Any]:
        """A block of a kind, any of those that are registered."""
        kinds = [kind for spec in CATALOGUE[interface] for kind in kinds_of(spec)]
        if interface == "source" and self.rng.random() < 0.85:
            kinds = ["scenes", "digits", "wheel"]
        kind = self.rng.choice([one for one in kinds if one not in ("tensorflow", "compressai") or self.chance(0.1)])
        return self.suited({"kind": kind, **self.model(_model_of(interface, kind))}, kind)

    def suited(self, made: dict[str, Any], kind: str) -> dict[str, Any]:
        """Mostly what goes together."""
        rng = self.rng
        if rng.random() < 0.15:
            return made
        if "weights" in made and kind in WEIGHTS:
            made["weights"] = rng.choice(WEIGHTS[kind])
        if kind == "programmable" and not {"mean_count", "mean_ratio"} & set(made):
            made["mean_count"] = rng.choice((1, 2, 2.5))
        if kind == "gmlr" and self.calm:
            made["epochs"] = 5
        if kind == "hybrid":
            made |= {"codec": {"kind": "task-aware", "weights": "compr_tokens"}}
        sensor = made.get("sensor")
        if isinstance(sensor, dict) and sensor.get("kind") in PAIRS:
            fits = rng.choice(PAIRS[sensor["kind"]])
            model = self.model(_model_of("reconstruction", fits))
            made["reconstruction"] = self.suited({"kind": fits, **model}, fits)
        return made

    def model(self, model: Mapping[str, Any]) -> dict[str, Any]:
        """The options of a model: what it needs, and some others."""
        needed, options = model.get("required", ()), model["properties"]
        share = self.rng.choice((0.0, 0.15, 0.3))
        together = self.rng.random() < 0.4  # sensor and reconstruction
        made = {}
        for name, option in options.items():
            is_given = name in needed or self.chance(share)
            if name in ("sensor", "reconstruction") and name not in needed:
                is_given = together
            if name in ("rates", "harq") and name not in needed:
                is_given = self.chance(0.2)
            if is_given and name not in ("kind", "name"):
                made[name] = self.option(name, option)
        if "mcs" in options and "mcs" not in made:
            made |= {"modulation": self.rng.choice(("qpsk", "16qam", "256qam")), "rate": self.rng.choice((0.5, "2/3"))}
        if "k_db" in options and "k" not in made:
            made["k_db"] = self.rng.choice((-10, 0, 10))
        return made

    def option(self, name: str, schema: Mapping[str, Any]) -> Any:
        """A value that a schema allows, seldom one beside it."""
        if name == "weights":
            return self.rng.choice(self.names)
        if name in ("path", "checkpoint", "photos"):
            found = self.rng.choice(FILES)
            return [found] if name == "photos" else found
        if name == "rates":
            return [self.rng.choice((0.05, 0.1, 0.5, 1, 2, 4, 12, 23, 30, 37, 64, *(() if self.calm else ABSURD[:8])))]
        if not self.calm and self.chance(0.02):
            return self.rng.choice((None, "x", [], {}, True, 10**18, [1], -1))
        return self.value(name, schema)

    def value(self, name: str, schema: Mapping[str, Any]) -> Any:
        rng = self.rng
        if "enum" in schema or "const" in schema:
            return rng.choice(schema.get("enum", [schema.get("const")]))
        several = [part for part in schema.get("anyOf", schema.get("oneOf", ())) if not _is_plugin(part)]
        if "$ref" in schema:
            several = [schema]
        if several:
            part = rng.choice(several)
            if "$ref" not in part:
                return self.value(name, part)
            model = _model(part["$ref"].rpartition("/")[2])
            kinds = model["properties"].get("kind", {})
            if "kind" not in model.get("required", ()):
                return self.model(model)
            kind = rng.choice(kinds.get("enum", [kinds.get("const")]))
            return self.suited({"kind": kind, **self.model(model)}, kind)
        kind = schema.get("type")
        if kind == "array":
            return self._list(name, schema)
        if kind == "boolean":
            return rng.random() < 0.5
        if kind == "null":
            return None
        if kind in ("integer", "number"):
            return self._number(name, schema)
        return "x:y" if schema.get("pattern") == ":" else rng.choice(TEXTS)

    def _list(self, name: str, schema: Mapping[str, Any]) -> list:
        if "prefixItems" in schema:
            return [self.value(name, part) for part in schema["prefixItems"]]
        return [self.value(name, schema["items"]) for _ in range(self.rng.choice((1, 1, 2, 3)))]

    def _number(self, name: str, schema: Mapping[str, Any]) -> Any:
        rng, is_whole = self.rng, schema["type"] == "integer"
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        pool = [number for number in TYPICAL if not is_whole or number == int(number)]
        if name in SMALL and rng.random() < 0.8:
            return rng.choice(SMALL[name])
        if name in LONG:
            pool = [1, 2, 3, 5]
        elif not self.calm and rng.random() < 0.25:
            pool = [*ABSURD, *(number for number in (low, high) if number is not None)]
            pool += [] if high is None else [int(high) + 1]
        within = [n for n in pool if (low is None or n >= low) and (high is None or n <= high)]
        found = rng.choice(within or [low if low is not None else high])
        return int(found) if is_whole and self.calm else found

    def chance(self, share: float) -> bool:
        return self.rng.random() < share


def _is_accepted(made: dict[str, Any]) -> bool:
    import semlink

    try:
        semlink.load(made)
    except SemlinkError:
        return False
    return True


def _model(name: str) -> Mapping[str, Any]:
    return SCHEMA["$defs"][name]


MODELS = {
    (interface, kind): spec.__name__
    for interface, specs in CATALOGUE.items()
    for spec in specs
    for kind in kinds_of(spec)
}


def _model_of(interface: str, kind: str) -> Mapping[str, Any]:
    found = _model(MODELS[interface, kind])
    return found


def _is_plugin(part: Mapping[str, Any]) -> bool:
    return part.get("$ref", "").rpartition("/")[2] in PLUGINS
