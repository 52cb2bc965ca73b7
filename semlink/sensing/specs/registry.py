"""All sensors and reconstructions that a scenario may name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from semlink.plugins.specs import ReconstructionPlugin, SensorPlugin, one_of
from semlink.sensing.specs.base import ReconstructionSpec, SensorSpec
from semlink.sensing.specs.block_cs import BLOCK_RECONSTRUCTIONS, BLOCK_SENSORS
from semlink.sensing.specs.block_cs_untrained import BLOCK_BASELINES
from semlink.sensing.specs.frame_interpolation import FillSpec
from semlink.sensing.specs.programmable import DeepSpec, GapTvSpec, InitialSpec, ProgrammableSpec
from semlink.sensing.specs.random_projections import GENERATIVE_RECONSTRUCTIONS, GENERATIVE_SENSORS

SENSORS = (
    ProgrammableSpec,
    *BLOCK_SENSORS,
    *GENERATIVE_SENSORS,
)


RECONSTRUCTIONS = (
    InitialSpec,
    GapTvSpec,
    DeepSpec,
    *BLOCK_RECONSTRUCTIONS,
    *BLOCK_BASELINES,
    *GENERATIVE_RECONSTRUCTIONS,
    FillSpec,
)


if TYPE_CHECKING:
    AnySensor = SensorSpec | SensorPlugin
else:
    AnySensor = one_of("sensor", *SENSORS)


if TYPE_CHECKING:
    AnyReconstruction = ReconstructionSpec | ReconstructionPlugin
else:
    AnyReconstruction = one_of("reconstruction", *RECONSTRUCTIONS)
