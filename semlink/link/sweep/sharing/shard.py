"""One part of the points of a scenario, as `--shard` names it; imports nothing heavy."""

from __future__ import annotations

import re
from dataclasses import dataclass

from semlink.errors import ScenarioError

__all__ = ["Shard"]

MOST = 100_000


@dataclass(frozen=True, slots=True)
class Shard:
    """The part `number` of `count`, from 1."""

    number: int
    count: int

    @classmethod
    def of(cls, text: str, called: str = "shard") -> Shard:
        """What `3/16` says.

        Args:
            called: what the user knows it by.
        Raises:
            ScenarioError: it says something else.
        """
        found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
        shard = cls(int(found[1]), int(found[2])) if found else cls(0, 0)
        if not 1 <= shard.number <= shard.count <= MOST:
            raise ScenarioError(f"{called}: got {text!r}; need K/N with 1 <= K <= N <= {MOST}, such as 3/16")
        return shard

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @property
    def folder_suffix(self) -> str:
        """What a folder of its own has at the end of its name."""
        return f".shard-{self.number}-of-{self.count}"
