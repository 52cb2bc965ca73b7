"""Photographs in colour that lie in the scikit-image wheel as lossless PNG: no download, the same pixels everywhere.

Source: [vanderwalt2014skimage].
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

__all__ = ["place_of"]


def place_of(name: str) -> Path:
    """The file of a built-in photograph."""
    return Path(str(files("skimage.data").joinpath(f"{name}.png")))
