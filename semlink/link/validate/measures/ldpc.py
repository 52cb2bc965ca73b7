"""5G LDPC: block error rates, SNR thresholds, tables and code words."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from semlink.link.validate.chance import counted, quantile, seeds_of
from semlink.link.validate.entry import Bench, CannotRun, Found, found_exactly
from semlink.link.validate.measures.coded_link import CodedLink, noise_of
from semlink.phy.ldpc.base_graph import BaseGraph, base_graph
from semlink.phy.ldpc.code import LdpcCode
from semlink.phy.ldpc.decoder import Backend, RuleName, decode_blocks
from semlink.phy.ldpc.encoder import encode
from semlink.phy.qam import demap, map_bits
from semlink.seeds import Seeds
from semlink.units import from_db, noise_var_from_snr

__all__ = ["BlockErrors", "CodeWords", "ShiftTable", "Threshold"]

_BATCH_BITS = 2e6


@dataclass(frozen=True, slots=True)
class BlockErrors:
    """Share of blocks of `link` that come out wrong at `snr_db`, an Eb/N0 unless `per_symbol`."""

    link: CodedLink
    snr_db: float
    blocks: int
    iterations: int = 20
    backend: Backend = "auto"
    per_symbol: bool = False

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        if self.backend == "sionna" and importlib.util.find_spec("sionna") is None:
            raise CannotRun("needs Sionna's decoder (sionna-no-rt)")
        seeds, snr_db = seeds_of(bench, self), self.snr_db if self.per_symbol else self.link.es_n0_db(self.snr_db)
        batch, errors = min(self.blocks, max(16, int(_BATCH_BITS / self.link.n))), 0
        for trial, start in enumerate(range(0, self.blocks, batch)):
            num = min(batch, self.blocks - start)
            bits, buffers = self.link.heard(num, snr_db, replace(seeds, trial=trial))
            words = decode_blocks(self.link.code, buffers, iterations=self.iterations, backend=self.backend)
            errors += int((words.hard != bits).any(axis=1).sum())
        return {"": counted(errors, self.blocks, f"{errors:,} of {self.blocks:,} blocks wrong")}


@dataclass(frozen=True, slots=True)
class Threshold:
    """The Es/N0 in dB at which a tenth of the words of a QPSK link is lost.

    Each word keeps its noise and is tried at other SNRs, half of what is left at a time, until it is known at which
    it begins to be decoded: nine words in ten are below the threshold.

    Attributes:
        parity_columns: as many columns of parity are sent after the information.
        near_db: the search looks a dB and a half about it.
    """

    graph: int
    z: int
    parity_columns: int
    near_db: float
    rule: RuleName = "normalised"
    words: int = 200
    iterations: int = 10
    backend: Backend = "float32"

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        code = LdpcCode(self.graph, self._info_bits())
        width = code.width_of(self.parity_columns)
        first, last = code.fillers
        sent = np.setdiff1d(np.arange(width), np.arange(first, last))
        seeds = seeds_of(bench, self)
        bits = seeds.numpy("validate/bits").integers(0, 2, (self.words, code.info_bits), np.uint8)
        iq = map_bits(encode(code, bits, width)[:, sent], 2)
        noise = noise_of(iq.shape, self.near_db, seeds)
        low, high = np.full(self.words, self.near_db - 1.5), np.full(self.words, self.near_db + 1.5)
        for _ in range(8):
            snr_db = (low + high) / 2
            buffers = np.zeros((self.words, width), np.float32)
            buffers[:, sent] = self._llr(iq, noise, snr_db)
            words = decode_blocks(code, buffers, iterations=self.iterations, backend=self.backend, rule=self.rule)
            good = (words.hard == bits).all(axis=1)
            low, high = np.where(good, low, snr_db), np.where(good, snr_db, high)
        middle = np.where(high == self.near_db + 1.5, np.inf, (low + high) / 2)  # never decoded: beyond the search
        return {"": quantile(middle, 0.9, f"{self.words} words at 8 SNRs each")}

    def _llr(self, iq: np.ndarray, noise: np.ndarray, snr_db: np.ndarray) -> np.ndarray:
        scale = np.sqrt([from_db(self.near_db - each) for each in snr_db]).astype(np.float32)
        noise_var = np.array([noise_var_from_snr(each) for each in snr_db], np.float32)
        return demap(iq + scale[:, None] * noise, noise_var[:, None], 2)

    def _info_bits(self) -> int:
        """All columns filled, but for the shortest codes of graph 2, which fill nine of ten."""
        columns = 22 if self.graph == 1 else 10 if self.z > 64 else 9
        return columns * self.z


@dataclass(frozen=True, slots=True)
class ShiftTable:
    """How many entries of a base graph, over its eight sets of shifts, are not those of Sionna's file."""

    graph: int

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        theirs, ours = _sionna_table(self.graph), _places(base_graph(self.graph))
        wrong = sum(ours.get(place) != shifts for place, shifts in theirs.items()) + len(ours.keys() - theirs.keys())
        return {"": found_exactly(wrong, f"{8 * len(theirs):,} shifts compared"), "edges": found_exactly(len(ours))}


def _places(graph: BaseGraph) -> dict[tuple[int, int], list[int]]:
    pairs = zip(graph.rows, graph.columns)
    return {(int(row), int(column)): graph.shifts[:, edge].tolist() for edge, (row, column) in enumerate(pairs)}


def _sionna_table(graph: int) -> dict[tuple[int, int], list[int]]:
    """Row, column and eight shifts, from the file that Sionna ships: found without importing it."""
    spec = importlib.util.find_spec("sionna")
    path = Path(spec.origin or "").parent / f"phy/fec/ldpc/codes/5G_bg{graph}.csv" if spec else Path()
    if not path.is_file():
        raise CannotRun("needs the tables of base graphs that Sionna ships (sionna-no-rt)")
    table, row = {}, 0
    with path.open(newline="") as file:
        for cells in list(csv.reader(file, delimiter=";"))[2:]:
            row = int(cells[0]) if cells[0] else row
            table[row, int(cells[1])] = [int(cell) for cell in cells[2:10]]
    return table


@dataclass(frozen=True, slots=True)
class CodeWords:
    """How many of a few random words are not what Sionna's encoder makes of them."""

    graph: int
    k: int
    n: int
    words: int = 4

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        import torch

        try:
            from sionna.phy.fec.ldpc import LDPC5GEncoder
        except ImportError as fault:
            raise CannotRun("needs Sionna's encoder (sionna-no-rt)") from fault
        code = LdpcCode(self.graph, self.k)
        info = _random_bits(seeds_of(bench, self), self.words, self.k)
        first, last = code.fillers
        ours = np.delete(encode(code, info), np.s_[first:last], axis=1)[:, : self.n]
        theirs = LDPC5GEncoder(self.k, self.n, bg=f"bg{self.graph}")(torch.from_numpy(info).float()).numpy()
        wrong = int((ours != theirs).any(axis=1).sum())
        return {"": found_exactly(wrong, f"{self.words} words of {self.n:,} bits, Z = {code.z}")}


def _random_bits(seeds: Seeds, *shape: int) -> np.ndarray:
    return seeds.numpy("validate/bits").integers(0, 2, shape, np.uint8)
