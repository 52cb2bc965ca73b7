"""Conformance: shapes, types, gradients, and leaving the caller's things alone."""

from __future__ import annotations

import torch

from semlink.payload import ChannelOutput
from semlink.phy.conformance.probe import Probe
from semlink.phy.conformance.verdict import Check, judged

LENGTHS = (1, 7, 1000)
DIRECTIONS = 8
STEP = 0.05
GRADIENT_TOLERANCE = 1e-2


def runs(probe: Probe) -> Check:
    """A call gives a tensor or a `ChannelOutput`."""
    heard = probe.channel(probe.qpsk(2, 64), probe.snr_db[0], probe.seeds(clips=2))
    iq = heard.iq if isinstance(heard, ChannelOutput) else heard
    good = isinstance(iq, torch.Tensor)
    return judged("runs", good, f"returned {type(heard).__name__}", "a complex tensor or ChannelOutput")


def count(probe: Probe) -> Check:
    """As many symbols out as in."""
    for length in LENGTHS:
        shape = tuple(probe.hear(probe.qpsk(2, length), probe.snr_db[0], probe.seeds(clips=2)).iq.shape)
        if shape != (2, length):
            return Check("count", "fail", f"(2, {length}) became {shape}", "as many symbols out as in")
    return Check("count", "pass", f"kept for {', '.join(map(str, LENGTHS))} symbols", "as many symbols out as in")


def finite(probe: Probe) -> Check:
    """No NaN or infinity, for symbols or for silence."""
    for what, iq in (("symbols", probe.qpsk(4, 1000)), ("silence", torch.zeros(4, 1000, dtype=torch.complex64))):
        for snr_db in (*probe.snr_db, probe.quiet_db):
            heard = probe.hear(iq, snr_db, probe.seeds(clips=4)).iq.detach()
            if not bool(torch.isfinite(torch.view_as_real(heard.resolve_conj())).all()):
                return Check("finite", "fail", f"NaN or infinity for {what} at {snr_db:g} dB", "finite numbers")
    return Check("finite", "pass", "finite for symbols and for silence", "finite numbers")


def dtype(probe: Probe) -> Check:
    """complex64 stays complex64; symbols of higher precision meet the same channel, where they are taken."""
    got = probe.quiet.iq.dtype
    if got != torch.complex64:
        return Check("dtype", "fail", str(got), str(torch.complex64))
    if probe.moves:
        return Check("dtype", "pass", str(got), str(torch.complex64))
    iq, seeds = probe.qpsk(2, 200), probe.seeds(clips=2)
    try:
        fine = probe.hear(iq.to(torch.complex128), probe.quiet_db, seeds).iq.detach()
    except Exception:  # noqa: BLE001 - a channel need not take them
        return Check("dtype", "pass", str(got), str(torch.complex64))
    gap = float((fine - probe.hear(iq, probe.quiet_db, seeds).iq.detach()).abs().max())
    good = gap <= 1e-3 + probe.faint or probe.interferes
    return judged("dtype", good, str(got) if good else f"symbols in complex128 arrive {gap:.2g} away", "the same gain")


def device(probe: Probe) -> Check:
    """The output lies where the input lay, with the same numbers."""
    iq, seeds = probe.qpsk(2, 200), probe.seeds(clips=2)
    here = probe.hear(iq, probe.snr_db[0], seeds).iq.detach()
    if here.device != iq.device:
        return Check("device", "fail", f"{iq.device} became {here.device}", "kept")
    if not torch.cuda.is_available():
        return Check("device", "pass", "kept on cpu; no GPU here to try", "kept")
    there = probe.hear(iq.cuda(), probe.snr_db[0], seeds).iq.detach()
    gap = float((there.cpu() - here).abs().max())
    good = there.is_cuda and gap < 1e-3
    return judged("device", good, f"cuda became {there.device}, differs by {gap:.1g}", "kept")


def input_kept(probe: Probe) -> Check:
    """The caller's symbols are not written to."""
    kept = True
    for asked in (probe.snr_db[0], probe.snr_db[-1], probe.quiet_db):
        iq = probe.qpsk(2, 100)
        before = iq.clone()
        probe.channel(iq, asked, probe.seeds(clips=2))
        kept = kept and torch.equal(iq, before)
    return judged("input kept", kept, "untouched" if kept else "written over", "untouched")


def gradient(probe: Probe) -> Check:
    """Derivatives agree with finite differences along random directions."""
    expected = f"finite differences within {GRADIENT_TOLERANCE:.0%}"
    iq, seeds = probe.qpsk(2, 32), probe.seeds(clips=2)
    weight, *directions = torch.randn(
        1 + DIRECTIONS, 2, 32, dtype=torch.complex64, generator=torch.Generator().manual_seed(probe.seed)
    )
    leaf = iq.clone().requires_grad_()
    out = probe.hear(leaf, probe.snr_db[-1], seeds).iq
    if not out.requires_grad:
        return Check("gradient", "fail", "detached: the output carries no gradient", expected)
    (slope,) = torch.autograd.grad((weight.conj() * out).real.sum(), leaf, allow_unused=True)
    slope = torch.zeros_like(iq) if slope is None else slope
    if not probe.repeatable:
        return Check("gradient", "skip", "not repeatable, see hidden seed", expected)
    told = torch.stack([(slope.conj() * d).real.sum() for d in directions]).double()
    seen = torch.stack([_difference(probe, iq, d, weight, seeds) for d in directions])
    scale = float(seen.square().mean().sqrt())
    if scale == 0 and not bool(told.any()):
        return Check("gradient", "skip", "nothing of the input arrives", expected)
    error = float((told - seen).abs().max()) / max(scale, 1e-12)
    if not bool(told.any()):
        return Check("gradient", "fail", "detached: the gradient is zero", expected)
    good = error <= GRADIENT_TOLERANCE  # NaN fails
    return judged("gradient", good, f"off by {error:.2%}", expected)


def _difference(probe: Probe, iq: torch.Tensor, direction: torch.Tensor, weight: torch.Tensor, seeds) -> torch.Tensor:
    with torch.no_grad():
        ahead = probe.hear(iq + STEP * direction, probe.snr_db[-1], seeds).iq.to(torch.complex128)
        behind = probe.hear(iq - STEP * direction, probe.snr_db[-1], seeds).iq.to(torch.complex128)
    return (weight.conj() * (ahead - behind)).real.sum() / (2 * STEP)


EXACT = (count, finite, dtype, device, input_kept, gradient)
BY_CHANCE = ()
FATAL = (count, finite)
