"""The scenario: what a YAML file may say, as typed and closed models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    field_validator,
    model_validator,
)

from semlink.colour.layout import rows_of
from semlink.link.metrics.registry import METRICS, check_metric_name
from semlink.link.scenario.published_table import TableSpec
from semlink.link.schemes.base import SchemeSpec
from semlink.link.schemes.registry import AnyScheme
from semlink.phy.specs.channels import AnyChannel
from semlink.phy.specs.waveforms import AnyWaveform
from semlink.plugins.entry_points import offered
from semlink.plugins.specs import SchemePlugin
from semlink.sensing.specs.sources import AnySource
from semlink.spec import BrokenRule, Spec
from semlink.yaml12.rules import Rule, either, for_each, given, inside, is_one_of, matches, no, ruled
from semlink.yaml12.scalars import shortened

NAMES = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
"""Of scenarios, which name folders."""


def _name_metrics(schema: Rule) -> None:
    schema["anyOf"] = [{"enum": [*(metric.name for metric in METRICS), *offered("metric")]}, {"pattern": ":"}]


MetricName = Annotated[str, AfterValidator(check_metric_name), Field(json_schema_extra=_name_metrics)]


def _as_list(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


Decibels = Annotated[float, Field(ge=-200, le=200)]
Share = Annotated[float, Field(gt=0, le=1000)]
Count = Annotated[int, Field(gt=0, le=100_000)]


def _one_or_more(item: Any) -> BeforeValidator:
    """Takes a single value for a list of one."""
    return BeforeValidator(_as_list, json_schema_input_type=item | Annotated[list[item], Field(min_length=1)])


class Sweep(Spec):
    """The grid: every SNR with every budget."""

    model_config = ConfigDict(json_schema_extra=ruled(no(given("budget"), given("budget_per_sample"))))

    snr_db: Annotated[tuple[Decibels, ...], Field(min_length=1), _one_or_more(Decibels)] = Field(
        description="Es/N0 in dB, a number or a list"
    )
    budget: Annotated[tuple[Share, ...], Field(min_length=1), _one_or_more(Share)] | None = Field(
        None, description="complex channel uses per source pixel, a number or a list"
    )
    budget_per_sample: Annotated[tuple[Share, ...], Field(min_length=1), _one_or_more(Share)] | None = Field(
        None,
        description="the same per source sample (k/n, the bandwidth ratio): an rgb pixel has 3, one of yuv420 1.5",
    )

    @model_validator(mode="after")
    def _one_budget(self) -> Sweep:
        if self.budget is not None and self.budget_per_sample is not None:
            raise ValueError("sweep.budget and sweep.budget_per_sample are two ways to say the same; give one of them")
        return self

    @property
    def has_budget(self) -> bool:
        """Whether it says what schemes without rates may spend."""
        return self.budget is not None or self.budget_per_sample is not None

    def budgets(self, colour: str) -> tuple[float, ...]:
        """In channel uses per source pixel, of frames in this colour."""
        if self.budget_per_sample is None:
            return self.budget or ()
        return tuple(float(f"{share * rows_of(2, colour) / 2:.12g}") for share in self.budget_per_sample)


class Trials(Spec):
    """When a point is known well enough."""

    min: Count = Field(4, description="trials of every point")
    max: Count = Field(32, description="trials at most")
    ci_halfwidth_db: Annotated[float, Field(gt=0, le=200)] = Field(
        0.1, description="stop when the 95 % interval of the mean PSNR is this narrow"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Trials:
        if self.max < self.min:
            raise ValueError(f"trials.max is {self.max}, below trials.min {self.min}")
        return self


class CalibrationClips(Spec):
    """What is tried out before the run."""

    source: AnySource | None = Field(
        None,
        description="clips of the same shape that choices are made on; default: those that are scored",
    )


def _operating_points() -> list[Rule]:
    """What schemes that send need beside them; those of users are asked when they are built."""
    only_senses = either(is_one_of("kind", "sensing"), is_one_of("sends", False), matches("kind", ":"))
    no_sender = for_each("schemes", only_senses)
    on_the_air = {"required": ["channel"], "properties": {"channel": {"not": {"maxItems": 0, "type": "array"}}}}
    budget = inside("sweep", either(given("budget"), given("budget_per_sample")))
    rates = for_each("schemes", either(only_senses, given("rates")))
    return [either(no_sender, {"allOf": [on_the_air, given("sweep")]}), either(budget, rates)]


class Scenario(Spec):
    """One experiment: a source, a channel, a grid and the schemes that meet on it."""

    model_config = ConfigDict(json_schema_extra=ruled(*_operating_points()))

    prose: ClassVar[tuple[str, ...]] = ("description",)
    name: str = Field(pattern=NAMES, description="names the results folder")
    description: str = Field("", description="what it shows")
    seed: int = Field(1, ge=0, description="root of all chance")
    source: AnySource = Field(description="where clips come from")
    channel: Annotated[
        list[AnyChannel], BeforeValidator(_as_list, json_schema_input_type=AnyChannel | list[AnyChannel])
    ] = Field([], description="a channel, or a list of channels; none where every scheme only senses")
    waveform: AnyWaveform | None = Field(
        None, description="pilots, estimator and equaliser; default: what the channel needs"
    )
    sweep: Sweep | None = Field(None, description="the grid; none where every scheme only senses")
    schemes: list[AnyScheme] = Field(min_length=1)
    metrics: list[MetricName] = Field(["psnr", "ssim"], min_length=1)
    trials: Trials = Field(Trials())
    calibration: CalibrationClips = Field(CalibrationClips(), description="what is tried out before the run")
    table: TableSpec | None = Field(None, description="also write clips against schemes, beside published numbers")
    _folder: Path | None = PrivateAttr(None)
    _origin: Any = PrivateAttr(None)

    @property
    def folder(self) -> Path | None:
        """Where files that it names are looked up first; None for the working directory."""
        return self._folder

    @property
    def origin(self) -> Any:
        """The file it came from, so that errors can name its lines; None for one made in Python."""
        return self._origin

    def at(self, folder: Path | None, origin: Any = None) -> Scenario:
        """The same scenario, its files looked up in `folder` first."""
        moved = self.model_copy()
        moved._folder, moved._origin = folder, origin
        return moved

    @field_validator("schemes")
    @classmethod
    def _unique(cls, schemes: list[AnyScheme]) -> list[AnyScheme]:
        names = [scheme_name(scheme) for scheme in schemes]
        for at, name in enumerate(names):
            if name in names[:at]:
                raise BrokenRule(f"two schemes are called {shortened(name)!r}; names must differ", at)
        return schemes

    @field_validator("channel")
    @classmethod
    def _told_apart(cls, channels: list[AnyChannel]) -> list[AnyChannel]:
        """Channels with a name of their own differ from all others, in name and in more than that."""
        bare = [channel.model_copy(update={"name": ""}) for channel in channels]
        for at, channel in enumerate(channels):
            for before in range(at):
                if channel == channels[before]:
                    continue
                if channel.name and channel.name == channels[before].name:
                    raise BrokenRule(f"two channels are called {shortened(channel.name)!r}; names must differ", at)
                if bare[at] == bare[before]:
                    words = f"the same as channel {before + 1} but for its name; leave one of them out"
                    raise BrokenRule(words, at)
        return channels

    @model_validator(mode="after")
    def _waveform_suits(self) -> Scenario:
        for channel in self.channel:
            waveform = self.waveform or channel.default_waveform()
            if waveform is not None:
                channel.check_waveform(waveform)
        return self

    @model_validator(mode="after")
    def _table_names_schemes(self) -> Scenario:
        names = [scheme_name(scheme) for scheme in self.schemes]
        table = self.table or TableSpec()
        asked: list[tuple[str, tuple[int | str, ...]]] = [
            *((name, ("table", "oracle", at)) for at, name in enumerate(table.oracle)),
            *((row.scheme, ("table", "published", at, "scheme")) for at, row in enumerate(table.published)),
        ]
        for name, below in asked:
            if name not in names:
                allowed = ", ".join(repr(shortened(known)) for known in names)
                raise BrokenRule(f"no scheme is called {shortened(name)!r}; allowed: {allowed}", *below)
        return self

    @model_validator(mode="after")
    def _has_operating_points(self) -> Scenario:
        for at, scheme in enumerate(self.schemes):
            if not scheme.sends or (isinstance(scheme, SchemePlugin) and not self.channel and self.sweep is None):
                continue  # what a user's scheme does shows when it is built
            name = shortened(scheme_name(scheme))
            if not self.channel:
                raise BrokenRule(f"scheme {name!r} sends symbols, and no channel is given", "schemes", at)
            if self.sweep is None:
                raise BrokenRule(f"scheme {name!r} sends symbols, and no sweep.snr_db is given", "schemes", at)
            if not self.sweep.has_budget and rates_of(scheme) is None:
                words = f"scheme {name!r} has no rates and sweep.budget is not given; set one"
                raise BrokenRule(words, "schemes", at)
        return self


def scheme_name(scheme: SchemeSpec | SchemePlugin) -> str:
    """The name that a scheme has in tables and plots."""
    return scheme.name or scheme.kind


def rates_of(scheme: SchemeSpec | SchemePlugin) -> list[float] | None:
    """The scheme's own operating points, None where the budget rules."""
    return scheme.rates
