"""One carrier with groups of pilots between the data.

    P P d d d d d d P P d d d d d d P P

Each group of `pilot_block` pilots is one look at the gain. What lies between
is filled in by what the receiver takes the channel to do: stand still over
blocks (`coherence`), follow Clarke's spectrum (`doppler`), or walk in phase
(`linewidth`). Moving channels get a last group at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from semlink.blocks import ChannelBase, WaveformBase
from semlink.flow import Flow
from semlink.ledger import Charge
from semlink.payload import ChannelOutput, Received, Symbols
from semlink.phy.channels.fading import Coherence, block_length
from semlink.phy.validation import need, need_choice, need_count, need_number
from semlink.phy.waveforms.channel_estimation import (
    EQUALIZERS,
    ESTIMATORS,
    Equalizer,
    Estimator,
    clarke,
    equalise,
    linear_weights,
    missed_by_lines,
    pooled,
    wiener_phase_correlation,
    wiener_weights,
)
from semlink.phy.waveforms.pilots import pilot_sequence
from semlink.phy.waveforms.plain import noise_per_symbol, refuse_echoes
from semlink.phy.waveforms.stated import differs, gain_jumps, stated_doppler, stated_k

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class SingleCarrier(WaveformBase):
    """Pilots every `pilot_spacing` data symbols, one-tap equaliser.

    Attributes:
        pilot_spacing: data symbols between two groups of pilots.
        pilot_block: pilots in a group.
        estimator: "ls", "lmmse", or "genie" that reads the true gain.
        equalizer: "zf" or "mmse" with its bias taken out, the same with one tap.
        coherence: symbols over which the receiver takes the gain to stand
            still, counted from the first one sent; "block" is the whole clip.
        doppler: maximum Doppler shift times symbol time the receiver is designed for.
        linewidth: phase-noise linewidth times symbol time it is designed for.
        k: with `doppler`, power of a line of sight over all else it is designed for.

    Where none of coherence, doppler and linewidth is given, the receiver takes what the channel
    states (`designed_for`), and a gain that stands still where that states nothing.
    """

    pilot_spacing: int = 252
    pilot_block: int = 4
    estimator: Estimator = "lmmse"
    equalizer: Equalizer = "mmse"
    coherence: Coherence | None = None
    doppler: float | None = None
    linewidth: float | None = None
    k: float | None = None

    def __post_init__(self) -> None:
        need_count("SingleCarrier.pilot_spacing", self.pilot_spacing, 1)
        need_count("SingleCarrier.pilot_block", self.pilot_block, 1)
        need_choice("SingleCarrier.estimator", self.estimator, ESTIMATORS)
        need_choice("SingleCarrier.equalizer", self.equalizer, EQUALIZERS)
        if self.coherence not in ("symbol", "block", None):
            need_count("SingleCarrier.coherence", self.coherence, 1)
        models = (self.doppler is not None) + (self.linewidth is not None) + (self.coherence is not None)
        need(models <= 1, "SingleCarrier.doppler, linewidth, coherence", models, "at most one model of the channel")
        for name in ("doppler", "linewidth"):
            if getattr(self, name) is not None:
                need_number(f"SingleCarrier.{name}", getattr(self, name), 0, 0.5)
        fits = self.coherence in ("block", None) or self._period <= block_length(self.coherence, 1)
        allowed = f"at least pilot_block + pilot_spacing = {self._period}, or some blocks have no pilot"
        need(fits or self.estimator == "genie", "SingleCarrier.coherence", self.coherence, allowed)

    @property
    def continues(self) -> bool:  # type: ignore[override]
        """Whether the pattern runs on when more symbols follow: not where a last group ends it."""
        return self._trailing == 0

    def check_channel(self, channel: ChannelBase) -> None:
        """Refuse echoes, and a channel whose gain stands still for less than the pilots need.

        Raises:
            ValueError: names both values.
        """
        refuse_echoes(self, channel)
        self.designed_for(channel)

    def designed_for(self, channel: ChannelBase) -> SingleCarrier:
        """With the gain's movement as the channel states it, where no option says otherwise."""
        if self._is_designed:
            return self if self.doppler is None or self.k is not None else replace(self, k=stated_k(channel))
        if channel.doppler is not None:
            return replace(self, doppler=channel.doppler, k=stated_k(channel))
        if channel.linewidth is not None:
            return replace(self, linewidth=channel.linewidth)
        return self if channel.coherence is None else replace(self, coherence=channel.coherence)

    def caveat(self, channel: ChannelBase) -> str:
        """A receiver that takes the gain to move less than the channel states, or cannot know."""
        if self.estimator == "genie":
            return ""
        if not self._is_designed:
            silent = channel.coherence is None and stated_doppler(channel) is None
            return "the channel states neither coherence nor doppler: taken to stand still" if silent else ""
        told = (self.doppler or 0.0, self.linewidth or 0.0)
        stated = (channel.doppler or 0.0, channel.linewidth or 0.0)
        for name, mine, theirs in zip(("doppler", "linewidth"), told, stated):
            if differs(mine, theirs):
                return f"single-carrier designed for {self._said}, the channel's {name} is {theirs:.4g}"
        jumps = gain_jumps(channel) and channel.coherence != self.coherence
        return f"single-carrier designed for {self._said}, the channel's coherence is {channel.coherence}" * jumps

    def data_uses(self, uses: int) -> int:
        """Data symbols in a transmission of at most `uses` channel uses."""
        periods, rest = divmod(max(uses - self._trailing, 0), self._period)
        return periods * self.pilot_spacing + max(rest - self.pilot_block, 0)

    def modulate(self, flow: Flow[Symbols]) -> Flow[Symbols]:
        """Put the pilots in and charge them."""
        data = flow.payload.iq
        total = self._total(data.shape[1])
        is_pilot = self._is_pilot(total)
        iq = data.new_zeros(data.shape[0], total)
        iq[:, ~is_pilot] = data
        num_pilots = total - data.shape[1]
        iq[:, is_pilot] = pilot_sequence(num_pilots).to(iq)
        return flow.then(Symbols(iq), Charge("phy/single_carrier", "pilot", num_pilots))

    def demodulate(self, heard: ChannelOutput, snr_db: float) -> Received:
        """Data symbols of gain 1; every symbol sent is data or pilot."""
        iq, noise_var = heard.iq, noise_per_symbol(heard, snr_db)
        is_pilot = self._is_pilot(iq.shape[1])
        if self.estimator == "genie":
            gain = iq.new_ones(iq.shape) if heard.gain is None else heard.gain
            estimate, error = gain[:, ~is_pilot], noise_var.new_zeros(1)
        else:
            pilots = pilot_sequence(int(is_pilot.sum())).to(iq)
            looks = (iq[:, is_pilot] * pilots.conj()).cpu()
            estimate, error = self._estimate(looks, noise_var[:, is_pilot].cpu(), is_pilot)
        estimate, error = estimate.to(iq), error.to(noise_var)
        symbols, left = equalise(iq[:, ~is_pilot], estimate, noise_var[:, ~is_pilot], error, self.equalizer)
        return Received(symbols, left, {"csi": estimate} if self.estimator == "genie" else {})

    def true_gain(self, heard: ChannelOutput) -> torch.Tensor | None:
        """That of the channel where no pilots are."""
        return None if heard.gain is None else heard.gain[:, ~self._is_pilot(heard.gain.shape[1])]

    @property
    def _is_designed(self) -> bool:
        return not (self.coherence is None and self.doppler is None and self.linewidth is None)

    @property
    def _said(self) -> str:
        """What it is designed for, in words."""
        if self.doppler is not None:
            return f"doppler {self.doppler:.4g}"
        return f"coherence {self.coherence}" if self.linewidth is None else f"linewidth {self.linewidth:.4g}"

    @property
    def _period(self) -> int:
        return self.pilot_block + self.pilot_spacing

    @property
    def _trailing(self) -> int:
        return 0 if self._correlation is None else self.pilot_block

    @property
    def _correlation(self) -> Callable | None:
        if self.doppler is not None:
            return clarke(self.doppler, self.k or 0.0)
        return None if self.linewidth is None else wiener_phase_correlation(self.linewidth)

    def _total(self, num_data: int) -> int:
        return num_data + -(-num_data // self.pilot_spacing) * self.pilot_block + self._trailing

    def _is_pilot(self, total: int) -> torch.Tensor:
        import torch

        index = torch.arange(total)
        return (index % self._period < self.pilot_block) | (index >= total - self._trailing)

    def _estimate(self, looks: torch.Tensor, noise_var: torch.Tensor, is_pilot: torch.Tensor):
        """Estimate and error variance (clip, data) from looks (clip, pilots)."""
        import torch

        places, prior = is_pilot.nonzero()[:, 0], self.estimator == "lmmse"
        data = (~is_pilot).nonzero()[:, 0]
        if self._correlation is None:
            length = block_length(self.coherence or "block", len(is_pilot))
            groups = -(-len(is_pilot) // length)
            estimate, error = pooled(looks, noise_var, places // length, groups, prior=prior)
            return estimate[:, data // length], error[:, data // length]
        group = _runs(places)
        num = int(group[-1]) + 1
        centre = torch.zeros(num, dtype=torch.float64).index_add(0, group, places.double()) / group.bincount()
        estimate, error = pooled(looks, noise_var, group, num, prior=False)
        run, place = data // self._period, data % self._period - self.pilot_block
        targets = _runs_of_data(int(run.max()) + 1, self._period, self.pilot_block)
        if prior:
            used, weights, left = wiener_weights(centre, error, targets, self._correlation)
        else:
            used, weights, left = linear_weights(centre, error, targets)
            left = left + missed_by_lines(centre[used], weights, targets, self._correlation)
        joined = (weights.to(estimate.dtype) @ estimate[:, used][..., None])[..., 0]
        return joined[:, run, place], left[:, run, place]


def _runs_of_data(num_runs: int, period: int, first: int) -> torch.Tensor:
    """Positions of the data symbols, one row for each run between pilots: (run, symbol)."""
    import torch

    return torch.arange(num_runs)[:, None] * period + torch.arange(first, period)


def _runs(places: torch.Tensor) -> torch.Tensor:
    """Number of the run of consecutive integers that each of `places` belongs to."""
    import torch

    return torch.nn.functional.pad((places.diff() > 1).long(), (1, 0)).cumsum(0)
