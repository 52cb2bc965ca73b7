"""One property each: what was measured of a model, and what a run takes for granted."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from semlink.errors import BoundaryError, InterfaceError
from semlink.link.model_check.leaving import left_behind
from semlink.link.model_check.probe import Probe
from semlink.link.schemes.model.network import Network
from semlink.link.schemes.model.scheme import ModelScheme
from semlink.link.schemes.model.symbol_map import TOLERANCE, to_symbols
from semlink.payload import Frames
from semlink.phy.conformance.verdict import Check, judged

__all__ = ["CHECKS", "runs"]

TOLD_DB = (-6.0, -4.5, -3.0, -1.5, 0.0, 1.5, 3.0, 4.5, 6.0)
"""What an SNR that is told is off by; definitions differ by 3 dB as a rule."""
CLEARLY_DB = 0.3
"""What must be gained by a false SNR to blame its definition."""
ROUNDING = 1e-3
"""Share by which an item may differ in other company: sums in another order."""
BEYOND, MANY = 0.2, 0.05
"""How far outside [0, 1] a pixel is clearly so, and the share of such pixels that is too large."""


def runs(probe: Probe) -> Check:
    """One clip goes from end to end."""
    quality = probe.quality(probe.middle_db)
    return Check("runs", "pass", f"{quality:.2f} dB PSNR at {probe.middle_db:g} dB")


def symbols(probe: Probe) -> Check:
    """How many there are, the same for every clip."""
    agreed = probe.agreement()
    count, shape = agreed.terms.symbols, agreed.frames
    for clip in probe.clips:
        probe.encoded(clip)
    outcome = probe.send(0)
    beside = float(outcome.ledger.symbols) - count
    side = f", {beside:g} for side information" if beside else ""
    return Check(
        "symbols",
        "pass",
        f"{count} complex symbols of {shape.t} frame{'s' if shape.t > 1 else ''}{side}: "
        f"{(count + beside) / shape.num_pixels:.4g} a pixel, {(count + beside) / shape.num_samples:.4g} a sample",
        "the same for every clip",
    )


def power(probe: Probe) -> Check:
    """Of the encoder's own output, in the unit that the scenario says."""
    form = probe.sender.form
    own = [float(to_symbols(probe.encoded(c), form.symbols).abs().square().mean()) for c in probe.clips]
    low, high = min(own), max(own)
    said = f"{low:.3g}" if high - low < 0.01 * high else f"{low:.3g} to {high:.3g}"
    told = f"the encoder's own power is {said} a symbol; {_scaled(form.power)}"
    steady = high - low < 0.02 * high
    if steady and form.unit == "symbol" and abs(high - 2) < 0.04:
        return Check("power", "fail", told, "1; 2 is power 1 in each real number: say unit: number")
    if steady and form.unit == "number" and abs(high - 1) < 0.02:
        return Check("power", "fail", told, "2 where unit: number is said; 1 is that of a symbol: leave it out")
    limit = (2 if form.unit == "number" else 1) * (1 + TOLERANCE)
    if form.power == "own":
        return judged("power", high <= limit, told, f"at most {limit:.3g}")
    return Check("power", "pass", told)


def snr_definition(probe: Probe) -> Check:
    """Quality is best where the networks are told the SNR that there is."""
    name, expected = "snr definition", "best when told Es/N0, noise 10^(-snr/10) a symbol of power 1"
    if not any(network.tells("snr") for network in probe.networks()):
        return Check(name, "skip", "the networks are told no SNR")
    levels = {probe.snr_db[0], probe.middle_db, probe.snr_db[-1]}
    found = {off: float(np.mean([probe.quality(level, off) for level in levels])) for off in TOLD_DB}
    best = max(found, key=lambda off: (found[off], -abs(off)))
    gain = found[best] - found[0.0]
    if gain > CLEARLY_DB:
        told = f"best when told {best:+g} dB: {gain:.2f} dB better"
        return Check(name, "fail", told, f"{expected}; snr_offset_db: {best:g} tells it so")
    flat = max(found.values()) - min(found.values()) < CLEARLY_DB
    return Check(name, "pass", "what it is told changes little" if flat else "best near the truth", expected)


