"""Does a channel do what a channel must? One check a property, each with what was measured.

The kit sends probes of its own and looks at what comes out; it needs nothing
but `channel(iq, snr_db, seeds)`. What a channel may tell about itself, as
attributes, is checked where it is told:

    law              "rayleigh", ("rician", K) or "constant": the law of |h|
    coherence        symbols with one gain: a number, "symbol" or "block"
    doppler          maximum Doppler shift times symbol time
    interference_var E|i|^2 of what it adds besides noise
    mean_loss        share of symbols that it loses

Thresholds are five standard errors of what is measured, except where the
definition leaves no chance at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from semlink.errors import PluginFault
from semlink.phy.conformance.verdict import Check
from semlink.plugins import adapted


@dataclass(frozen=True, slots=True)
class Report:
    """All checks on one channel."""

    channel: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Nothing failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the checks that failed."""
        return tuple(check.name for check in self.checks if check.verdict == "fail")

    def __getitem__(self, name: str) -> Check:
        return next(check for check in self.checks if check.name == name)


def check(
    channel: Any,
    *,
    snr_db: Sequence[float] = (0.0, 10.0, 20.0),
    seed: int = 1,
    clips: int = 16,
    symbols: int = 16384,
    draws: int = 1000,
) -> Report:
    """Examine `channel`.

    Args:
        snr_db: where noise is measured.
        seed: root of the probes and of the channel's streams.
        clips, symbols: size of the long probes; 16 x 16384 tell noise to 0.05 dB.
        draws: short transmissions that the fading law is read from.
    """
    from semlink.phy.conformance import (
        chance_checks as conformance_chance,
        gain_checks as conformance_gain,
        interface_checks as conformance_manners,
        noise_checks as conformance_noise,
    )
    from semlink.phy.conformance.probe import Probe

    probe = Probe(adapted("channel", channel), tuple(float(value) for value in snr_db), seed, clips, symbols, draws)
    checks = [_guarded(conformance_manners.runs, probe)]
    if checks[0].verdict == "pass":
        rooms = (conformance_manners, conformance_noise, conformance_gain, conformance_chance)
        checks += [_guarded(one, probe) for room in rooms for one in room.CHECKS]
    return Report(_title(channel), tuple(checks))


def render(report: Report) -> str:
    """The report as text, one line a check, failures in capitals."""
    lines = [f"channel: {report.channel}"]
    width = max(len(check.name) for check in report.checks)
    for item in report.checks:
        mark = "FAIL" if item.verdict == "fail" else item.verdict
        tail = f"  (expected: {item.expected})" if item.expected else ""
        lines.append(f"{mark:4}  {item.name:<{width}}  {item.measured}{tail}")
    count = {v: sum(c.verdict == v for c in report.checks) for v in ("pass", "fail", "skip")}
    lines.append(f"{count['pass']} passed, {count['fail']} failed, {count['skip']} skipped")
    return "\n".join(lines)


def _guarded(one: Callable[[Any], Check], probe: Any) -> Check:
    """The check's verdict, or a failure that says what the channel raised."""
    try:
        return one(probe)
    except Exception as fault:  # noqa: BLE001 - a user's channel may raise anything, and the report says so
        fault = fault.__cause__ if isinstance(fault, PluginFault) and isinstance(fault.__cause__, Exception) else fault
        text = str(fault).strip().splitlines() or [""]
        return Check(one.__name__.replace("_", " "), "fail", f"raised {type(fault).__name__}: {text[0][:160]}")


def _title(channel: Any) -> str:
    name = getattr(channel, "__qualname__", None)  # a plain function
    return name if isinstance(name, str) else repr(channel)[:200]
