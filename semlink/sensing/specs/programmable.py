"""What a scenario may say about sensors and reconstruction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, model_validator

from semlink.blocks import ReconstructionBase, SensorBase
from semlink.sensing.specs.base import ReconstructionSpec, SensorSpec, sensor_of
from semlink.spec import NOTHING_KNOWN, BuildContext
from semlink.weights.cards import is_of
from semlink.yaml12.rules import given, is_one_of, no, ruled, where

if TYPE_CHECKING:
    from semlink.sensing.programmable.exposure import ReadNoise

Tile = Annotated[list[list[int]], Field(min_length=1)]


MAP_NEEDS = {"tiled": "tile", "file": "path", "learned": "weights"}
"""By way of a ratio map, the option that says more."""


class ProgrammableSpec(SensorSpec):
    """Pixels that expose for different times: 0, 1, 2, 4 or 8 readings in 16 frames, with shot and read noise."""

    names_files: ClassVar[tuple[str, ...]] = ("path",)

    model_config = ConfigDict(
        json_schema_extra=ruled(
            *(where(is_one_of("ratio_map", way), given(option)) for way, option in MAP_NEEDS.items()),
            no(given("mean_count"), given("mean_ratio")),
        )
    )

    kind: Literal["programmable"]
    ratio_map: Literal["fixed", "learned", "tiled", "random", "file"] = Field(
        "fixed", description="how counts come about"
    )
    mean_count: float | None = Field(None, ge=0, description="measurements a pixel; for fixed: the count itself")
    mean_ratio: float | None = Field(
        None, ge=0, le=0.5, description="the same over the frames of a clip, such as 0.156"
    )
    weights: str | None = Field(None, description="for learned: weights whose card lists learned maps")
    tile: Tile | None = Field(None, description="for tiled: rows of counts, repeated")
    path: str | None = Field(None, description="for file: counts as .npy or text")
    seed: int = Field(0, description="for random")
    mask: bool = Field(False, description="a coded aperture, open with probability 1/2 in each frame")
    shot_noise: float = Field(4.95e-3, ge=0, le=100, description="times the root of the exposure")
    read_noise: float = Field(7.25e-3, ge=0, le=100, description="of each exposure, full scale is 1")

    @model_validator(mode="after")
    def _what_the_map_needs(self) -> ProgrammableSpec:
        needs = MAP_NEEDS.get(self.ratio_map)
        if needs and getattr(self, needs) is None:
            raise ValueError(f"ratio_map {self.ratio_map} needs {needs}")
        if self.mean_count is not None and self.mean_ratio is not None:
            raise ValueError("give mean_count or mean_ratio, not both")
        return self

    def build(self, context: BuildContext = NOTHING_KNOWN) -> SensorBase:
        """The sensor; `rates` are mean counts, which go before the spec's own."""
        from semlink.errors import ScenarioError
        from semlink.sensing.programmable.exposure import ReadNoise
        from semlink.sensing.programmable.sensor import ProgrammableSensor, RatioMap

        mean = context.rate if context.rate is not None else self.mean_count
        if mean is None and self.mean_ratio is not None:
            mean = self.mean_ratio * context.frames
        if self.ratio_map in ("fixed", "random", "learned") and mean is None:
            raise ScenarioError(f"sensor: ratio_map {self.ratio_map} needs mean_count, mean_ratio or rates")
        if self.ratio_map == "fixed" and mean != int(mean or 0):
            raise ScenarioError(f"sensor: a fixed map has one whole count for all pixels, got {mean:g}")
        ratio_map = {
            "fixed": lambda: RatioMap(count=int(mean or 0)),
            "random": lambda: RatioMap(random_mean=mean, random_seed=self.seed),
            "learned": lambda: RatioMap(learned=context.weights(self.weights or ""), mean_count=mean),
            "tiled": lambda: RatioMap(tile=tuple(map(tuple, self.tile or []))),
            "file": lambda: RatioMap(path=context.found(self.path or "")),
        }[self.ratio_map]()
        return ProgrammableSensor(ratio_map, ReadNoise(self.shot_noise, self.read_noise), self.mask)


def _exposing(context: BuildContext, kind: str) -> tuple[bool, ReadNoise]:
    """Whether a coded aperture stands before the sensor, and its noise, if its pixels expose over time.

    Raises:
        ScenarioError: another kind of sensor.
    """
    from semlink.errors import ScenarioError
    from semlink.sensing.programmable.exposure import ReadNoise

    sensor = sensor_of(context, kind)
    if sensor.masked is None:
        raise ScenarioError(f"reconstruction {kind} takes readings of sensor programmable, not of sensor {sensor.name}")
    return sensor.masked, ReadNoise() if sensor.noise is None else ReadNoise(sensor.noise.shot, sensor.noise.read)


class InitialSpec(ReconstructionSpec):
    """The pseudo-inverse of the sensor, no training."""

    kind: Literal["initial"]
    fill: bool = Field(True, description="pixels that read nothing take the mean of their neighbours")

    def build(self, context: BuildContext = NOTHING_KNOWN) -> ReconstructionBase:
        from semlink.sensing.programmable.reconstructors import InitialReconstructor

        return InitialReconstructor(masked=_exposing(context, self.kind)[0], fill=self.fill)


class GapTvSpec(ReconstructionSpec):
    """Total variation by generalised alternating projection, no training."""

    kind: Literal["gap-tv"]

    def build(self, context: BuildContext = NOTHING_KNOWN) -> ReconstructionBase:
        from semlink.sensing.programmable.reconstructors import GapTvReconstructor

        masked, noise = _exposing(context, self.kind)
        return GapTvReconstructor(masked=masked, noise=noise)


class DeepSpec(ReconstructionSpec):
    """A trained decoder, on tokens or the published transformer; one serves every ratio map its card covers."""

    revision: ClassVar[int] = 2
    kind: Literal["deep"]
    weights: str = Field(description="by name, see `semlink weights`")
    architecture: Literal["tokens", "published"] | None = Field(None, description="default: that of the weights")

    def passed_over(self, context: BuildContext = NOTHING_KNOWN) -> tuple[str, ...]:
        if is_of(context.weights(self.weights), "token_reconstruction"):
            return ("semlink.sensing.programmable.reconstructors",)
        return ("semlink.sensing.programmable.tokens.reconstructor",)

    def build(self, context: BuildContext = NOTHING_KNOWN) -> ReconstructionBase:
        from semlink.sensing.programmable.tokens.choice import deep_reconstructor

        masked, noise = _exposing(context, self.kind)
        return deep_reconstructor(context.weights(self.weights), self.architecture, masked=masked, noise=noise)
