"""Your own symbols through a channel and its waveform, as a run sends them, with gradients.

    air = semlink.air({"kind": "rayleigh", "coherence": 64})
    heard = air(symbols, snr_db=snr_db, seed=step)      # (batch, n) complex, (batch,) decibels

What comes back has been equalised; the noise that is left on each symbol stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semlink.errors import InterfaceError
from semlink.files import Json
from semlink.flow import Flow
from semlink.ledger import Charge
from semlink.payload import Received, Symbols
from semlink.seeds import Seeds

if TYPE_CHECKING:
    import torch

    from semlink.blocks import Channel, ChannelBase, Waveform, WaveformBase

__all__ = ["Air", "air"]


@dataclass(frozen=True, slots=True)
class Air:
    """A channel with the waveform that suits it; made by `semlink.air`."""

    channel: ChannelBase
    waveform: WaveformBase

    def __call__(self, symbols: torch.Tensor, *, snr_db: float | torch.Tensor, seed: int, trial: int = 0) -> Received:
        """Send a batch; item i meets the noise and fading of clip i in `trial` of a scenario with root `seed`.

        The same seed and trial are the same noise, so let one of them count the
        steps of a training. Works on the device of `symbols`, and gradients flow
        from the result back to them.

        Args:
            symbols: complex (batch, n), average power of each item at most 1.
            snr_db: Es/N0 in decibels, one number or one for each item, (batch,).
        Returns:
            `iq` (batch, n), equalised so that the sent symbol has gain 1, and
            `noise_var` float (batch, n), the noise left on each symbol as the
            receiver estimates it; infinite where nothing arrived.
        Raises:
            InterfaceError: no complex (batch, n), or another number of SNRs.
            LedgerMismatch: an item's average power is above 1.
        """
        import torch

        _check(symbols)
        levels = torch.as_tensor(snr_db, dtype=torch.float64).detach().cpu().reshape(-1)
        if len(levels) not in (1, len(symbols)):
            raise InterfaceError(f"air: got {len(levels)} SNRs for {len(symbols)} items; need one, or one for each")
        levels = levels.expand(len(symbols))
        groups = [(levels == level).nonzero()[:, 0] for level in levels.unique()]
        parts = [self._send(symbols, group.tolist(), float(levels[group[0]]), seed, trial) for group in groups]
        back = torch.cat(groups).argsort().to(symbols.device)
        genie = {name: _joined([part.genie[name] for part in parts], back) for name in parts[0].genie}
        return Received(
            torch.cat([part.iq for part in parts])[back], torch.cat([part.noise_var for part in parts])[back], genie
        )

    def uses(self, num_symbols: int) -> int:
        """Channel uses of so many symbols of one item: they and the pilots that the waveform adds."""
        import torch

        return self.waveform.modulate(_charged(torch.ones(1, num_symbols, dtype=torch.complex64))).payload.iq.shape[1]

    def _send(self, symbols: torch.Tensor, items: list[int], snr_db: float, seed: int, trial: int) -> Received:
        """The items of one SNR, each with its own streams."""
        from semlink.link.chain.air import arrived

        seeds = Seeds(seed, tuple(items), trial)
        return arrived(self.waveform, self.channel, _charged(symbols[items]), snr_db, seeds).received


def air(
    channel: str | Json | Channel,
    waveform: str | Json | Waveform | None = None,
    *,
    folder: str | Path | None = None,
) -> Air:
    """The way from a transmitter's symbols to its receiver's, as in a scenario.

    Args:
        channel: as under `channel` in a scenario: a kind, or a mapping with
            `kind` and options; or a channel object of your own.
        waveform: the same for `waveform`; None for what the channel needs.
        folder: where files such as `my_channel.py:Mine` are looked up first.
    Raises:
        ScenarioError: an unknown kind or option, or a waveform that doesn't fit the channel.
    """
    from semlink.link.api.channels import channel_and_waveform

    place = None if folder is None else Path(folder)
    return Air(*channel_and_waveform(channel, waveform, place))


def _check(symbols: torch.Tensor) -> None:
    if symbols.ndim != 2 or not symbols.is_complex() or 0 in symbols.shape:
        raise InterfaceError(
            f"air: got {symbols.dtype} {tuple(symbols.shape)}; need complex (batch, n): "
            "torch.view_as_complex(x.reshape(batch, n, 2)) makes one of real numbers"
        )


def _charged(symbols: torch.Tensor) -> Flow[Symbols]:
    """Symbols that are paid for, as the antenna wants them."""
    return Flow(Symbols(symbols)).then(Symbols(symbols), Charge("semlink/air", "payload", symbols.shape[1]))


def _joined(values: list[Any], back: torch.Tensor) -> Any:
    """What the parts know, in the order of the batch; a list of the parts' where it is no tensor a symbol."""
    import torch

    if all(isinstance(value, torch.Tensor) and value.ndim == 2 for value in values):
        return torch.cat(values)[back]
    return values[0] if len(values) == 1 else values
