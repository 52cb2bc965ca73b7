"""What all blocks share."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence

from semlink.colour.layout import GRAY_ONLY

Progress = Callable[[int, int], None]
"""Called with how much of a long piece of work is done, and how much there is."""


class ClassName:
    """Default of `name`: the name of the class in small letters. An attribute of the block itself goes before it."""

    def __get__(self, block: object | None, owner: type) -> str:
        return owner.__name__.lower()


class Block:
    """Base of every block: immutable, without memory of earlier calls.

    A block is built from the options of a scenario, is pickled into other
    processes, and gives the same output for the same input and seeds. What it
    made is kept under the options of its spec and, for ours, the spec's
    `revision`, for a user's class its source text, what that imports from
    beside it, and the contents of the files that options or strings in the text name.

    Attributes:
        files: paths of further files and folders that a user's class reads, relative to the scenario's folder,
            the working directory or the class's own file; an edit of one makes the points stale.
    """

    __slots__ = ()
    files: Sequence[str | os.PathLike[str]] = ()

    def __init__(self) -> None:
        """A block without options."""

    def __repr__(self) -> str:
        return spelled(self)


class NamedBlock(Block):
    """A block with a name for tables and messages.

    Attributes:
        name: default: that of the class, in small letters.
    """

    __slots__ = ()
    name: str = ClassName()  # type: ignore[assignment]


class FrameBlock(NamedBlock):
    """A block that is given frames, or gives them.

    Attributes:
        colours: of the frames that it can be given, see `semlink.colour.layout`; a run with others is refused.
    """

    __slots__ = ()
    colours: Sequence[str] = GRAY_ONLY


def spelled(block: object) -> str:
    """A block as the call that makes it, from the attributes that have the names of the constructor's arguments.

    Where an argument is not kept under its own name, all that the block keeps is named instead: the text
    still differs between blocks that differ.
    """
    arguments = [name for name in inspect.signature(type(block)).parameters if not name.startswith("_")]
    kept = {name: getattr(block, name) for name in arguments if hasattr(block, name)}
    if len(kept) < len(arguments):
        kept = dict(sorted(getattr(block, "__dict__", {}).items()))
    return f"{type(block).__name__}({', '.join(f'{name}={value!r}' for name, value in kept.items())})"
