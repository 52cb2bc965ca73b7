"""What a scenario may say about random projections and generative reconstruction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from semlink.blocks import ReconstructionBase, SensorBase
from semlink.sensing.specs.base import ReconstructionSpec, SensorSpec, sensor_of
from semlink.spec import NOTHING_KNOWN, BuildContext, Planes, Rank
from semlink.yaml12.rules import is_one_of, only_where, ruled

if TYPE_CHECKING:
    from semlink.nn.generative.latent_fit import FitSettings
    from semlink.sensing.random_projections.sensor import RandomSensor


class RandomSensorSpec(SensorSpec):
    """Random inner products of each frame, without noise: all pixels, Gaussian patterns, or some pixels missing."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            only_where(is_one_of("operator", "gaussian", or_unsaid=True), "measurements"),
            only_where(is_one_of("operator", "missing"), "missing"),
        )
    )

    kind: Literal["random"]
    operator: Literal["identity", "gaussian", "missing"] = Field("gaussian", description="what is read of a frame")
    measurements: Annotated[int, Field(ge=1, le=1_000_000)] = Field(512, description="for gaussian: patterns a frame")
    missing: float = Field(0.8, ge=0, lt=1, description="for missing: share of a frame's pixels that are lost")
    seed: int = Field(0, ge=0, description="of the patterns or places; the same for all clips, known to both ends")
    planes: Planes = Field(1, description="stacked as rows of a frame: 1 gray, 3 for R, G and B")
    skip: list[Annotated[int, Field(ge=0)]] = Field([], description="frames that are not read at all, counted from 0")

    @model_validator(mode="after")
    def _no_option_of_another(self) -> RandomSensorSpec:
        for option, operator in (("measurements", "gaussian"), ("missing", "missing")):
            if self.changed(option) and self.operator != operator:
                raise ValueError(f"{option} is for operator: {operator}; got operator: {self.operator}")
        return self

    def build(self, context: BuildContext = NOTHING_KNOWN) -> SensorBase:
        """The sensor; `rates` are measurements a frame, which go before the spec's own."""
        from semlink.errors import ScenarioError
        from semlink.sensing.random_projections.sensor import RandomSensor

        measurements = context.rate
        if measurements is not None and (self.operator != "gaussian" or measurements != int(measurements)):
            raise ScenarioError(
                f"rates: got {measurements:g} for sensor random with operator: {self.operator}; "
                "allowed: whole numbers, measurements a frame of operator: gaussian"
            )
        own = self.measurements if measurements is None else int(measurements)
        return RandomSensor(self.operator, own, self.missing, self.seed, self.planes, tuple(self.skip))


class GmlrSpec(ReconstructionSpec):
    """A generator as prior: its codes, or codes and weights, fitted to each clip; `rates` are ranks of the codes."""

    kind: Literal["gmlr"]
    weights: str = Field(description="of a generator, by name; `random` for one that was never trained")
    learn: Literal["latent", "joint"] = Field("joint", description="codes only, or the weights with them")
    rank: Rank | Literal["held-out"] | None = Field(
        None, description="of a clip's codes; held-out: chosen by a tenth of the measurements; default: any"
    )
    projection: Literal["svd", "pca"] = Field(
        "svd", description="onto the rank; pca: mean and rank - 1 directions, so rank 2 is a line"
    )
    similarity: float | None = Field(
        None,
        ge=0,
        le=1,
        description="lambda, the share of the data term beside changes of the code; default: no such term",
    )
    epochs: Annotated[int, Field(ge=1, le=1_000_000)] = Field(2000, description="at most")
    early_stop: bool = Field(True, description="end where the loss has stopped to fall")
    precision: Literal["auto", "float32", "bf16"] = Field(
        "auto", description="of hidden layers and patterns; auto: bf16 where the CPU multiplies it in hardware"
    )
    planes: Planes = Field(1, description="of a frame, stacked as rows: 1 gray, 3 for R, G and B")

    def takes_rate(self, context: BuildContext = NOTHING_KNOWN) -> bool:
        return True

    def build(self, context: BuildContext = NOTHING_KNOWN) -> ReconstructionBase:
        from semlink.sensing.random_projections.gmlr import GmlrReconstructor

        rank = self.rank if context.rate is None else _rank(context.rate)
        sensor = random_sensor(context, self.kind)
        return GmlrReconstructor(
            context.weights(self.weights), sensor, self._settings(rank), held_out=rank == "held-out", planes=self.planes
        )

    def _settings(self, rank: int | Literal["held-out"] | None) -> FitSettings:
        """How to fit."""
        from semlink.nn.generative.early_stopping import EarlyStopping
        from semlink.nn.generative.latent_fit import FitSettings

        held_to = None if rank == "held-out" else rank
        stop = EarlyStopping() if self.early_stop else None
        return FitSettings(
            self.learn, held_to, self.projection, self.similarity, self.epochs, stop=stop, precision=self.precision
        )


def random_sensor(context: BuildContext, kind: str) -> RandomSensor:
    """The sensor, if it is one of random inner products.

    Raises:
        InterfaceError: another kind of sensor.
    """
    from semlink.errors import InterfaceError
    from semlink.sensing.random_projections.sensor import RandomSensor

    sensor = sensor_of(context, kind)
    if not isinstance(sensor, RandomSensor):
        raise InterfaceError(f"reconstruction {kind} takes readings of sensor random, not of {sensor.name}")
    return sensor


def _rank(rate: float) -> int:
    from semlink.errors import ScenarioError

    if rate < 1 or rate != int(rate):
        raise ScenarioError(f"rates: got {rate:g} for reconstruction gmlr; allowed: ranks, whole numbers from 1")
    return int(rate)


GENERATIVE_SENSORS = (RandomSensorSpec,)
GENERATIVE_RECONSTRUCTIONS = (GmlrSpec,)
