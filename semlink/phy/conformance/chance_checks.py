"""Conformance: chance comes from the seeds, all of it, and each stream is a new one."""

from __future__ import annotations

import math

import torch

from semlink.phy.conformance.probe import FAINT, SIGMAS, Probe, correlation, world, world_moved, world_state
from semlink.phy.conformance.verdict import Check, judged


def determinism(probe: Probe) -> Check:
    """The same seeds give the same numbers, whatever was asked in between."""
    iq, seeds = probe.qpsk(2, 400), probe.seeds(clips=2)
    first = probe.hear(iq, probe.snr_db[0], seeds).iq.detach()
    probe.hear(iq, probe.snr_db[-1], probe.seeds(clips=2, trial=5))
    again = probe.hear(iq, probe.snr_db[0], seeds).iq.detach()
    gap = float((first - again).abs().max())
    good = torch.equal(first, again)
    measured = "the same numbers again" if good else f"differs by {gap:.2g} on the second call"
    return judged("determinism", good, measured, "the same seeds, the same numbers")


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
    limit = SIGMAS / math.sqrt(probe.symbols)
    expected = f"correlation below {limit:.3f}"
    noise = probe.first_noise.to(torch.complex128)
    norm = noise.norm(dim=1, keepdim=True)
    if float(norm.min()) > 0:
        gram = ((noise / norm) @ (noise / norm).mH).abs().fill_diagonal_(0)
        if float(gram.max()) > limit:
            return Check("clips independent", "fail", f"noise shared across the batch: {gram.max():.3f}", expected)
    if probe.gains is not None and probe.fades:
        gain = probe.gains.to(torch.complex128)
        repeats = (gain[1:] - gain[:1]).abs().amax(1) < 1e-6
        if bool(repeats.any()):
            return Check("clips independent", "fail", f"fading shared by {int(repeats.sum()) + 1} clips", expected)
    return Check("clips independent", "pass", "no noise or fading shared", expected)


def streams_independent(probe: Probe) -> Check:
    """Another trial, root seed or clip number brings other noise."""
    limit = SIGMAS / math.sqrt(probe.x.numel())
    expected = f"correlation below {limit:.4f}"
    base = probe.first_noise
    if float(base.abs().square().mean()) < FAINT:
        return Check("streams independent", "skip", "no noise")
    changes = {"trial": {"trial": 1}, "root seed": {"root": 1}, "clip": {"first": 500}}
    worst = 0.0
    for number, (what, change) in enumerate(changes.items()):
        seeds = probe.seeds(**change)
        value = correlation(base, probe.noise(probe.snr_db[0], seeds, state=10 + number))
        if value > limit:
            return Check("streams independent", "fail", f"noise of another {what} correlates by {value:.3f}", expected)
        worst = max(worst, value)
        if probe.gains is not None and probe.fades:
            heard = probe.hear(probe.x, probe.quiet_db, seeds, state=10 + number).iq.detach()
            if torch.equal(heard, probe.quiet.iq):
                return Check("streams independent", "fail", f"the same fading for another {what}", expected)
    return Check("streams independent", "pass", f"correlation {worst:.4f} at most", expected)


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


CHECKS = (determinism, hidden_seed, clips_independent, streams_independent, batch_of_one)
