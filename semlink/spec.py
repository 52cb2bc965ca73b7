"""A spec is numbers that describe a block, importable without torch; `spec.build(context)` makes the block.

Which spec a scenario's `kind` names is told by `semlink.plugins.specs.one_of`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Protocol, TypeVar

from pydantic import ConfigDict, Field

from semlink.colour.layout import Colour
from semlink.files import PACKED_SUFFIX, PLAIN_SUFFIX, found_from
from semlink.yaml12.fields import PlainValues

if TYPE_CHECKING:
    from semlink.blocks import PacketStore, SensorBase

B = TypeVar("B", covariant=True)


class BrokenRule(ValueError):
    """What breaks a rule of several parts; `below` leads from where the rule stands to the part that does."""

    def __init__(self, words: str, *below: int | str) -> None:
        super().__init__(words)
        self.below = below


@dataclass(frozen=True, slots=True)
class BuildContext:
    """What a block may have to know when it is built, beside its own options.

    Attributes:
        frames: of a clip.
        colour: of a clip's frames.
        rate: one of the scheme's `rates`, for a sensor or a reconstruction that takes them; None without.
        sensor: whose readings a reconstruction gets.
        folder: where files that a scenario names are looked for first.
        streams: where coded clips are kept.
        files: takes the files that users' classes declare, by what they are called; None: nobody asks.
    """

    frames: int = 16
    colour: Colour = "gray"
    rate: float | None = None
    sensor: SensorBase | None = None
    folder: Path | None = None
    streams: PacketStore | None = None
    files: set[tuple[str, Path]] | None = field(default=None, compare=False)

    def found(self, path: str) -> str:
        """A path that the scenario names: from its folder if something is there, else from the working directory."""
        return found_from(self.folder, path)

    def weights(self, name: str) -> str:
        """Weights by name, or the file of weights that the scenario names."""
        return self.found(name) if Path(name).suffix in (PACKED_SUFFIX, PLAIN_SUFFIX) else name


NOTHING_KNOWN = BuildContext()
"""For blocks that need no more than their own options."""


class BlockSpec(Protocol[B]):
    """What all specs of blocks offer, those of user classes too."""

    @property
    def kind(self) -> str: ...

    def build(self, context: BuildContext = NOTHING_KNOWN) -> B:
        """The block.

        Raises:
            ScenarioError: an option that only shows to be wrong when the block is built.
        """
        ...


class Spec(PlainValues):
    """A frozen, closed set of numbers that describes a block; imports nothing heavy.

    Attributes:
        revision: of the block's code. Raised by whoever changes the numbers that the block gives with the
            same options, a new default included; points of the earlier code are then computed again.
        names_files: options that name files (or hold others that do); points depend on what is in them.
            `weights` need not be named.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    revision: ClassVar[int] = 1
    names_files: ClassVar[tuple[str, ...]] = ()

    def revision_over(self, channel: str | None) -> int:
        """`revision` over a kind of channel, or that of what only some options and channels have a part in."""
        return self.revision

    def passed_over(self, context: BuildContext = NOTHING_KNOWN) -> tuple[str, ...]:
        """Code of this package, `module` or `module:name`, that these options never come to.

        `semlink cite` does not follow it. What blocks inside this one use, they say themselves.
        """
        return ()

    def rests_on(self) -> tuple[str, ...]:
        """Code, `module` or `module:name`, that a run with these options uses and that `build` does not lead to."""
        return ()

    @property
    def users_code(self) -> tuple[str, ...]:
        """`module:name` or `file.py:name` of code that the options name."""
        return ()

    def changed(self, option: str) -> bool:
        """Whether an option was given and is not its default, which `manifest.json` writes out."""
        default = type(self).model_fields[option].get_default(call_default_factory=True)
        return option in self.model_fields_set and getattr(self, option) != default


def kinds_of(spec: type[Spec]) -> tuple[str, ...]:
    """The kinds that a spec class answers to (the values of its Literal `kind`)."""
    return tuple(spec.model_fields["kind"].annotation.__args__)  # type: ignore[union-attr]


Rank = Annotated[int, Field(ge=1)]
OwnRate = Annotated[float, Field(ge=-1e6, le=1e6)]
"""One of a scheme's own operating points, a finite number."""


Planes = Literal[1, 3]
