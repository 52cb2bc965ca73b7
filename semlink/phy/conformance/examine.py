"""Does a channel do what a channel must? One check a property, each with what was measured.

The kit sends probes of its own and looks at what comes out; it needs nothing
but `channel(iq, snr_db, seeds)`. What a channel states about itself, as the
attributes and methods of `semlink.blocks.ChannelBase`, is checked where it is stated.

A check of chance fails a right channel less than once in ten thousand draws, and only
what fails in two draws from different seeds is reported.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from semlink.errors import PluginFault
from semlink.phy.conformance.verdict import Check, Checked
from semlink.plugins import adapted

SNR_DB = (0.0, 3.7, 10.0, 20.4, -5.6, 31.3)
"""Where noise is measured; no whole numbers alone, or a rounded SNR would pass."""
QUICK_S = 0.9
"""CPU time after which the quick part begins no other check: a stop for slow channels, others end before."""
SECOND_DRAW = 1_000_003
"""What is added to the root seed for what is drawn again."""


@dataclass(frozen=True, slots=True)
class Report(Checked):
    """All checks on one channel."""

    channel: str


def check(
    channel: Any,
    *,
    snr_db: Sequence[float] = SNR_DB,
    seed: int = 1,
    clips: int = 16,
    symbols: int = 16384,
    draws: int = 8192,
    quick: bool = False,
    only: Collection[str] = (),
) -> Report:
    """Examine `channel`; the process-wide generators of chance are left as they were.

    Args:
        snr_db: where noise is measured.
        seed: root of the probes and of the channel's streams.
        clips, symbols: size of the long probes; 16 x 16384 tell noise to 0.05 dB.
        draws: short transmissions that the fading law is read from.
        quick: within a second, with shorter probes; what there is no time for is skipped.
        only: names of the checks that are wanted; default: all.
    """
    from semlink.phy.conformance.probe import Probe, world

    made, sizes = adapted("channel", channel), (clips, symbols, draws)
    if quick:
        sizes = min(clips, 4), min(symbols, 2048), min(draws, 256)
    probe = Probe(made, tuple(float(value) for value in snr_db), seed, *sizes, quick=quick, pristine=_copy(made))
    until = time.process_time() + QUICK_S if quick else math.inf
    with world(seed):  # whatever the channel does to the generators of the process
        return Report(_title(channel), checks=tuple(_examined(probe, until, only)))


def _examined(probe: Any, until: float, only: Collection[str]) -> Iterator[Check]:
    """All checks; what fails by chance is drawn once more, from other seeds."""
    from semlink.phy.conformance import (
        chance_checks,
        gain_checks,
        interface_checks,
        motion_checks,
        noise_checks,
        signal_checks,
        told_checks,
    )

    first = _guarded(interface_checks.runs, probe)
    yield first
    if first.verdict != "pass":
        return
    unmeasurable = ""
    again = replace(probe, seed=probe.seed + SECOND_DRAW)
    rooms = (interface_checks, noise_checks, gain_checks, signal_checks, chance_checks, told_checks, motion_checks)
    for room in rooms:
        for one in (*room.EXACT, *room.BY_CHANCE):
            if only and _name(one) not in only:
                continue
            if unmeasurable or time.process_time() > until:
                yield Check(_name(one), "skip", f"see {unmeasurable}" if unmeasurable else "left to the full check")
                continue
            found = _guarded(one, probe)
            if found.verdict == "fail" and one in room.BY_CHANCE:
                second = _guarded(one, again)
                found = found if second.verdict == "fail" else second
            yield found
            if found.verdict == "fail" and one in interface_checks.FATAL:
                unmeasurable = found.name


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
        return Check(_name(one), "fail", f"raised {type(fault).__name__}: {text[0][:160]}")


def _name(one: Callable[..., Check]) -> str:
    return one.__name__.replace("_", " ")


def _copy(channel: Any) -> Any:
    """The channel as it is before anything is sent; None where it cannot be copied."""
    try:
        return copy.deepcopy(channel)
    except Exception:  # noqa: BLE001 - a user's channel may hold what has no copy
        return None


def _title(channel: Any) -> str:
    name = getattr(channel, "__qualname__", None)  # a plain function
    return name if isinstance(name, str) else repr(channel)[:200]
