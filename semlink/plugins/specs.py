"""Specs of user classes, and which spec a `kind` names: ours first, then plug-ins.

A kind with a colon names a user's class (`module:Class` or `file.py:Class`);
any other kind that is not ours is looked up among installed packages.
"""

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Union

from pydantic import BaseModel, ConfigDict, Discriminator, Field, GetJsonSchemaHandler, Tag, field_validator
from pydantic.json_schema import JsonSchemaValue, SkipJsonSchema
from pydantic_core import CoreSchema

from semlink.blocks import CodingBase, RateBoundBase
from semlink.colour.layout import Colour
from semlink.errors import ScenarioError, SemlinkError, traced
from semlink.plugins.adapter import adapted, named_fault
from semlink.plugins.entry_points import offered, refuse_claims
from semlink.plugins.files import load_class, source_file
from semlink.plugins.importing import remember
from semlink.plugins.interfaces import check_names, kind_for
from semlink.plugins.named_files import content_digest, declared, homes
from semlink.plugins.trust.look import check_class
from semlink.plugins.trust.permission import refuse_plugin
from semlink.spec import NOTHING_KNOWN, BuildContext, OwnRate, Spec, kinds_of
from semlink.yaml12.fields import PlainValues, Shown

__all__ = ["PluginSpec", "check_options", "one_of", "parameters_of"]

PLUGIN = "plug-in"
LIVE = "<live>"
"""The key that a Python caller's object stands under: none that a constructor could have."""
GIVEN = {
    "sensor": ("frames", "rate"),
    "reconstruction": ("frames", "rate", "sensor"),
    "codec": ("colour",),
    "scheme": ("colour",),
}
"""By interface, what a constructor is given if it has an argument of this name and the scenario does not say it."""


