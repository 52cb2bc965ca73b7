"""LDPC decoders beside Sionna's, on one core: information bits per CPU second, ratios, block error rates.

    python benchmarks/ldpc.py decode [--core 0] [--blocks 4000] [--sionna-blocks 320]
    python benchmarks/ldpc.py chain  [--core 0] [--blocks 2000] [--sionna-blocks 64]

16-QAM over white noise, at most 20 iterations each. `decode` gives every
decoder the same LLRs: Sionna's is sum-product with flooding in batches of 16
(its best on a processor), ours are layered box-plus with early stop; `steps` is
int8 with LLRs that the demapper left in int8, as links have them. `chain`
runs payload bits to payload bits: CRC, encoder, mapper, noise, demapper,
decoder, CRC. Speeds are the best of repeated runs after a warm-up, for Sionna as
for us: other work on the machine slows Sionna's large arrays more than our small
ones, and should not count.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from semlink.phy.coding.rate_matching import sent_positions
from semlink.phy.coding.transport_block import TransportBlock
from semlink.phy.ldpc.code import LdpcCode
from semlink.phy.ldpc.decoder import INT8_SCALE, Backend, decode_blocks
from semlink.phy.ldpc.encoder import encode
from semlink.phy.qam import Places, demap, demap_to_steps, map_bits
from semlink.units import noise_var_from_snr

ORDER = 4
BATCH, CHAIN_BATCH = 500, 64  # a chain keeps everything of a batch near the processor
SIONNA_BATCH = 16
POINTS = ((2048, 3072, (9.00, 9.15, 9.30, 10.50)), (4096, 8192, (6.15, 6.30, 6.45)))
OURS: tuple[Backend, ...] = ("int8", "float32", "auto")
TARGETS = {(2048, "int8"): 600, (2048, "float32"): 250, (4096, "int8"): 600}


@dataclass(frozen=True, slots=True)
class Run:
    """One decoder at one point."""

    name: str
    blocks: int
    errors: int
    megabits: float
    iterations: float

    @property
    def bler(self) -> str:
        """Block error rate with its 95 % interval (Wilson)."""
        p, n, z = self.errors / self.blocks, self.blocks, 1.96
        middle, half = p + z * z / (2 * n), z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
        low, high = ((middle + s * half) / (1 + z * z / n) for s in (-1, 1))
        return f"{p:.5f} [{max(low, 0):.5f}, {high:.5f}]"


def noisy(symbols: np.ndarray, noise_var: float, rng: np.random.Generator) -> np.ndarray:
    """Symbols with circular Gaussian noise."""
    pairs = rng.standard_normal((*symbols.shape, 2), dtype=np.float32)
    pairs *= np.float32((noise_var / 2) ** 0.5)
    noise = pairs.view(np.complex64)[..., 0]
    noise += symbols
    return noise


@dataclass(frozen=True, slots=True)
class Link:
    """Coded blocks over white noise."""

    code: LdpcCode
    num_sent: int
    snr_db: float

    @property
    def positions(self) -> np.ndarray:
        return sent_positions(self.code, self.num_sent, ORDER, 0)

    @property
    def width(self) -> int:
        return int(self.positions.max()) + 1

    def batch(self, num: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Information bits (num, k) and what is heard of the sent ones (num, n / bits a symbol)."""
        bits = rng.integers(0, 2, (num, self.code.info_bits), np.uint8)
        sent = encode(self.code, bits, self.width)[:, self.positions]
        return bits, noisy(map_bits(sent, ORDER), noise_var_from_snr(self.snr_db), rng)

    def llr(self, heard: np.ndarray) -> np.ndarray:
        return demap(heard, noise_var_from_snr(self.snr_db), ORDER)

    def buffers(self, heard: np.ndarray) -> np.ndarray:
        out = np.zeros((len(heard), self.width), np.float32)
        out[:, self.positions] = self.llr(heard)
        return out

    def steps(self, heard: np.ndarray) -> np.ndarray:
        """The same in int8."""
        positions = np.ascontiguousarray(self.positions.reshape(-1, ORDER).T)
        first = np.array([0, positions.shape[1]])
        places = Places(first, positions, np.zeros(positions.shape, np.int8), self.width)
        return demap_to_steps(heard, noise_var_from_snr(self.snr_db), places, INT8_SCALE, "exact")[:, 0]


def measure(
    name: str,
    link: Link,
    given: Callable[[np.ndarray], np.ndarray],
    decode: Callable[[np.ndarray], tuple[np.ndarray, float]],
    blocks: int,
    batch: int,
) -> Run:
    """Decode `blocks` fresh blocks; the speed is that of the fastest batch."""
    rng = np.random.default_rng(1)
    decode(given(link.batch(batch, rng)[1]))
    speeds, errors, iterations, done = [], 0, [], 0
    while done < blocks:
        bits, heard = link.batch(batch, rng)
        llr = given(heard)
        start = time.thread_time()
        hard, used = decode(llr)
        speeds.append(bits.size / (time.thread_time() - start) / 1e6)
        errors += int((hard != bits).any(axis=1).sum())
        iterations.append(used)
        done += batch
    return Run(name, done, errors, max(speeds), statistics.mean(iterations))


def our_decoder(code: LdpcCode, backend: Backend) -> Callable[[np.ndarray], tuple[np.ndarray, float]]:
    def decode(buffers: np.ndarray) -> tuple[np.ndarray, float]:
        words = decode_blocks(code, buffers, backend=backend)
        return words.hard, float(words.used.mean())

    return decode


