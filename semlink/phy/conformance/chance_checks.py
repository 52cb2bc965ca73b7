"""Conformance: chance comes from the seeds, all of it, each stream is a new one, and a longer draw begins alike."""

from __future__ import annotations

import torch

from semlink.phy.conformance.chance import alike, share_limit
from semlink.phy.conformance.probe import FAINT, Probe, world, world_moved, world_state
from semlink.phy.conformance.verdict import Check

LENGTHS = (1000, 1001, 5000)
MARGIN = 64  # symbols ahead of the end that an echo of later ones may reach
DISCRETE = 100  # a gain that takes fewer values may take the same one twice by chance
Key = tuple[int, int, int]


def determinism(probe: Probe) -> Check:
    """The same seeds give the same numbers, whatever was asked in between, and in a channel that is new."""
    expected = "the same seeds, the same numbers"
    iq, seeds = probe.qpsk(2, 400), probe.seeds(clips=2)
    first = probe.hear(iq, probe.snr_db[0], seeds).iq.detach()
    probe.hear(iq, probe.snr_db[-1], probe.seeds(clips=2, trial=5))
    probe.hear(probe.qpsk(3, 70), probe.snr_db[0], probe.seeds(first=90, clips=3))
    again = probe.hear(iq, probe.snr_db[0], seeds).iq.detach()
    if not torch.equal(first, again):
        gap = float((first - again).abs().max())
        return Check("determinism", "fail", f"differs by {gap:.2g} on the second call", expected)
    fresh = probe.untouched(iq, probe.snr_db[0], seeds)
    if fresh is not None and not torch.equal(first, fresh):
        gap = float((first - fresh).abs().max())
        return Check("determinism", "fail", f"differs by {gap:.2g} from a channel that heard nothing before", expected)
    return Check("determinism", "pass", "the same numbers again", expected)


def hidden_seed(probe: Probe) -> Check:
    """No process-wide generator is used or moved, and no seed is built in."""
    expected = "all chance from the seeds handed in"
    iq, seeds, asked = probe.qpsk(2, 400), probe.seeds(clips=2), probe.snr_db[0]
    with world(3):
        before = world_state()
        probe.channel(iq.clone(), asked, seeds)
        moved = world_moved(before, world_state())
    if moved:
        return Check(
            "hidden seed", "fail", f"draws from or reseeds the global generator of {', '.join(moved)}", expected
        )
    here, there = (probe.hear(iq, asked, seeds, state=state).iq.detach() for state in (1, 2))
    if not torch.equal(here, there):
        same = torch.equal(here, probe.hear(iq, asked, seeds, state=1).iq.detach())
        what = "depends on the process-wide generators" if same else "keeps a generator of its own between calls"
        return Check("hidden seed", "fail", what, expected)
    other = probe.hear(iq, asked, probe.seeds(clips=2, root=1)).iq.detach()
    if torch.equal(here, other) and float((here - iq).abs().max()) > FAINT:
        return Check("hidden seed", "fail", "the same chance for every root seed: a seed is built in", expected)
    return Check("hidden seed", "pass", "global generators neither used nor moved", expected)


def clips_independent(probe: Probe) -> Check:
    """No two clips of a batch share noise or fading."""
    return _unrelated(probe, "clips independent", same_batch=True)


def streams_independent(probe: Probe) -> Check:
    """Another trial, root seed or clip number brings other noise and other fading."""
    name = "streams independent"
    short = _unrelated(probe, name, same_batch=False)
    base = probe.first_noise
    if short.verdict == "fail" or float(base.abs().double().square().mean()) < FAINT:
        return short
    for number, (what, change) in enumerate({"trial": {"trial": 1}, "root seed": {"root": 1}}.items()):
        noise = probe.noise(probe.snr_db[0], probe.seeds(**change), state=10 + number)
        if alike(base, noise) > share_limit(2):
            return Check(name, "fail", f"noise of another {what} resembles the first", "unrelated noise")
    return short


