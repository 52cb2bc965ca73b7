"""`semlink doctor`: what a run rests on here, for a bug report and before a long run."""

from __future__ import annotations

import importlib
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from semlink.errors import raised
from semlink.files import JsonDict
from semlink.memory import said_bytes, spare_bytes

GOOD, NOTE, BAD = "good", "note", "bad"
"""A run works; it works and something is worth knowing; it does not work."""
LEAST_MEMORY, LEAST_DISK = 1_500_000_000, 200_000_000
"""Bytes that a small run takes, with all libraries."""
LIBRARIES = {
    "torch": "torch",
    "numpy": "numpy",
    "scipy": "scipy",
    "numba": "numba",
    "av": "av",
    "constriction": "constriction",
    "sionna-no-rt": "sionna",
    "scikit-commpy": "commpy",
    "scikit-image": "skimage",
    "matplotlib": "matplotlib",
    "pydantic": "pydantic",
    "PyYAML": "yaml",
    "safetensors": "safetensors",
}
"""What every run may need, by the name of its package and that of its module."""
TRIED = ("torch", "numpy", "numba", "av")
"""Those that suit one machine and not another: they are loaded, the others take seconds."""
ENCODERS = {"libx264": "h264", "libx265": "h265", "libsvtav1": "av1"}
"""Encoders of PyAV, and the codec of a scenario that needs each."""
SETS = {"avx2": "AVX2", "avx512f": "AVX-512", "avx512_bf16": "AVX-512 bf16", "amx_bf16": "AMX bf16", "asimd": "NEON"}
"""Instructions that make torch faster, as the system calls them and as people do."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `do` says what helps where it is not good."""

    name: str
    found: str
    state: str = GOOD
    do: str = ""


def findings() -> list[Finding]:
    """All that is looked at; what cannot be found out is said and never ends it."""
    told: list[Finding] = []
    for look in (_semlink, _python, _libraries, _encoders, _cpu, _memory, _gpu, _compiled, _folders, _browser):
        try:
            told += look()
        except Exception as fault:  # noqa: BLE001 - a doctor who faints helps nobody
            what = look.__name__.strip("_")
            told.append(Finding(what, raised(fault), NOTE, "please report this line too"))
    return told


def works(told: list[Finding]) -> bool:
    """Whether a run would work."""
    return all(one.state != BAD for one in told)


def as_lines(told: list[Finding]) -> str:
    """For people: a line for each, and what to do below those that are bad."""
    wide = max(len(one.name) for one in told)
    lines = [
        f"{one.state:4}  {one.name:{wide}}  {one.found}" + (f"\n{'':{wide + 8}}-> {one.do}" if one.do else "")
        for one in told
    ]
    bad = sum(one.state == BAD for one in told)
    plural = "" if bad == 1 else "s"
    verdict = "a run would work" if not bad else f"a run would not work: {bad} thing{plural} to mend"
    return "\n".join([*lines, verdict]) + "\n"


def as_json(told: list[Finding]) -> JsonDict:
    """For programs."""
    return {"works": works(told), "findings": [asdict(one) for one in told]}


def _semlink() -> Iterator[Finding]:
    from semlink import __version__
    from semlink.link.results.code import commit

    told = commit()
    yield Finding("semlink", f"{__version__}, commit {told or 'unknown'}")
    if told is not None and told.endswith("+"):
        yield Finding(
            "semlink code", "changed since its commit", NOTE, "commit it, so that results name what made them"
        )


def _python() -> Iterator[Finding]:
    old = sys.version_info < (3, 11)
    do = "install Python 3.11 or newer" if old else ""
    yield Finding("python", f"{platform.python_version()}, {platform.platform()}", BAD if old else GOOD, do)


def _libraries() -> Iterator[Finding]:
    for package, module in LIBRARIES.items():
        try:
            told = version(package)
        except PackageNotFoundError:
            yield Finding(package, "not installed", BAD, f"pip install {package}")
            continue
        try:
            if module in TRIED:
                importlib.import_module(module)
        except Exception as fault:  # noqa: BLE001 - whatever a broken library raises
            yield Finding(package, f"{told}, cannot be imported: {raised(fault)}", BAD, f"pip install -U {package}")
        else:
            yield Finding(package, told)


