"""Our OFDM link beside Sionna's own over the same TDL-C draws: QAM and 5G LDPC.

    python benchmarks/ofdm_link.py [--csi perfect|ls] [--bits-per-symbol 2] [--slots 1000] [--snr-db 4 7 10]

Ours sends samples through a tapped delay line and takes the DFT; Sionna's
multiplies every resource element by the channel's frequency response. Both
use the same paths, pilots (symbols 2 and 11 of 14, every subcarrier), linear
interpolation, one-tap MMSE equaliser, demapper and decoder, so what is compared is the waveform, the noise and the
estimator. With LS estimates ours holds the first and last pilots where
Sionna's interpolator extrapolates, which is worth a little. Prints block error
rates and the SNR offset between the curves.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

import numpy as np
import torch

from semlink.flow import Flow
from semlink.payload import Symbols, part_of
from semlink.phy.channels.multipath_38901 import Tdl
from semlink.phy.channels.sionna_paths import draw_paths, path_seed, sionna_model
from semlink.phy.coding.transport_block import TransportBlock
from semlink.phy.qam import demap, map_bits
from semlink.phy.waveforms.ofdm import Ofdm
from semlink.seeds import Seeds

BATCH = 250


@dataclass(frozen=True)
class Codec:
    """One transport block a slot, used by both links."""

    num_data: int
    bits_per_symbol: int
    rate: float

    @property
    def block(self) -> TransportBlock:
        coded = self.num_data * self.bits_per_symbol
        return TransportBlock(int(coded * self.rate) // 8 * 8 - 24, coded, self.bits_per_symbol, self.rate)

    def send(self, seeds: Seeds) -> tuple[np.ndarray, torch.Tensor]:
        """Random bits (clip, k) and their symbols (clip, num_data)."""
        bits = (seeds.uniform("bits", self.block.num_bits) < 0.5).numpy().astype(np.uint8)
        return bits, torch.from_numpy(map_bits(self.block.encode(bits), self.bits_per_symbol))

    def errors(self, bits: np.ndarray, iq: torch.Tensor, noise_var: torch.Tensor) -> np.ndarray:
        """Which blocks came out wrong: bool (clip,)."""
        llr = demap(iq.numpy(), noise_var.numpy(), self.bits_per_symbol)
        return (self.block.decode(llr).bits != bits).any(-1)


def ours(codec: Codec, channel: Tdl, csi: str, snr_db: float, seeds: Seeds) -> np.ndarray:
    """Block errors of our link."""
    waveform = Ofdm(pilot_comb=1, estimator="genie" if csi == "perfect" else csi).designed_for(channel)
    bits, iq = codec.send(seeds)
    air = waveform.modulate(Flow(Symbols(iq)))
    received = part_of(waveform.demodulate(channel(air.payload.iq, snr_db, seeds), snr_db), 0, codec.num_data)
    return codec.errors(bits, received.iq, received.noise_var)


class SionnaLink:
    """Sionna's grid, channel in the frequency domain, LS estimator and equaliser."""

    def __init__(self, channel: Tdl) -> None:
        from sionna.phy.channel import ApplyOFDMChannel, subcarrier_frequencies
        from sionna.phy.mimo import StreamManagement
        from sionna.phy.ofdm import LMMSEEqualizer, LSChannelEstimator, ResourceGrid, ResourceGridMapper

        self.channel = channel
        self.grid = ResourceGrid(
            14, 128, 30e3, cyclic_prefix_length=9, pilot_pattern="kronecker",
            pilot_ofdm_symbol_indices=[2, 11], device="cpu",
        )  # fmt: skip
        self.mapper = ResourceGridMapper(self.grid, device="cpu")
        self.apply = ApplyOFDMChannel(device="cpu")
        self.estimate = LSChannelEstimator(self.grid, interpolation_type="lin", device="cpu")
        self.equalise = LMMSEEqualizer(self.grid, StreamManagement(np.array([[1]]), 1), device="cpu")
        self.frequencies = subcarrier_frequencies(128, 30e3, device="cpu")

    def response(self, seeds: Seeds) -> torch.Tensor:
        """Frequency response of our own draws: (clip, 1, 1, 1, 1, 14, 128)."""
        from sionna.phy.channel import cir_to_ofdm_channel

        c = self.channel
        model = sionna_model("tdl", c.profile, c.delay_spread_ns * 1e-9, c.carrier_ghz * 1e9, c.speed_kmh / 3.6)
        drawn = [draw_paths(model, path_seed(seeds, clip), 14, c.bandwidth_hz / 137) for clip in seeds.clips]
        gains = torch.stack([gains for gains, _ in drawn])[:, None, None, None, None].to(torch.complex64)
        delays = torch.stack([delays for _, delays in drawn])[:, None, None].float()
        return cir_to_ofdm_channel(self.frequencies, gains, delays)

    def errors(self, codec: Codec, csi: str, snr_db: float, seeds: Seeds) -> np.ndarray:
        """Block errors of Sionna's link."""
        noise_var = torch.tensor(10 ** (-snr_db / 10))
        bits, iq = codec.send(seeds)
        grid = self.mapper(iq[:, None, None])
        response = self.response(seeds)
        heard = self.apply(grid, response)
        heard = heard + seeds.complex_normal("sionna noise", *heard.shape[1:]) * noise_var.sqrt()
        gain, error = (response, torch.zeros(1)) if csi == "perfect" else self.estimate(heard, noise_var)
        symbols, left = self.equalise(heard, gain, error, noise_var)
        return codec.errors(bits, symbols[:, 0, 0], left[:, 0, 0])


