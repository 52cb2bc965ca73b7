"""Plain data as bytes and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from semlink.errors import InterfaceError
from semlink.payload import Agreement, FrameShape, Point, Terms
from semlink.plain_data import from_bytes, to_bytes

SIMPLE = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text()
    | st.binary()
    | st.fractions()
)
PLAIN = st.recursive(
    SIMPLE,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=12,
)


@dataclass(frozen=True)
class Own:
    """Terms of a class of one's own, without slots."""

    number: int
    parts: tuple[str, ...] = ()


@dataclass
class Open:
    number: int


@given(PLAIN)
@settings(max_examples=100, deadline=None)
def test_what_comes_back_is_what_went(value):
    back = from_bytes(to_bytes(value))
    assert back == value and type(back) is type(value)
    assert to_bytes(back) == to_bytes(value)


@given(st.dictionaries(st.text(), st.integers(), min_size=2))
def test_the_order_of_keys_makes_no_difference(value):
    assert to_bytes(value) == to_bytes(dict(reversed(value.items())))


@given(st.lists(SIMPLE, min_size=2, max_size=2, unique_by=repr))
def test_different_data_has_different_bytes(pair):
    first, second = pair
    same = first == second and type(first) is type(second)  # 0.0 and -0.0
    assert same or to_bytes(first) != to_bytes(second)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.int16).reshape(2, 3)[:, ::2],
        np.float32(2.5),
        np.array(True),
        torch.arange(4).reshape(2, 2) * 1j,
        torch.zeros(0, 3),
    ],
    ids=repr,
)
def test_arrays_come_back_with_type_and_shape(array):
    back = from_bytes(to_bytes(array))
    assert type(back) is type(array) and back.dtype == array.dtype and back.shape == array.shape
    assert np.array_equal(np.asarray(back), np.asarray(array))


def test_dataclasses_come_back_as_new_objects():
    agreement = Agreement(FrameShape(4, 8, 8), Point(math.nan, None, 0.5), Terms(note="n"))
    back = from_bytes(to_bytes(agreement))
    assert (back.frames, back.terms, back.point.rate) == (agreement.frames, agreement.terms, 0.5)
    assert math.isnan(back.point.snr_db) and back.frames is not agreement.frames
    assert from_bytes(to_bytes(Own(3, ("a",)))) == Own(3, ("a",))


def local() -> object:
    @dataclass(frozen=True)
    class Local:
        number: int = 0

    return Local()


def loaded() -> Own:
    made = Own(1)
    object.__setattr__(made, "clip", np.zeros(3))
    return made


class Word(str):
    """Could carry anything."""


def nested(depth: int) -> object:
    return () if depth == 0 else (nested(depth - 1),)


@pytest.mark.parametrize(
    "value, says",
    [
        ({"a": [1, lambda: 0]}, r"value\['a'\]\[1\]: got function; need plain data: None, booleans"),
        (Word("x"), "got .*Word"),
        ({1, 2}, "got set"),
        (np.array([None]), "got numpy.ndarray"),
        (torch.nn.Parameter(torch.zeros(2)), "got torch.nn.parameter.Parameter"),
        (Open(1), "can be changed; write @dataclass"),
        (local(), "stands inside a function"),
        (loaded(), "has an attribute 'clip' that is no field"),
        (Own(1, (Fraction(1, 3), object())), r"value.parts\[1\]: got object"),
        (nested(40), "nested more than 32 deep"),
        ({Word("k"): 1}, "key 'k': got .*Word"),
    ],
)
def test_what_is_not_plain_is_named_with_its_place(value, says):
    with pytest.raises(InterfaceError, match=says):
        to_bytes(value)
