"""The thresholds of `semlink/link/schemes/coded_header.py`: where one header in a thousand is lost in white noise.

    python benchmarks/side_path.py [--blocks 6000] [--bytes 4 16 64 256]

For each modulation and rate and each length it walks up in steps of half a
decibel from the SNR whose capacity is the rate, until at most one block in a
thousand fails. One core takes two minutes.
"""

from __future__ import annotations

import argparse
from math import floor

from semlink.link.schemes.coded_header import _SIZES, _THRESHOLDS_DB
from semlink.phy.coding.ldpc_coding import LdpcCoding
from semlink.phy.coding.snr_thresholds import block_error_rate
from semlink.units import to_db

TARGET_BLER = 1e-3


def threshold_db(coding: LdpcCoding, num_bytes: int, blocks: int) -> float:
    """The lowest Es/N0 in half decibels with at most one lost block in a thousand."""
    uses = coding.uses_for(num_bytes)
    snr_db = floor(2 * to_db(2 ** (8 * num_bytes / uses) - 1)) / 2
    while block_error_rate(coding, uses, snr_db, blocks) > TARGET_BLER:
        snr_db += 0.5
    return snr_db


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=6000)
    parser.add_argument("--bytes", type=int, nargs="+", default=_SIZES)
    options = parser.parse_args()
    print("bits/symbol  rate   " + "".join(f"{size:>8} B" for size in options.bytes))
    for order, rate, _ in _THRESHOLDS_DB:
        found = [threshold_db(LdpcCoding(order, rate / 1024), size, options.blocks) for size in options.bytes]
        print(f"{order:11}  {rate:4}   " + "".join(f"{value:10.1f}" for value in found), flush=True)


if __name__ == "__main__":
    main()
