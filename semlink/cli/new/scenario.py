"""`semlink new scenario`: a commented scenario that runs as it is, with the channel and the codec that one names."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from semlink.cli.allowed import Schema, allowed, shown
from semlink.errors import ScenarioError
from semlink.link.scenario.diagnostics import PATTERNS, hint
from semlink.link.scenario.scenario import NAMES
from semlink.link.scenario.schema import CATALOGUE, spec_schema
from semlink.spec import Spec, kinds_of

WIDTH = 110
LONGEST = 100
"""Characters of a name, so that the folder of results and what lies in it can have it too."""
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "rician": {"k_db": 6},
    "erasure": {"probability": 0.01, "block": 64},
    "gilbert-elliott": {"p_gb": 0.005, "p_bg": 0.2, "block": 64},
    "interference": {"sir_db": 15},
    "phase-noise": {"linewidth": 0.0001},
    "tensorflow": {"target": "my_channel.py:MyChannel"},
    "task-aware": {"weights": "compr_tokens"},
    "compressai": {"model": "bmshj2018-hyperprior", "pretrained": True},
    "gmlr": {"weights": "gmlr_digits", "epochs": 200},
    "command": {"program": "vvenc"},
}
"""What a kind needs to be told, or does better with; else its defaults hold."""
DIGITS = ("gmlr",)
"""Codecs that know digits, and 64 x 64 pixels, only."""
READINGS = ("task-aware",)
"""Codecs that code what a sensor reads."""
SENSOR = """
    sensor: {kind: programmable, ratio_map: learned, weights: sensor, mean_ratio: 0.156}   # readings a pixel and frame
    reconstruction: {kind: deep, weights: sensor}"""
TEMPLATE = """\
# @NAME@: what you want to know, in a line.
# semlink run @FILE@      computes it; again: only what is missing
# semlink show @FILE@     every default filled in
# semlink list      what else may stand where
name: @NAME@      # of the results folder, results/@NAME@
description: @CODEC@ and SoftCast over @CHANNEL@
seed: 1                          # root of all chance, 0 or more

# Where clips come from. Your own: {kind: video, path: clips/*.mkv, frames: 16, size: [256, 256]}
source:
  kind: @SOURCE@
  clips: 2                       # 1 or more; each more makes intervals narrower
  frames: 16                     # of a clip
@SIZE@
@CHANNEL_BLOCK@

# The grid: every SNR with every budget.
sweep:
  snr_db: [6, 12]                # Es/N0 in dB, from -200 to 200; the channel's own, the same for all schemes
  budget: [0.1, 0.3]             # complex channel uses per source pixel, above 0; pilots, headers and parity count

# Who competes. Each fits under the budget and spends it as well as it can.
schemes:
  - name: @CODEC@ + LDPC
    kind: digital
@CODEC_BLOCK@
    coding: {kind: ldpc, modulation: qpsk, rate: 1/2}   # or mcs: best, chosen for each SNR and budget@SENSOR@
  - name: SoftCast               # analogue: quality follows the SNR
    kind: softcast

metrics: [psnr, ssim]            # the first decides when trials end
trials:
  min: 4                         # transmissions of every clip at every point
  max: 8                         # at most
  ci_halfwidth_db: 5             # ends early where the 95 % interval of the mean PSNR is this narrow, dB
"""


def write_scenario(name: str, channel: str = "awgn", codec: str = "h264") -> str:
    """Write `NAME.yaml` here and say how it is run.

    Raises:
        ScenarioError: a name that no results folder can have, an unknown kind, or a file that is there already.
    """
    if not name.removesuffix(".yaml"):
        raise ScenarioError(f"new scenario: the name is empty; allowed: {PATTERNS[NAMES]}")
    path = Path(f"{name.removesuffix('.yaml')}.yaml")
    if len(path.stem) > LONGEST:
        raise ScenarioError(f"new scenario: the name has {len(path.stem)} characters; at most {LONGEST} are allowed")
    if not path.parent.is_dir():
        raise ScenarioError(f"new scenario: {path}: there is no folder {path.parent}")
    text = scenario_text(path.stem, path.as_posix(), channel, codec)
    try:
        with path.open("x") as file:
            file.write(text)
    except FileExistsError:
        raise ScenarioError(f"new scenario: {path} is there already; choose another name") from None
    except OSError as fault:
        raise ScenarioError(f"new scenario: {path} cannot be written: {fault.strerror}") from fault
    allowing = " --allow-commands" if codec == "command" else ""
    return f"{path} is complete:\n\n  semlink run {path}{allowing}\n"


def scenario_text(name: str, file: str, channel: str = "awgn", codec: str = "h264") -> str:
    """A scenario over a kind of channel, with a kind of codec."""
    if not re.fullmatch(NAMES, name):
        raise ScenarioError(f"new scenario: got the name {name!r}; allowed: {PATTERNS[NAMES]}")
    air, coder = _spec("channel", channel), _spec("codec", codec)
    is_digits = codec in DIGITS
    size = "  # 64 x 64 pixels, a digit in motion" if is_digits else "  size: [64, 64]                 # height, width"
    parts = {
        "NAME": name,
        "FILE": file,
        "CODEC": codec,
        "CHANNEL": channel,
        "SOURCE": "digits" if is_digits else "scenes",
        "SIZE": size + "\n",
        "CHANNEL_BLOCK": "\n".join(_block("channel", channel, air, "")),
        "CODEC_BLOCK": "\n".join(_block("codec", codec, coder, "    ")),
        "SENSOR": SENSOR if codec in READINGS else "",
    }
    text = TEMPLATE
    for word, part in parts.items():
        text = text.replace(f"@{word}@", part)
    return text


def _spec(interface: str, kind: str) -> type[Spec]:
    """Raises: ScenarioError: there is no such kind."""
    known = {one: spec for spec in CATALOGUE[interface] for one in kinds_of(spec)}
    if kind not in known:
        near = hint(kind, known)
        raise ScenarioError(f"--{interface}: got {kind!r}, expected one of {', '.join(known)}{near}")
    return known[kind]


def _block(interface: str, kind: str, spec: type[Spec], indent: str) -> Iterator[str]:
    """A block with all of its options: those that are set, and as comments those that stay at their default."""
    yield f"{indent}{interface}:"
    inside, model = f"{indent}  ", spec_schema(spec)
    yield from _comment(" ".join((spec.__doc__ or "").split("\n\n")[0].split()), inside)
    yield f"{inside}kind: {kind}"
    given = OPTIONS.get(kind, {})
    for name, option in model["properties"].items():
        if name == "kind":
            continue
        told = f"{option.get('description', '')} ({allowed(option, model.get('$defs', {}))})".strip()
        yield from _comment(told, inside)
        yield f"{inside}{name}: {shown(given[name])}" if name in given else _default(name, option, inside)


def _default(name: str, option: Schema, indent: str) -> str:
    return f"{indent}# {name}: {shown(option['default'])}"


def _comment(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}#   ")
