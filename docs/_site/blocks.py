"""The reference of blocks, from the models that `semlink list` and `semlink schema` read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from places import table

from semlink.cli.allowed import allowed, inner, shown
from semlink.link.metrics.registry import METRICS
from semlink.link.scenario.schema import CATALOGUE, spec_schema
from semlink.spec import kinds_of

SUFFIXES = {
    "_db": "dB",
    "_ns": "ns",
    "_kmh": "km/h",
    "_ghz": "GHz",
    "_mhz": "MHz",
    "_khz": "kHz",
    "_hz": "Hz",
    "_bits": "bits",
    "_px": "pixels a thirtieth of a second",
    "_ratio": "ratio",
    "_noise": "of full scale",
}
UNITS = {
    "backoff_db": "dB",
    "bframes": "frames",
    "blend": "pixels",
    "bler": "probability",
    "burst": "symbols",
    "channels": "channels",
    "chunk": "coefficients",
    "clips": "clips",
    "coherence": "symbols",
    "csi_delay": "groups of frames",
    "cyclic_prefix": "samples",
    "degrees": "degrees",
    "design_delay": "samples",
    "digits": "digits",
    "doppler": "cycles a symbol",
    "duty": "share",
    "epochs": "epochs",
    "every": "frames",
    "fps": "frames a second",
    "frames": "frames",
    "frames_per_second": "frames a second",
    "frequency": "cycles a symbol",
    "gop": "frames",
    "iterations": "iterations",
    "k": "ratio",
    "linewidth": "cycles a symbol",
    "loss_bad": "probability",
    "loss_good": "probability",
    "mean_count": "measurements a pixel",
    "measurements": "patterns",
    "metadata": "share",
    "missing": "share",
    "motion_px": "pixels in 1/30 s",
    "num_subcarriers": "subcarriers",
    "objects": "objects",
    "outage": "probability",
    "p_bg": "probability",
    "p_gb": "probability",
    "pilot_block": "symbols",
    "pilot_comb": "subcarriers",
    "pilot_spacing": "symbols",
    "pilot_symbols": "OFDM symbols",
    "probability": "probability",
    "raw_size": "pixels",
    "ratio": "share",
    "reach": "pixels",
    "reserve": "share",
    "shutter": "share",
    "similarity": "share",
    "size": "pixels",
    "skip": "frames",
    "slot_symbols": "OFDM symbols",
    "step": "of full scale",
    "stride": "frames",
    "target_bler": "probability",
    "tile": "measurements a pixel",
    "transmissions": "transmissions",
    "key_ratio": "share",
    "analogue_share": "share",
}
BY_KIND = {
    "erasure.block": "symbols",
    "gilbert-elliott.block": "symbols",
    "softcast.block": "pixels",
    "task-aware.slices": "bands",
    "task-aware.search": "steps",
    "task-aware.thrift": "steps squared a bit",
    "wheel.slices": "slices",
    "h264.slices": "slices",
    "h265.slices": "slices",
    "av1.slices": "slices",
    "semantic.per_level": "symbols",
    "command.multiple": "pixels",
    "command.timeout_s": "seconds",
    "model.bits": "bits",
    "model.count": "numbers",
    "model.multiple": "pixels",
    "model.range": "brightness",
}
WITHOUT = {"seed", "planes", "rate", "rates", "mcs", "table", "quality", "preset", "rank", "stream", "unit"}
"""Numbers that name or choose something, and rates, whose meaning is the scheme's matter."""
PLAIN = ("number", "whole number")


def unit(kind: str, option: str, values: str) -> str:
    """In what an option is counted; empty where it is no number.

    Raises:
        KeyError: a number whose unit nobody has said.
    """
    if "number" not in values or option in WITHOUT:
        return ""
    if found := BY_KIND.get(f"{kind}.{option}") or UNITS.get(option):
        return found
    suffix = next((end for end in SUFFIXES if option.endswith(end)), None)
    if suffix is None:
        raise KeyError(f"{kind}.{option}: say its unit in docs/_site/blocks.py")
    return SUFFIXES[suffix]


def page(interface: str) -> str:
    """Every kind of an interface with its options."""
    named = "metrics" if interface == "metric" else f"`{interface}`"
    lines = [f"# Blocks: {interface}", ""]
    lines += [f"What `semlink list {interface}` prints, and where: {named} in a scenario.", ""]
    for spec in CATALOGUE.get(interface, ()):
        lines += [f"## {', '.join(f'`{kind}`' for kind in kinds_of(spec))}", ""]
        lines += [" ".join((spec.__doc__ or "").strip().split("\n\n")[0].split()), ""]
        model = spec_schema(spec)
        lines += [*_tables(kinds_of(spec)[0], model["properties"], model.get("$defs", {})), ""]
    if interface == "metric":
        lines += table(("metric", "shown as"), [(f"`{metric.name}`", metric.label) for metric in METRICS])
    return "\n".join(lines) + "\n"


def _tables(kind: str, options: Any, models: Any) -> Iterator[str]:
    rows, below = [], []
    for name, option in options.items():
        if name == "kind":
            continue
        values = allowed(option, models)
        default = f"`{shown(option['default'])}`" if "default" in option else "needed"
        rows.append((f"`{name}`", option.get("description", ""), values, unit(kind, name, values), default))
        for inside, found in inner(option, models).items():
            title = f"`{name}`" + (f" of kind `{inside}`" if inside else "")
            below += ["", f"{title}:", "", *_tables(kind, found["properties"], models)]
    if rows:
        yield from table(("option", "meaning", "may be", "unit", "default"), rows)
        yield from below
    else:
        yield "No options."
