"""Where training material comes from: a data root, a folder, or a pack."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from semlink.errors import SourceError
from semlink.sensing.sources.files.image_stack import is_stack
from semlink.training.data.pack import Pack, load_pack, pack_folders

NOT_THE_RECIPES = "not the recipe's data but another folder, {}; its terms are not known here"
HOLD_OUT_EVERY = 10  # of a plain folder, this item in turn is kept for validation


@dataclass(frozen=True, slots=True)
class DataSpec:
    """Where the material lies, below the data root, and on what terms it may be used."""

    train: list
    validation: list = field(default_factory=list)
    terms: str = ""
    max_side: int = 500


def find_material(spec: DataSpec, root: str | Path | None = None) -> Pack:
    """The material of a recipe.

    A root that holds the recipe's own folders and stacks of pictures is read as
    they say; any other folder is read whole, and every tenth item of it is held out.

    Raises:
        SourceError: there is no such place, or nothing in it.
    """
    root = data_root() if root is None else Path(root)
    if root.suffix == ".npz":
        return load_pack(root)
    train = [root / name for name in spec.train]
    if all(map(_is_there, train)):
        held_out = [root / name for name in spec.validation if _is_there(root / name)]
        return pack_folders(train, held_out, terms=spec.terms, max_side=spec.max_side)
    pack = pack_folders([root], terms=NOT_THE_RECIPES.format(root.resolve().name), max_side=spec.max_side)
    held = tuple(number % HOLD_OUT_EVERY == HOLD_OUT_EVERY - 1 for number in range(len(pack.names)))
    return replace(pack, held_out=held)


def _is_there(place: Path) -> bool:
    return place.is_dir() or is_stack(place)


def data_root() -> Path:
    """SEMLINK_DATA, or ../shared/data.

    Raises:
        SourceError: neither is there.
    """
    root = Path(os.environ.get("SEMLINK_DATA", "../shared/data"))
    if not root.is_dir():
        raise SourceError(f"{root}: no training data; name a folder or a pack, or set SEMLINK_DATA")
    return root
