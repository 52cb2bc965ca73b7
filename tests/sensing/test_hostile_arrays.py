"""Arrays from files that anybody may have made: a header is compared with what is there, before room is made."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from semlink.errors import SourceError, TrainingError
from semlink.payload import FrameShape
from semlink.sensing.programmable.ratio_map import load_map
from semlink.sensing.sources.files.arrays import read_array, read_arrays
from semlink.sensing.sources.files.image_stack import read_stack
from semlink.training.data.pack import load_pack

PICTURES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)


def array_bytes(array: np.ndarray, **options) -> bytes:
    held = io.BytesIO()
    np.lib.format.write_array(held, array, **options)
    return held.getvalue()


def claiming(shape: tuple[int, ...], kind: str = "|u1", data: bytes = b"") -> bytes:
    """An array's bytes whose header claims `shape`."""
    held = io.BytesIO()
    np.lib.format.write_array_header_1_0(held, {"descr": kind, "fortran_order": False, "shape": shape})
    return held.getvalue() + data


def as_npz(path: Path, data: bytes, name: str = "images.npy") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, data)
    return path


def holding(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def whole(path: Path) -> Path:
    np.savez(path, images=PICTURES, labels=np.arange(3))
    return path


HOSTILE = {
    "claims 730 GB": lambda path: as_npz(path, claiming((930_000_000, 28, 28))),
    "claims more than any number": lambda path: as_npz(path, claiming((10**30, 28, 28))),
    "claims less than there is": lambda path: as_npz(path, claiming((1, 1, 1), data=bytes(50))),
    "a negative length": lambda path: as_npz(path, claiming((-3, -4, 5), data=bytes(60))),
    "objects": lambda path: as_npz(path, array_bytes(np.array([{"a": 1}], object), allow_pickle=True)),
    "no array": lambda path: as_npz(path, b"hello"),
    "no array of that name": lambda path: as_npz(path, array_bytes(PICTURES), "others.npy"),
    "empty": lambda path: holding(path, b""),
    "an .npy under another name": lambda path: holding(path, array_bytes(PICTURES)),
    "cut off": lambda path: holding(path, whole(path).read_bytes()[:-60]),
    "a bad checksum": lambda path: holding(path, whole(path).read_bytes().replace(PICTURES.tobytes(), b"\xff" * 60)),
    "a zip that lies": lambda path: holding(path, lying(path)),
}


def lying(path: Path) -> bytes:
    """A zip whose directory claims 4 GB for a few bytes."""
    data = bytearray(as_npz(path, claiming((7, 1, 1))).read_bytes())
    place = data.rindex(b"PK\x01\x02")
    data[place + 24 : place + 28] = (0xFFFFFFF0).to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_stack_is_one_line(tmp_path, make):
    path = make(tmp_path / "digits.npz")
    with pytest.raises(SourceError, match=r"digits\.npz: cannot be read as a stack of pictures \(.+\); allowed") as why:
        read_stack(path)
    assert "\n" not in str(why.value)
    with pytest.raises(TrainingError, match="not a training pack"):
        load_pack(path)


def test_what_is_whole_is_read_as_numpy_reads_it(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, images=PICTURES, order=np.asfortranarray(PICTURES[0]), words=np.array(["a", "bc"]))
    with np.load(path) as expected:
        found = read_arrays(path)
        assert set(found) == set(expected) and all(np.array_equal(found[name], expected[name]) for name in found)
    assert set(read_arrays(path, "words", "absent")) == {"words"}
    np.save(tmp_path / "a.npy", PICTURES)
    assert np.array_equal(read_array(tmp_path / "a.npy"), PICTURES)


@pytest.mark.parametrize(
    "data",
    [claiming((1 << 40, 1 << 10)), claiming((4, 4), data=bytes(3)), b"", b"\x93NUMPY\x09\x00", claiming((4, 4), "|O")],
)
def test_a_hostile_ratio_map_is_one_line(tmp_path, data):
    (tmp_path / "map.npy").write_bytes(data)
    with pytest.raises(SourceError, match=r"map\.npy: not a ratio map \(.*\)"):
        load_map(tmp_path / "map.npy", FrameShape(16, 4, 4))
