"""Where semantic transmission by tokens begins: a trained digital code or the linear code, and the best linear symbols.

Linear analysis and decoder may be those of a digital code; the encoder's trunk
begins anew and adds nothing yet. Over training clips the principal components
of the latents of a group are found; by falling variance they are its symbols,
with amplitudes variance^(-1/4), the best linear encoder at high SNR.

Source: amplitudes [jakubczak2011, power allocation].
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from semlink.codecs.semantic.tokens.groups import grouped
from semlink.codecs.semantic.tokens.networks import SemanticTokenNet
from semlink.codecs.tokens.networks import LinearCode, TokenCodecNet, powers
from semlink.training.tokens.linear_code import Moments

DECODER_KNOB = 0.7
"""Knob of the digital code at whose shift the decoder's trunk begins: little rounding."""
USUAL_SHARE = 0.4
"""Share of the symbols over which the usual power is one."""
LEAST_VARIANCE = 1e-7

SAME = ("receive", "restore", "norm", "linear_analysis")
WRITERS = {"correct_written": "correct_pixels", "linear_synthesis": "linear_synthesis"}


@torch.no_grad()
def take_linear(net: SemanticTokenNet, code: LinearCode) -> None:
    """Take up a linear code of blocks; what is written of it, where that are frames."""
    net.linear_analysis.weight.copy_(code.analysis), net.linear_analysis.bias.copy_(code.offset)
    net.scale.copy_(code.variances.sqrt())
    if net.sizes.writes == "frames":
        net.linear_synthesis.weight.copy_(code.synthesis), net.linear_synthesis.bias.copy_(code.mean)


@torch.no_grad()
def take_digital(net: SemanticTokenNet, digital: TokenCodecNet) -> None:
    """Take up linear analysis and decoder of a digital code of the same sizes.

    Raises:
        RuntimeError: other sizes.
    """
    names = {name: name for name in SAME} | (WRITERS if net.sizes.writes == "frames" else {})
    own, parts = dict(net.named_children()), dict(digital.named_children())
    for name, source in names.items():
        own[name].load_state_dict(parts[source].state_dict())
    net.tell_decoder.bias.copy_(digital.told_decoder.shift(powers(torch.tensor([DECODER_KNOB])))[0])
    net.scale.copy_(digital.spread)


@torch.no_grad()
def begin_symbols(net: SemanticTokenNet, batches: Iterable[torch.Tensor]) -> None:
    """Symbols by principal components of the linear latents of weighed readings (b, h, w, n)."""
    groups, written = None, Moments(net.sizes.latents, net.sizes.readings.width)
    for x in batches:
        latents = net.linear_analysis(x)
        rows = grouped(latents, net.sizes.group)
        groups = groups or Moments(rows.shape[-1], 1)
        groups.add(rows, rows[..., :1])
        written.add(latents, x)
    if groups is None:
        raise ValueError("symbols need at least one batch of readings")
    values, vectors = torch.linalg.eigh(groups.covariance)
    set_symbols(net, values.flip(0).float(), vectors.flip(1).float(), groups.mean_x.float())
    if net.sizes.writes == "readings":
        net.linear_synthesis.weight.copy_(written.estimator)
        net.linear_synthesis.bias.copy_(written.mean_v - written.estimator @ written.mean_x)


@torch.no_grad()
def set_symbols(net: SemanticTokenNet, variances: torch.Tensor, basis: torch.Tensor, mean: torch.Tensor) -> None:
    """Components (latents of a group, symbols) with variances that fall, around a mean."""
    basis = basis * basis.gather(0, basis.abs().argmax(0, keepdim=True)).sign()
    variances = variances.clamp_min(LEAST_VARIANCE * float(variances[0]))
    gain = variances**-0.25
    usual = (gain.square() * variances)[: max(1, round(USUAL_SHARE * len(variances)))].mean()
    gain = gain * usual.rsqrt()
    net.rotate.weight.copy_(basis.T), net.rotate.bias.copy_(-basis.T @ mean)
    net.unrotate.weight.copy_(basis), net.unrotate.bias.copy_(mean)
    net.log_gain.bias.copy_(gain.log())
    net.log_prior.bias.copy_((gain.square() * variances).log())
    net.log_prior.weight[:, -1] = 1.0
