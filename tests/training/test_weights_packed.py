"""Packed files of tensors: bit for bit what they were, for less; damage is told in a line."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from hashlib import sha256

import pytest
import torch
from hypothesis import given, settings, strategies as st
from safetensors.torch import load, save, save_file

from semlink.errors import ModelError
from semlink.files import PACKED_SUFFIX
from semlink.plugins.named_files import content_digest
from semlink.weights.cards import find_weights, read_card, shipped_names
from semlink.weights.packed import file_digest, main, pack, plain_bytes, unpack
from semlink.weights.tensors import read_tensors

KINDS = (torch.float16, torch.float32, torch.bfloat16, torch.int8, torch.uint8, torch.int64, torch.bool)


def some_tensors(seed: int = 0) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return {"a": torch.randn(64, 33, generator=rng).half(), "b": torch.randn(5, generator=rng), "c": torch.zeros(0)}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.lists(st.integers(0, 9), max_size=3)), max_size=6), st.integers())
def test_what_is_packed_comes_back_bit_for_bit(tensors, seed):
    """Tensors of every kind, of no entries and of no axes, mixed, with words of one's own in the header."""
    rng = torch.Generator().manual_seed(seed % 2**32)
    held = {f"t{n}": (100 * torch.randn(shape, generator=rng)).to(kind) for n, (kind, shape) in enumerate(tensors)}
    plain = save(held, {"words": "of one's own"})
    assert unpack(pack(plain)) == plain


def test_normal_half_precision_takes_nine_tenths_of_its_room():
    """The first byte (sign, exponent, two bits of the fraction) takes its entropy, the second its whole byte."""
    plain = save({"w": torch.randn(512, 512, generator=torch.Generator().manual_seed(1)).half()})
    exponents = torch.tensor(bytearray(plain[-(2 * 512 * 512) + 1 :: 2]))
    share = torch.bincount(exponents.int()).float() / exponents.numel()
    entropy = -(share[share > 0] * share[share > 0].log2()).sum() / 8
    assert (1 + entropy) / 2 <= len(pack(plain)) / len(plain) < (1 + entropy) / 2 + 0.01 < 0.95


def test_tensors_digest_and_key_are_those_of_the_plain_file(tmp_path):
    plain, packed = tmp_path / "plain.safetensors", tmp_path / "plain.packed"
    save_file(some_tensors(), str(plain))
    main([str(plain)])
    for path in (plain, packed):
        os.utime(path, (1, 1))
        digest = sha256(plain.read_bytes()).hexdigest()
        assert file_digest(path) == content_digest(path) == digest
        found = read_tensors(path, {"weights_sha256": digest})
        assert found.keys() == some_tensors().keys()
        assert all(torch.equal(found[name], value) for name, value in some_tensors().items())
    assert find_weights(packed) == packed and packed.stat().st_size < plain.stat().st_size


@pytest.mark.parametrize(
    "damage",
    [
        lambda held: held[:-100],
        lambda held: b"other" + held,
        lambda held: held[:500] + bytes(20) + held[520:],
        lambda held: held[:8],
        lambda held: b"",
        lambda held: pack(save(some_tensors()))[:8] + zlib.compress(b"\2\0\0\0\0\0\0\0{}more"),
    ],
)
def test_damage_is_told_in_a_line(tmp_path, damage):
    path = tmp_path / f"hurt{PACKED_SUFFIX}"
    path.write_bytes(damage(pack(save(some_tensors()))))
    with pytest.raises(ModelError, match=r"hurt.packed: cannot be read as packed weights \(.+\)$"):
        plain_bytes(path)


def test_a_file_of_a_user_that_is_called_packed_has_its_own_digest(tmp_path):
    path = tmp_path / "mine.packed"
    path.write_bytes(b"something else")
    assert content_digest(path) == sha256(b"something else").hexdigest()


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_tensors_are_those_of_their_cards_and_packed_as_today(name):
    path = find_weights(name)
    plain = plain_bytes(path)
    assert path.suffix == PACKED_SUFFIX and sha256(plain).hexdigest() == read_card(path)["weights_sha256"]
    assert load(plain).keys() and unpack(pack(plain)) == plain


def test_numbers_of_unknown_kinds_are_not_packed():
    with pytest.raises(ValueError, match="numbers of the kind C64; allowed: I8"):
        pack(save({"w": torch.zeros(3, dtype=torch.complex64)}))


def test_reading_cards_needs_no_torch():
    """Keys of points read digests of packed files; `semlink show` stays light."""
    code = "import sys, semlink.weights.packed, semlink.weights.cards; assert not {'torch', 'numpy'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