def leakage(probe: Probe) -> Check:
    """Frames follow from what arrived, in a process that never saw the clip."""
    expected = "frames from what arrived and the agreement alone"
    places = left_behind(probe.files(), lambda: probe.encoded(probe.clips[0]))
    where = f"; the encoder leaves {', '.join(places)}" if places else ""
    try:
        for number, clip in enumerate(probe.clips):
            probe.send(number, audit=True, decoy=probe.clips[number - 1] if len(probe.clips) > 1 else None)
            assert clip is not None
    except (BoundaryError, InterfaceError) as fault:
        return Check("leakage", "fail", f"{fault}{where}", expected)
    return Check("leakage", "pass", f"the same frames in a process of its own{where}", expected)


def batch(probe: Probe) -> Check:
    """An item alone gives what it gives in company."""
    expected = "an item alone as in a batch"
    worst, role = 0.0, ""
    for which, (network, whole, known) in _batches(probe).items():
        together = _first(network(whole, known))
        for item in range(min(len(whole), 4)):
            part = {name: value[item : item + 1] for name, value in known.items()}
            alone = _first(network(whole[item : item + 1], part))
            if len(alone) != 1 or len(together) != len(whole):
                told = f"the {which} gives {len(alone)} items of 1, and {len(together)} of {len(whole)}"
                return Check("batch", "fail", told, expected)
            gap = float((alone[0] - together[item]).abs().max() / together.abs().mean().clamp(min=1e-9))
            worst, role = max((worst, role), (gap, which))
    if worst > ROUNDING:
        told = f"the {role} gives an item alone {worst:.1%} otherwise"
        return Check("batch", "fail", told, f"{expected}: no statistics of the batch, BatchNorm in evaluation mode")
    return Check("batch", "pass", f"within {worst:.1g}", expected)


def determinism(probe: Probe) -> Check:
    """The same input, the same output, in a second network too."""
    expected = "the same numbers each time, in each process"
    ends: list[tuple[str, Callable[[ModelScheme | None], torch.Tensor]]] = [
        ("encoder", lambda end: probe.encoded(probe.clips[0], end)),
        ("decoder", lambda end: (end or probe.receiver).decoded(*probe.heard(probe.clips[0]), probe.agreement())),
    ]
    for role, act in ends:
        first = act(None)
        probe.encoded(probe.clips[-1])
        if (gap := _gap(first, act(None))) > 0:
            hint = "it draws at random (dropout that evaluation mode does not reach?) or remembers"
            return Check("determinism", "fail", f"the {role} differs by {gap:.1%} the second time: {hint}", expected)
        if (gap := _gap(first, act(copy.deepcopy(probe.sender)))) > 0:
            return Check("determinism", "fail", f"another {role} made the same way differs by {gap:.1%}", expected)
    return Check("determinism", "pass", "the same numbers again, and in networks made anew", expected)


def evaluation_mode(probe: Probe) -> Check:
    """No part is left in training mode."""
    left = [
        f"{network.role}.{name or type(part).__name__}"
        for network in probe.networks()
        for name, part in _parts(network)
        if part.training
    ]
    told = f"in training mode: {', '.join(left[:3])}" if left else "all parts in evaluation mode"
    return judged("evaluation mode", not left, told, "eval() reaches every part")


def device(probe: Probe) -> Check:
    """All parameters lie where the frames do."""
    tensors = [
        tensor
        for network in probe.networks()
        for tensor in [t for _, p in _parts(network) for t in (*p.parameters(False), *p.buffers(False))]
    ]
    places = sorted({str(tensor.device) for tensor in tensors})
    kinds = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors if tensor.is_floating_point()})
    told = f"{sum(t.numel() for t in tensors):,} numbers ({', '.join(kinds) or 'none'}) on {', '.join(places) or 'cpu'}"
    return judged("device", set(places) <= {"cpu"}, told, "cpu, as the frames")