def batch_of_one(probe: Probe) -> Check:
    """A clip meets the same channel alone as in company."""
    iq, seeds = probe.qpsk(3, 400), probe.seeds(first=7, clips=3)
    together = probe.hear(iq, probe.snr_db[0], seeds).iq.detach()
    for row in range(3):
        alone = probe.hear(iq[row : row + 1], probe.snr_db[0], seeds.alone(row)).iq.detach()
        gap = float((alone[0] - together[row]).abs().max())
        if gap > 1e-5:
            return Check(
                "batch of one", "fail", f"clip {row} of 3 differs by {gap:.2g} when sent alone", "no difference"
            )
    return Check("batch of one", "pass", "three clips alone and together agree", "no difference")


def prefix(probe: Probe) -> Check:
    """A longer transmission begins like a shorter one."""
    expected = "a longer transmission begins like a shorter one"
    if not probe.repeatable:
        return Check("prefix", "skip", "not repeatable, see hidden seed", expected)
    iq, seeds = probe.qpsk(2, max(LENGTHS), 4), probe.seeds(clips=2)
    kept = LENGTHS[0] - MARGIN
    for asked in (probe.snr_db[0], probe.quiet_db):
        first, *longer = (probe.hear(iq[:, :length], asked, seeds).iq.detach() for length in LENGTHS)
        for length, heard in zip(LENGTHS[1:], longer):
            gap = (heard[:, :kept] - first[:, :kept]).abs()
            if float(gap.max()) > 2e-4:
                at = int((gap.amax(0) > 2e-4).nonzero()[0])
                what = "noise" if asked == probe.snr_db[0] else "gain"
                measured = f"{what} on symbol {at} differs between {LENGTHS[0]} and {length} symbols"
                return Check("prefix", "fail", measured, expected)
    return Check("prefix", "pass", f"{', '.join(map(str, LENGTHS))} symbols begin alike", expected)


def _unrelated(probe: Probe, name: str, *, same_batch: bool) -> Check:
    """Noise and fading of every pair of streams that differ in the clip alone, or in more."""
    grid, expected = probe.grid, "unrelated noise, other fading"
    keys = grid.keys
    pairs = [(a, b) for b in range(len(keys)) for a in range(b) if (keys[a][::2] == keys[b][::2]) == same_batch]
    limit = share_limit(len(pairs) * 2 * grid.noise.shape[1])
    loud = float(grid.noise.abs().double().square().mean()) > FAINT
    continuous = _is_continuous(probe)
    arrives = grid.signal.abs().amax(1) > probe.faint
    for a, b in pairs:
        if loud and float(grid.likeness[a, b]) > limit:
            what = "noise shared across the batch" if same_batch else "the same noise again"
            return Check(name, "fail", f"{what}: {_told(keys[a])} and {_told(keys[b])}", expected)
        if continuous and arrives[a] and torch.allclose(grid.signal[a], grid.signal[b], atol=probe.faint):
            what = "fading shared" if same_batch else "the same fading again"
            return Check(name, "fail", f"{what}: {_told(keys[a])} and {_told(keys[b])}", expected)
    if not loud and not continuous:
        return Check(name, "skip", "no noise")
    return Check(name, "pass", f"{len(pairs)} pairs of streams", expected)


def _is_continuous(probe: Probe) -> bool:
    """Whether the gain takes no value twice by chance; a phase that turns by rule is not by chance."""
    if len(probe.few_gains) > 1 and _values(probe.few_gains) > 0.9 * len(probe.few_gains):
        return True
    return probe.gains is not None and _values(probe.gains[0].abs() + 0j) > DISCRETE


def _values(gains: torch.Tensor) -> int:
    """How many different ones there are."""
    return len(torch.unique(torch.view_as_real(gains.resolve_conj() / 1e-5).round(), dim=0))


def _told(key: Key) -> str:
    root, clip, trial = key
    return f"clip {clip} in trial {trial} of root seed {root}"


EXACT = (determinism, hidden_seed, batch_of_one, prefix)
BY_CHANCE = (clips_independent, streams_independent)
