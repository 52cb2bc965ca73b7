"""Every block of a scenario built once, so that what is wrong or doubtful is said before any work is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

from semlink.blocks import FrameBlock, Scheme
from semlink.errors import ScenarioError, SemlinkError
from semlink.link.sweep.grid import GridPoint
from semlink.link.sweep.point_runner import PointRunner
from semlink.link.sweep.trials import stop_rule
from semlink.phy.conformance.examine import check
from semlink.phy.specs.pilot_choice import fades

T = TypeVar("T")
CLEAN_DB = 30.0
"""PSNR of video without losses, as it is before anything is known: better pictures have more to lose."""


def check_blocks(
    runner: PointRunner, points: Iterable[GridPoint], error_context: Callable[..., AbstractContextManager[None]]
) -> None:
    """Build every block that `runner` will work with.

    Args:
        error_context: puts errors down to a place of the scenario, such as ("channel", 0).
    Raises:
        SemlinkError: an option that only shows to be wrong when the block is built.
    """
    for number in range(len(runner.scenario.channel)):
        _check_channel(runner, number, error_context)
    for point in points:
        with error_context("schemes", point.scheme):
            _said("scheme", lambda: _check_scheme(runner, point))  # noqa: B023


def check_point(runner: PointRunner, point: GridPoint) -> None:
    """Build what one point is sent through, whatever other points need.

    Raises:
        SemlinkError: an option that only shows to be wrong when the block is built, weights that are not here.
    """
    if point.channel is not None:
        _check_channel(runner, point.channel, lambda *loc: nullcontext())
    _said("scheme", lambda: _check_scheme(runner, point))


def _check_channel(
    runner: PointRunner, number: int, error_context: Callable[..., AbstractContextManager[None]]
) -> None:
    with error_context("channel", number):
        channel = _said(f"channel {runner.scenario.channel[number].kind}", lambda: runner.channel(number))
    with error_context(*(("channel", number) if runner.scenario.waveform is None else ("waveform",))):
        _said("waveform", lambda: runner.waveform(number).check_channel(channel))


def _check_scheme(runner: PointRunner, point: GridPoint) -> None:
    scheme = runner.link(point).transmitter
    kind = runner.scenario.schemes[point.scheme].kind.rsplit("/", 1)[-1]
    _check_colours(scheme, kind, point.rate, runner.clips.look.colour)
    for shape in dict.fromkeys(frames.shape for frames in runner.clips.frames):
        scheme.check(shape, point.rate)


def _check_colours(scheme: Scheme, kind: str, rate: float | None, colour: str) -> None:
    """Refuse frames of a colour that the scheme, or a block in it, cannot be given.

    Raises:
        ScenarioError: names the block, and what it takes.
    """
    if colour == "gray":
        return
    camera = scheme.camera_at(rate)
    inside: list[tuple[str, FrameBlock]] = [(f"scheme {kind}", scheme)]
    inside += [(f"codec {block.name}", block) for block in scheme.frame_blocks()]
    if camera is not None:
        eye, maker = camera.sensor, camera.reconstructor
        inside = [(f"sensor {eye.name}", eye), (f"reconstruction {maker.name}", maker), *inside]
    for what, block in inside:
        if colour not in block.colours:
            allowed = " or ".join(block.colours)
            raise ScenarioError(
                f"{what} takes frames in {allowed}, and the source gives {colour}; set source.colour: {allowed}"
            )


def metric_warnings(runner: PointRunner) -> tuple[str, ...]:
    """What is doubtful about the scenario's metrics on frames of this size, a line each.

    Raises:
        ScenarioError: one cannot take them at all.
    """
    for metric in runner.metrics:
        metric.check_colour(runner.clips.look.colour)
    sizes = sorted({(frames.shape.h, frames.shape.w) for frames in runner.clips.frames}, key=min)
    said = (metric.caution(*sizes[0]) for metric in runner.metrics if metric.caution is not None)  # of the smallest
    return tuple(filter(None, said))


def channel_warnings(runner: PointRunner) -> tuple[str, ...]:
    """What is doubtful about the channels of a scenario, a line each; the run goes on.

    A user's channel is examined by the quick part of `semlink check-channel`, within a second.
    """
    lines = []
    for number, spec in enumerate(runner.scenario.channel):
        channel, waveform = runner.channel(number), runner.waveform(number)
        if not waveform.has_pilots and (spec.default_waveform() is not None or fades(channel, spec.is_foreign)):
            lines.append(
                f"channel {spec.kind}: its gain fades or turns, and a waveform without pilots cannot follow it; "
                "leave waveform out, or use single-carrier or ofdm"
            )
        if spec.is_foreign:
            report = check(channel, quick=True)
            again = f"see semlink check-channel {spec.kind}"
            lines += [
                f"channel {spec.kind}: fails the check {one.name!r}: {one.measured}; {again}"
                for one in report.checks
                if one.verdict == "fail"
            ]
    return tuple(lines)


def scheme_warnings(runner: PointRunner) -> tuple[str, ...]:
    """What schemes say of themselves, each once."""
    said: dict[str, None] = {}
    for (scheme, _), link in runner.links.items():
        for line in link.transmitter.doubts():
            said[f"scheme {runner.scenario.schemes[scheme].name!r}: {line}"] = None
    return tuple(said)


def trial_warnings(runner: PointRunner) -> tuple[str, ...]:
    """One line where the trials cannot give the half width that a scenario names, even if nothing is ever lost."""
    asked, rule = runner.scenario.trials, stop_rule(runner.scenario)
    if rule.min == rule.max or not {"max", "ci_halfwidth_db"} & asked.model_fields_set:
        return ()
    if not any(link.transmitter.loses_blocks() for link in runner.links.values()):
        return ()
    clips, wanted = len(runner.clips.names), rule.ci_halfwidth_db
    damage = CLEAN_DB - runner.nothing_db()
    if damage <= 0 or rule.narrowest(clips, damage) <= wanted:
        return ()
    least, enough = rule.narrowest(clips, damage), rule.enough(clips, damage).max
    return (
        f"trials: max: {rule.max} with {clips} clip{'s' * (clips > 1)} cannot give ci_halfwidth_db: {wanted:g} where "
        f"blocks can be lost: even if none is, {CLEAN_DB:g} dB stay uncertain by {least:.2g} dB; "
        f"max: {enough} could, and min = max asks for no width",
    )


def _said(what: str, make: Callable[[], T]) -> T:
    """What `make` gives; a wrong value, one beyond all bounds, or a package that it needs is the scenario's fault."""
    try:
        return make()
    except (ValueError, TypeError, ArithmeticError, ImportError) as fault:
        raise fault if isinstance(fault, SemlinkError) else ScenarioError(f"{what}: {fault}") from fault
