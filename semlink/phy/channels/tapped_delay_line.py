"""Echoes: a linear filter whose taps drift while the symbols pass.

    y[n] = sum_l g_l(n) x[n - l],   g_l(n) = sum_p a_p(n) c_p sinc(l - W tau_p)

W is the sample rate, which equals the bandwidth. The sinc is cut, and c_p gives each
path its whole power back: without it paths between two samples lose up to 0.07 dB.
Symbols before the first are silence. Path gains a_p are given at knots `stride` samples apart and joined by
straight lines.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from semlink.payload import ChannelOutput

if TYPE_CHECKING:
    import torch

PRECURSOR = 6  # taps kept on either side of the paths, where the sinc has fallen below 1/20


@dataclass(frozen=True, slots=True)
class Echoes(ChannelOutput):
    """What a delay line delivers; the true taps are for genie receivers only.

    Attributes:
        taps: complex (clip, lag, knot); lag 0 stands at `first_lag`.
        first_lag: delay of the first tap in samples, negative for a precursor.
        stride: samples between knots.
        bandwidth_hz: samples per second.
        max_delay_s: delay of the last path.
    """

    taps: torch.Tensor | None = None
    first_lag: int = 0
    stride: int = 1
    bandwidth_hz: float = 1.0
    max_delay_s: float = 0.0

    def after(self, start: int) -> Echoes:
        import torch

        # not super(): a dataclass with slots is another class than the one written here
        rest = ChannelOutput.after(self, start)
        assert isinstance(rest, Echoes)
        if start == 0 or self.taps is None:
            return rest
        stride = min(self.stride, 16)
        knots = start + stride * torch.arange(-(-(self.iq.shape[1] - start) // stride) + 1)
        return replace(rest, taps=self.taps_at(knots), stride=stride)

    def taps_at(self, samples: torch.Tensor) -> torch.Tensor:
        """The taps at given sample numbers (m,): complex (clip, lag, m)."""
        assert self.taps is not None
        samples = samples.to(self.taps.device)
        knot = samples.clamp(0, (self.taps.shape[-1] - 1) * self.stride - 1) // self.stride
        part = (samples - knot * self.stride) / self.stride
        return self.taps[..., knot] * (1 - part) + self.taps[..., knot + 1] * part


def taps_from_paths(gains: torch.Tensor, delays: torch.Tensor, last_delay: float) -> torch.Tensor:
    """Taps from -`PRECURSOR` on: gains (path, knot), delays (path,) in samples -> (lag, knot)."""
    return band_limited(delays, last_delay).to(gains.dtype) @ gains


def band_limited(delays: torch.Tensor, last_delay: float) -> torch.Tensor:
    """Unit paths as taps of power 1 from -`PRECURSOR` on: delays (path,) in samples -> (lag, path).

    Source: [tse2005, sec. 2.2.3].
    """
    import torch

    last_lag = int(-(-last_delay // 1)) + PRECURSOR
    lags = torch.arange(-PRECURSOR, last_lag + 1, dtype=delays.dtype)
    taps = torch.sinc(lags[:, None] - delays)
    return taps / taps.square().sum(0).sqrt()


def filter_with(iq: torch.Tensor, taps: torch.Tensor, first_lag: int, stride: int) -> torch.Tensor:
    """`iq` (clip, n) through taps (clip, lag, knot): as many samples out as in.

    Needs ceil(n / stride) + 1 knots.
    """
    import torch

    clips, num = iq.shape
    spans = -(-num // stride)
    last_lag = first_lag + taps.shape[1] - 1
    padded = torch.nn.functional.pad(iq, (max(last_lag, 0), spans * stride - num + max(-first_lag, 0)))
    here = torch.zeros(clips, spans, stride, dtype=iq.dtype, device=iq.device)
    drift = torch.zeros_like(here)
    for index in range(taps.shape[1]):
        start = max(last_lag, 0) - (first_lag + index)
        delayed = padded[:, start : start + spans * stride].reshape(clips, spans, stride)
        knots = taps[:, index, : spans + 1]
        here = here + knots[:, :-1, None] * delayed
        drift = drift + knots.diff(dim=1)[..., None] * delayed
    part = torch.arange(stride, device=iq.device, dtype=here.real.dtype) / stride
    return (here + part * drift).reshape(clips, -1)[:, :num]
