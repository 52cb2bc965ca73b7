"""Clips of a finished run sent once more, with the noise that they met then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semlink.errors import ResultsError, ScenarioError
from semlink.files import Json
from semlink.link.api.records import Place, place_of, the_one
from semlink.link.chain.transmit import run_clip
from semlink.link.metrics.psnr_ssim import psnr_db
from semlink.link.results.finished import FinishedRun
from semlink.link.scenario.of_manifest import scenario_of_manifest
from semlink.link.scenario.scenario import Scenario
from semlink.link.sweep.clips import load_clips
from semlink.link.sweep.grid import GridPoint, grid, place_in_rows
from semlink.link.sweep.point_runner import PointRunner
from semlink.nn.cpu import one_thread
from semlink.seeds import Seeds

__all__ = ["Sender", "sender_for"]

SAME_DB = 0.01
"""A clip sent again may differ by so much in PSNR, between machines; by more, something else was sent."""


@dataclass(frozen=True)
class Sender:
    """The clips and blocks of a scenario, ready to send."""

    runner: PointRunner
    run: FinishedRun

    def source(self, clip: int | str) -> np.ndarray:
        """Frames of a clip as the source has them: float32 (t, h, w)."""
        return self.runner.clips.frames[self.number(clip)].pixels[0].numpy().copy()

    def frames(self, wanted: Json, clip: int | str, trial: int) -> np.ndarray:
        """What arrived of a clip in one trial: float32 (t, h, w).

        Raises:
            ScenarioError: no single point, or no such clip.
            ResultsError: it is not what the run scored.
        """
        places = {self.place(point): point for point in grid(self.runner.scenario)}
        place = the_one(places, wanted)
        number = self.number(clip)
        self.check_trial(place, trial)
        with one_thread():
            pixels = self._sent(places[place], number, trial)
        self._check(place, number, trial, pixels)
        return pixels

    def point(self, place: Place) -> GridPoint | None:
        """The point of the grid at a place, None where the scenario has none there."""
        return next((point for point in grid(self.runner.scenario) if self.place(point) == place), None)

    def _sent(self, point: GridPoint, number: int, trial: int) -> np.ndarray:
        """One clip over the link; clips that are only sensed go together, as in the run."""
        link = self.runner.link(point)
        deals = self.runner.deals(link, point)
        if link.is_sensing:
            outcome = list(self.runner.trial(link, deals, trial))[number]
        else:
            seeds = Seeds(self.runner.scenario.seed, (number,), trial)
            deal = deals[number]
            outcome = run_clip(link, self.runner.clips.frames[number], deal.agreement, seeds, budget=deal.budget)
        return outcome.frames.pixels[0].numpy().astype(np.float32)

    def _check(self, place: Place, number: int, trial: int, pixels: np.ndarray) -> None:
        """Compare with what the run scored, where its record has this trial."""
        found = [p for p in self.run.points if place_of(p.row) == place and p.clips]
        scored = found[0].clips[number]["psnr_db"] if found else []
        if trial >= len(scored):
            return
        now = psnr_db(self.source(number), pixels)
        if abs(now - scored[trial]) > SAME_DB:
            raise ResultsError(
                f"{self.run.folder}: the clip now arrives with {now:.2f} dB, and was scored with {scored[trial]:.2f}; "
                "the source, a plug-in or the version of semlink has changed since the run"
            )

    def check_trial(self, place: Place, trial: int) -> None:
        """Refuse a trial that the run did not make."""
        made = [p.row.trials for p in self.run.points if place_of(p.row) == place and p.clips]
        trials = made[0] if made else 0
        if not isinstance(trial, int) or not 0 <= trial < (trials or 0):
            raise ScenarioError(f"trial: got {trial!r}; the run has trials 0 to {(trials or 0) - 1} of this point")

    def place(self, point: GridPoint) -> Place:
        """Where a point of the grid stands, as rows have it."""
        return place_in_rows(self.runner.scenario, point, [p.row.channel for p in self.run.points])

    def number(self, clip: int | str) -> int:
        """A clip by its number or its name.

        Raises:
            ScenarioError: there is no such clip.
        """
        names = self.runner.clips.names
        if isinstance(clip, str) and clip in names:
            return names.index(clip)
        if isinstance(clip, int) and -len(names) <= clip < len(names):
            return clip % len(names)
        raise ScenarioError(f"no clip {clip!r}; there are {len(names)}: {_some(names)}")


def sender_for(run: FinishedRun, scenario: Scenario | None, *, plugins: bool = False, commands: bool = False) -> Sender:
    """What sends the clips of a run again.

    Args:
        scenario: None for the one that the manifest holds.
        plugins: whether that one may name code of a user.
        commands: whether it may name programs to start.
    Raises:
        ScenarioError: the manifest holds none that can be used, or one with a live object.
        SourceError: the clips are not there any more.
    """
    if scenario is None:
        again = "give it as semlink.results(folder, scenario=semlink.load(...))"
        trusting = "where you trust who wrote it, semlink.results(folder, plugins=True), or replay --allow-plugins"
        starting = "replay --allow-commands or semlink.results(folder, commands=True): only if you trust it"
        scenario = scenario_of_manifest(
            run.folder,
            run.manifest,
            plugins=plugins,
            commands=commands,
            again=again,
            trusting=trusting,
            starting=starting,
        )
    clips = load_clips(scenario, scenario.folder)
    return Sender(PointRunner.of(scenario, clips, run.folder / ".cache", scenario.folder), run)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
