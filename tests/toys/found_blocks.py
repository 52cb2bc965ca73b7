"""Every block that can be found: those of `semlink list`, the examples of the docs, the skeletons of `semlink new`."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from own_blocks import BASE
from pydantic import TypeAdapter

from semlink.cli.new.blocks import TEMPLATES, block_name, skeleton
from semlink.codecs.specs import AnyCodec
from semlink.link.scenario.schema import CATALOGUE
from semlink.phy.specs.channels import AnyChannel
from semlink.phy.specs.codings import AnyCoding
from semlink.phy.specs.waveforms import AnyWaveform
from semlink.plugins.trust.permission import commands_allowed
from semlink.sensing.specs.registry import AnyReconstruction, AnySensor
from semlink.sensing.specs.sources import AnySource
from semlink.spec import BuildContext, kinds_of

ROOT = Path(__file__).resolve().parents[2]
FRAMES = 16
UNIONS = {
    "source": AnySource,
    "sensor": AnySensor,
    "reconstruction": AnyReconstruction,
    "codec": AnyCodec,
    "coding": AnyCoding,
    "channel": AnyChannel,
    "waveform": AnyWaveform,
}
PROGRAMMABLE = {"kind": "programmable", "mean_count": 2}
BLOCKS = {"kind": "block", "ratio": 0.1}
SKIPPING = {"kind": "random", "operator": "identity", "skip": [1, 3]}
OPTIONS: dict[str, dict[str, Any]] = {
    "scenes": {"clips": 2, "frames": 4, "size": [32, 48]},
    "images": {"clips": 2, "size": [32, 48]},
    "digits": {"clips": 2, "frames": 4},
    "wheel": {"frames": 4},
    "programmable": {"mean_count": 2},
    "random": {"measurements": 64},
    "deep": {"weights": "sensor"},
    "hit-vcsnet": {"weights": "hit_10"},
    "vcsnet": {"weights": "vcsnet_10"},
    "task-aware": {"weights": "compr_tokens"},
    "ldpc": {"modulation": "qpsk", "rate": 0.5},
    "rician": {"k": 2},
    "erasure": {"probability": 0.1, "block": 8},
    "gilbert-elliott": {"p_gb": 0.1, "p_bg": 0.4, "block": 8},
    "interference": {"sir_db": 10},
    "phase-noise": {"linewidth": 1e-4},
    "tensorflow": {"target": str(ROOT / "docs/examples/tensorflow_channel.py:rayleigh")},
    "command": {
        **{
            name: [sys.executable, "-S", str(Path(__file__).parent / "command_toy.py"), *words]
            for name, words in (
                ("encode", ["enc", "{input}", "{output}", "{quality}"]),
                ("decode", ["dec", "{input}", "{output}", "0"]),
            )
        },
        "quality": [1, 128],
        "pictures": "gray",
    },
    "compressai": {"model": "bmshj2018-factorized", "pretrained": True},
}
"""Small sizes, and what a block cannot do without; a block that needs nothing is not here."""
GENERATOR = {
    "reconstruction": {"weights": "gmlr_digits", "epochs": 3},
    "codec": {"weights": "gmlr_digits", "epochs": 3, "rank": 2},
}
SENSOR_OF = {
    "initial": PROGRAMMABLE,
    "gap-tv": PROGRAMMABLE,
    "deep": PROGRAMMABLE,
    "fill": SKIPPING,
    "gmlr": {"kind": "random", "operator": "missing", "missing": 0.5},
}
"""The sensor whose readings a reconstruction takes; `block` for all others."""
LDPC = {"kind": "ldpc", "modulation": "qpsk", "rate": 0.5}
LEARNED_MAP = {"kind": "programmable", "ratio_map": "learned", "weights": "sensor", "mean_count": 2.5}
SCHEMES: dict[str, dict[str, Any]] = {
    "digital": {"codec": {"kind": "h264"}, "coding": {"kind": "uncoded"}},
    "sensing": {"sensor": PROGRAMMABLE, "reconstruction": {"kind": "initial"}},
    "hybrid": {
        "codec": {"kind": "task-aware", "weights": "compr_tokens"},
        "coding": LDPC,
        "sensor": LEARNED_MAP,
        "reconstruction": {"kind": "initial"},
    },
    "semantic": {
        "weights": "semcom_tokens",
        "allocation": "predicted",
        "sensor": LEARNED_MAP,
        "reconstruction": {"kind": "initial"},
    },
    "measurements": {
        "sensor": BLOCKS,
        "reconstruction": {"kind": "linear"},
        "transmission": {"kind": "digital", "coding": LDPC},
    },
}
MODEL_TOYS = Path(__file__).parent / "model_toys.py"
SCHEMES["model"] = {"encoder": f"{MODEL_TOYS}:Encoder", "decoder": f"{MODEL_TOYS}:Decoder"}
PUBLISHED_CODEC = "task-aware-published"
"""Shipped weights are of tokens; those of the published architecture are untrained and made in the test."""
SLOW_SCHEMES = ("hybrid", "semantic", "delta-sigma-direct", "measurements")
SLOW = ("deep", "hit-vcsnet", "vcsnet", "task-aware", "delta-sigma", "block-tv", "multi-hypothesis", "cdl", "av1")
EXTRAS = {"tensorflow": "tensorflow", "compressai": "compressai"}
OWN_KINDS = {"rate-bound": "coding"}
EXAMPLE = re.compile(r"^```python\n# (\w+\.py)\n(.*?)^class (\w+):(.*?)^```", re.DOTALL | re.MULTILINE)
EXAMPLES = {
    "my_source.py": "source",
    "my_sensor.py": "sensor",
    "my_reconstruction.py": "reconstruction",
    "my_codec.py": "codec",
    "my_coding.py": "coding",
    "my_bound.py": "coding",
    "my_channel.py": "channel",
    "my_waveform.py": "waveform",
}
SCHEME_EXAMPLES = ("my_scheme.py", "my_feedback.py", "my_bound_scheme.py", "my_sensing.py")


@dataclass(frozen=True)
class FoundScheme:
    """A scheme that can be found; `code` is that of a user's file."""

    kind: str
    options: dict[str, Any]
    code: str = field(default="", repr=False)
    is_published: bool = False

    def scenario(self, folder: Path) -> dict[str, Any]:
        """A tiny scenario of this scheme alone."""
        if self.code:
            (folder / self.kind.partition(":")[0]).write_text(self.code)
        options = self.options | (published_semantic(folder) if self.is_published else {})
        tiny = yaml.safe_load(BASE) | {"schemes": [{"name": "it", "kind": self.kind, **options}]}
        tiny["source"]["frames"] = FRAMES
        return tiny


