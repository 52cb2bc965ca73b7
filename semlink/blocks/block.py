"""What all blocks share."""

from __future__ import annotations

import inspect
from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with how much of a long piece of work is done, and how much there is."""


class ClassName:
    """Default of `name`: the name of the class in small letters. An attribute of the block itself goes before it."""

    def __get__(self, block: object | None, owner: type) -> str:
        return owner.__name__.lower()


class Block:
    """Base of every block: immutable, without memory of earlier calls.

    A block is built from the options of a scenario, is pickled into other
    processes, and gives the same output for the same input and seeds. Its
    `repr` names every option that changes its output: coded clips are kept under it.
    Finished points are kept under the options of its spec and the spec's `revision`.

    Attributes:
        file_digest: of the file that a user's class stands in; '' for ours.
    """

    __slots__ = ()
    file_digest: str = ""

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
