"""The whole coded OFDM link against Sionna's whole link over TDL-C: what SNR a block error rate of 0.1 takes.

    python benchmarks/ofdm_sionna.py [--bits-per-symbol 4] [--rate 0.5] [--slots 1000] [--snr-db 8 10 12 14]

A slot of 14 symbols of 128 subcarriers carries one block. Sionna's link is its
resource grid, its frequency-domain channel, its LS estimator with linear
interpolation (or perfect CSI), its LMMSE equaliser, demapper, LDPC encoder and
decoder (20 iterations of its default rule). Ours is bits to bits: transport
block with CRC, LDPC, QAM, samples with cyclic prefix through the delay line,
LS or LMMSE estimate from the same pilots, one-tap equaliser, demapper,
layered decoder. The code words have the same length and the same information
bits, CRC included; both links meet the same paths, slot by slot. Prints block
error rates, and the SNR at 0.1 by interpolation with a 95 % bootstrap
interval over the slots, of the difference too.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch
from ofdm_link import BATCH, Codec, SionnaLink

from semlink.flow import Flow
from semlink.payload import Symbols, part_of
from semlink.phy.channels.multipath_38901 import Tdl
from semlink.phy.coding.segmentation import segment
from semlink.phy.coding.transport_block import TransportBlock
from semlink.phy.qam import demap, map_bits
from semlink.phy.waveforms.ofdm import Ofdm
from semlink.seeds import Seeds

DATA = 12 * 128
TARGET = 0.1
RESAMPLED = 1000
PAIRS = (("semlink, genie", "Sionna, perfect CSI"), ("semlink, LS", "Sionna, LS"), ("semlink, LMMSE", "Sionna, LS"))


def our_block(bits_per_symbol: int, rate: float) -> TransportBlock:
    """The transport block whose information bits with CRC are `rate` of its coded bits."""
    coded = DATA * bits_per_symbol
    payload = int(coded * rate)
    while payload + segment(payload, rate).crc_bits > coded * rate:
        payload -= 1
    return TransportBlock(payload, coded, bits_per_symbol, rate)


def our_errors(block: TransportBlock, estimator: str, channel: Tdl, snr_db: float, seeds: Seeds) -> np.ndarray:
    """Which slots of our link came out wrong: bool (slot,)."""
    waveform = Ofdm(pilot_comb=1, estimator=estimator, design_doppler_hz=20.0)
    bits = (seeds.uniform("bits", block.num_bits) < 0.5).numpy().astype(np.uint8)
    iq = torch.from_numpy(map_bits(block.encode(bits), block.bits_per_symbol))
    air = waveform.modulate(Flow(Symbols(iq)))
    received = part_of(waveform.demodulate(channel(air.payload.iq, snr_db, seeds), snr_db), 0, DATA)
    llr = demap(received.iq.numpy().astype(np.complex64), received.noise_var.numpy(), block.bits_per_symbol)
    decoded = block.decode(llr)
    return ~decoded.ok | (decoded.bits != bits).any(axis=1)


def measured(errors: Callable[[float, Seeds], np.ndarray], snrs_db: list[float], slots: int) -> np.ndarray:
    """Errors of a link: bool (snr, slot)."""
    table = np.zeros((len(snrs_db), slots), dtype=bool)
    for start in range(0, slots, BATCH):
        seeds = Seeds(1, tuple(range(start, min(start + BATCH, slots))))
        for row, snr_db in enumerate(snrs_db):
            table[row, start : start + len(seeds.clips)] = errors(snr_db, seeds)
    return table


def snr_at_target(rates: np.ndarray, snrs_db: list[float]) -> float:
    """Where the block error rate crosses `TARGET`, its logarithm taken as a straight line between SNRs."""
    logs = np.log(np.maximum.accumulate(rates[::-1])[::-1].clip(1e-4))
    return float(np.interp(-np.log(TARGET), -logs, snrs_db))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bits-per-symbol", type=int, choices=[2, 4, 6], default=4)
    parser.add_argument("--rate", type=float, default=0.5)
    parser.add_argument("--slots", type=int, default=1000)
    parser.add_argument("--delay-spread-ns", type=float, default=100.0)
    parser.add_argument("--speed-kmh", type=float, default=3.0)
    parser.add_argument("--snr-db", type=float, nargs="+", default=[10.0, 12.0, 14.0, 16.0])
    args = parser.parse_args()
    torch.set_num_threads(1)
    channel = Tdl("C", delay_spread_ns=args.delay_spread_ns, speed_kmh=args.speed_kmh)
    block, codec = our_block(args.bits_per_symbol, args.rate), Codec(DATA, args.bits_per_symbol, args.rate)
    theirs = SionnaLink(channel)
    links: dict[str, Callable[[float, Seeds], np.ndarray]] = {
        "Sionna, perfect CSI": lambda snr_db, seeds: theirs.errors(codec, "perfect", snr_db, seeds),
        "semlink, genie": lambda snr_db, seeds: our_errors(block, "genie", channel, snr_db, seeds),
        "Sionna, LS": lambda snr_db, seeds: theirs.errors(codec, "ls", snr_db, seeds),
        "semlink, LS": lambda snr_db, seeds: our_errors(block, "ls", channel, snr_db, seeds),
        "semlink, LMMSE": lambda snr_db, seeds: our_errors(block, "lmmse", channel, snr_db, seeds),
    }
    tables = {name: measured(link, args.snr_db, args.slots) for name, link in links.items()}
    name = f"{2**args.bits_per_symbol}-QAM, rate {args.rate:g}"
    print(f"TDL-C {args.delay_spread_ns:g} ns, {args.speed_kmh:g} km/h, {name}, {args.slots} slots")
    report(tables, args.snr_db)


def report(tables: dict[str, np.ndarray], snrs_db: list[float]) -> None:
    """Print rates, SNRs at the target, and differences with their intervals."""
    slots = next(iter(tables.values())).shape[1]
    picks = np.random.default_rng(1).integers(0, slots, (RESAMPLED, slots))
    found = {name: snr_at_target(table.mean(1), snrs_db) for name, table in tables.items()}
    spread = {n: np.array([snr_at_target(t[:, p].mean(1), snrs_db) for p in picks]) for n, t in tables.items()}
    print(f"{'':20s} BLER at {', '.join(f'{snr:g}' for snr in snrs_db)} dB")
    for name, table in tables.items():
        rates = " ".join(f"{rate:.4f}" for rate in table.mean(1))
        low, high = np.percentile(spread[name], [2.5, 97.5])
        print(f"{name:20s} {rates}   {TARGET:g} at {found[name]:.2f} dB [{low:.2f}, {high:.2f}]")
    for mine, other in PAIRS:
        low, high = np.percentile(spread[mine] - spread[other], [2.5, 97.5])
        print(f"{mine} less {other}: {found[mine] - found[other]:+.2f} dB [{low:+.2f}, {high:+.2f}]")


if __name__ == "__main__":
    main()
