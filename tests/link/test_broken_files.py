"""Files of our own that are broken: a run sets them aside and computes again; readers are told in a line."""

from __future__ import annotations

import gzip
import json
import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from terminal import semlink as run_command

import semlink
from semlink.caching import digest_of
from semlink.errors import Infeasible, ResultsError
from semlink.link.results.checked.records import CHECKSUM, checked_record
from semlink.link.results.folder import Results
from semlink.link.results.pictures import Picture, Pictures
from semlink.link.schemes.digital.packet_store import StreamStore
from semlink.payload import Packet

SCENARIO = {
    "name": "small",
    "source": {"kind": "scenes", "frames": 2, "size": [16, 16], "clips": 1},
    "channel": {"kind": "awgn"},
    "sweep": {"snr_db": [4, 8], "budget": [1.5]},
    "schemes": [{"name": "soft", "kind": "softcast"}],
    "metrics": ["psnr"],
    "trials": {"min": 2, "max": 2},
}
DEEP = 100_000


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ran") / "out"
    semlink.run(semlink.load(SCENARIO), folder)
    return folder


@pytest.fixture
def copy(ran, tmp_path) -> Path:
    """The results with its points loose."""
    shutil.copytree(ran, tmp_path / "out")
    points = tmp_path / "out" / "points"
    (pack,) = points.glob("*.gz")
    for line in gzip.decompress(pack.read_bytes()).decode().splitlines():
        held = json.loads(line)
        (points / f"{held['key']}.json").write_text(json.dumps(held["record"]))
    pack.unlink()
    return tmp_path / "out"


def change(part: str, **new):
    """A record in which entries of a part, such as `row` or `clips.0`, are others."""

    def changed(record: dict) -> str:
        place = record
        for name in part.split(".") if part else ():
            place = place[int(name) if name.isdecimal() else name]
        place.update(new)
        return json.dumps(record)

    return changed


def drop(part: str, name: str):
    def dropped(record: dict) -> str:
        del record[part][name]
        return json.dumps(record)

    return dropped


def without(name: str):
    return lambda record: json.dumps({key: value for key, value in record.items() if key != name})


def unsealed(changed):
    """The same in a record as it was kept before records had checksums."""
    return lambda record: changed({name: part for name, part in record.items() if name != CHECKSUM})


BROKEN = {
    "row null": change("", row=None),
    "row list": change("", row=[]),
    "row empty": change("", row={}),
    "no row": without("row"),
    "no clips": without("clips"),
    "clips null": change("", clips=None),
    "clips of numbers": change("", clips=[1, 2]),
    "clip without quality": change("", clips=[{"name": "a", "motion": "slow"}]),
    "clip of words": change("clips.0", psnr_db=["a", "b"]),
    "another count of trials": change("clips.0", psnr_db=[1.0]),
    "row of other clips": change("row", psnr_db=99.0),
    "trials infinite": change("row", trials=float("inf")),
    "snr a list": change("row", snr_db=[1]),
    "extra a word": change("row", extra="x"),
    "extra nested": change("row", extra={"x": {"y": 1}}),
    "metrics of numbers": change("", metrics=[1]),
    "metrics without column": change("", metrics=[{}]),
    "list": lambda _: "[]",
    "null": lambda _: "null",
    "deep": lambda _: '{"row":' + "[" * DEEP + "]" * DEEP + "}",
    "digits": lambda _: '{"row": ' + "1" * 5000 + "}",
    "half a character": lambda _: '{"row": {"scheme": "\\ud800"}}',
    "cut off": lambda record: json.dumps(record)[:100],
    "empty": lambda _: "",
}


CHANGED_BY_HAND = {
    "side_info": change("row", side_info=1e30),
    "channel uses": change("row", channel_uses=9.0),
    "no outage": drop("row", "outage"),
    "no channel": drop("row", "channel"),
    "PSNR of the row": change("row", psnr_db=29.0),
    "PSNR of a clip": change("clips.0", psnr_db=[29.0, 29.0]),
}
BROKEN |= CHANGED_BY_HAND


