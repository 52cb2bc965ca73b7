"""Tables of papers on imaging: snapshots of the snapshot-imaging benchmark, and schemes of our scenarios."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import torch

from semlink.files import Json
from semlink.link.metrics.psnr_ssim import psnr_by_frame
from semlink.link.report.clip_table import cells
from semlink.link.results.finished import read_run
from semlink.link.scenario.loader import Origin, read_yaml
from semlink.link.scenario.scenario import Scenario
from semlink.link.sweep.plan import Job
from semlink.link.sweep.run import run
from semlink.link.validate.entry import Bench, CannotRun, Found, found_exactly
from semlink.sensing.programmable.exposure import ReadNoise
from semlink.sensing.programmable.gap_tv import GapTv, gap_tv

__all__ = ["PaperScheme", "Snapshots"]


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Mean PSNR over frames of a clip of the benchmark, eight frames a snapshot, restored by GAP-TV.

    The file holds `orig` (0..255), `mask` and `meas`, as the benchmark's MATLAB files do.
    """

    file: str
    frames: int
    settings: GapTv = GapTv(iterations=300, start=0.03, end=0.01, time_weight=0.2, inner=3)

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        from scipy.io import loadmat

        held = loadmat(bench.file(f"sci/{self.file}"))
        mask, clip, read = (
            torch.from_numpy(held[name].astype("float32")).permute(2, 0, 1).contiguous()
            for name in ("mask", "orig", "meas")
        )
        counts = torch.ones(mask.shape[1:], dtype=torch.int64)
        by_frame: list[float] = []
        for number in range(self.frames // len(mask)):
            slots = torch.zeros(1, len(mask) // 2, *mask.shape[1:])
            slots[0, 0] = read[number] / 255
            silent = ReadNoise(shot=1e-6, read=1e-6)
            restored = gap_tv(slots, counts, mask, noise=silent, settings=self.settings)[0].clamp(0, 1)
            truth = clip[number * len(mask) : (number + 1) * len(mask)] / 255
            by_frame += psnr_by_frame(truth.numpy(), restored.numpy()).tolist()
        return {"": found_exactly(sum(by_frame) / len(by_frame), f"{len(by_frame)} frames")}


@dataclass(frozen=True, slots=True)
class PaperScheme:
    """PSNR by clip of one scheme of a scenario of this repository, with the scenario's own seed.

    Attributes:
        scenario: name of the file in `scenarios/`.
        scheme, rate: one of its schemes, and one of that scheme's rates.
        path: the clips in the folder of data; with `frames` of each, or the scenario's own source where it is ''.
    """

    scenario: str
    scheme: str
    rate: float | None = None
    path: str = ""
    frames: int = 0
    planes: int = 1
    size: tuple[int, int] | None = None

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        if bench.repository is None:
            raise CannotRun("needs scenarios/ of a checkout of semlink")
        path = bench.repository / "scenarios" / f"{self.scenario}.yaml"
        tree = dict(read_yaml(path)[0])
        tree["source"] = self._source(bench) or tree["source"]
        chosen = [dict(scheme) for scheme in tree["schemes"] if scheme["name"] == self.scheme]
        tree["schemes"] = [scheme | ({} if self.rate is None else {"rates": [self.rate]}) for scheme in chosen]
        tree["metrics"], tree["table"] = ["psnr"], _without_published(tree["table"])
        scenario = Scenario.model_validate(tree).at(path.parent, Origin(path))
        with tempfile.TemporaryDirectory(prefix="semlink-validate-") as folder:
            job = Job(scenario, Path(folder), scenario.folder, scenario.origin)
            run(job)
            records = read_run(job.out).records
        assert scenario.table is not None
        found = [cell for cell in cells(records, scenario.table) if cell.frames == "all"]
        return {cell.clip: found_exactly(cell.psnr_db, "one run with the scenario's seed") for cell in found}

    def _source(self, bench: Bench) -> Json:
        """Clips of the data in the place of the scenario's; empty where it makes its own."""
        if not self.path:
            return {}
        head, _, tail = self.path.partition("*")
        folder = bench.file(head.rpartition("/")[0] if tail else self.path)
        if tail and not any(
            fnmatch(str(each.relative_to(bench.data or folder)), self.path) for each in folder.iterdir()
        ):
            raise CannotRun(f"needs {self.path} in a folder of data (--data DIR)")
        where = str((bench.data or folder) / self.path)
        return {"kind": "video", "path": where, "frames": self.frames, "pick": "first", "clips": None} | (
            {"planes": self.planes, "size": list(self.size), "crop": "stretch"} if self.size else {}
        )


def _without_published(table: Json) -> Json:
    return {name: value for name, value in table.items() if name != "published"}
