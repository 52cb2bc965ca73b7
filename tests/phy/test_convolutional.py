"""The K = 7 code: weights of its error events by a search of the trellis, and what they promise of losses."""

from __future__ import annotations

import heapq
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.special import erfc

from semlink.link.validate.entries.coding import FREE_DISTANCES, SPECTRA, UNION_SNRS_DB
from semlink.phy.coding.convolutional import PUNCTURED, ConvolutionalCoding, keep_mask
from semlink.phy.qam import demap, map_bits
from semlink.units import from_db

RATES = sorted(PUNCTURED)
POLYNOMIALS = ("1011011", "1111001")  # 133 and 171 octal, the newest input first


def step(state: str, bit: str) -> tuple[str, tuple[int, int]]:
    """The next state (six inputs, newest first) and the two coded bits."""
    register = bit + state
    coded = tuple(sum(a == b == "1" for a, b in zip(register, taps)) % 2 for taps in POLYNOMIALS)
    return register[:-1], coded  # type: ignore[return-value]


def weights(rate: Fraction) -> list[tuple[int, int]]:
    """Which of the two streams are sent at each step of a period."""
    period = len(PUNCTURED[rate][0])
    kept = keep_mask(period, float(rate)).astype(int).reshape(period, 2)
    return [(int(first), int(second)) for first, second in kept]


def free_distance(rate: Fraction) -> int:
    """The least weight of a way out of the zero state and back, by Dijkstra, from every step of the period."""
    kept, zero = weights(rate), "000000"
    best = math.inf
    for start in range(len(kept)):
        state, coded = step(zero, "1")
        first = coded[0] * kept[start][0] + coded[1] * kept[start][1]
        heap, seen = [(first, state, (start + 1) % len(kept))], set()
        while heap:
            weight, state, phase = heapq.heappop(heap)
            if state == zero:
                best = min(best, weight)
                break
            if (state, phase) in seen:
                continue
            seen.add((state, phase))
            for bit in "01":
                following, coded = step(state, bit)
                more = coded[0] * kept[phase][0] + coded[1] * kept[phase][1]
                heapq.heappush(heap, (weight + more, following, (phase + 1) % len(kept)))
    return int(best)


def error_events(rate: Fraction, most: int) -> np.ndarray:
    """Ways out of the zero state and back by weight 0..`most`, summed over the steps of a period."""
    kept, states = weights(rate), [format(number, "06b") for number in range(64)]
    moves = [[step(state, bit) for bit in "01"] for state in states]
    after = np.array([[int(following, 2) for following, _ in pair] for pair in moves])  # (state, bit)
    coded = np.array([[bits for _, bits in pair] for pair in moves])  # (state, bit, stream)
    counts = np.zeros(most + 1)
    for start in range(len(kept)):
        ways, phase = np.zeros((64, most + 1)), start
        ways[0, 0] = 1
        while ways.any():
            reached, heavier = np.zeros_like(ways), coded @ np.array(kept[phase])  # (state, bit)
            for bit in (0, 1):
                for more in range(3):
                    those = heavier[:, bit] == more
                    those[0] &= bit == 1  # out of the zero state at the start, and never on within it
                    np.add.at(reached[:, more:], after[those, bit], ways[those, : most + 1 - more])
            counts += reached[0]
            reached[0] = 0
            ways, phase = reached, (phase + 1) % len(kept)
    return counts


@pytest.mark.source("yasuda1984", "table I: free distances of the punctured K = 7 code")
@pytest.mark.parametrize("rate", RATES, ids=str)
def test_free_distance_is_the_best_there_is(rate):
    assert free_distance(rate) == FREE_DISTANCES[rate]


@pytest.mark.source("haccoun1989", "weight spectra of the punctured K = 7 code")
@pytest.mark.parametrize(
    ("rate", "spectrum"),
    list(SPECTRA.items()),
    ids=str,
)
def test_error_events_are_as_many_as_published(rate, spectrum):
    low = FREE_DISTANCES[rate]
    counts = error_events(rate, low + len(spectrum) - 1)
    assert counts.tolist() == [0] * low + list(spectrum)


@pytest.mark.source("viterbi1967", "union bound over error events")
@pytest.mark.parametrize(("rate", "snr_db"), list(UNION_SNRS_DB.items()), ids=str)
def test_losses_are_those_of_the_union_bound(rate, snr_db):
    """Never more, and where errors are rare hardly fewer: each event of weight d is met with chance Q(sqrt(d snr))."""
    coding, blocks = ConvolutionalCoding(2, float(rate), 512), 4000
    symbols = math.ceil(256 / 2 / float(rate))
    code = coding.code_for(coding.block_size_of(symbols), symbols)
    rng = np.random.default_rng(17)
    bits = rng.integers(0, 2, (blocks, code.num_bits), np.uint8)
    iq = map_bits(code.encode(bits), 2)
    noise = rng.standard_normal((*iq.shape, 2), dtype=np.float32) * np.float32(math.sqrt(from_db(-snr_db) / 2))
    found, good = code.decide(demap(iq + noise.view(np.complex64)[..., 0], from_db(-snr_db), 2))
    lost = int((~good).sum())
    assert (found[good] == bits[good]).all()

    counts = error_events(rate, FREE_DISTANCES[rate] + 9)
    chance = 0.5 * erfc(np.sqrt(np.arange(len(counts)) * from_db(snr_db) / 2))
    steps = code.num_bits + 24
    bound = blocks * steps / len(PUNCTURED[rate][0]) * float(counts @ chance)
    assert bound > 25
    assert 0.6 * bound - 4 * math.sqrt(bound) < lost < bound + 4 * math.sqrt(bound)


@pytest.mark.parametrize("rate", RATES, ids=str)
def test_that_many_bits_are_sent(rate):
    assert Fraction(len(PUNCTURED[rate][0]), int(keep_mask(len(PUNCTURED[rate][0]), float(rate)).sum())) == rate