def _encoders() -> Iterator[Finding]:
    import av

    for encoder, kind in ENCODERS.items():
        here = encoder in av.codecs_available
        do = "" if here else f"codec {kind} needs it: pip install --force-reinstall av (its wheels carry it)"
        yield Finding(encoder, "in PyAV" if here else "missing in PyAV", GOOD if here else BAD, do)


def _cpu() -> Iterator[Finding]:
    told = _read("/proc/cpuinfo")
    name = re.search(r"model name\s*:\s*(.+)", told)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", told, re.MULTILINE)
    known = set(flags[1].split()) if flags else set()
    sets = [ours for theirs, ours in SETS.items() if theirs in known]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding(
        "cpu", f"{name[1] if name else platform.machine()}, {cores} of {os.cpu_count()} cores for this process"
    )
    slow = bool(known) and not {"avx2", "asimd"} & known
    do = "networks run several times slower; use another machine for them" if slow else ""
    yield Finding("instructions", ", ".join(sets) or "none that matter", NOTE if slow or not sets else GOOD, do)


def _memory() -> Iterator[Finding]:
    spare = spare_bytes()
    if spare is None:
        yield Finding("memory", "unknown", NOTE, "one worker takes about 0.7 GB")
        return
    short = spare < LEAST_MEMORY
    do = f"end other programs, or raise the limit (ulimit -v, container): {said_bytes(LEAST_MEMORY)} are needed"
    many = max(1, int(spare // 0.8e9))
    enough = f"{said_bytes(spare)} free, room for about {many} worker{'s' * (many > 1)}"
    yield Finding(
        "memory", said_bytes(spare) + " free" if short else enough, BAD if short else GOOD, do if short else ""
    )


def _gpu() -> Iterator[Finding]:
    import torch

    if not torch.cuda.is_available():
        yield Finding("gpu", "none: runs do not need one, training is slower without")
        return
    for number in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(number)
        yield Finding("gpu", f"{card.name}, {said_bytes(card.total_memory)}, CUDA {torch.version.cuda}")


def _compiled() -> Iterator[Finding]:
    from semlink.kernels.compiled import cache_folder
    from semlink.phy.soft_demapping import demap_parts

    place = cache_folder(demap_parts)
    if place is None:
        do = "every start compiles for seconds: make your home or TMPDIR writable"
        yield Finding("compiled loops", "kept nowhere", NOTE, do)
    else:
        yield Finding("compiled loops", f"kept in {homely(place)}, {_room(place)}")


def _folders() -> Iterator[Finding]:
    places = {"results below": Path.cwd(), "temporary files": Path(tempfile.gettempdir())}
    for name, place in places.items():
        do = f"go to another folder, or use --out: nothing can be written to {homely(place)}"
        if name == "temporary files":
            do = "set TMPDIR to a folder that can be written, with some GB free"
        if not _takes_files(place):
            yield Finding(name, f"{homely(place)}: cannot be written", BAD, do)
        elif shutil.disk_usage(place).free < LEAST_DISK:
            yield Finding(
                name, f"{homely(place)}: {_room(place)}", BAD, f"free some; {said_bytes(LEAST_DISK)} are needed"
            )
        else:
            yield Finding(name, f"{homely(place)}: {_room(place)}")


def _browser() -> Iterator[Finding]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if found and driver:
        yield Finding("browser", f"{homely(Path(found))}, {homely(Path(driver))} (for tests of pages)")
    else:
        missing = "chromium" if not found else "chromedriver"
        yield Finding("browser", f"no {missing}: tests of pages are skipped, all else works", NOTE)


def homely(path: Path) -> str:
    """A path in which the home folder, which may hold a person's name, is `~`."""
    with suppress(RuntimeError, ValueError):
        home = Path.home()
        if home != Path(home.anchor):
            return str(Path("~") / path.relative_to(home))
    return str(path)


def _room(place: Path) -> str:
    return f"{said_bytes(shutil.disk_usage(place).free)} free"


def _takes_files(place: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"x")
    except OSError:
        return False
    return True


def _read(path: str) -> str:
    with suppress(OSError):
        return Path(path).read_text(errors="replace")
    return ""
