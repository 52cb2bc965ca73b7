"""One transmission of a finished run, repeated and told stage by stage."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from semlink.blocks import InteractiveBase, is_interactive
from semlink.codecs.packetization import cut, join
from semlink.errors import ScenarioError
from semlink.files import Json
from semlink.link.api.records import PLACE, place_of, the_one
from semlink.link.api.sender import Sender
from semlink.link.chain.blame import blamed
from semlink.link.chain.followed import followed
from semlink.link.chain.link import Link, Outcome
from semlink.link.chain.reception import reception_of
from semlink.link.chain.transmission import Transmission, parts_of
from semlink.link.chain.transmit import run_clip
from semlink.link.metrics.psnr_ssim import psnr_by_frame
from semlink.link.report.replay import Replay
from semlink.link.results.clip_trial import ClipTrial
from semlink.link.results.finished import FinishedPoint, FinishedRun
from semlink.link.results.labels import place_in_words
from semlink.link.sweep.grid import GridPoint, grid
from semlink.nn.cpu import one_thread
from semlink.payload import Packet
from semlink.seeds import Seeds

__all__ = ["packets_of", "point_named", "points_to_choose", "replayed"]

SAME = 1e-9
"""Qualities of the same transmission on the same machine are the same; this much is rounding in the point's file."""


def point_named(run: FinishedRun, key: str | None) -> FinishedPoint:
    """The point whose key begins with `key`.

    Raises:
        ScenarioError: none, or several; lists what there is.
    """
    kept = [point for point in run.points if point.key]
    found = [point for point in kept if key and point.key.startswith(key)]
    if len(found) == 1:
        return found[0]
    what = "which point? --point takes" if key is None else f"--point {key!r}: {len(found)} points; it takes"
    raise ScenarioError("\n".join([f"{what} the beginning of one of these keys:", *_lines(found or kept)]))


def points_to_choose(run: FinishedRun) -> str:
    """All points with their keys and what became of their blocks, and how to ask for one."""
    kept = [point for point in run.points if point.key]
    asks = "--clip, --trial and --block N choose within it" if kept else "there is nothing to replay"
    return "\n".join(["--point takes the beginning of one of these keys:", *_lines(kept), asks]) + "\n"


def _lines(points: Sequence[FinishedPoint]) -> list[str]:
    return [
        f"  {point.key}  {place_in_words(point.row)}" + (f", BLER {point.row.bler:.2g}" if point.row.bler else "")
        for point in points
    ] or ["  (the folder holds no points)"]


def replayed(
    sender: Sender, point: FinishedPoint, clip: int | str = 0, trial: int = 0, block: int | None = None
) -> Replay:
    """A clip sent once more at a point, with every stage, and with each made ideal.

    Raises:
        ScenarioError: no such clip or trial, or the point is not of this scenario.
        Infeasible: nothing was sent at this point.
    """
    places = {sender.place(found): found for found in grid(sender.runner.scenario)}
    number = sender.number(clip)
    place = the_one(places, dict(zip(PLACE, place_of(point.row))))
    sender.check_trial(place, trial)
    with one_thread():
        return _replayed(sender, point, places[place], number, trial, block)


def _replayed(
    sender: Sender, point: FinishedPoint, where: GridPoint, number: int, trial: int, block: int | None
) -> Replay:
    runner = sender.runner
    link = runner.link(where)
    deals = runner.deals(link, where)
    agreed, budget = deals[number].agreement, deals[number].budget
    clip, seeds = runner.clips.frames[number], Seeds(runner.scenario.seed, (number,), trial)
    seen: list[Transmission] = []
    if link.is_sensing:
        outcome = list(runner.trial(link, deals, trial))[number]
    else:
        outcome = run_clip(link, clip, agreed, seeds, budget=budget, observe=seen.append)
    scored = runner.score(number, outcome)
    watched = seen[0] if seen else None
    packets, arrived = packets_of(link, watched) if watched else ((), ())
    if block is not None and watched is None:
        raise ScenarioError(f"block: got {block}; nothing of this point met the air")
    look = runner.clips.look
    source, received = clip.pixels[0].numpy(), outcome.frames.pixels[0].numpy()
    return Replay(
        place=place_in_words(point.row),
        clip=runner.clips.names[number],
        trial=trial,
        differs=_differences(point, scored, outcome, number, trial, {m.name: m.column for m in runner.metrics}),
        quality={metric.column: scored.metrics[metric.name] for metric in runner.metrics},
        shape=clip.shape,
        readings=link.measurements_per_pixel(agreed),
        packets=packets,
        arrived=arrived,
        spent=dict(scored.uses),
        reception=None if watched is None else reception_of(link, watched, runner.clips.names[number]),
        by_frame=psnr_by_frame(source, received),
        blame=tuple(blamed(link, clip, agreed, seeds, budget, watched)),
        block=None if block is None or watched is None else followed(link, watched, block),
        pixels=(look.shown(source), look.shown(received)),
        planes=look.pictures,
        point=point,
    )


def _differences(
    point: FinishedPoint, scored: ClipTrial, outcome: Outcome, number: int, trial: int, columns: dict[str, str]
) -> tuple[str, ...] | None:
    """What is not as the point's record has it; None where that has nothing of this trial."""
    if number >= len(point.clips) or trial >= len(point.clips[number].get("psnr_db", ())):
        return None
    kept: Json = point.clips[number]
    now = {column: scored.metrics[name] for name, column in columns.items()}
    now |= {"blocks": outcome.blocks, "lost": outcome.lost, "channel_uses": scored.channel_uses}
    return tuple(_unlike(kept, now, trial))


def _unlike(kept: Json, now: Json, trial: int) -> Iterator[str]:
    for name, value in now.items():
        values = kept.get(name)
        if not values:
            continue
        then = values[min(trial, len(values) - 1)]
        if then is not None and not math.isclose(then, value, rel_tol=SAME, abs_tol=SAME):
            yield f"{name} is {value:.10g} now, and was {then:.10g}"


def packets_of(link: Link, seen: Transmission) -> tuple[tuple[Packet, ...], tuple[Packet, ...]]:
    """What was packed, and what of it could be put together again."""
    transmitter = link.transmitter
    if is_interactive(transmitter):
        return _packets_of_bursts(transmitter, seen)
    packed = tuple(transmitter.packets(seen.clip, seen.agreement, seen.seeds))
    sizes = [size for parts in parts_of(transmitter, seen) for part in parts for size in part.sizes]
    if not packed or not sizes or len(seen.delivered.failed) != seen.delivered.lost:
        return packed, ()
    failed = set(seen.delivered.failed)
    blocks = [None if n in failed else block for n, block in enumerate(cut(packed, sizes))]
    return packed, join(blocks)


def _packets_of_bursts(
    transmitter: InteractiveBase, seen: Transmission
) -> tuple[tuple[Packet, ...], tuple[Packet, ...]]:
    """The same where each burst may begin other packets; what was sent again carries no new ones."""
    packed: tuple[Packet, ...] = ()
    arrived: tuple[Packet, ...] = ()
    failed, said = set(seen.delivered.failed), len(seen.delivered.failed) == seen.delivered.lost
    begun = transmitter.burst_packets(seen.clip, seen.past, seen.agreement, seen.seeds)
    for own, parts in zip(begun, parts_of(transmitter, seen)):
        packed += tuple(own)
        sizes = [size for part in parts for size in part.sizes]
        if own and sizes and said:
            numbers = [number for part in parts for number in part.numbers]
            blocks = zip(numbers, cut(own, sizes), strict=True)
            arrived += join([None if number in failed else block for number, block in blocks])
    return packed, arrived