@pytest.mark.parametrize("kept", [lambda changed: changed, unsealed], ids=["with checksum", "without"])
@pytest.mark.parametrize("damage", BROKEN.values(), ids=BROKEN)
def test_a_broken_point_is_set_aside_and_said(copy, damage, kept):
    points = Results(copy).points
    first, second = points.keys()
    points.path(first).write_text(kept(damage)(json.loads(points.path(first).read_text())))
    with pytest.raises(ResultsError, match=rf"{first}\.json: damaged record of a point \(.*run again") as caught:
        points.read(first)
    (said,) = points.set_aside()
    assert first in said and "set aside" in said and "\n" not in said + str(caught.value)
    assert points.keys() == [second] and points.set_aside() == []


SEEN_BY_A_RUN = {
    "row null": BROKEN["row null"],
    "cut off": BROKEN["cut off"],
    "another scheme": change("row", scheme="other"),
    "another SNR": change("row", snr_db=77.0),
    "another SNR, unsealed": unsealed(change("row", snr_db=77.0)),
    "an interval by hand": change("row", psnr_ci95=0.001),
    "side information by hand, unsealed": unsealed(change("row", side_info=1e30)),
}


@pytest.mark.parametrize("damage", SEEN_BY_A_RUN.values(), ids=SEEN_BY_A_RUN)
def test_a_run_computes_a_broken_point_again(ran, copy, damage):
    first = min((copy / "points").glob("*.json"))
    broken = damage(json.loads(first.read_text()))
    first.write_text(broken)
    said: list[str] = []
    again = semlink.run(semlink.load(SCENARIO), copy, warn=said.append)
    assert again.manifest["points_computed_in_this_run"] == 1
    assert len(said) == 1 and first.stem in said[0] and "set aside" in said[0] and "\n" not in said[0]
    assert (copy / "points" / "damaged" / first.name).read_text() == broken
    assert (copy / "curves.csv").read_bytes() == (ran / "curves.csv").read_bytes()
    assert again.manifest["warnings"] == [], "what was set aside says nothing of the numbers"


@pytest.mark.parametrize("damage", [CHANGED_BY_HAND["side_info"], unsealed(CHANGED_BY_HAND["side_info"])])
def test_nobody_uses_a_packed_point_that_was_changed_by_hand(ran, tmp_path, damage):
    shutil.copytree(ran, tmp_path / "out")
    (pack,) = (tmp_path / "out" / "points").glob("*.gz")
    first, second = map(json.loads, gzip.decompress(pack.read_bytes()).splitlines())
    first["record"] = json.loads(damage(first["record"]))
    pack.write_bytes(gzip.compress("".join(f"{json.dumps(line)}\n" for line in (first, second)).encode()))
    for arguments in (["compare", "--reference", "soft"], ["plot"], ["report"]):
        done = run_command(arguments[0], "out", *arguments[1:], folder=tmp_path)
        assert done.code == 2 and f"{pack.name}: damaged" in done.err and len(done.err.splitlines()) == 1
    with pytest.raises(ResultsError, match=pack.name):
        semlink.results(tmp_path / "out")
    said: list[str] = []
    again = semlink.run(semlink.load(SCENARIO), tmp_path / "out", warn=said.append)
    assert again.manifest["points_computed_in_this_run"] == 1 and len(said) == 1
    assert (tmp_path / "out" / "points" / "damaged" / pack.name).exists()
    assert (tmp_path / "out" / "curves.csv").read_bytes() == (ran / "curves.csv").read_bytes()


def test_points_of_before_are_kept_without_being_computed_again(ran, copy):
    for path in (copy / "points").glob("*.json"):
        path.write_text(unsealed(json.dumps)(json.loads(path.read_text())))
    said: list[str] = []
    again = semlink.run(semlink.load(SCENARIO), copy, warn=said.append)
    assert said == [] and again.manifest["points_computed_in_this_run"] == 0
    (pack,) = (copy / "points").iterdir()
    assert pack.read_bytes() == next((ran / "points").iterdir()).read_bytes(), "packed with their checksums"


def test_the_record_of_another_key_is_none(copy):
    points = Results(copy).points
    first, second = points.keys()
    shutil.copy(points.path(first), points.path(second))
    (said,) = points.set_aside()
    assert second in said and "checksum" in said