def sionna_decoder(k: int, n: int) -> Callable[[np.ndarray], tuple[np.ndarray, float]]:
    import torch
    from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder

    decoder = LDPC5GDecoder(LDPC5GEncoder(k, n, num_bits_per_symbol=ORDER), num_iter=20)

    def decode(llr: np.ndarray) -> tuple[np.ndarray, float]:
        with torch.no_grad():
            return decoder(torch.from_numpy(-llr)).numpy().astype(np.uint8), 20.0

    return decode


def decode_table(blocks: int, sionna_blocks: int) -> None:
    """Every decoder at every point."""
    for k, n, snrs_db in POINTS:
        code = LdpcCode(2 if k <= 3824 and k / n <= 0.67 else 1, k)
        theirs = sionna_decoder(k, n) if sionna_blocks else None
        for snr_db in snrs_db:
            link = Link(code, n, snr_db)
            runs = [measure("sionna", link, link.llr, theirs, sionna_blocks, SIONNA_BATCH)] if sionna_blocks else []
            runs.append(measure("steps", link, link.steps, our_decoder(code, "int8"), blocks, BATCH))
            runs += [measure(b, link, link.buffers, our_decoder(code, b), blocks, BATCH) for b in OURS]
            print(f"\nk={k} n={n} base graph {code.graph} Z={code.z}, Es/N0 {snr_db:.2f} dB")
            show(runs, k)


def show(runs: list[Run], k: int) -> None:
    print(f"{'decoder':>8} {'Mb/s':>9} {'ratio':>7} {'target':>7} {'iterations':>10}  BLER [95 % interval], blocks")
    for run in runs:
        ratio, target = run.megabits / runs[0].megabits, TARGETS.get((k, run.name), "")
        speed = f"{run.name:>8} {run.megabits:9.3f} {ratio:7.0f} {target!s:>7} {run.iterations:10.2f}"
        print(f"{speed}  {run.bler}, {run.blocks}")


def our_chain(block: TransportBlock, snr_db: float, num: int) -> Callable[[], int]:
    rng = np.random.Generator(np.random.Philox(1))
    noise_var = noise_var_from_snr(snr_db)

    def run() -> int:
        data = np.frombuffer(rng.bytes(num * block.num_bits // 8), np.uint8)
        received = noisy(block.encode_symbols(np.unpackbits(data).reshape(num, -1)), noise_var, rng)
        decoded = block.decode_symbols(received, noise_var)
        return int((~decoded.ok).sum())

    return run


def sionna_chain(block: TransportBlock, snr_db: float, num: int) -> Callable[[], int]:
    import torch
    from sionna.phy.channel import AWGN
    from sionna.phy.mapping import BinarySource, Demapper, Mapper
    from sionna.phy.nr import TBDecoder, TBEncoder

    encoder = TBEncoder(block.num_bits, block.num_coded, block.code_rate, ORDER)
    decoder = TBDecoder(encoder, num_bp_iter=20)
    source, mapper, demapper, channel = BinarySource(), Mapper("qam", ORDER), Demapper("app", "qam", ORDER), AWGN()
    noise_var = torch.tensor(noise_var_from_snr(snr_db))

    def run() -> int:
        with torch.no_grad():
            received = channel(mapper(encoder(source([num, block.num_bits]))), noise_var)
            _, ok = decoder(demapper(received, noise_var))
        return int((~ok).sum())

    return run


def chain_table(blocks: int, sionna_blocks: int) -> None:
    """Payload bits to payload bits, ours and Sionna's."""
    for num_bits, num_coded, snr_db in ((2024, 3072, 9.15), (2024, 3072, 10.50), (4032, 8192, 6.30)):
        block = TransportBlock(num_bits, num_coded, ORDER, num_bits / num_coded)
        runs = [time_chain("ours", our_chain(block, snr_db, CHAIN_BATCH), num_bits, CHAIN_BATCH, blocks)]
        if sionna_blocks:
            theirs = sionna_chain(block, snr_db, SIONNA_BATCH)
            runs.insert(0, time_chain("sionna", theirs, num_bits, SIONNA_BATCH, sionna_blocks))
        print(f"\nchain of {num_bits} payload bits in {num_coded} coded bits, Es/N0 {snr_db:.2f} dB")
        show(runs, 0)


def time_chain(name: str, run: Callable[[], int], num_bits: int, batch: int, blocks: int) -> Run:
    run()
    speeds, errors, done = [], 0, 0
    while done < blocks:
        start = time.thread_time()
        errors += run()
        speeds.append(batch * num_bits / (time.thread_time() - start) / 1e6)
        done += batch
    return Run(name, done, errors, max(speeds), float("nan"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("decode", "chain", "all"), nargs="?", default="all")
    parser.add_argument("--core", type=int, help="pin the process to this core")
    parser.add_argument("--blocks", type=int, default=4000, help="blocks for our decoders")
    parser.add_argument("--sionna-blocks", type=int, default=320, help="blocks for Sionna's decoder; 0: without it")
    options = parser.parse_args()
    if options.core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {options.core})
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    if options.what in ("decode", "all"):
        decode_table(options.blocks, options.sionna_blocks)
    if options.what in ("chain", "all"):
        chain_table(options.blocks, min(options.sionna_blocks, 160))


if __name__ == "__main__":
    main()
