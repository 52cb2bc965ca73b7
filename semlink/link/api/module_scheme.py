"""A trained encoder and decoder as a scheme.

scheme = semlink.ModuleScheme(encoder, decoder, uses=1024)
scenario = semlink.load({..., "schemes": [{"name": "mine", "kind": scheme, "rates": [1]}]})
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from semlink.blocks import Calibration, OneWayBase
from semlink.errors import Infeasible, InterfaceError, ScenarioError
from semlink.flow import Flow
from semlink.ledger import Charge
from semlink.payload import Agreement, Frames, FrameShape, Point, Received, Symbols
from semlink.phy.power import unit_power
from semlink.seeds import Seeds

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["ModuleScheme"]


@dataclass(frozen=True)
class ModuleScheme(OneWayBase):
    """Two networks that map frames to channel symbols and back.

    Attributes:
        encoder: frames, float (1, t, h, w) in [0, 1], to numbers: complex with
            `uses` of them, or real with twice as many, in any shape. They are
            scaled to an average power of 1, and each complex one is charged.
        decoder: symbols to frames (1, t, h, w). It gets real numbers (1, 2 uses),
            each symbol's real and imaginary part side by side, as the encoder
            gives them flattened; complex (1, uses) with `complex_symbols`.
        uses: complex channel uses of a clip.
        with_snr: both networks also get the SNR in dB, float (1,), which is
            agreed on before the run.
        with_noise: the decoder also gets the noise variance that is left on
            each symbol, float (1, uses); symbols that did not arrive are 0
            with a variance of 1e9.
        complex_symbols: the decoder takes complex numbers.

    Both run in evaluation mode and without gradients.
    """

    encoder: nn.Module
    decoder: nn.Module
    uses: int
    with_snr: bool = False
    with_noise: bool = False
    complex_symbols: bool = False

    def __post_init__(self) -> None:
        if not (isinstance(self.uses, int) and self.uses > 0):
            raise ScenarioError(f"uses: got {self.uses!r}; need a whole number of channel uses > 0")
        for name, found in (("encoder", self.encoder), ("decoder", self.decoder)):
            if not isinstance(found, torch.nn.Module):
                raise InterfaceError(f"{name}: got a {type(found).__name__}; need a torch.nn.Module")
        self.encoder.eval()
        self.decoder.eval()

    def agree(self, frames: FrameShape, point: Point, calibration: Calibration) -> Agreement:
        """Nothing but the operating point.

        Raises:
            Infeasible: the budget is less than `uses`.
        """
        if point.budget_uses is not None and point.budget_uses < self.uses:
            raise Infeasible(f"the networks need {self.uses} channel uses, got {point.budget_uses}")
        return Agreement(frames, point)

    def transmit(self, frames: Frames, agreement: Agreement, seeds: Seeds) -> Flow[Symbols]:
        """The encoder's numbers as symbols of unit average power."""
        with torch.no_grad():
            found = self.encoder(frames.pixels, *self._snr(agreement))
        iq = unit_power(self._symbols(found))
        return Flow(Symbols(iq)).then(Symbols(iq), Charge("semlink/module", "payload", self.uses))

    def receive(self, received: Received, agreement: Agreement) -> Frames:
        """What the decoder makes of the symbols, within [0, 1].

        Raises:
            InterfaceError: it gives another shape than the clip's.
        """
        lost = received.noise_var.isinf()
        iq = received.iq.masked_fill(lost, 0).to(torch.complex64)
        noise = [received.noise_var.masked_fill(lost, LOST_NOISE)] if self.with_noise else []
        with torch.no_grad():
            numbers = iq if self.complex_symbols else torch.view_as_real(iq).flatten(1)
            pixels = self.decoder(numbers, *self._snr(agreement), *noise)
        want = (1, agreement.frames.t, agreement.frames.h, agreement.frames.w)
        if not isinstance(pixels, torch.Tensor) or tuple(pixels.shape) != want:
            got = tuple(pixels.shape) if isinstance(pixels, torch.Tensor) else type(pixels).__name__
            raise InterfaceError(f"the decoder gave {got}; need frames of shape {want}")
        return Frames(pixels.float().clamp(0, 1))

    def _symbols(self, found: Tensor) -> Tensor:
        """complex64 (1, uses)."""
        if not isinstance(found, torch.Tensor):
            raise InterfaceError(f"the encoder gave {type(found).__name__}; need a tensor")
        flat = found.reshape(1, -1)
        count = flat.shape[1] if flat.is_complex() else flat.shape[1] / 2
        if count != self.uses:
            raise InterfaceError(
                f"the encoder gave {tuple(found.shape)}, {count:g} channel uses; `uses` is {self.uses}"
            )
        if flat.is_complex():
            return flat.to(torch.complex64)
        return torch.view_as_complex(flat.float().reshape(1, self.uses, 2).contiguous())

    def _snr(self, agreement: Agreement) -> list[Tensor]:
        return [torch.tensor([agreement.point.snr_db])] if self.with_snr else []


LOST_NOISE = 1e9
"""Noise variance that stands for a symbol that did not arrive."""