class PluginSpec(PlainValues):
    """A user's class; every further key goes to its constructor.

    `live` is set by Python callers who give the class itself, or an object that is copied for each use.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    interface: ClassVar[str] = ""

    kind: Shown = Field(
        description="`module:Class`, `path/to/file.py:Class`, or a kind that an installed plug-in offers"
    )
    live: SkipJsonSchema[Any] = Field(None, alias=LIVE, exclude=True, repr=False)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Told from our own kinds by its colon or by the packages that are installed."""
        found = handler(schema)
        kind = handler.resolve_ref_schema(found)["properties"]["kind"]
        kind["anyOf"] = [
            {"pattern": ":"},
            *([{"enum": sorted(offered(cls.interface))}] if offered(cls.interface) else []),
        ]
        return found

    @field_validator("kind")
    @classmethod
    def _is_wanted(cls, kind: str) -> str:
        refuse_plugin(cls.interface, kind)
        return kind

    def options(self) -> dict[str, Any]:
        """The keys meant for the constructor."""
        return dict(self.model_extra or {})

    def takes_rate(self, context: BuildContext = NOTHING_KNOWN) -> bool:
        """Whether the class has a use for the scheme's `rates`."""
        cls = self._class(context)
        base = kind_for(self.interface, cls).base
        own = vars(base).get("at_rate")
        return "rate" in parameters_of(cls) or getattr(cls, "at_rate", own) is not own

    def build(self, context: BuildContext = NOTHING_KNOWN) -> Any:
        """The user's object behind the base of its interface.

        Raises:
            UnknownBlock: no such module, file or class.
            ScenarioError: the constructor does not take these options, or refuses them.
            InterfaceError: the class lacks a method, or one looks misspelt.
        """
        cls, where = self._class(context), f"{self.interface} {self.kind}"
        if self.live is not None and self.live is not cls:
            check_options({}, self.options(), where)
            return self._told(adapted(self.interface, copy.deepcopy(self.live), where), context)
        parameters = parameters_of(cls)
        options = self._given(parameters, context) | self._options_for(parameters)
        check_options(parameters, options, where)
        kind = kind_for(self.interface, cls)
        if inspect.isabstract(cls):
            check_names(self.interface, kind, cls, where)
        block = adapted(self.interface, _made(cls, options, where), where)
        if context.rate is None or "rate" in parameters or not hasattr(kind.base, "at_rate"):
            return self._told(block, context)
        return self._told(adapted(self.interface, block.at_rate(context.rate), where), context)

    def _told(self, block: Any, context: BuildContext) -> Any:
        """The block, whose declared files whoever asks gets to know."""
        if context.files is not None:
            cls = self._class(context)
            own = source_file(cls)
            places = [*homes(context.folder), *([] if own is None else [own.parent])]
            files = declared(block.files, places, f"{self.interface} {self.kind}")
            remember(sys.modules.get(cls.__module__), {path: content_digest(path) for _, path in files})
            context.files.update(files)
        return block

    def _class(self, context: BuildContext) -> type:
        if self.live is not None:
            return self.live if inspect.isclass(self.live) else type(self.live)
        found = load_class(self.kind, self.interface, folder=context.folder, options=self.options())
        if not inspect.isclass(found):
            raise ScenarioError(f"{self.interface} {self.kind}: is a {type(found).__name__}; need a class")
        check_class(self.interface, found, f"{self.interface} {self.kind}")
        return found

    def _given(self, parameters: Mapping[str, inspect.Parameter], context: BuildContext) -> dict[str, Any]:
        """Of what is known when a block is built, what its constructor names."""
        known = {
            "frames": context.frames,
            "rate": context.rate,
            "sensor": context.sensor,
            "colour": context.colour,
        }
        wanted = [name for name in GIVEN.get(self.interface, ()) if name in parameters]
        return {name: known[name] for name in wanted if known[name] is not None}

    def _options_for(self, parameters: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
        return self.options()


class SourcePlugin(PluginSpec):
    """A user's source; how many pixels it has shows when it gives them."""

    interface: ClassVar[str] = "source"
    all_pixels: ClassVar[None] = None
    frame_colour: ClassVar[Colour] = "gray"  # what it is shows when it is built


class SensorPlugin(PluginSpec):
    """A user's sensor."""

    interface: ClassVar[str] = "sensor"


class ReconstructionPlugin(PluginSpec):
    """A user's reconstruction."""

    interface: ClassVar[str] = "reconstruction"


class ChannelPlugin(PluginSpec):
    """A user's channel; which pilots it needs only the channel itself can say."""

    interface: ClassVar[str] = "channel"
    is_foreign: ClassVar[bool] = True

    name: Shown = Field("", description="as it stands in tables and plots; default: the kind with its options")

    def name_is_option(self, context: BuildContext = NOTHING_KNOWN) -> bool:
        """Whether numbers may depend on `name`: where the constructor takes one."""
        return bool(self.name) and "name" in parameters_of(self._class(context))

    def _options_for(self, parameters: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
        given = self.name and "name" in parameters
        return self.options() | ({"name": self.name} if given else {})

    def default_waveform(self) -> None:
        """Not known before it is built."""

    def check_waveform(self, waveform: BaseModel) -> None:
        """What suits a user's channel shows when both are built."""


class WaveformPlugin(PluginSpec):
    """A user's waveform."""

    interface: ClassVar[str] = "waveform"


class CodecPlugin(PluginSpec):
    """A user's codec."""

    interface: ClassVar[str] = "codec"


class CodingPlugin(PluginSpec):
    """A user's coding, or a bound in its place."""

    interface: ClassVar[str] = "coding"
    adapts: ClassVar[bool] = False
    is_chosen: ClassVar[bool] = False
    is_bound: ClassVar[None] = None  # shows when it is built

    def codings(self, context: BuildContext = NOTHING_KNOWN) -> Mapping[str, CodingBase | RateBoundBase]:
        """The one that there is, under the name `only`."""
        return {"only": self.build(context)}

    def feedback(self) -> tuple[None, None]:
        """A user's coding sends once."""
        return None, None


class SchemePlugin(PluginSpec):
    """A user's scheme; `name` and `rates` also go to its constructor if it takes them."""

    interface: ClassVar[str] = "scheme"
    adapts: ClassVar[bool] = False

    name: Shown = Field("", description="as it stands in tables and plots; default: the kind")
    rates: list[OwnRate] | None = Field(None, min_length=1, description="own operating points instead of sweep.budget")
    sends: bool = Field(True, description="false for a scheme that only senses: it needs no channel and no sweep")

    def _options_for(self, parameters: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
        own = {"name": self.name, "rates": self.rates}
        return self.options() | {key: own[key] for key in self.model_fields_set & set(own) & set(parameters)}


PLUGIN_SPECS: dict[str, type[PluginSpec]] = {
    spec.interface: spec
    for spec in (
        SourcePlugin,
        SensorPlugin,
        ReconstructionPlugin,
        ChannelPlugin,
        WaveformPlugin,
        CodecPlugin,
        CodingPlugin,
        SchemePlugin,
    )
}


def one_of(interface: str, *specs: type[Spec]) -> Any:
    """The union of `specs` (and plug-ins) for use as a field type, told apart by `kind`."""
    known = {kind: spec for spec in specs for kind in kinds_of(spec)}
    tags = [*((spec, kind) for kind, spec in known.items()), (PLUGIN_SPECS[interface], PLUGIN)]
    union: Any = Union[tuple(Annotated[spec, Tag(tag)] for spec, tag in tags)]  # noqa: UP007 - made at run time
    return Annotated[union, Discriminator(_chooser(interface, frozenset(known)))]


def _chooser(interface: str, known: frozenset[str]) -> Callable[[Any], str | None]:
    def tag_of(value: Any) -> str | None:
        kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
        if not isinstance(kind, str):
            return None
        refuse_claims(interface, kind, known)
        if kind not in known and (":" in kind or isinstance(value, PluginSpec) or kind in offered(interface)):
            return PLUGIN
        return kind

    return tag_of


def parameters_of(cls: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """The arguments of a class's constructor, or of a function; none where nobody can say."""
    try:
        return inspect.signature(cls).parameters
    except ValueError:
        return {}


def check_options(parameters: Mapping[str, inspect.Parameter], options: Mapping[str, Any], where: str) -> None:
    """Compare options with the constructor's arguments.

    Raises:
        ScenarioError: an option it does not take, or one it needs and did not get.
    """
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    unknown = [] if takes_any else sorted(set(options) - set(parameters))
    if unknown:
        allowed = ", ".join(parameters) or "no options"
        raise ScenarioError(f"{where}: unknown option {unknown[0]!r}; it takes {allowed}")
    fixed = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [n for n, p in parameters.items() if p.default is p.empty and p.kind not in fixed]
    missing = [n for n in needed if n not in options]
    if missing:
        raise ScenarioError(f"{where}: option {missing[0]!r} is needed and not given")


def _made(cls: type, options: Mapping[str, Any], where: str) -> Any:
    """An instance; a `ValueError` is taken for a refused option and said as it is."""
    try:
        return cls(**options)
    except SemlinkError:
        raise
    except ValueError as fault:
        raise ScenarioError(f"{where}: {fault}") from fault
    except (Exception, SystemExit) as fault:
        raise traced(ScenarioError(str(named_fault(where, "__init__", fault))), fault) from fault
