"""Trying things out before the run, on noise that nobody is scored on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
import torch

from semlink.blocks import Coding
from semlink.errors import Infeasible
from semlink.link.chain import Link, over_the_air, run_clip
from semlink.link.memo import Memo
from semlink.link.score import psnr_db
from semlink.payload import Agreement, Frames
from semlink.seeds import Seeds

CLIPS_TRIED = 4
TRIALS_TRIED = 8
ENOUGH_LOST = 6
"""Transmissions that must fail before their share counts as known."""


def rehearsal_root(root: int) -> int:
    """A root seed whose streams are independent of those of the run."""
    sequence = np.random.SeedSequence(root, spawn_key=(crc32(b"rehearsal"),))
    return int(sequence.generate_state(1, np.uint64)[0])


@dataclass(frozen=True, slots=True)
class ClipRehearsal:
    """A rehearsal with the scenario's own clips, channel and waveform at one SNR.

    Deliveries depend on the air alone (`where`), not on what is sent over it:
    `known` keeps them for all schemes.
    """

    link: Link
    clips: Sequence[Frames]
    root: int
    snr_db: float
    known: Memo[float]
    where: tuple[int | None, ...] = ()

    def quality(self, agreement: Agreement, delivery: float | None = None) -> float:
        """Mean PSNR in dB over a few clips and trials; -inf if infeasible.

        With `delivery`, whole and damaged receptions are weighted by it; if
        none was damaged here, a damaged one counts as mid-gray.
        """
        whole, damaged, gray = [], [], []
        for number, clip in enumerate(self.clips[:CLIPS_TRIED]):
            pixels = clip.pixels[0].numpy()
            gray.append(psnr_db(pixels, np.full_like(pixels, 0.5)))
            for trial in range(TRIALS_TRIED):
                try:
                    outcome = run_clip(self.link, clip, agreement, Seeds(self.root, (number,), trial))
                except Infeasible:
                    return float("-inf")
                kind = damaged if outcome.lost else whole
                kind.append(psnr_db(pixels, outcome.frames.pixels[0].numpy()))
        if delivery is None or not whole:
            return float(np.mean(whole + damaged))
        return float(delivery * np.mean(whole) + (1 - delivery) * np.mean(damaged or gray))

    def delivery(self, coding: Coding, uses: int, transmissions: int) -> float:
        """The share of transmissions of random bytes that arrive whole.

        It counts as known, and no more are sent, once enough of them failed.
        """
        key = (coding, uses, self.snr_db, transmissions)
        return self.known.get((*self.where, *key), lambda: self._delivery(coding, uses, transmissions))

    def _delivery(self, coding: Coding, uses: int, transmissions: int) -> float:
        lost = 0
        for sent in range(1, transmissions + 1):
            lost += not self._arrives(coding, uses, Seeds(self.root, (0,), 1000 + sent))
            if lost == ENOUGH_LOST:
                return 1 - lost / sent
        return 1 - lost / transmissions

    def _arrives(self, coding: Coding, uses: int, seeds: Seeds) -> bool:
        random = seeds.numpy("link/rehearsal")
        flow = coding.send([random.bytes(room) for room in coding.rooms(uses)], uses)
        received = over_the_air(self.link, flow, self.snr_db, seeds)[1]
        return None not in coding.receive(replace(received, iq=received.iq.to(torch.complex64)))
