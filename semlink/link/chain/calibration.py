"""Trying things out before the run, on noise that nobody is scored on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from zlib import crc32

import numpy as np
import torch

from semlink.blocks import CodingBase, is_interactive, is_one_way
from semlink.caching import Memo
from semlink.errors import Infeasible, InterfaceError, told_at
from semlink.link.chain.air import over_the_air, receive_alone
from semlink.link.chain.choice.mcs_search import best_choice
from semlink.link.chain.choice.repeats import best_by_model, best_by_trials
from semlink.link.chain.draws import SharedDraws
from semlink.link.chain.link import Link
from semlink.link.chain.transmission import FAINT
from semlink.link.chain.transmit import run_clip
from semlink.link.metrics.psnr_ssim import psnr_db
from semlink.payload import Agreement, Frames, Received, Terms
from semlink.phy.effective_snr import quantised, weakest_snr_db
from semlink.phy.waveforms.pilots import probe
from semlink.plain_data import to_bytes
from semlink.plugins import adapted
from semlink.seeds import Seeds

CLIPS_TRIED = 4
TRIALS_TRIED = 8
DRAWS = 128
"""Looks at the channel before the run."""
START_OUTAGE = 0.1
"""How often the first groups, of which nothing is known, may meet a weaker channel than they are sent for."""
FIRST_NOISE = 20000
"""Number of the trial in whose streams the first draw of the channel is taken."""
CLIPS_DAMAGED = 8
SENT_KEPT = 6 * CLIPS_DAMAGED
ENOUGH_LOST = 6
"""Transmissions that must fail before their share counts as known."""


def calibration_root(root: int) -> int:
    """A root seed whose streams are independent of those of the run."""
    sequence = np.random.SeedSequence(root, spawn_key=(crc32(b"rehearsal"),))
    return int(sequence.generate_state(1, np.uint64)[0])


@dataclass(frozen=True, slots=True)
class LinkCalibration:
    """Calibration with the scenario's own clips, channel and waveform at one SNR.

    Deliveries depend on the air alone (`where`), not on what is sent over it:
    `known` keeps them for all schemes, and what clips are worth for each (`whose`);
    `sent` keeps coded clips, which are damaged in many ways, and `draws` those of the channel, for all points.
    `doing` hears in a few words what it is at.
    """

    link: Link
    clips: Sequence[Frames]
    root: int
    snr_db: float
    known: Memo[float]
    where: tuple[int | None, ...] = ()
    whose: int | None = None
    sent: Memo[torch.Tensor] = field(default_factory=lambda: Memo(SENT_KEPT), repr=False)
    draws: SharedDraws = field(default_factory=SharedDraws, repr=False)
    doing: Callable[[str], None] = field(default=lambda said: None, repr=False)

    def quality(self, agreement: Agreement, delivery: float | None = None) -> float:
        """Mean PSNR in dB over a few clips and trials; -inf if infeasible.

        With `delivery`, every clip counts as whole, less what damage costs on
        average in that share of receptions: so it does not matter which clips
        chance damaged here. If none was, damage leaves mid-gray.
        """
        whole: list[float] = []
        every, losses, gray = [], [], []
        for number, clip in enumerate(self.clips[:CLIPS_TRIED]):
            pixels = clip.pixels[0].numpy()
            try:
                heard = [self._heard(clip, agreement, number, trial) for trial in range(TRIALS_TRIED)]
            except Infeasible:
                return float("-inf")
            every += [psnr for psnr, _ in heard]
            intact = [psnr for psnr, lost in heard if not lost]
            if intact:
                whole.append(float(np.mean(intact)))
                losses += [whole[-1] - psnr for psnr, lost in heard if lost]
                gray.append(whole[-1] - psnr_db(pixels, np.full_like(pixels, 0.5)))
        if delivery is None or len(whole) < len(self.clips[:CLIPS_TRIED]):
            return float(np.mean(every))
        return float(np.mean(whole) - (1 - delivery) * np.mean(losses or gray))

    def _heard(self, clip: Frames, agreement: Agreement, number: int, trial: int) -> tuple[float, bool]:
        """PSNR in dB of one reception, and whether any block of it was lost."""
        self.doing(f"trying: clip {number}, trial {trial}")
        with told_at(f"calibration, clip {number}, trial {trial}"):
            outcome = run_clip(self.link, clip, agreement, Seeds(self.root, (number,), trial))
        return psnr_db(clip.pixels[0].numpy(), outcome.frames.pixels[0].numpy()), bool(outcome.lost)

    def delivery(self, coding: CodingBase, uses: int, transmissions: int) -> float:
        """The share of transmissions of random bytes that arrive whole.

        It counts as known, and no more are sent, once enough of them failed.
        """
        fitted = adapted("coding", coding)
        key = (fitted, uses, self.snr_db, transmissions)
        return self.known.get((*self.where, *key), lambda: self._delivery(fitted, uses, transmissions))

    def best_coding(
        self,
        agreements: Mapping[str, Agreement],
        codings: Mapping[str, CodingBase],
        uses: int | None,
        *,
        analogue_shares: Mapping[str, float] | None = None,
    ) -> str:
        """From a model of the link; from trials of a few where a scheme with feedback does not say how it repeats."""
        codings = {name: adapted("coding", coding) for name, coding in codings.items()}
        if is_interactive(self.link.transmitter):
            assert uses is not None
            modelled = self._best_with_repeats(agreements, codings, uses)
            return modelled or best_by_trials(codings, uses, agreements, self)
        return best_choice(codings, uses, agreements, self, analogue_shares or {})

    def _best_with_repeats(
        self, agreements: Mapping[str, Agreement], codings: Mapping[str, CodingBase], uses: int
    ) -> str | None:
        """By the model, which knows what damage costs from the scheme's first burst alone; None where it is no use."""
        scheme, receiver = self.link.transmitter, self.link.receiver
        assert is_interactive(scheme) and is_interactive(receiver)
        any_of_them = next(iter(agreements.values()))
        frames, point = any_of_them.frames, any_of_them.point
        sent, heard = scheme.first_alone(frames, point), receiver.first_alone(frames, point)
        repeats = scheme.repeats(point)
        if sent is None or heard is None or repeats is None:
            return None
        first = point if point.budget_uses is None else replace(point, budget_uses=uses)
        once = {name: Agreement(frames, first, Terms(coding=name)) for name in agreements}
        link = Link(sent, heard, self.link.waveform, self.link.channel)
        return best_by_model(codings, uses, once, replace(self, link=link), repeats)

    def noise(self, uses: int, draws: range) -> np.ndarray:
        """What the receiver states in draws of these numbers, which are those of clips: float32 (draw, uses)."""
        self.doing(f"choosing: draw {draws.start} of the channel")
        seeds = Seeds(self.root, tuple(draws), FIRST_NOISE)
        return self.draws.received(self.link, uses, self.snr_db, seeds).noise_var.detach().cpu().numpy()

    def damaged(self, agreement: Agreement, lost: Sequence[tuple[float, float]]) -> float:
        """Mean PSNR in dB over up to `CLIPS_DAMAGED` clips; kept, since the air has no part in it."""
        agreement = replace(agreement, terms=agreement.terms.without_noise())
        key = ("damaged", self.whose, to_bytes(agreement), tuple(lost))
        return self.known.get(key, lambda: self._damaged(agreement, lost))

    def _damaged(self, agreement: Agreement, lost: Sequence[tuple[float, float]]) -> float:
        clips = self.clips[:CLIPS_DAMAGED]
        self.doing("choosing: damaging clips")
        try:
            return float(np.mean([self._left(clip, agreement, number, lost) for number, clip in enumerate(clips)]))
        except Infeasible:
            return float("-inf")

    def _left(self, clip: Frames, agreement: Agreement, number: int, lost: Sequence[tuple[float, float]]) -> float:
        """PSNR in dB of one clip of which parts never arrive."""
        transmitter, receiver = self.link.transmitter, self.link.receiver
        if not (is_one_way(transmitter) and is_one_way(receiver)):
            raise InterfaceError(
                f"{transmitter.name} talks in bursts; calibration.damaged takes schemes that send once"
            )
        iq = self.sent.get(
            (self.whose, to_bytes(agreement), number),
            lambda: transmitter.transmit(clip, agreement, Seeds(self.root, (number,), 0)).payload.iq,
        ).clone()
        noise_var = torch.full(iq.shape, FAINT)
        for first, last in lost:
            gone = slice(round(first * iq.shape[1]), round(last * iq.shape[1]))
            iq[:, gone], noise_var[:, gone] = 0, torch.inf
        delivered = receive_alone(receiver, Received(iq, noise_var), agreement)
        return psnr_db(clip.pixels[0].numpy(), delivered.frames.pixels[0].numpy())

    def starting_snr_db(self, uses: int, outage: float = START_OUTAGE) -> int:
        """The SNR that a burst of `uses` symbols on the scenario's channel falls short of with chance `outage`.

        Both ends know the mean SNR and the channel's law, and nothing else before
        the first report.
        """
        measured = sorted(self._measured(uses, draw) for draw in range(DRAWS))
        return quantised(measured[int(outage * DRAWS)])

    def _measured(self, uses: int, draw: int) -> float:
        seeds = Seeds(self.root, (0,), 5000 + draw)
        return weakest_snr_db(over_the_air(self.link, probe(uses), self.snr_db, seeds).received.noise_var)

    def _delivery(self, coding: CodingBase, uses: int, transmissions: int) -> float:
        lost = 0
        for sent in range(1, transmissions + 1):
            self.doing(f"choosing: transmission {sent}")
            lost += not self._arrives(coding, uses, Seeds(self.root, (0,), 1000 + sent))
            if lost == ENOUGH_LOST:
                return 1 - lost / sent
        return 1 - lost / transmissions

    def _arrives(self, coding: CodingBase, uses: int, seeds: Seeds) -> bool:
        random = seeds.numpy("link/rehearsal")
        flow = coding.send([random.bytes(size) for size in coding.block_sizes(uses)], uses)
        received = over_the_air(self.link, flow, self.snr_db, seeds).received
        return None not in coding.receive(replace(received, iq=received.iq.to(torch.complex64)))