@dataclass(frozen=True)
class Found:
    """A block that can be found, by the interface it is for; `code` is that of a user's file."""

    interface: str
    kind: str
    name: str
    options: dict[str, Any] = field(default_factory=dict, hash=False)
    code: str = field(default="", repr=False)

    def build(self, folder: Path) -> Any:
        """The block; a user's file is written to `folder` first, where it is looked up."""
        if self.code:
            (folder / self.kind.partition(":")[0]).write_text(self.code)
        with commands_allowed():
            spec = TypeAdapter(UNIONS[self.interface]).validate_python({"kind": self.kind, **self._options(folder)})
        return spec.build(BuildContext(frames=FRAMES, sensor=self._sensor(), folder=folder))

    def _options(self, folder: Path) -> dict[str, Any]:
        if self.name == PUBLISHED_CODEC:
            return published_codec(folder)
        if self.kind not in ("video", "dataset"):
            return self.options
        walk = pictures(folder / "clips" / "walk")
        return {"path": str(walk if self.kind == "video" else walk.parent), "frames": 4, "clips": 2}

    def _sensor(self) -> Any:
        return sensor_for(self.kind) if self.interface == "reconstruction" else None


def published_codec(folder: Path) -> dict[str, Any]:
    """Options of a published codec of readings, untrained."""
    from codec_toys import make_net, write_codec

    return {"weights": write_codec(folder, make_net()), "architecture": "published"}


def published_semantic(folder: Path) -> dict[str, Any]:
    """Options of published semantic transmission, untrained."""
    from semantic_toys import untrained

    return {"weights": str(untrained(folder)), "architecture": "published", "allocation": "searched"}


def sensor_for(kind: str) -> Any:
    """The sensor that a reconstruction is for; of a user's own, pixels read over time."""
    tree = PROGRAMMABLE if ":" in kind else SENSOR_OF.get(kind, BLOCKS)
    return TypeAdapter(AnySensor).validate_python(tree).build(BuildContext(frames=FRAMES))


