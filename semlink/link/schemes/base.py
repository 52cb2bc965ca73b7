"""What every scheme's entry in a scenario has."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from semlink.blocks import Scheme
from semlink.spec import NOTHING_KNOWN, BuildContext, Spec


class SchemeSpec(Spec):
    """What every scheme has: a name for tables and plots, and its own operating points."""

    sends: ClassVar[bool] = True  # False: it only senses, and needs no channel

    kind: str
    name: str = Field(min_length=1, description="as it stands in tables and plots")
    rates: list[float] | None = Field(None, min_length=1, description="own operating points instead of sweep.budget")

    @property
    def adapts(self) -> bool:
        """Whether modulation and rate follow a measured SNR, so that the receiver has to measure one."""
        return False

    def build(self, context: BuildContext = NOTHING_KNOWN) -> Scheme:
        """One end of the scheme, for clips of `context.frames` frames."""
        raise NotImplementedError
