"""What the specs of all sensors and of all reconstructions offer."""

from __future__ import annotations

from semlink.blocks import ReconstructionBase, SensorBase
from semlink.errors import ScenarioError
from semlink.spec import NOTHING_KNOWN, BuildContext, Spec


class SensorSpec(Spec):
    """Light to readings."""

    kind: str

    def build(self, context: BuildContext = NOTHING_KNOWN) -> SensorBase:
        """The sensor, at `context.rate` if one is given."""
        raise NotImplementedError


class ReconstructionSpec(Spec):
    """Video from readings."""

    kind: str

    def takes_rate(self, context: BuildContext = NOTHING_KNOWN) -> bool:
        """Whether a scheme's `rates` go to the reconstruction; by default they go to the sensor."""
        return False

    def build(self, context: BuildContext = NOTHING_KNOWN) -> ReconstructionBase:
        """The reconstruction of the readings of `context.sensor`."""
        raise NotImplementedError


def sensor_of(context: BuildContext, kind: str) -> SensorBase:
    """The sensor whose readings a reconstruction gets.

    Raises:
        ScenarioError: it is built without one.
    """
    if context.sensor is None:
        raise ScenarioError(f"reconstruction {kind}: needs the sensor whose readings it gets, got none")
    return context.sensor
