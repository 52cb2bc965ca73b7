"""Whatever stands in the files of a results folder, they are read or refused in one line; nothing else is raised."""

from __future__ import annotations

import gzip
import json
import logging
import os
import random
import shutil
from pathlib import Path

import pytest
from fake_results import Law, make
from hypothesis import example, given, settings, strategies as st

import semlink
from semlink.errors import SemlinkError
from semlink.link.results.points import Points
from semlink.link.schemes.digital.packet_store import StreamStore
from semlink.payload import Packet

STRANGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("9" * 400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("made")
    make(made, [Law("ref"), Law("other", base=25)], budgets=(0.003, 0.006), trials=2)
    (made / "manifest.json").write_text(json.dumps({"version": "0", "keys": None, "scenario": {"name": "x"}}))
    return made


def use(folder: Path) -> None:
    """All that reads a folder and draws nothing."""
    try:
        found = semlink.results(folder)
        str(found)
        found.table(pandas=False)
        found.clips(pandas=False)
        found.compare("ref")
        found.write_tables()
    except SemlinkError as fault:
        assert "\n" not in str(fault), fault


def spots(value: object, at: tuple = ()) -> list[tuple]:
    """The places of everything in a JSON value."""
    parts = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    return [place for key, inner in parts for place in ((*at, key), *spots(inner, (*at, key)))]


def changed(value, at: tuple, new: object):
    inner = value
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = new
    return value


@settings(max_examples=8)
@given(data=st.data())
@example(data=None)
def test_a_changed_record_is_read_or_refused(folder, tmp_path_factory, data):
    copy = shutil.copytree(folder, tmp_path_factory.mktemp("copy") / "x")
    path = copy / "points" / "0001.json"
    record = json.loads(path.read_text())
    at, new = (
        (("row", "trials"), 1e400) if data is None else (data.draw(st.sampled_from(spots(record))), data.draw(STRANGE))
    )
    path.write_text(json.dumps(changed(record, at, new)))
    use(copy)
    Points(copy / "points").set_aside()
    use(copy)
    shutil.rmtree(copy)


@settings(max_examples=8)
@given(
    st.dictionaries(st.sampled_from(["scenario", "keys", "shown", "packages", "clips", "wall_s", "device"]), STRANGE)
)
def test_a_strange_manifest_is_read_or_refused(folder, tmp_path_factory, manifest):
    copy = shutil.copytree(folder, tmp_path_factory.mktemp("copy") / "x")
    (copy / "manifest.json").write_text(json.dumps(manifest))
    use(copy)
    shutil.rmtree(copy)


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Bytes cut, changed, repeated, or others."""
    place, out = rng.randrange(len(data) + 1), bytearray(data)
    way = rng.randrange(5)
    if way == 0:
        return data[:place]
    if way == 1:
        return data[:place] + rng.randbytes(rng.randrange(40)) + data[place:]
    if way == 2:
        return data[:place] + data[rng.randrange(len(data)) :]
    for _ in range(rng.randrange(1, 9)):
        out[rng.randrange(len(out))] = rng.choice(b'\0"{}[],:eE-+.9N\xff')
    return bytes(out)


SEED = os.environ.get("FUZZ_SEED", "1")
"""Another one, other cases in the slow tests."""
FILES = ("curves.csv", "manifest.json", "points/0001.json", "points/packed-x.jsonl.gz")


def meet_damage(folder: Path, copy: Path, seed: str) -> None:
    rng = random.Random(seed)
    shutil.copytree(folder, copy)
    loose = sorted((copy / "points").glob("*.json"))
    lines = [json.dumps({"key": p.stem, "record": json.loads(p.read_text())}) + "\n" for p in loose[1:]]
    packed = copy / "points" / "packed-x.jsonl.gz"
    text = "".join(lines).encode()
    name = rng.choice(FILES)
    packed.write_bytes(gzip.compress(damaged(text, rng) if name == FILES[3] and rng.random() < 0.5 else text))
    for path in loose[1:]:
        path.unlink()
    (copy / name).write_bytes(damaged((copy / name).read_bytes(), rng))
    use(copy)
    said = Points(copy / "points").set_aside()
    assert all("\n" not in line for line in said)
    assert Points(copy / "points").set_aside() == []
    Points(copy / "points").keys()
    shutil.rmtree(copy)


FAILED_FILES: tuple[str, ...] = ()
"""Seeds of damage that once raised something else."""


def test_damaged_files_are_read_or_refused(folder, tmp_path):
    for seed in (*FAILED_FILES, *(f"0-{n}" for n in range(25))):
        meet_damage(folder, tmp_path / "x", seed)


@pytest.mark.slow
def test_many_damaged_files_are_read_or_refused(folder, tmp_path):
    for n in range(1500):
        meet_damage(folder, tmp_path / "x", f"{SEED}-{n}")


PACKETS = (Packet(0, b"\x00\x01abc"), Packet(3, b""))


def test_a_damaged_coded_clip_never_counts(tmp_path, caplog):
    rng, key = random.Random(5), "ab" * 32
    caplog.set_level(logging.CRITICAL)
    for _ in range(150):
        store = StreamStore(tmp_path / "cache")
        store.get(key, lambda: PACKETS)
        (path,) = (store.folder / key[:2]).glob("*.json")
        path.write_bytes(damaged(path.read_bytes(), rng))
        assert store.get(key, lambda: PACKETS) == PACKETS
