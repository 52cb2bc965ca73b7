"""A model on the bench: its two ends over white noise, and clips to send."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from semlink.caching import Memo
from semlink.link.chain.calibration import LinkCalibration
from semlink.link.chain.link import Link, Outcome
from semlink.link.chain.transmit import run_clip
from semlink.link.metrics.psnr_ssim import psnr_db
from semlink.link.schemes.model.network import Network
from semlink.link.schemes.model.scheme import ModelScheme, ModelTerms
from semlink.link.schemes.model.spec import ModelSpec
from semlink.payload import Agreement, Frames, Point, Received, copy_of
from semlink.phy.channels.awgn import Awgn
from semlink.phy.waveforms.plain import Plain
from semlink.plugins.files import source_file
from semlink.plugins.source_text import text_of
from semlink.seeds import Seeds
from semlink.spec import BuildContext

__all__ = ["Probe"]


@dataclass
class Probe:
    """A model between its ends.

    Attributes:
        clips: several of one shape.
        snr_db: where it is looked at, in rising order.
        budget, rate: its operating point, one of them.
    """

    spec: ModelSpec
    context: BuildContext
    clips: list[Frames]
    snr_db: tuple[float, ...]
    budget: int | None
    rate: float | None
    seed: int = 1
    agreed: dict[float, Agreement[ModelTerms]] = field(default_factory=dict)

    @cached_property
    def link(self) -> Link:
        return Link(self.spec.build(self.context), self.spec.build(self.context), Plain(), Awgn())

    @property
    def sender(self) -> ModelScheme:
        assert isinstance(self.link.transmitter, ModelScheme)
        return self.link.transmitter

    @property
    def receiver(self) -> ModelScheme:
        assert isinstance(self.link.receiver, ModelScheme)
        return self.link.receiver

    @property
    def middle_db(self) -> float:
        return self.snr_db[len(self.snr_db) // 2]

    def agreement(self, snr_db: float | None = None) -> Agreement[ModelTerms]:
        """What is agreed on at an SNR."""
        snr_db = self.middle_db if snr_db is None else snr_db
        if snr_db not in self.agreed:
            point = Point(snr_db, self.budget, self.rate)
            calibration = LinkCalibration(self.link, (), self.seed, snr_db, Memo(8))
            self.agreed[snr_db] = self.sender.agree(self.clips[0].shape, point, calibration)  # type: ignore[arg-type]
        return self.agreed[snr_db]

    def send(self, clip: int, snr_db: float | None = None, **how: Any) -> Outcome:
        """One clip over the air."""
        return run_clip(self.link, self.clips[clip], self.agreement(snr_db), Seeds(self.seed, (clip,)), **how)

    def quality(self, snr_db: float, told_more_db: float = 0.0) -> float:
        """Mean PSNR over the clips where both networks are told an SNR that is off by so much."""
        agreed, link = self.agreement(snr_db), self.link
        if told_more_db:
            ends = [self._told(end, told_more_db) for end in (self.sender, self.receiver)]
            link = replace(link, transmitter=ends[0], receiver=ends[1])
        values = [self._psnr(link, agreed, number) for number in range(len(self.clips))]
        return float(np.mean(values))

    def _psnr(self, link: Link, agreed: Agreement[ModelTerms], number: int) -> float:
        clip = self.clips[number]
        found = run_clip(link, clip, agreed, Seeds(self.seed, (number,)))
        return psnr_db(clip.pixels[0].numpy(), found.frames.pixels[0].numpy())

    def _told(self, end: ModelScheme, more_db: float) -> ModelScheme:
        """An end whose networks, the very same, are told another SNR."""
        return replace(end, form=replace(end.form, snr_offset_db=end.form.snr_offset_db + more_db))

    def encoded(self, clip: Frames, sender: ModelScheme | None = None) -> torch.Tensor:
        """The encoder's own numbers (item, ...), before anything is scaled."""
        return (sender or self.sender).numbers_of(copy_of(clip), self.agreement())[0]

    def heard(self, clip: Frames, *, lost: bool = False) -> tuple[Received, torch.Tensor | None]:
        """What arrives of the encoder's symbols without noise, or nothing of them, and the side information."""
        agreed, sender = self.agreement(), self.sender
        iq = sender.transmit(copy_of(clip), agreed, Seeds(self.seed)).payload.iq[:, -agreed.terms.symbols :]
        noise_var = torch.full(iq.shape, math.inf if lost else 1e-3)
        side = sender.numbers_of(copy_of(clip), agreed)[1]
        return Received(iq, noise_var), side

    def decoded(self, clip: Frames, *, lost: bool = False) -> torch.Tensor:
        """The decoder's pixels, not yet kept within [0, 1]."""
        received, side = self.heard(clip, lost=lost)
        return self.receiver.decoded(received, side, self.agreement())

    def networks(self) -> list[Network]:
        return [self.sender.encoder, self.receiver.decoder]

    def files(self) -> frozenset[Path]:
        """The user's files that the networks' classes rest on."""
        own = [source_file(network.maker) for network in self.networks() if network.maker is not None]
        return frozenset(path for file in own if file is not None for path in text_of(file).files.values())
