"""Look a model over: `semlink check-model`.

report = examined(scenario.schemes[0], clips, snr_db=(0, 10, 20), budget=4096)
report.passed, report["snr definition"].measured
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

from semlink.errors import Infeasible, SemlinkError
from semlink.files import JsonDict
from semlink.link.model_check.checks import CHECKS, runs
from semlink.link.model_check.probe import Probe
from semlink.phy.conformance.verdict import Check, Checked

__all__ = ["ModelReport", "as_text", "examined"]


@dataclass(frozen=True, slots=True)
class ModelReport(Checked):
    """All checks on one model."""

    model: str

    def as_json(self) -> JsonDict:
        """For programs."""
        return {"model": self.model, "passed": self.passed, "checks": [asdict(check) for check in self.checks]}


def examined(probe: Probe) -> ModelReport:
    """All checks of a model on the bench; without a clip that goes from end to end, nothing more is looked at."""
    first = _guarded(runs, probe)
    if first.verdict != "pass":
        return ModelReport(probe.spec.name, checks=(first,))
    return ModelReport(probe.spec.name, checks=(first, *(_guarded(check, probe) for check in CHECKS)))


def as_text(report: ModelReport) -> str:
    """One line a check, failures in capitals."""
    lines = [f"model: {report.model}"]
    width = max(len(check.name) for check in report.checks)
    for item in report.checks:
        mark = "FAIL" if item.verdict == "fail" else item.verdict
        tail = f"  (expected: {item.expected})" if item.expected else ""
        lines.append(f"{mark:4}  {item.name:<{width}}  {item.measured}{tail}")
    count = {verdict: sum(c.verdict == verdict for c in report.checks) for verdict in ("pass", "fail", "skip")}
    lines.append(f"{count['pass']} passed, {count['fail']} failed, {count['skip']} skipped")
    return "\n".join(lines) + "\n"


def _guarded(one: Callable[[Probe], Check], probe: Probe) -> Check:
    """The check's verdict; what it raised is a failure that says so."""
    name = one.__name__.replace("_", " ")
    try:
        return one(probe)
    except Infeasible as fault:
        return Check(name, "fail", str(fault), "a budget that the model fits into")
    except SemlinkError as fault:
        return Check(name, "fail", str(fault))
