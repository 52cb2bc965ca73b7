"""Which spec a `kind` names: ours first, then plug-ins.

A joint (channel, codec, ...) has a table of our own specs. A kind with a
colon names a user's class (`module:Class` or `file.py:Class`); any other
unknown kind is looked up in the entry-point group `semlink.blocks` under
`<joint>.<kind>`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

GROUP = "semlink.blocks"
PLUGIN = "plug-in"
INTERFACES = ("source", "sensor", "reconstruction", "channel", "waveform", "codec", "coding", "scheme")


class Spec(BaseModel):
    """A frozen, closed set of numbers that describes a block; imports nothing heavy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def changed(self, option: str) -> bool:
        """Whether an option was given and is not its default, which `manifest.json` writes out."""
        default = type(self).model_fields[option].get_default(call_default_factory=True)
        return option in self.model_fields_set and getattr(self, option) != default


class PluginSpec(BaseModel):
    """A user's class; every further key goes to its constructor."""

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str = Field(description="`module:Class`, `path/to/file.py:Class`, or a kind that an installed plug-in offers")

    def options(self) -> dict[str, Any]:
        """The keys meant for the constructor."""
        return dict(self.model_extra or {})


def kinds_of(spec: type[Spec]) -> tuple[str, ...]:
    """The kinds that a spec class answers to (the values of its Literal `kind`)."""
    return tuple(spec.model_fields["kind"].annotation.__args__)  # type: ignore[union-attr]


def offered(joint: str) -> dict[str, Any]:
    """Entry points of installed plug-ins for a joint, by kind."""
    prefix = f"{joint}."
    return {e.name.removeprefix(prefix): e for e in entry_points(group=GROUP) if e.name.startswith(prefix)}


def one_of(joint: str, *specs: type[Spec]) -> Any:
    """The union of `specs` (and plug-ins) for use as a field type, told apart by `kind`."""
    known = {kind: spec for spec in specs for kind in kinds_of(spec)}
    members = [Annotated[spec, Tag(kind)] for kind, spec in known.items()]
    union = Union[(*members, Annotated[PluginSpec, Tag(PLUGIN)])]
    return Annotated[union, Discriminator(_chooser(joint, frozenset(known)))]


def _chooser(joint: str, known: frozenset[str]) -> Callable[[Any], str | None]:
    def tag_of(value: Any) -> str | None:
        kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
        if not isinstance(kind, str):
            return None
        if kind not in known and (":" in kind or isinstance(value, PluginSpec) or kind in offered(joint)):
            return PLUGIN
        return kind

    return tag_of


Rank = Annotated[int, Field(ge=1)]


Planes = Literal[1, 3]