def test_what_is_no_file_is_set_aside_too(ran, copy):
    first, second = sorted((copy / "points").glob("*.json"))
    first.unlink()
    first.mkdir()
    second.unlink()
    os.mkfifo(second)
    said: list[str] = []
    semlink.run(semlink.load(SCENARIO), copy, warn=said.append)
    assert len(said) == 2 and (copy / "curves.csv").read_bytes() == (ran / "curves.csv").read_bytes()


NO_FILES = {
    "dangling": lambda path: path.symlink_to("nowhere"),
    "circle": lambda path: path.symlink_to(path.name),
    "folder": Path.mkdir,
    "fifo": os.mkfifo,
}


@pytest.mark.parametrize("name", ["46e6.json", "packed-0.jsonl.gz"])
@pytest.mark.parametrize("make", NO_FILES.values(), ids=NO_FILES)
def test_what_is_no_file_is_set_aside_beside_whole_points(copy, name, make):
    points = Results(copy).points
    points.pack()
    before = points.keys()
    make(points.folder / name)
    with pytest.raises(ResultsError, match=name):
        list(points.records(["46e6"]))
    (said,) = points.set_aside()
    assert name in said and "set aside" in said and "\n" not in said
    assert points.keys() == before and points.set_aside() == []
    assert os.path.lexists(points.folder / "damaged" / name)


PACKS = {
    "trash": lambda data, lines: b"xyz",
    "cut off": lambda data, lines: data[:-30],
    "a flipped byte": lambda data, lines: data[: len(data) // 2] + b"\xff" + data[len(data) // 2 + 1 :],
    "a line of a list": lambda data, lines: gzip.compress(b"[1]\n" + lines[1]),
    "a line without a record": lambda data, lines: gzip.compress(b'{"key": "a"}\n' + lines[1]),
    "a key that leads elsewhere": lambda data, lines: gzip.compress(b'{"key": "../x", "record": {}}\n' + lines[1]),
    "a key that is a number": lambda data, lines: gzip.compress(b'{"key": 5, "record": {}}\n' + lines[1]),
    "nothing but zeros": lambda data, lines: gzip.compress(bytes(3_000_000), 1),
}


@pytest.mark.parametrize("damage", PACKS.values(), ids=PACKS)
def test_of_a_broken_pack_what_is_whole_stays(ran, tmp_path, damage, monkeypatch):
    monkeypatch.setattr("semlink.link.results.points.MOST_BYTES", 2_000_000)
    shutil.copytree(ran, tmp_path / "out")
    (pack,) = (tmp_path / "out" / "points").glob("*.gz")
    data = pack.read_bytes()
    lines = gzip.decompress(data).splitlines(keepends=True)
    pack.write_bytes(damage(data, lines))
    with pytest.raises(ResultsError, match=rf"{pack.name}: damaged"):
        semlink.results(tmp_path / "out")
    said: list[str] = []
    again = semlink.run(semlink.load(SCENARIO), tmp_path / "out", warn=said.append)
    kept = lines[1] in _readable(damage(data, lines))
    assert again.manifest["points_computed_in_this_run"] <= 2 - kept and len(said) == 1
    assert (tmp_path / "out" / "curves.csv").read_bytes() == (ran / "curves.csv").read_bytes()


def _readable(data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except Exception:  # noqa: BLE001 - whatever it is, nothing can be read
        return b""


def test_every_record_that_a_run_writes_is_one(ran):
    points, keys = Results(ran).points, Results(ran).keys()
    assert keys and all(map(checked_record, keys, points.records(keys)))
    assert all(CHECKSUM in record for record in points.records(keys))


# --- curves.csv and the manifest


@pytest.mark.parametrize(
    "text",
    [
        "scheme,snr_db\n" + "a" * 200_000 + ",1\n",
        "snr_db,scheme\n1\n",
        "scheme,trials\na,inf\n",
        "scheme,snr_db\na,x\n",
        "scheme\n\0\n" + "b" * 140_000,
    ],
    ids=["a huge field", "a short line", "trials without end", "a word for a number", "a null"],
)
def test_a_broken_table_is_told_in_a_line(ran, tmp_path, text):
    shutil.copytree(ran, tmp_path / "out")
    (tmp_path / "out" / "curves.csv").write_text(text)
    with pytest.raises(ResultsError, match=r"curves\.csv:\d+: ") as caught:
        semlink.results(tmp_path / "out")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"keys": 5}',
        '{"keys": ["../../x"]}',
        '{"scenario": []}',
        '{"packages": [1]}',
        "[" * DEEP,
        '{"points": ' + "1" * 5000 + "}",
    ],
)
def test_a_broken_manifest_is_told_in_a_line(ran, tmp_path, text):
    shutil.copytree(ran, tmp_path / "out")
    (tmp_path / "out" / "manifest.json").write_text(text)
    with pytest.raises(ResultsError, match=r"manifest\.json: cannot be read \(.*run again"):
        semlink.results(tmp_path / "out")
    semlink.run(semlink.load(SCENARIO), tmp_path / "out")
    assert semlink.results(tmp_path / "out").manifest["points"] == 2


