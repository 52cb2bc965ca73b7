"""semlink: end-to-end simulation of semantic communication for video imaging.

    import semlink

    results = semlink.run("scenarios/quickstart.yaml")
    print(results)
    results.plot("cost")

Importing the package loads nothing heavy; the public names below are fetched
on first use. What `__all__` names is stable, everything else may move.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from semlink import errors as errors
    from semlink.errors import SemlinkError as SemlinkError
    from semlink.flow import Flow as Flow
    from semlink.ledger import Charge as Charge, Ledger as Ledger
    from semlink.link.api.air import Air as Air, air as air
    from semlink.link.api.comparison import Comparison as Comparison
    from semlink.link.api.module_scheme import ModuleScheme as ModuleScheme
    from semlink.link.api.results import Results as Results, results as results
    from semlink.link.api.running import load as load, merge as merge, run as run, status as status
    from semlink.link.metrics.registry import Metric as Metric
    from semlink.link.scenario.scenario import Scenario as Scenario
    from semlink.link.validate.validation import Validation as Validation, validate as validate
    from semlink.link.verify.asked import verify as verify
    from semlink.payload import (
        ChannelOutput as ChannelOutput,
        Frames as Frames,
        Measurement as Measurement,
        Received as Received,
        Symbols as Symbols,
    )
    from semlink.seeds import Seeds as Seeds

_HOMES = {
    "Air": "link.api.air",
    "ChannelOutput": "payload",
    "Charge": "ledger",
    "Comparison": "link.api.comparison",
    "Flow": "flow",
    "Frames": "payload",
    "Ledger": "ledger",
    "Measurement": "payload",
    "Metric": "link.metrics.registry",
    "ModuleScheme": "link.api.module_scheme",
    "Received": "payload",
    "Results": "link.api.results",
    "Scenario": "link.scenario.scenario",
    "Seeds": "seeds",
    "SemlinkError": "errors",
    "Symbols": "payload",
    "Validation": "link.validate.validation",
    "air": "link.api.air",
    "load": "link.api.running",
    "merge": "link.api.running",
    "results": "link.api.results",
    "run": "link.api.running",
    "status": "link.api.running",
    "validate": "link.validate.validation",
    "verify": "link.verify.asked",
}

__all__ = [
    "Air",
    "ChannelOutput",
    "Charge",
    "Comparison",
    "Flow",
    "Frames",
    "Ledger",
    "Measurement",
    "Metric",
    "ModuleScheme",
    "Received",
    "Results",
    "Scenario",
    "Seeds",
    "SemlinkError",
    "Symbols",
    "Validation",
    "air",
    "errors",
    "load",
    "merge",
    "results",
    "run",
    "status",
    "validate",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module("semlink.errors")
    if name not in _HOMES:
        raise AttributeError(f"module 'semlink' has no attribute {name!r}")
    return getattr(import_module(f"semlink.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
