"""What each stage of one transmission cost: the same clip with one stage made ideal at a time.

The receiver stays what it is and the agreement stays as it was; what changes is said by each entry. Stages do not
add up: without noise on the air, say, another block may carry what was lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from semlink.blocks import ChannelBase, SymbolPart, is_one_way
from semlink.blocks.scheme import Camera
from semlink.errors import SemlinkError
from semlink.link.chain.air import receive_alone
from semlink.link.chain.link import Link
from semlink.link.chain.transmission import FAINT, Transmission, as_sent, parts_of
from semlink.link.chain.transmit import run_clip
from semlink.link.metrics.psnr_ssim import psnr_db
from semlink.payload import Agreement, ChannelOutput, Frames, Received, copy_of
from semlink.phy.waveforms.plain import Plain
from semlink.seeds import Seeds

__all__ = ["Ideal", "blamed"]


@dataclass(frozen=True, slots=True)
class Ideal:
    """One stage made ideal.

    Attributes:
        stage: such as `no noise on the air`.
        psnr_db: of the clip then; None where it cannot be told.
        why: what it means here, or why it cannot be told.
    """

    stage: str
    psnr_db: float | None
    why: str = ""


class QuietSeeds(Seeds):
    """Streams whose normal draws are all zero: a sensor without noise, whatever sensor it is."""

    __slots__ = ()

    def normal(self, name: str, *shape: int) -> torch.Tensor:
        return torch.zeros(len(self.clips), *shape)


@dataclass(frozen=True, slots=True)
class Fixed(ChannelBase):
    """A channel that draws from these seeds, whatever it is given."""

    channel: ChannelBase
    seeds: Seeds
    name = "fixed"

    def __call__(self, iq: torch.Tensor, snr_db: float, seeds: Seeds) -> torch.Tensor | ChannelOutput:
        return self.channel(iq, snr_db, self.seeds)


@dataclass(frozen=True, slots=True)
class Perfect(ChannelBase):
    """What is sent arrives."""

    law = "constant"
    name = "perfect"

    def __call__(self, iq: torch.Tensor, snr_db: float, seeds: Seeds) -> ChannelOutput:
        return ChannelOutput(iq, noise_var=FAINT)


def blamed(
    link: Link, clip: Frames, agreement: Agreement, seeds: Seeds, budget: int | None, seen: Transmission | None
) -> Iterator[Ideal]:
    """One stage after the other made ideal.

    Args:
        seen: the transmission as it was; None where nothing met the air.
    """
    source = clip.pixels[0].numpy()

    def told(stage: str, why: str, made: Callable[[], Frames]) -> Ideal:
        try:
            return Ideal(stage, psnr_db(source, made().pixels[0].numpy()), why)
        except SemlinkError as fault:
            return Ideal(stage, None, f"cannot be told: {fault}")

    camera = link.transmitter.camera_at(agreement.point.rate)
    if camera is not None:
        quiet = QuietSeeds(seeds.root, seeds.clips, seeds.trial)
        still = replace(link, channel=Fixed(link.channel, seeds))
        yield told(
            "no noise in the sensor",
            "draws of a normal law are zero",
            lambda: run_clip(still, clip, agreement, quiet, budget=budget).frames,
        )
    if seen is not None:
        yield told(
            "no channel", _what_no_channel_is(link), lambda: _without_channel(link, clip, agreement, seeds, seen)
        )
        coded = _coded(link, seen)
        if coded is not None and not coded.all():
            why = "what is coded arrives, amplitudes as they were received"
            yield told("all blocks delivered", why, lambda: _all_delivered(link, seen, coded))
    unquantised = None if link.is_sensing else link.transmitter.unquantised(copy_of(clip), agreement, seeds)
    if unquantised is None and seen is not None and _all_bits(link, seen):
        yield Ideal("no quantisation", None, "cannot be told: the codec has no form that rounds nothing")
    elif unquantised is not None:
        level = psnr_db(source, unquantised.pixels[0].numpy())
        yield Ideal(
            "no quantisation", level, "a codec without loss, all of it delivered: what it takes in, 8 bits a pixel"
        )
    if camera is not None:
        why = "what the reconstruction makes of the readings, which nobody codes or sends"
        yield told("no coding and no channel", why, lambda: _seen_by(camera, clip, seeds))
    elif not link.is_sensing:
        yield Ideal("no coding and no channel", psnr_db(source, source), "the source itself")


def _seen_by(camera: Camera, clip: Frames, seeds: Seeds) -> Frames:
    return camera.reconstructor.reconstruct(camera.sensor.measure(copy_of(clip), seeds))


def _what_no_channel_is(link: Link) -> str:
    if is_one_way(link.transmitter):
        return "what was sent arrives: all blocks, no noise"
    return "what is sent arrives; what the receiver answers, and so what follows, may be something else"


def _without_channel(link: Link, clip: Frames, agreement: Agreement, seeds: Seeds, seen: Transmission) -> Frames:
    receiver = link.receiver
    if is_one_way(receiver):
        return receive_alone(receiver, as_sent(seen.bursts[0]), agreement).frames
    ideal = replace(link, channel=Perfect(), waveform=Plain())
    return run_clip(ideal, clip, agreement, seeds).frames


def _coded(link: Link, seen: Transmission) -> np.ndarray | None:
    """Which data symbols carry bits; None where nobody says, or the scheme sends in several bursts."""
    if not is_one_way(link.transmitter):
        return None
    (parts,) = parts_of(link.transmitter, seen)
    coded = np.concatenate([np.full(part.symbols, _carries_bits(part)) for part in parts])
    return coded if coded.any() else None


def _all_bits(link: Link, seen: Transmission) -> bool:
    return all(_carries_bits(part) for burst in parts_of(link.transmitter, seen) for part in burst)


def _carries_bits(part: SymbolPart) -> bool:
    return part.soft_bits is not None or bool(part.blocks)


def _all_delivered(link: Link, seen: Transmission, coded: np.ndarray) -> Frames:
    receiver, (burst,), there = link.receiver, seen.bursts, torch.from_numpy(coded)[None]
    assert is_one_way(receiver)
    clean, noise_var = as_sent(burst), burst.received.noise_var.expand(burst.received.iq.shape)
    mixed = Received(
        torch.where(there, clean.iq.to(burst.received.iq), burst.received.iq),
        torch.where(there, clean.noise_var.to(noise_var), noise_var),
        dict(burst.received.genie),
    )
    return receive_alone(receiver, mixed, seen.agreement).frames
