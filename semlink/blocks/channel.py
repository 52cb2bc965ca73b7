"""Channels: symbols in, what the antenna picked up out."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Literal, Protocol

from semlink.blocks.block import NamedBlock
from semlink.payload import ChannelOutput
from semlink.seeds import Seeds

if TYPE_CHECKING:
    import numpy as np
    import torch

Coherence = int | Literal["symbol", "block"]
GainLaw = Literal["constant", "rayleigh"] | tuple[Literal["rician"], float]
NoiseLaw = Literal["gaussian", "other"] | tuple[Literal["impulsive"], float, float]


class Channel(Protocol):
    """Symbols in, what the antenna picked up out."""

    __slots__ = ()

    @abstractmethod
    def __call__(self, iq: torch.Tensor, snr_db: float, seeds: Seeds) -> torch.Tensor | ChannelOutput:
        """What becomes of `iq`, complex64 (clip, n) of average power 1.

        Noise has variance 10^(-snr_db / 10) per complex use. The answer is a tensor
        of the same shape, or a `ChannelOutput` that also names gain, noise or
        erasures. Chance comes from `seeds`, a row for each clip.
        """
        ...


class LossChain(Protocol):
    """Losses of a two-state chain that moves once a block of symbols."""

    @property
    def p_gb(self) -> float: ...

    @property
    def p_bg(self) -> float: ...

    @property
    def block(self) -> int: ...

    @property
    def loss_good(self) -> float: ...

    @property
    def loss_bad(self) -> float: ...

    @property
    def mean_loss(self) -> float | None: ...


class ChannelBase(NamedBlock, Channel):
    """Base of channels: the statistics that a channel may state, for pilots, bounds and `check-channel`.

    What is stated is long-term knowledge of both ends; `check-channel` examines it.

    Attributes:
        law: of the gain's size |h| with E|h|^2 = 1: "constant", "rayleigh", or ("rician", K); None: not stated.
        coherence: symbols with one gain: a number, "symbol", or "block" for all symbols of a clip; None: not stated.
        doppler: maximum Doppler shift times symbol time where the gain moves as Clarke's; None: it does not.
        doppler_hz: the same in Hz, where a channel of a stated bandwidth says it so.
        linewidth: 3 dB linewidth times symbol time where the phase walks; None: it does not.
        mean_loss: share of symbols that are lost; None: not stated.
        interference_var: E|i|^2 of what is added besides noise.
        noise_law: of the noise, whose mean power is as swept whatever its law: "gaussian"; ("impulsive", share, ratio)
            for Gaussian noise that is `ratio` times as strong on a `share` of the symbols; "other" for any other.
        linear: what arrives is the symbols times a gain or through a filter; False for an amplifier that saturates.
        bandwidth_hz: samples a second, where there are echoes; None: any.
        max_delay_s: delay of the last echo in seconds.
        delay_spread_s: root mean square of the delays; None: not stated.
    """

    __slots__ = ()
    law: GainLaw | None = None
    coherence: Coherence | None = None
    doppler: float | None = None
    doppler_hz: float | None = None
    linewidth: float | None = None
    mean_loss: float | None = None
    interference_var: float = 0.0
    noise_law: NoiseLaw = "gaussian"
    linear: bool = True
    bandwidth_hz: float | None = None
    max_delay_s: float = 0.0
    delay_spread_s: float | None = None

    def capacity(self, snr_db: float) -> float | None:
        """Bits a channel use at most, the receiver knowing the gain; None: it follows from `law`, or is not known."""
        return None

    def gain_powers(self, uses: int, draws: int) -> np.ndarray | None:
        """|h|^2 at some points of each of `draws` transmissions of `uses` symbols: (draw, point); None: see `law`."""
        return None

    def loss_chain(self) -> LossChain | None:
        """How losses follow each other; None where nothing is lost, or it is not known."""
        return None
