"""The codecs' parts: elementary streams taken apart, numbers in few bytes, the search for a budget."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from semlink.codecs.entropy.leb128 import read_leb128, to_leb128
from semlink.codecs.rate_search import Knob, best_under
from semlink.codecs.video.elementary_stream import access_units, packets_of
from semlink.errors import Infeasible
from semlink.payload import Packet

CRF = Knob(finest=0, coarsest=51, step=0.05, octave=6)


@given(st.integers(0, 2**56 - 1), st.binary(max_size=3))
def test_leb128_round_trip(value, before):
    stream = before + to_leb128(value)
    assert read_leb128(stream + b"\xff", len(before)) == (value, len(stream))
    assert read_leb128(stream[:-1], len(before))[0] is None


@pytest.mark.source("av1", "section 4.10.5")
def test_leb128_golden():
    """624485, the example of the DWARF standard that introduced the code."""
    assert to_leb128(624485) == b"\xe5\x8e\x26"


def test_annex_b_golden():
    """SEI and delimiter fall, both lengths of start code and trailing zeros go, the repeated SPS too."""
    first = b"\0\0\0\1\x09\xf0" + b"\0\0\1\x06\x05xyz" + b"\0\0\0\1\x67sps" + b"\0\0\1\x65idr\0\0"
    later = b"\0\0\0\1\x67sps" + b"\0\0\1\x41p"
    packets = packets_of([(0, first), (3, later)], "h264")
    assert packets == (Packet(0, b"\x67sps"), Packet(0, b"\x65idr"), Packet(3, b"\x41p"))
    assert len(packets_of([(0, first), (3, later)], "h264", repeat_headers=True)) == 4
    units = access_units(packets, "h264")
    assert [(time, data.rstrip(b"\0")) for time, data in units] == [
        (0, b"\0\0\0\1\x67sps\0\0\0\1\x65idr"),
        (3, b"\0\0\0\1\x41p"),
    ]


def test_obus_golden():
    """Delimiters and known sequence headers fall, sizes go and come back; an extension byte stays with its header."""
    unit = b"\x12\x00" + b"\x0a\x03seq" + b"\x36\x48\x04data"
    packets = packets_of([(5, unit)], "av1")
    assert packets == (Packet(5, b"\x08seq"), Packet(5, b"\x34\x48data"))
    assert access_units([*packets, Packet(6, b"\x08seq"), Packet(7, b"\x30end")], "av1") == [
        (5, b"\x0a\x03seq" + b"\x36\x48\x04data"),
        (7, b"\x32\x03end"),
    ]


@given(st.sampled_from(["h264", "h265", "av1"]), st.lists(st.binary(max_size=40), max_size=5))
def test_any_bytes_are_taken_apart_and_put_together(standard, streams):
    packets = packets_of(list(enumerate(streams)), standard)
    assert all(packet.data for packet in packets)
    units = access_units(packets, standard)
    times = [time for time, _ in units]
    assert times == sorted(set(times)) and set(times) <= {packet.time for packet in packets}


@given(st.floats(200, 2e6), st.floats(3, 14), st.integers(150, 10**6), st.floats(0, 51))
def test_search_on_a_straight_line(size_at_0, octave, max_bytes, start):
    """Sizes that halve every `octave`: met within 5 % in eight encodes wherever the search begins."""
    tried = []

    def encode(setting):
        tried.append(setting)
        return int(size_at_0 * 2 ** (-setting / octave))

    smallest, largest = int(size_at_0 * 2 ** (-51 / octave)), int(size_at_0)
    if smallest > max_bytes:
        with pytest.raises(Infeasible, match=f"takes {smallest} bytes"):
            best_under(encode, int, max_bytes, knob=CRF, start=start, name="toy")
        return
    found = best_under(encode, int, max_bytes, knob=CRF, start=start, name="toy")
    coarse_step = 2 ** (-CRF.step / octave)
    assert found.size <= max_bytes
    assert found.size >= 0.97 * min(max_bytes, largest) * coarse_step - 1
    assert len(tried) == len(set(tried)) <= 8


TWO_KNOBS = Knob(finest=0, coarsest=70, step=0.25, octave=14, fine=0.25 / 32, fine_octave=0.8)


@given(st.floats(2e4, 2e5), st.integers(2000, 10**4), st.floats(0.25, 2.25), st.floats(0.25, 0.5), st.floats(20, 60))
def test_a_second_knob_fills_what_jumps_of_the_first_leave(size_at_0, max_bytes, stair, reach, start):
    """Sizes that fall in stairs of up to 11 %, and a knob that reaches over them: met within 5 % in eight encodes."""

    def encode(setting):
        coarser, towards = TWO_KNOBS.split(setting)
        return int(size_at_0 * 2 ** (-math.floor(coarser / stair) * stair / 14 + towards * reach))

    if encode(70) > max_bytes:
        return
    found = best_under(encode, int, max_bytes, knob=TWO_KNOBS, start=start, name="toy")
    assert 0.95 * max_bytes <= found.size <= max_bytes


def test_search_finds_a_finer_setting_behind_a_jump():
    """Sizes are not monotone: 20.0 takes more than the budget, 19.95 fits it well."""
    sizes = {20.05: 800, 20.0: 1010, 19.95: 995}
    found = best_under(
        lambda setting: sizes.get(setting, 700 if setting > 20 else 1200), int, 1000, knob=CRF, start=20, name="toy"
    )
    assert (found.setting, found.size) == (19.95, 995)


@given(st.integers(0, 2**32 - 1), st.integers(300, 5000))
def test_search_never_exceeds_the_budget_on_a_ragged_line(seed, max_bytes):
    """Whatever a size function looks like, the answer fits and is the largest that was tried and fits."""
    tried = {}

    def encode(setting):
        noise = math.sin(seed % 1000 + 1e4 * setting)
        tried[setting] = int(4000 * 2 ** (-setting / 6) * (1 + 0.1 * noise)) + 20
        return tried[setting]

    found = best_under(encode, int, max_bytes, knob=CRF, start=30, name="toy")
    assert found.size == max(size for size in tried.values() if size <= max_bytes)
    assert len(tried) <= 8
