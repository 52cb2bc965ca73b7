"""OFDM with a cyclic prefix, pilots on a grid and a one-tap equaliser.

What the antenna sends are samples, prefix included, and each of them is a
channel use that is paid for: pilots (and the filling of the last symbol) as
"pilot", cyclic prefixes as "header". Many papers count resource elements of
data only; on the air the prefix takes its time all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from semlink.blocks import ChannelBase, WaveformBase
from semlink.flow import Flow
from semlink.ledger import Charge
from semlink.payload import ChannelOutput, Received, Symbols
from semlink.phy.channels.tapped_delay_line import Echoes
from semlink.phy.validation import need, need_choice, need_count, need_number
from semlink.phy.waveforms.channel_estimation import EQUALIZERS, ESTIMATORS, Equalizer, Estimator, equalise
from semlink.phy.waveforms.ofdm_estimation import lmmse_on_grid, ls_on_grid
from semlink.phy.waveforms.ofdm_grid import Layout, frequencies, to_grid, to_samples
from semlink.phy.waveforms.pilots import pilot_sequence
from semlink.phy.waveforms.plain import noise_per_symbol

if TYPE_CHECKING:
    import torch

SPACINGS_KHZ = (15, 30, 60, 120, 240)  # [3gpp38211, table 4.2-1]
MAX_ADVANCE = 6


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
        design_delay: latest path in samples that LMMSE expects; None is the cyclic prefix.
        design_doppler_hz: maximum Doppler shift that LMMSE expects.
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
    design_doppler_hz: float = 100.0

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
        need_number("Ofdm.design_doppler_hz", self.design_doppler_hz, 0)

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
            self.check_channel(heard)
        grid = to_grid(heard.iq, self.num_subcarriers, self.cyclic_prefix, self._advance)
        grid, noise_var = self._undo_losses(grid, heard, noise_per_symbol(heard, snr_db))
        is_data = ~self._layout.is_pilot(grid.shape[1])
        if self.estimator == "genie":
            gain, error = self._true_gain(heard), noise_var.new_zeros(1)
        else:
            gain, error = self._estimate(grid.cpu(), noise_var.cpu())
        gain, error = gain.to(grid), error.to(noise_var)
        symbols, left = equalise(grid, gain, noise_var[..., None], error, self.equalizer)
        genie = {"csi": gain[:, is_data]} if self.estimator == "genie" else {}
        return Received(symbols[:, is_data], left[:, is_data], genie)

    def check_channel(self, channel: ChannelBase | Echoes) -> None:
        """Refuse a channel of another bandwidth, or whose last path outlasts the cyclic prefix.

        Raises:
            ValueError: names both values.
        """
        bandwidth_hz, max_delay_s = channel.bandwidth_hz, channel.max_delay_s
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
        common = {"comb": self.pilot_comb, "num_subcarriers": self.num_subcarriers}
        if self.estimator == "ls":
            return ls_on_grid(looks, noise_var[:, rows], rows, grid.shape[1], **common)
        latest = self.cyclic_prefix if self.design_delay is None else self.design_delay
        delays = (-self._advance / self.num_subcarriers, latest / self.num_subcarriers)
        doppler = self.design_doppler_hz * self.symbol_uses / self.bandwidth_hz
        return lmmse_on_grid(looks, noise_var[:, rows], rows, grid.shape[1], delays=delays, doppler=doppler, **common)

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
