"""Tables of two papers that scenarios of this repository follow: theirs stands in the scenario, ours in `results/`.

An entry for each published cell; what committed results do not reach is expected to fall short as far as they do.

Source: [zhang2023hitvcsnet, Table 1], [hyder2019gmlr, Tables 1 to 3].
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from semlink.files import Json
from semlink.link.scenario.loader import read_yaml
from semlink.link.validate.entry import Entry, Rule, Shortfall
from semlink.link.validate.measures.imaging import PaperScheme

__all__ = ["TABLES", "PaperTable", "entries_of"]


@dataclass(frozen=True, slots=True)
class PaperTable:
    """A scenario with published numbers.

    Attributes:
        name: of its entries.
        scenario: the file in `scenarios/`, and `results` the folder of `results/` that ran it so.
        path: clips in the folder of data, '' where the scenario makes its own.
        frames, planes, size: of a clip.
        slack: dB that another processor may move ours.
        within: dB below theirs that still agree.
    """

    name: str
    key: str
    scenario: str
    results: str
    path: str = ""
    frames: int = 0
    planes: int = 1
    size: tuple[int, int] | None = None
    slack: float = 0.5
    within: float = field(default=0.5, kw_only=True)


CIF, HYDER = "video/dev/*_cif14.mkv", "hyder2019gmlr"
MOVING, ROTATING, WALKING = "gmlr/mov_mnist/seq1", "gmlr/rot_mnist/seq1", "gmlr/walking/seq1"
TABLES = (
    PaperTable("hit", "zhang2023hitvcsnet", "table_hit", "table_hit", CIF, 14, slack=0.2),
    PaperTable("gmlr-1-moving", HYDER, "table_gmlr_1_moving", "table_gmlr_1_moving_published", MOVING, 20),
    PaperTable("gmlr-1-rotating", HYDER, "table_gmlr_1_rotating", "table_gmlr_1_rotating_published", ROTATING, 32),
    PaperTable("gmlr-1-wheel", HYDER, "table_gmlr_1_wheel", "table_gmlr_1_wheel"),
    PaperTable("gmlr-2-moving", HYDER, "table_gmlr_2_moving", "table_gmlr_2_moving_published", MOVING, 20),
    PaperTable("gmlr-2-rotating", HYDER, "table_gmlr_2_rotating", "table_gmlr_2_rotating_published", ROTATING, 32),
    PaperTable("gmlr-2-wheel", HYDER, "table_gmlr_2_wheel", "table_gmlr_2_wheel"),
    PaperTable("gmlr-3", HYDER, "table_gmlr_3", "table_gmlr_3", WALKING, 80, 3, (64, 64)),
)


def entries_of(repository: Path | None) -> tuple[Entry, ...]:
    """The entries of all tables whose scenario is there."""
    if repository is None:
        return ()
    return tuple(entry for table in TABLES for entry in _of_table(table, repository))


def _of_table(table: PaperTable, repository: Path) -> Iterator[Entry]:
    tree = read_yaml(repository / "scenarios" / f"{table.scenario}.yaml")[0]
    rates = {scheme["name"]: scheme.get("rates") or [None] for scheme in tree["schemes"]}
    committed = _committed(repository / "results" / table.results / "table.csv")
    for published in tree["table"]["published"]:
        if "psnr_db" not in published or published.get("frames", "all") != "all":
            continue
        wanted = published.get("rate")
        for rate in rates[published["scheme"]]:
            if wanted is None or rate == wanted:
                yield _entry(table, tree["table"], published, rate, committed)


def _entry(table: PaperTable, spec: Json, published: Json, rate: float | None, committed: list[Json]) -> Entry:
    scheme, clip, theirs = published["scheme"], published.get("clip", "mean"), published["psnr_db"]
    ours = next((_number(row) for row in committed if _is(row, scheme, rate, clip)), None)
    at, said = ("", "") if rate is None else (f"@{rate:g}", f" at {rate:g}")
    words = "" if clip == "mean" else f"/{clip.rstrip('*')}"
    why = published.get("because") or spec.get("because", "")
    return Entry(
        f"papers/{table.name}/{scheme.replace(', ', '-').replace(': ', '-').replace(' ', '-').lower()}{at}{words}",
        f"PSNR of {scheme}{said}, {clip.rstrip('*')} ({table.scenario}.yaml)",
        theirs,
        "dB",
        Rule(table.within, math.inf, why),
        f"[{table.key}, {(published.get('where') or spec['where']).strip('[]').partition(', ')[2]}]",
        PaperScheme(table.scenario, scheme, rate, table.path, table.frames, table.planes, table.size),
        clip,
        cost="full",
        short=Shortfall(ours, table.slack, why) if ours is not None and ours < theirs - table.within else None,
        needs=f"{table.path} in the folder of data" if table.path else "",
    )


def _committed(path: Path) -> list[Json]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["frames"] == "all"]


def _is(row: Json, scheme: str, rate: float | None, clip: str) -> bool:
    same_rate = rate is None or (row["rate"] != "" and float(row["rate"]) == rate)
    return row["scheme"] == scheme and same_rate and fnmatch(row["clip"], clip)


def _number(row: Json) -> float:
    return float(row["psnr_db"])
