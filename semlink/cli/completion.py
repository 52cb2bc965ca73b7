"""What a shell may complete: kinds, plots and names of schemes. A press of a key imports nothing heavy."""

from __future__ import annotations

import csv
from contextlib import suppress
from pathlib import Path

import typer

INTERFACES = ("source", "sensor", "reconstruction", "channel", "waveform", "scheme", "codec", "coding", "metric")
CHANNELS = (
    *("awgn", "rayleigh", "rician", "erasure", "gilbert-elliott", "interference", "phase-noise"),
    *("tdl", "cdl", "tensorflow"),
)
CODECS = (
    *("h264", "h265", "av1", "jpeg", "jpeg2000", "webp", "avif", "jpegxl"),
    *("task-aware", "compressai", "delta-sigma", "gmlr", "command"),
)
PLOTS = ("cost", "snr", "difference", "time", "frames", "ratio_maps", "rate_maps", "strip", "manifold", "fit_loss")
BLOCKS = (
    *("source", "sensor", "reconstruction", "codec", "coding", "rate-bound", "channel", "waveform"),
    *("scheme", "feedback-scheme", "bound-scheme", "sensing-scheme", "metric", "model"),
)
SUBJECTS = (
    *("capacity", "channels", "modulation", "standard", "ldpc", "coding", "quality", "comparison", "softcast"),
    *("imaging", "papers"),
)
"""Written out, since the registries take a second to import; a test holds that they say the same."""


def _among(words: tuple[str, ...], begun: str) -> list[str]:
    return [word for word in words if word.startswith(begun)]


def interfaces(incomplete: str) -> list[str]:
    return _among(INTERFACES, incomplete)


def channels(incomplete: str) -> list[str]:
    return _among(CHANNELS, incomplete)


def codecs(incomplete: str) -> list[str]:
    return _among(CODECS, incomplete)


def plots(incomplete: str) -> list[str]:
    return _among(PLOTS, incomplete)


def subjects(incomplete: str) -> list[str]:
    """How names of published points begin."""
    return _among(SUBJECTS, incomplete)


def new_kinds(incomplete: str) -> list[str]:
    return _among(("scenario", *BLOCKS), incomplete)


def schemes(context: typer.Context, incomplete: str) -> list[str]:
    """Names in the `curves.csv` of the folders that the command has so far."""
    given = [context.params.get("folder"), *(context.params.get("folders") or ())]
    names: dict[str, None] = {}
    for folder in filter(None, given):
        with suppress(OSError, ValueError, csv.Error), (Path(folder) / "curves.csv").open(newline="") as table:
            names |= dict.fromkeys(row.get("scheme") or "" for row in csv.DictReader(table))
    return _among(tuple(filter(None, names)), incomplete)
