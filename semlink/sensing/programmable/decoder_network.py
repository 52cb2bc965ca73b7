"""Deep reconstruction: a fusion network and spectral-wise transformer stages.

The decoder sees the initial reconstruction and the ratio map, so one set of
weights serves every map it was trained with.

Source: [zhang2024crl, Sec. II-D; sizes from the public code].
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from semlink.errors import InterfaceError
from semlink.nn.attention import init_spectral
from semlink.nn.spectral_stage import SpectralStage, conv3
from semlink.sensing.programmable.ratio_map import action_index


class Reconstruction(nn.Module):
    """Initial reconstruction and map in, frames out; 447,966 parameters, with the mask 448,478.

    Args:
        num_frames: T, frames of a clip.
        width: channels of a stage, T as published; fewer is faster.
        stages: spectral stages, three as published.
        masked: also take the coded aperture.
        captures: initial reconstructions stacked along channels: 1, or 4 for
            the differentiable variant, which takes no map [zhang2024crl-supp, Sec. I-C].
        estimated: also take a classical estimate of the frames and start from it. This
            project's own: it puts the beginning of training where GAP-TV ends.
        norm_first: layer norm before the attention, as drawn; the public code has none.

    Shape: (b, captures T, h, w) to (b, T, h, w); h, w multiples of 4. The output is not clamped.
    """

    stride = SpectralStage.stride

    def __init__(
        self,
        num_frames: int = 16,
        width: int = 16,
        stages: int = 3,
        *,
        masked: bool = False,
        captures: int = 1,
        estimated: bool = False,
        norm_first: bool = False,
    ) -> None:
        super().__init__()
        self.num_frames, self.width, self.masked, self.captures = num_frames, width, masked, captures
        self.estimated = estimated
        inputs = (captures + masked + estimated) * num_frames + (captures == 1)
        self.fusion = nn.Sequential(
            nn.Conv2d(inputs, 2 * num_frames, 1), nn.GELU(), nn.Conv2d(2 * num_frames, num_frames, 1)
        )
        self.enter = conv3(num_frames, width)
        self.stages = nn.Sequential(*(SpectralStage(width, norm_first=norm_first) for _ in range(stages)))
        self.leave = conv3(width, num_frames)
        init_spectral(self)

    def forward(
        self,
        initial: torch.Tensor,
        counts: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        estimate: torch.Tensor | None = None,
    ) -> torch.Tensor:
        fused = self.fusion(self._stack(initial, counts, mask, estimate))
        entered = self.enter(fused)
        skip = entered if self.width == self.num_frames else fused
        return self.leave(self.stages(entered)) + skip

    @torch.no_grad()
    def start_at_initial(self) -> Reconstruction:
        """Set the first and last layers so that training starts at the initial reconstruction, or the estimate.

        Half of the fusion's hidden units carry the frames through the straight
        part of the GELU; the last layer starts at zero. This project's choice.
        """
        first: Any = self.fusion[0]
        last: Any = self.fusion[2]
        t = self.num_frames
        first.weight[:t] = 0
        own = self.captures * t + (self.captures == 1)
        carried = [own] if self.estimated else [capture * t for capture in range(self.captures)]
        for start in carried:
            first.weight[:t, start : start + t] += torch.eye(t)[..., None, None]
        first.bias[:t] = 3.0
        last.weight[:, :t] = torch.eye(t)[..., None, None]
        last.weight[:, t:] *= 0.1
        last.bias.fill_(-3.0)
        if self.width == t:
            self.enter.weight *= 0.1
            self.enter.weight[:, :, 1, 1] += torch.eye(t)
        self.leave.weight.zero_()
        return self

    def _stack(self, initial, counts, mask, estimate) -> torch.Tensor:
        parts = [initial]
        b, _, h, w = initial.shape
        if self.captures == 1:
            if counts is None:
                raise InterfaceError("reconstruction: no ratio map; allowed: counts (h, w) or (clip, h, w)")
            parts.append(action_index(counts).to(initial.dtype).expand(b, h, w).unsqueeze(1))
        if self.estimated:
            if estimate is None:
                raise InterfaceError("reconstruction: the network starts from a classical estimate, and got none")
            parts.append(estimate)
        if self.masked != (mask is not None):
            have = "an aperture" if mask is not None else "no aperture"
            want = "with one" if self.masked else "without"
            raise InterfaceError(f"reconstruction: got {have}, but the network was built {want}")
        if mask is not None:
            parts.append(mask.to(initial.dtype).expand(b, *mask.shape[-3:]))
        return torch.cat(parts, 1).contiguous(memory_format=torch.channels_last)


def decoder_sizes(net: Reconstruction) -> dict[str, Any]:
    """The arguments that build a network like `net`, for a card."""
    return {
        "num_frames": net.num_frames,
        "width": net.width,
        "stages": len(net.stages),
        "masked": net.masked,
        "estimated": net.estimated,
    }


@torch.no_grad()
def probe(net: Reconstruction) -> torch.Tensor:
    """The network's answer to a fixed wave under a fixed map: tells right weights from wrong ones."""
    inputs = net.captures * net.num_frames
    wave = 0.5 + 0.4 * torch.sin(0.37 * torch.arange(inputs * 32 * 32.0)).view(1, inputs, 32, 32)
    mask = (torch.cos(1.7 * torch.arange(net.num_frames * 32 * 32.0)) > 0).float() if net.masked else None
    counts = torch.tensor([[1, 2], [4, 0]]).repeat(16, 16) if net.captures == 1 else None
    estimate = wave[:, -net.num_frames :].roll(1, -1) if net.estimated else None
    return net(wave, counts, None if mask is None else mask.view(net.num_frames, 32, 32), estimate)