# --- coded clips


PACKETS = (Packet(0, b"abc"), Packet(1, b""))
KEY, OTHER = digest_of("one"), digest_of("two")


def entry(store: StreamStore, key: str) -> Path:
    (found,) = (store.folder / key[:2]).glob("*.json")
    return found


@pytest.fixture
def store(tmp_path) -> StreamStore:
    made = StreamStore(tmp_path / "cache")
    made.get(KEY, lambda: PACKETS)
    return made


def spoilt(text):
    return lambda path: path.write_bytes(text if isinstance(text, bytes) else text.encode())


def other_packets(path: Path) -> None:
    held = json.loads(path.read_text())
    path.write_text(json.dumps(held | {"packets": [[0, "YWJk"]]}))


def as_folder(path: Path) -> None:
    path.unlink()
    (path / "x").mkdir(parents=True)


SPOILT = {
    "no base64": spoilt('{"packets": [[0, "@@@"]]}'),
    "a list": spoilt("[]"),
    "binary": spoilt(bytes(range(256))),
    "empty": spoilt(""),
    "other keys": spoilt('{"a": 1}'),
    "deep": spoilt("[" * DEEP),
    "other packets": other_packets,
    "a folder": as_folder,
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_broken_coded_clip_is_set_aside_said_and_coded_again(store, spoil, caplog):
    spoil(entry(store, KEY))
    with caplog.at_level(logging.WARNING):
        assert store.get(KEY, lambda: PACKETS) == PACKETS
    assert len(caplog.records) == 1 and "coded again" in caplog.text
    assert (entry(store, KEY)).with_suffix(".damaged").exists()
    assert store.get(KEY, lambda: pytest.fail("coded twice")) == PACKETS
    assert len(caplog.records) == 1


def test_packets_of_another_clip_never_count(store, caplog):
    store.get(OTHER, lambda: (Packet(0, b"another"),))
    shutil.copy(entry(store, OTHER), entry(store, KEY))
    assert store.get(KEY, lambda: PACKETS) == PACKETS and "coded again" in caplog.text


def test_what_did_not_fit_is_remembered_with_its_reason(store):
    def refuse():
        raise Infeasible("too small")

    for make in (refuse, lambda: pytest.fail("coded twice")):
        with pytest.raises(Infeasible, match="too small"):
            store.get(OTHER, make)


# --- pictures


def test_a_broken_picture_is_none(tmp_path):
    pictures, frames = Pictures(tmp_path), np.zeros((2, 4, 4), np.uint8)
    good = Picture((0, 1), 1, frames, frames)
    pictures.write("a", good)
    assert pictures.read("a") is not None
    data = pictures.path("a").read_bytes()
    for broken in (data[:-40], b"", b"PK", data[:60] + b"\xff" * 20 + data[80:]):
        pictures.path("a").write_bytes(broken)
        assert pictures.read("a") is None
    for strange in (
        Picture((0,), 0, frames, frames),
        Picture((0, 1), 5, frames, frames),
        Picture((0, 1), 1, frames.astype(float), frames),
        Picture((0, 1), 1, frames, frames[:, :2]),
        Picture((0, 1), 1, frames, frames, planes=3),
        Picture((0, 1), 1, np.array(5), frames),
        Picture((0, 1), 1, frames[0], frames[0]),
        Picture((0, 1), 1, frames, frames, planes=0),
        Picture((0, 1), 1, frames, frames, mean_count=10**400),
    ):
        pictures.write("a", strange)
        assert pictures.read("a") is None
