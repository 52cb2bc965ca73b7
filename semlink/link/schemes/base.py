"""What every scheme's entry in a scenario has."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from semlink.blocks import Scheme
from semlink.spec import NOTHING_KNOWN, BuildContext, OwnRate, Spec
from semlink.yaml12.fields import Shown
from semlink.yaml12.rules import either, given, no
from semlink.yaml12.words import SEEN

SEEN_AND_RESTORED = either(given("sensor", "reconstruction"), no(either(given("sensor"), given("reconstruction"))))
"""For JSON Schema: a sensor and a reconstruction go together."""


class SchemeSpec(Spec):
    """What every scheme has: a name for tables and plots, and its own operating points."""

    sends: ClassVar[bool] = True  # False: it only senses, and needs no channel

    kind: str
    name: Shown = Field(min_length=1, pattern=SEEN, description="as it stands in tables and plots")
    rates: list[OwnRate] | None = Field(None, min_length=1, description="own operating points instead of sweep.budget")

    @property
    def adapts(self) -> bool:
        """Whether modulation and rate follow a measured SNR, so that the receiver has to measure one."""
        return False

    def build(self, context: BuildContext = NOTHING_KNOWN) -> Scheme:
        """One end of the scheme, for clips of `context.frames` frames."""
        raise NotImplementedError
