"""OFDM with a cyclic prefix, pilots on a grid and a one-tap equaliser.

What the antenna sends are samples, prefix included, and each of them is a
channel use that is paid for: pilots (and the filling of the last symbol) as
"pilot", cyclic prefixes as "header". Many papers count resource elements of
data only; on the air the prefix takes its time all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from semlink.blocks import ChannelBase, WaveformBase
from semlink.flow import Flow
from semlink.ledger import Charge
from semlink.payload import ChannelOutput, Received, Symbols
from semlink.phy.channels.tapped_delay_line import Echoes
from semlink.phy.validation import need, need_choice, need_count, need_number
from semlink.phy.waveforms.channel_estimation import EQUALIZERS, ESTIMATORS, Equalizer, Estimator, equalise
from semlink.phy.waveforms.ofdm_estimation import Delays, GridModel, lmmse_on_grid, ls_on_grid
from semlink.phy.waveforms.ofdm_grid import Layout, frequencies, to_grid, to_samples
from semlink.phy.waveforms.pilots import pilot_sequence
from semlink.phy.waveforms.plain import noise_per_symbol
from semlink.phy.waveforms.stated import differs, gain_jumps, stated_doppler, stated_k

if TYPE_CHECKING:
    import torch

SPACINGS_KHZ = (15, 30, 60, 120, 240)  # [3gpp38211, table 4.2-1]
MAX_ADVANCE = 6
_UNKNOWN_DOPPLER = "a maximum Doppler shift, which lmmse must know and the channel does not state; or estimator ls"


@dataclass(frozen=True, slots=True)
class Ofdm(WaveformBase):
    """A grid of subcarriers; num_subcarriers times spacing_khz is the channel's bandwidth.

    Attributes:
        num_subcarriers: all in use, and the size of the DFT.
        spacing_khz: 15 times a power of two, as in 5G.
        cyclic_prefix: in samples; 9 of 128 is 5G's normal prefix.
        slot_symbols, pilot_symbols: the pattern of symbols with pilots, repeated each slot.
        pilot_comb: pilots on every so manieth subcarrier of such a symbol.
        estimator: "ls", "lmmse", or "genie" that reads the true taps.
        equalizer: "zf" or "mmse" with its bias taken out, the same with one tap.
        design_delay: latest path in samples that the receiver expects; None: the one that the channel states.
        design_doppler_hz: maximum Doppler shift that it expects; None: the one that the channel states.
        design_spread: root mean square of the delays in samples that it expects; None: the one that the channel states,
            else all delays are alike.
        design_k: power of a line of sight over all else that it expects; None: the one that the channel states, else 0.
    """

    num_subcarriers: int = 128
    spacing_khz: int = 30
    cyclic_prefix: int = 9
    slot_symbols: int = 14
    pilot_symbols: tuple[int, ...] = (2, 11)
    pilot_comb: int = 2
    estimator: Estimator = "lmmse"
    equalizer: Equalizer = "mmse"
    design_delay: float | None = None
    design_doppler_hz: float | None = None
    design_spread: float | None = None
    design_k: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "pilot_symbols", tuple(self.pilot_symbols))
        need_count("Ofdm.num_subcarriers", self.num_subcarriers, 4)
        need_choice("Ofdm.spacing_khz", self.spacing_khz, SPACINGS_KHZ)
        need_count("Ofdm.cyclic_prefix", self.cyclic_prefix, 0, self.num_subcarriers)
        need_count("Ofdm.slot_symbols", self.slot_symbols, 1)
        need(len(self.pilot_symbols) > 0, "Ofdm.pilot_symbols", self.pilot_symbols, "at least one symbol of the slot")
        for at in self.pilot_symbols:
            need_count("Ofdm.pilot_symbols", at, 0, self.slot_symbols - 1)
        distinct = len(set(self.pilot_symbols)) == len(self.pilot_symbols)
        need(distinct, "Ofdm.pilot_symbols", self.pilot_symbols, "each symbol once")
        need_count("Ofdm.pilot_comb", self.pilot_comb, 1, self.num_subcarriers)
        room, pilots = self.slot_symbols * self.num_subcarriers, len(self.pilot_symbols) * self._layout.comb_size
        need(
            pilots < room, "Ofdm.pilot_symbols, pilot_comb", pilots, f"fewer pilots than the {room} elements of a slot"
        )
        need_choice("Ofdm.estimator", self.estimator, ESTIMATORS)
        need_choice("Ofdm.equalizer", self.equalizer, EQUALIZERS)
        if self.design_delay is not None:
            need_number("Ofdm.design_delay", self.design_delay, 0, self.num_subcarriers)
        if self.design_doppler_hz is not None:
            need_number("Ofdm.design_doppler_hz", self.design_doppler_hz, 0)
        if self.design_spread is not None:
            need_number("Ofdm.design_spread", self.design_spread, 0)
        if self.design_k is not None:
            need_number("Ofdm.design_k", self.design_k, 0)

    @property
    def bandwidth_hz(self) -> float:
        """Samples per second."""
        return self.num_subcarriers * self.spacing_khz * 1e3

    @property
    def symbol_uses(self) -> int:
        """Channel uses of one OFDM symbol, prefix included."""
        return self.num_subcarriers + self.cyclic_prefix

    def data_uses(self, uses: int) -> int:
        """Data symbols in a transmission of at most `uses` channel uses."""
        return self._layout.num_data(max(uses, 0) // self.symbol_uses)

    def modulate(self, flow: Flow[Symbols]) -> Flow[Symbols]:
        """Data, pilots and filling on the grid, to samples; all but the data charged here."""
        import torch

        data = flow.payload.iq
        num_symbols = self._layout.symbols_for(data.shape[1])
        is_pilot = self._layout.is_pilot(num_symbols)
        num_pilots = int(is_pilot.sum())
        num_filling = is_pilot.numel() - num_pilots - data.shape[1]
        known = pilot_sequence(num_pilots + num_filling).to(data).expand(len(data), -1)
        grid = data.new_zeros(len(data), *is_pilot.shape)
        grid[:, is_pilot] = known[:, :num_pilots]
        grid[:, ~is_pilot] = torch.cat([data, known[:, num_pilots:]], dim=1)
        return flow.then(
            Symbols(to_samples(grid, self.cyclic_prefix)),
            Charge("phy/ofdm", "pilot", num_pilots),
            Charge("phy/ofdm/filling", "pilot", num_filling),
            Charge("phy/ofdm/cyclic_prefix", "header", num_symbols * self.cyclic_prefix),
        )

    def demodulate(self, heard: ChannelOutput, snr_db: float) -> Received:
        """Data symbols of gain 1, and behind them the filling of the last OFDM symbol.

        Raises:
            ValueError: not whole OFDM symbols, or a channel that does not fit, see `check_channel`.
        """
        if heard.iq.shape[1] % self.symbol_uses:
            raise ValueError(f"Ofdm.demodulate: got {heard.iq.shape[1]} samples; need a multiple of {self.symbol_uses}")
        if isinstance(heard, Echoes):
            self._check_echoes(heard.bandwidth_hz, heard.max_delay_s)
        grid = to_grid(heard.iq, self.num_subcarriers, self.cyclic_prefix, self._advance)
        grid, noise_var = self._undo_losses(grid, heard, noise_per_symbol(heard, snr_db))
        noise_var = noise_var + self._self_interference
        is_data = ~self._layout.is_pilot(grid.shape[1])
        if self.estimator == "genie":
            gain, error = self._true_gain(heard), noise_var.new_zeros(1)
        else:
            gain, error = self._estimate(grid.cpu(), noise_var.cpu())
        gain, error = gain.to(grid), error.to(noise_var)
        symbols, left = equalise(grid, gain, noise_var[..., None], error, self.equalizer)
        genie = {"csi": gain[:, is_data]} if self.estimator == "genie" else {}
        return Received(symbols[:, is_data], left[:, is_data], genie)

    def true_gain(self, heard: ChannelOutput) -> torch.Tensor | None:
        """Of the channel on each resource element with data; filling may follow."""
        if heard.gain is None and not isinstance(heard, Echoes):
            return None
        gain = self._true_gain(heard)
        return gain[:, ~self._layout.is_pilot(gain.shape[1])]

    def check_channel(self, channel: ChannelBase) -> None:
        """Refuse a channel of another bandwidth, whose last path outlasts the cyclic prefix, or too little told of.

        Raises:
            ValueError: names both values.
        """
        self._check_echoes(channel.bandwidth_hz, channel.max_delay_s)
        known = self.design_doppler_hz is not None or stated_doppler(channel, self.bandwidth_hz) is not None
        need(known or self.estimator != "lmmse", "Ofdm.design_doppler_hz", self.design_doppler_hz, _UNKNOWN_DOPPLER)

    def _check_echoes(self, bandwidth_hz: float | None, max_delay_s: float) -> None:
        if bandwidth_hz is not None and abs(bandwidth_hz / self.bandwidth_hz - 1) > 1e-6:
            raise ValueError(
                f"Ofdm: got a channel of bandwidth_mhz {bandwidth_hz / 1e6:g}; need num_subcarriers * spacing_khz "
                f"= {self.bandwidth_hz / 1e6:g} MHz"
            )
        delay = max_delay_s * self.bandwidth_hz
        if delay > self.cyclic_prefix:
            raise ValueError(
                f"Ofdm.cyclic_prefix: got {self.cyclic_prefix} samples; need at least {delay:.1f}, "
                f"where the last path arrives ({max_delay_s * 1e9:.0f} ns)"
            )

    def designed_for(self, channel: ChannelBase) -> Ofdm:
        """With Doppler shift and last delay as the channel states them, where no option says otherwise."""
        doppler = stated_doppler(channel, self.bandwidth_hz)
        doppler_hz, delay, spread = self.design_doppler_hz, self.design_delay, self.design_spread
        if spread is None and channel.delay_spread_s is not None:
            spread = channel.delay_spread_s * self.bandwidth_hz
        if doppler_hz is None and doppler is not None:
            doppler_hz = doppler * self.bandwidth_hz
        return replace(
            self,
            design_doppler_hz=doppler_hz,
            design_delay=channel.max_delay_s * self.bandwidth_hz if delay is None else delay,
            design_spread=spread,
            design_k=stated_k(channel) if self.design_k is None else self.design_k,
        )

    def caveat(self, channel: ChannelBase) -> str:
        """A receiver designed for less than the channel states, or one that cannot know how the gain moves."""
        doppler = stated_doppler(channel, self.bandwidth_hz)
        designed = self.design_doppler_hz
        if self.estimator == "genie":
            return ""
        if gain_jumps(channel):
            return "ofdm estimates a gain that moves, this one jumps: its noise variances are too small"
        if doppler is None and (designed is None or channel.linewidth is not None):
            return "the channel states no doppler: noise variances leave out how the gain moves between pilots"
        if doppler is not None and designed is not None and differs(designed, doppler * self.bandwidth_hz):
            moved = doppler * self.bandwidth_hz
            return f"ofdm designed for a Doppler shift of {designed:.4g} Hz, the channel's is {moved:.4g} Hz"
        latest = channel.max_delay_s * self.bandwidth_hz
        if self.design_delay is not None and differs(self.design_delay, latest):
            return f"ofdm designed for delays up to {self.design_delay:.3g} samples, the channel's reach {latest:.3g}"
        if channel.max_delay_s > 0 and channel.law is None:
            return "the channel states no law of its gain: noise variances are those of Rayleigh fading as Clarke's"
        return ""

    @property
    def _model(self) -> GridModel | None:
        """What the receiver knows of the channel; None where its Doppler shift is not told."""
        if self.design_doppler_hz is None:
            return None
        latest = self.cyclic_prefix if self.design_delay is None else self.design_delay
        doppler = self.design_doppler_hz / self.bandwidth_hz
        return GridModel(doppler, Delays(float(latest), self.design_spread, self.design_k or 0.0))

    @property
    def _self_interference(self) -> float:
        """Variance on every subcarrier of what Doppler and the band limit put beside the symbol's own."""
        model = self._model
        if model is None:
            return 0.0
        spill = model.spill(self.num_subcarriers, self.cyclic_prefix, self._advance)
        return model.leakage(self.num_subcarriers) + spill

    @property
    def _layout(self) -> Layout:
        return Layout(self.num_subcarriers, self.slot_symbols, self.pilot_symbols, self.pilot_comb)

    @property
    def _advance(self) -> int:
        """Samples by which the DFT window starts early, to keep precursors inside it."""
        return min(self.cyclic_prefix // 4, MAX_ADVANCE)

    def _undo_losses(self, grid: torch.Tensor, heard: ChannelOutput, noise_var: torch.Tensor):
        """Gain and self-interference of symbols that lost a share f of their samples.

        The DFT of a window with f of its samples silent is (1 - f) X plus
        leakage of variance f (1 - f); infinite noise where all is lost.
        """
        import torch

        noise = noise_var.reshape(len(grid), grid.shape[1], -1)[..., self.cyclic_prefix :]
        heard_share = torch.isfinite(noise).float().mean(-1)
        quiet = torch.nan_to_num(noise, posinf=0.0).sum(-1) / self.num_subcarriers
        left = (quiet / heard_share + (1 - heard_share)) / heard_share
        return grid / heard_share.clamp(min=1e-6)[..., None], torch.nan_to_num(left, nan=torch.inf, posinf=torch.inf)

    def _estimate(self, grid: torch.Tensor, noise_var: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Gain and error variance (clip, t, k) from the pilots on the grid; noise_var (clip, t)."""
        rows = self._layout.pilot_rows(grid.shape[1])
        pilots = pilot_sequence(len(rows) * self._layout.comb_size).reshape(len(rows), -1)
        looks = grid[:, rows, :: self.pilot_comb] * pilots.conj()
        noise, model, num_symbols = noise_var[:, rows], self._model, grid.shape[1]
        sizes = self.pilot_comb, self.num_subcarriers, self.symbol_uses
        if self.estimator == "ls":
            return ls_on_grid(looks, noise, rows, num_symbols, sizes, model)
        if model is None:
            raise ValueError("Ofdm.design_doppler_hz: need " + _UNKNOWN_DOPPLER)
        return lmmse_on_grid(looks, noise, rows, num_symbols, sizes, model)

    def _true_gain(self, heard: ChannelOutput) -> torch.Tensor:
        """The channel on every resource element as it is: (clip, t, k)."""
        import torch

        clips, num_symbols = heard.iq.shape[0], heard.iq.shape[1] // self.symbol_uses
        if isinstance(heard, Echoes):
            assert heard.taps is not None
            middle = torch.arange(num_symbols) * self.symbol_uses + self.cyclic_prefix + self.num_subcarriers // 2
            taps = heard.taps_at(middle - self._advance)
            lags = torch.arange(taps.shape[1]) + heard.first_lag
            turn = torch.exp(-2j * torch.pi * lags[:, None] * frequencies(self.num_subcarriers)).to(taps)
            return taps.mT @ turn
        if heard.gain is None:
            return heard.iq.new_ones(clips, num_symbols, 1).expand(-1, -1, self.num_subcarriers)
        windows = heard.gain.reshape(clips, num_symbols, -1)[..., self.cyclic_prefix :]
        present = (
            heard.gain.new_ones(windows.shape)
            if heard.erased is None
            else (~heard.erased.reshape(clips, num_symbols, -1)[..., self.cyclic_prefix :]).to(heard.gain)
        )
        mean = (windows * present).sum(-1, keepdim=True) / present.sum(-1, keepdim=True).real.clamp(min=1)
        return mean.expand(-1, -1, self.num_subcarriers)
