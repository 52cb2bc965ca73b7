"""What every scheme's entry in a scenario has."""

from __future__ import annotations

from pydantic import Field

from semlink.spec import Spec


class SchemeSpec(Spec):
    """What every scheme has: a name for tables and plots, and its own operating points."""

    name: str = Field(min_length=1, description="as it stands in tables and plots")
    rates: list[float] | None = Field(None, min_length=1, description="own operating points instead of sweep.budget")