def compare(
    codec: Codec, csi: str, slots: int, delay_spread_ns: float, snrs_db: list[float]
) -> tuple[list[float], list[float], float, float]:
    """Block error rates of ours and theirs, their offset in dB (ours needs more if positive), its standard error."""
    channel = Tdl("C", delay_spread_ns=delay_spread_ns, speed_kmh=3.0)
    theirs = SionnaLink(channel)
    table = np.zeros((2, len(snrs_db), slots), dtype=bool)
    for start in range(0, slots, BATCH):
        seeds = Seeds(1, tuple(range(start, min(start + BATCH, slots))))
        span = slice(start, start + len(seeds.clips))
        for column, snr_db in enumerate(snrs_db):
            table[0, column, span] = ours(codec, channel, csi, snr_db, seeds)
            table[1, column, span] = theirs.errors(codec, csi, snr_db, seeds)
    rates = table.mean(-1)
    logs = np.log(rates.clip(0.5 / slots))
    slope = np.polyfit(snrs_db, logs.mean(0), 1)[0]  # per dB, negative
    gap = table[0].mean(0) - table[1].mean(0)  # per slot
    middle = rates.mean()
    offset_db = -float(gap.mean()) / middle / slope
    error_db = float(gap.std()) / math.sqrt(slots) / middle / abs(slope)
    return list(rates[0]), list(rates[1]), offset_db, error_db


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bits-per-symbol", type=int, choices=[2, 4, 6], default=2)
    parser.add_argument("--rate", type=float, default=0.5)
    parser.add_argument("--csi", choices=["perfect", "ls"], default="ls")
    parser.add_argument("--slots", type=int, default=1000)
    parser.add_argument("--delay-spread-ns", type=float, default=100.0)
    parser.add_argument("--snr-db", type=float, nargs="+", default=[4.0, 7.0, 10.0])
    args = parser.parse_args()
    torch.set_num_threads(1)
    codec = Codec(12 * 128, args.bits_per_symbol, args.rate)
    us, them, offset_db, error_db = compare(codec, args.csi, args.slots, args.delay_spread_ns, args.snr_db)
    print(f"TDL-C {args.delay_spread_ns:g} ns, {2**args.bits_per_symbol}-QAM rate {args.rate:g}, {args.csi} CSI")
    for snr_db, mine, other in zip(args.snr_db, us, them):
        print(f"{snr_db:6.1f} dB   BLER ours {mine:.4f}   Sionna {other:.4f}")
    print(f"offset {offset_db:+.3f} dB (standard error {error_db:.3f})")


if __name__ == "__main__":
    main()
