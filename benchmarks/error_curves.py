"""Measures the error curves that come with the package: semlink/phy/error_curves/ldpc.csv.

    python benchmarks/error_curves.py          # resumes where it stopped; some minutes on one core

Every modulation with every rate that `mcs: best` tries and that can be worth it,
at the lengths of `LENGTHS`, with the decoder's default options. Delete the file
to measure it anew, as after a change of decoder or demapper.
"""

from __future__ import annotations

import numpy as np

from semlink.phy.coding.ldpc_coding import LdpcCoding
from semlink.phy.coding.mcs_tables import mcs_pairs
from semlink.phy.error_curves.measured import ROOT, Lose, expected, measured, noisy
from semlink.phy.error_curves.shipped import LENGTHS, PATH, symbols_of, worth_it
from semlink.phy.error_curves.waterfall import Count
from semlink.phy.qam import demap, map_bits
from semlink.seeds import Seeds
from semlink.units import noise_var_from_snr

HEADER = "bits_per_symbol,rate,info_bits,middle_db,width_db"


def main() -> None:
    """Append the curves that are missing."""
    lines = PATH.read_text().splitlines() if PATH.exists() else [HEADER]
    known = {line.rsplit(",", 2)[0] for line in lines}
    PATH.write_text("\n".join(lines) + "\n")
    for info_bits in LENGTHS:
        for order, rate in mcs_pairs(None, every_rate=True):
            name = f"{order},{rate * 1024:.4g},{info_bits}"
            if name in known or not worth_it(order, rate):
                continue
            symbols = symbols_of(info_bits, order, rate)
            curve = measured(block_losses(LdpcCoding(order, rate), symbols), expected(order, rate, symbols))
            with PATH.open("a") as out:
                out.write(f"{name},{curve.middle_db:.3f},{curve.width_db:.4f}\n")
            print(name, f"{curve.middle_db:.3f} {curve.width_db:.4f}", flush=True)


def block_losses(coding: LdpcCoding, symbols: int) -> Lose:
    """Counts of single transport blocks of `symbols` channel uses, many side by side."""
    room = coding.block_size_of(symbols)
    code = coding.code_for(room, symbols)

    def lose(snr_db: float, blocks: int, number: int) -> Count:
        seeds = Seeds(ROOT, (0,), number)
        data = np.frombuffer(seeds.numpy("error_curves/data").bytes(blocks * room), np.uint8)
        iq = map_bits(code.encode(np.unpackbits(data.reshape(blocks, room), axis=1)), coding.bits_per_symbol)
        noise_var = noise_var_from_snr(snr_db)
        _, good = code.decide(demap(noisy(iq, noise_var, seeds), noise_var, coding.bits_per_symbol))
        return Count(snr_db, int(blocks - good.sum()), blocks)

    return lose


if __name__ == "__main__":
    main()
