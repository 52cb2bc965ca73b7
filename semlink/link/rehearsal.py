"""Trying things out before the run, on noise that nobody is scored on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
import torch

from semlink.blocks import Coding
from semlink.errors import Infeasible
from semlink.link.chain import Link, run_clip
from semlink.link.checks import check_heard
from semlink.link.score import psnr_db
from semlink.payload import Agreement, Frames
from semlink.seeds import Seeds

CLIPS_TRIED = 4
TRIALS_TRIED = 8
SENT_IN_ALL = 200
ENOUGH_LOST = 6
"""Transmissions that must fail before their share counts as known."""


def rehearsal_root(root: int) -> int:
    """A root seed whose streams are independent of those of the run."""
    sequence = np.random.SeedSequence(root, spawn_key=(crc32(b"rehearsal"),))
    return int(sequence.generate_state(1, np.uint64)[0])


@dataclass(frozen=True, slots=True)
class ClipRehearsal:
    """A rehearsal with the scenario's own clips, channel and waveform at one SNR."""

    link: Link
    clips: Sequence[Frames]
    root: int
    snr_db: float

    def quality(self, agreement: Agreement) -> float:
        """Mean PSNR in dB over a few clips and trials; -inf if infeasible."""
        values = []
        for number, clip in enumerate(self.clips[:CLIPS_TRIED]):
            for trial in range(TRIALS_TRIED):
                seeds = Seeds(self.root, (number,), trial)
                try:
                    outcome = run_clip(self.link, clip, agreement, seeds)
                except Infeasible:
                    return float("-inf")
                values.append(psnr_db(clip.pixels[0].numpy(), outcome.frames.pixels[0].numpy()))
        return float(np.mean(values))

    def delivery(self, coding: Coding, uses: int) -> float:
        """The share of transmissions of random bytes that arrive whole."""
        lost = 0
        for sent in range(1, SENT_IN_ALL + 1):
            lost += not self._arrives(coding, uses, Seeds(self.root, (0,), 1000 + sent))
            if lost == ENOUGH_LOST:
                return 1 - lost / sent
        return 1 - lost / SENT_IN_ALL

    def _arrives(self, coding: Coding, uses: int, seeds: Seeds) -> bool:
        random = seeds.numpy("link/rehearsal")
        flow = coding.send([random.bytes(room) for room in coding.rooms(uses)], uses)
        air = self.link.waveform.modulate(flow)
        heard = check_heard(self.link.channel(air.payload.iq, self.snr_db, seeds), air.payload.iq)
        received = self.link.waveform.demodulate(heard, self.snr_db)
        return None not in coding.receive(replace(received, iq=received.iq.to(torch.complex64)))