def pictures(folder: Path) -> Path:
    """A folder with a video of eight pictures."""
    import numpy as np
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for number in range(8):
        Image.fromarray(np.roll(np.arange(32 * 48, dtype=np.uint8).reshape(32, 48), number)).save(
            folder / f"{number}.png"
        )
    return folder


def found(*interfaces: str) -> list[Any]:
    """All blocks of these interfaces as test parameters; slow ones are marked, those without their package skipped."""
    blocks = [block for interface in interfaces for block in [*shipped(interface), *examples(), *skeletons()]]
    return [
        pytest.param(block, id=f"{block.interface}-{block.name}", marks=_marks(block))
        for block in dict.fromkeys(blocks)
        if block.interface in interfaces
    ]


def found_schemes() -> list[Any]:
    """All schemes as test parameters; slow ones are marked."""
    ours = [FoundScheme(kind, SCHEMES.get(kind, {})) for spec in CATALOGUE["scheme"] for kind in kinds_of(spec)]
    pages = [
        FoundScheme(f"{file}:{name}", _rates_of(file), f"{head}class {name}:{body}")
        for file, head, name, body in EXAMPLE.findall((ROOT / "CONTRIBUTING.md").read_text())
        if file in SCHEME_EXAMPLES
    ]
    made = []
    for kind in (kind for kind in TEMPLATES if kind.endswith("scheme")):
        path = Path(f"new_{kind.replace('-', '_')}.py")
        name = block_name(kind, path)
        made.append(FoundScheme(f"{path}:{name}", _rates_of(kind), skeleton(kind, path, name)))
    published = FoundScheme("semantic", SCHEMES["semantic"], is_published=True)
    return [
        pytest.param(
            scheme,
            id=f"{scheme.kind}{'-published' * scheme.is_published}",
            marks=[pytest.mark.slow] if scheme.kind in SLOW_SCHEMES else [],
        )
        for scheme in (*ours, published, *pages, *made)
    ]


def _rates_of(name: str) -> dict[str, Any]:
    """Operating points of a scheme that only senses."""
    return {"rates": [1, 4]} if "sensing" in name else {}


def _marks(block: Found) -> list[Any]:
    marks = [pytest.mark.slow] if block.kind in SLOW else []
    extra = EXTRAS.get(block.kind)
    missing = extra is not None and find_spec(extra) is None
    return [*marks, *([pytest.mark.skip(reason=f"needs {extra}")] if missing else [])]


def shipped(interface: str) -> list[Found]:
    """What `semlink list` shows for an interface."""
    kinds = [kind for spec in CATALOGUE[interface] for kind in kinds_of(spec)]
    others = {
        "codec": [
            Found(interface, "task-aware", PUBLISHED_CODEC),
            Found(interface, "delta-sigma", "delta-sigma-tokens", {"weights": "delta_sigma_tokens", "entropy": True}),
        ],
        "reconstruction": [Found(interface, "deep", "deep-tokens", {"weights": "sensor_decoder_tokens"})],
    }
    return others.get(interface, []) + [
        Found(interface, kind, kind, OPTIONS.get(kind, GENERATOR.get(interface, {}) if kind == "gmlr" else {}))
        for kind in kinds
    ]


@cache
def examples() -> tuple[Found, ...]:
    """The classes of CONTRIBUTING and of docs/examples."""
    page = (ROOT / "CONTRIBUTING.md").read_text()
    printed = [
        Found(EXAMPLES[file], f"{file}:{name}", file, code=f"{head}class {name}:{body}")
        for file, head, name, body in EXAMPLE.findall(page)
        if file in EXAMPLES
    ]
    kept = [
        Found("channel", f"{file}:{name}", file, code=(ROOT / "docs/examples" / file).read_text())
        for file, name in (("dropouts.py", "Dropouts"), ("shadowed.py", "Shadowed"))
    ]
    return (*printed, *kept)


@cache
def skeletons() -> tuple[Found, ...]:
    """What `semlink new` writes."""
    made = []
    for kind in TEMPLATES:
        path = Path(f"new_{kind.replace('-', '_')}.py")
        name = block_name(kind, path)
        made.append(Found(OWN_KINDS.get(kind, kind), f"{path}:{name}", f"new-{kind}", code=skeleton(kind, path, name)))
    return tuple(block for block in made if block.interface in UNIONS)