def output_type(probe: Probe) -> Check:
    """Real or complex numbers without gradients."""
    tracked, kinds = [], []
    for role, (network, whole, known) in _batches(probe).items():
        found = _first(network(whole, known))
        kinds.append(f"{role} {str(found.dtype).removeprefix('torch.')}")
        tracked += [role] if found.requires_grad else []
    told = ", ".join(kinds)
    if tracked:
        return Check("output type", "fail", f"{told}; the {tracked[0]} tracks gradients all the same", "no gradients")
    return Check("output type", "pass", told, "real or complex numbers, no gradients")


def output_range(probe: Probe) -> Check:
    """Pixels lie in the range that the scenario says."""
    pixels = torch.cat([probe.decoded(clip) for clip in probe.clips])
    share = float(((pixels < -BEYOND) | (pixels > 1 + BEYOND)).float().mean())
    told = f"{float(pixels.min()):.3g} to {float(pixels.max()):.3g} where 0 is black and 1 white"
    return judged("output range", share <= MANY, f"{told}; {share:.0%} far outside", "0 to 1; see range")


def finite(probe: Probe) -> Check:
    """Black, white and noise give numbers, and so does silence at the receiver."""
    shape = probe.clips[0].pixels.shape
    noise = torch.rand(shape, generator=torch.Generator().manual_seed(probe.seed))
    for name, pixels in (("black", torch.zeros(shape)), ("white", torch.ones(shape)), ("noise", noise)):
        clip = Frames(pixels, probe.clips[0].colour)
        try:
            probe.decoded(clip)
            probe.decoded(clip, lost=True)
        except InterfaceError as fault:
            return Check("finite", "fail", f"of {name} frames: {fault}", "finite numbers of any frames")
    return Check("finite", "pass", "black, white, noise, and nothing received", "finite numbers of any frames")


def quality_over_snr(probe: Probe) -> Check:
    """A better channel does no harm."""
    low, high = probe.snr_db[0], probe.snr_db[-1]
    if high - low < 1:
        return Check("quality over snr", "skip", "the scenario has one SNR")
    worse, better = probe.quality(low), probe.quality(high)
    told = f"{worse:.2f} dB at {low:g} dB, {better:.2f} dB at {high:g} dB"
    return judged("quality over snr", better > worse - CLEARLY_DB, told, "no loss on a better channel")


CHECKS = (
    *(symbols, power, snr_definition, leakage, batch, determinism, evaluation_mode, device, output_type),
    *(output_range, finite, quality_over_snr),
)


def _scaled(how: str) -> str:
    return {"clip": "each clip is sent with 1", "frame": "each item is sent with 1", "symbol": "each symbol has 1"}.get(
        how, "it is sent as it is"
    )


def _batches(probe: Probe) -> dict[str, tuple[Network, torch.Tensor, dict[str, torch.Tensor]]]:
    """The networks, each with a batch of all clips and what it is told."""
    agreed, sender = probe.agreement(), probe.sender
    known = sender.known(agreed.point, agreed.terms.uses, sender.items(agreed.frames) * len(probe.clips))
    frames = torch.cat([sender.as_input(clip.pixels, agreed.frames) for clip in probe.clips])
    found = {"encoder": (probe.sender.encoder, frames, dict(known))}
    if sender.side is None:
        numbers = torch.cat([probe.encoded(clip) for clip in probe.clips])
        flat = to_symbols(numbers, sender.form.symbols)
        noise = {"noise_var": torch.full(flat.shape, 0.1)}
        found["decoder"] = (probe.receiver.decoder, numbers, {**known, **noise})
    return found


def _parts(network: Network) -> list[tuple[str, nn.Module]]:
    """Modules inside a network; none of ONNX."""
    run = network.run()
    return list(run.named_modules()) if isinstance(run, nn.Module) else []


def _first(found: object) -> torch.Tensor:
    """The symbols of what an encoder gives."""
    first = found[0] if isinstance(found, tuple | list) else found
    assert isinstance(first, torch.Tensor)
    return first


def _gap(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest difference over the mean size."""
    return float((one - other).abs().max() / one.abs().mean().clamp(min=1e-9))
