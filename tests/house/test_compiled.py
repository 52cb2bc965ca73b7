"""Compiled loops give their numbers wherever machine code can be kept, or cannot, and whatever is found of it."""

from __future__ import annotations

import importlib.util
import os
import signal
from pathlib import Path

import numba
import pytest
from numba.core.caching import NullCache

SOURCE = """from semlink.kernels.compiled import compiled

@compiled(nogil=True)
def twice(x):
    return 2 * x
"""


def keep_in(folder: str, monkeypatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", folder)  # numba reads it again whenever another of its variables changes
    monkeypatch.setattr(numba.config, "CACHE_DIR", folder)


@pytest.fixture
def source(tmp_path, monkeypatch) -> Path:
    """A module with a compiled function, whose machine code goes to a folder `kept` beside it."""
    keep_in(str(tmp_path / "kept"), monkeypatch)
    (tmp_path / "code").mkdir()
    path = tmp_path / "code" / "kernels.py"
    path.write_text(SOURCE)
    return path


def loaded(source: Path):
    """The function, as a new process has it."""
    spec = importlib.util.spec_from_file_location("kernels", source)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.twice(4) == 8
    return module.twice


def was_found(kernel) -> bool:
    return sum(kernel.stats.cache_hits.values()) == 1


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flipped(path: Path) -> None:
    """Other machine code, in the same shape."""
    data = path.read_bytes()
    place = data.index(b"\x7fELF") + 64 if path.suffix == ".nbc" else len(data) // 2
    path.write_bytes(data[:place] + bytes(b ^ 255 for b in data[place : place + 40]) + data[place + 40 :])


DAMAGE = {"cut": cut, "empty": lambda path: os.truncate(path, 0), "other": lambda path: path.write_bytes(b"x" * 900)}


@pytest.mark.parametrize("end", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", [*DAMAGE.values(), flipped], ids=[*DAMAGE, "flipped"])
def test_what_is_damaged_is_compiled_again_and_kept(source, damage, end):
    assert not was_found(loaded(source))
    (entry,) = (source.parents[1] / "kept").glob(f"*/*.{end}")
    assert was_found(loaded(source))
    damage(entry)
    assert not was_found(loaded(source))
    assert was_found(loaded(source))


def test_code_for_other_arguments_is_not_run(source):
    """Of two processes that begin an index at once, each for its own arguments, one may leave its code to the other."""
    loaded(source)(0.5)
    one, other = sorted((source.parents[1] / "kept").glob("*/*.nbc"))
    one.write_bytes(other.read_bytes())
    assert not was_found(loaded(source))
    assert was_found(loaded(source))


def test_code_of_an_older_source_is_not_run(source):
    """A process that is killed between index and code leaves the one new, the other old."""
    loaded(source)
    (entry,) = (source.parents[1] / "kept").glob("*/*.nbc")
    old = entry.read_bytes()
    source.write_text(SOURCE.replace("2 * x", "x + x "))
    os.utime(source, (1, 1))
    assert not was_found(loaded(source))
    entry.write_bytes(old)
    assert not was_found(loaded(source))
    assert was_found(loaded(source))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["fifo", "folder"])
@pytest.mark.parametrize("end", ["nbi", "nbc"])
def test_what_is_no_file_is_neither_waited_for_nor_touched(source, make, end):
    loaded(source)
    (entry,) = (source.parents[1] / "kept").glob(f"*/*.{end}")
    entry.unlink()
    make(entry)
    assert not was_found(loaded(source))
    assert entry.exists() and not entry.is_file()


@pytest.fixture
def nowhere(source, monkeypatch) -> Path:
    """Nothing can be kept beside the source or in the user's folder; the place for temporary files."""
    (source.parent / "__pycache__").write_text("")
    keep_in("", monkeypatch)
    monkeypatch.setenv("XDG_CACHE_HOME", str(source))
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    spare = source.parents[1] / "spare"
    spare.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spare))
    return spare


def test_without_a_cache_of_the_user_it_is_kept_among_temporary_files(source, nowhere):
    assert not was_found(loaded(source))
    (folder,) = nowhere.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert was_found(loaded(source))


@pytest.mark.parametrize("way", ["absent", "open to others", "a link"])
def test_without_any_place_it_is_compiled_each_time(source, nowhere, way):
    folder = nowhere / f"semlink-compiled-{os.getuid()}"
    if way == "absent":
        nowhere.rmdir()
    elif way == "open to others":
        folder.mkdir()
        folder.chmod(0o777)
    else:
        (nowhere / "elsewhere").mkdir(0o700)
        folder.symlink_to(nowhere / "elsewhere")
    for _ in range(2):
        kernel = loaded(source)
        assert isinstance(kernel._cache, NullCache) and not was_found(kernel)


def test_nobodys_home_leaves_no_folder_where_we_are(source, nowhere, monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    monkeypatch.chdir(tmp_path)
    loaded(source)
    assert not (tmp_path / "~").exists()


def test_a_full_disk_costs_nothing_but_time(source, monkeypatch):
    def full(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile.save", full)
    assert not was_found(loaded(source))


@pytest.fixture(params=["notify", "getbuffer"], ids=["compiled", "from the cache"])
def stopped_in_llvm(source, monkeypatch, request):
    """SIGTERM, as Ray ends its workers, arrives while LLVM makes the code of a loop, or takes it from the cache."""
    if request.param == "getbuffer":
        loaded(source)
    engine = numba.njit(lambda: 0).targetctx.codegen()._engine._ee
    real = getattr(engine, f"_object_cache_{request.param}")

    def interrupted(module, *made):
        if "twice" in module.name:
            signal.raise_signal(signal.SIGTERM)
        return real(module, *made)

    monkeypatch.setattr(engine, f"_object_cache_{request.param}", interrupted)

    def end(number, _):
        raise SystemExit("told to end")

    before = signal.signal(signal.SIGTERM, end)
    yield end
    signal.signal(signal.SIGTERM, before)


def test_a_signal_while_code_is_made_is_answered_when_it_is_whole(source, stopped_in_llvm):
    """numba would lose what is raised, and fail with "no compiled object yet", or call code that is not there."""
    with pytest.raises(SystemExit, match="told to end"):
        loaded(source)
    assert signal.getsignal(signal.SIGTERM) is stopped_in_llvm
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert was_found(loaded(source))
