"""What a scenario may say about codecs and schemes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from semlink.link.schemes.analogue.spec import SoftCastSpec
from semlink.link.schemes.base import SchemeSpec
from semlink.link.schemes.delta_sigma_direct.spec import DeltaSigmaDirectSpec
from semlink.link.schemes.digital.spec import DigitalSpec
from semlink.link.schemes.hybrid.spec import HybridSpec
from semlink.link.schemes.measurements.spec import MeasurementsSpec
from semlink.link.schemes.model.spec import ModelSpec
from semlink.link.schemes.semantic.spec import SemanticSpec
from semlink.link.schemes.sensing_only.spec import SensingSpec
from semlink.plugins.specs import SchemePlugin, one_of

SCHEMES = (
    *(DigitalSpec, HybridSpec, SensingSpec, SemanticSpec, SoftCastSpec, MeasurementsSpec, DeltaSigmaDirectSpec),
    ModelSpec,
)
if TYPE_CHECKING:
    AnyScheme = SchemeSpec | SchemePlugin
else:
    AnyScheme = one_of("scheme", *SCHEMES)
