"""What all blocks share."""

from __future__ import annotations

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
    """

    __slots__ = ()

    def __init__(self) -> None:
        """A block without options."""


class NamedBlock(Block):
    """A block with a name for tables and messages.

    Attributes:
        name: default: that of the class, in small letters.
    """

    __slots__ = ()
    name: str = ClassName()  # type: ignore[assignment]
