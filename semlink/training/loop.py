"""The training loop: one step after the other, resumable to the step.

Batch, noise and schedule of a step depend on (seed, step) alone, so a run that
was killed and resumed ends with the same weights as one that was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from semlink.errors import TrainingError
from semlink.training.data.material import find_material
from semlink.training.data.pack import Pack
from semlink.training.interrupt import Interrupt, after_the_step
from semlink.training.loss_curves import Curves
from semlink.training.model_card import learns, load_into, save_weights
from semlink.training.recipe import Profile, Recipe, load_recipe
from semlink.training.state import RunState
from semlink.training.task import Task, begin, build_task, compiled, sampler_of, shipped_part, trained_part

NAMES_KEPT = 50
"""Of the material, with the state of a run, to say what has changed."""
CHECKPOINT_S = 300.0
"""A run loses no more than this, however rarely its recipe keeps its state."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a run tells its caller now and then."""

    step: int
    steps: int
    loss: float
    seconds_left: float
    figures: dict[str, float]


def train(
    recipe_path: str | Path,
    *,
    profile: str = "cpu",
    out: str | Path | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    data: str | Path | None = None,
    resume: bool = True,
    device: str | None = None,
    report: Callable[[Progress], None] | None = None,
) -> Path:
    """Train what `recipe_path` says and return the weights file written at the end.

    Args:
        profile: which of the recipe's profiles.
        out: folder of the run; default `runs/<recipe name>`.
        steps: instead of the profile's; the schedule follows.
        minutes: the run ends after so much time, all its sessions together, if not after its steps; the schedule
            ends then too, so the last weights are good ones.
        data: data root, a folder of clips or stills, or a pack; default the
            environment's SEMLINK_DATA, then ../shared/data.
        resume: go on from a checkpoint in `out`; False starts anew.
        report: called after the first step of this session and after every logged one.

    Raises:
        ScenarioError: the recipe is wrong.
        SourceError: the data cannot be read.
        TrainingError: a loss that is not finite, or a checkpoint of another run.
        KeyboardInterrupt: the step under way was ended, and the state kept.
    """
    recipe = load_recipe(recipe_path)
    chosen = recipe.profile(profile)
    chosen = replace(chosen, steps=steps) if steps is not None else chosen
    folder = Path(out) if out is not None else Path("runs") / recipe.name
    task = build_task(recipe.task, recipe.model, recipe.options)
    pack = find_material(recipe.data, data)
    run = _Run(recipe, chosen, task, pack, folder, _device(device), math.inf if minutes is None else 60 * minutes)
    return run.go(resume=resume, report=report or (lambda progress: None))


class _Run:
    """One run: what `train` holds while it works."""

    def __init__(
        self,
        recipe: Recipe,
        profile: Profile,
        task: Task,
        pack: Pack,
        folder: Path,
        device: torch.device,
        seconds: float,
    ) -> None:
        self.seconds = seconds
        self.recipe, self.profile, self.task, self.folder, self.device = recipe, profile, task, folder, device
        self.pack = pack
        self.sampler = sampler_of(task, pack, replace(recipe.clips, crop=profile.crop), recipe.seed, device)
        self.held_out = self.sampler.held_out(profile.validation_crop).to(device)
        self.facts = {"recipe": recipe.digest, "profile": _profile_facts(profile), "data": pack.digest}
        self.facts["material"] = {"items": len(pack.names), "names": list(pack.names[:NAMES_KEPT])}
        self.state = self._fresh()
        self.step_model = compiled(task, self.state.model) if profile.compile else self.state.model

    def go(self, *, resume: bool, report: Callable[[Progress], None]) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        resumed = resume and self.state.load(self.folder, self.facts)
        curves = Curves(self.folder, keep_below=self.state.step if resumed else 0)
        with after_the_step() as asked:
            self._work(curves, report, asked)
        curves.draw()
        return self._finish(curves)

    def _work(self, curves: Curves, report: Callable[[Progress], None], asked: Interrupt) -> None:
        """Step after step to the end; the state is kept now and then, at the end, and where somebody interrupts.

        Raises:
            KeyboardInterrupt: somebody did, and the last step is kept.
        """
        last, first, saved = self.state.step >= self.profile.steps, self.state.step + 1, time.monotonic()
        while not last:
            started = time.monotonic()
            loss, figures = self._step()
            step = self.state.step
            self.state.seconds += time.monotonic() - started
            started = time.monotonic()
            last = step == self.profile.steps or self.state.seconds >= self.seconds
            if last or step % self.profile.validate_every == 0:
                figures |= self._validate()
            self.state.seconds += time.monotonic() - started
            if last or step % self.profile.log_every == 0 or step % self.profile.validate_every == 0:
                curves.add(step, loss, figures)
                report(Progress(step, self.profile.steps, loss, self._left(), figures))
            elif step == first:
                report(Progress(step, self.profile.steps, loss, self._left(), {}))
            is_late = time.monotonic() - saved > CHECKPOINT_S
            if last or step % self.profile.checkpoint_every == 0 or is_late or asked.has_come:
                curves.save()
                self.state.save(self.folder, self.facts)
                saved = time.monotonic()
            if asked.has_come and not last:
                raise KeyboardInterrupt

    def _step(self) -> tuple[float, dict[str, float]]:
        """One step; weights and averages move only when the loss is finite."""
        step, spec = self.state.step, self.recipe.optimiser
        clips = self.sampler.batch(step, self.profile.batch).to(self.device)
        rng = torch.Generator().manual_seed(self.recipe.seed * 1_000_003 + step)
        for optimiser in self.state.optimisers:
            optimiser.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.profile.precision == "bf16"):
            loss, figures = self.task.loss(self.step_model, clips, step, rng)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.state.model.parameters(), spec.clip_norm)
        if not (torch.isfinite(loss) and torch.isfinite(norm)):
            raise TrainingError(
                f"{self.folder}: loss {loss.item():.4g}, gradient norm {norm.item():.4g} at step {step}; "
                "the last good checkpoint is kept; lower optimiser.learning_rate"
            )
        rate = _schedule(step, self.profile.steps, spec.warmup, spec.final_share, self.state.seconds / self.seconds)
        for optimiser in self.state.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate * group["initial_lr"]
            optimiser.step()
        _move_average(self.state.average, self.state.model, min(spec.average, (1 + step) / (10 + step)))
        self.state.step += 1
        return loss.item(), figures

    def _left(self) -> float:
        """Seconds to the end, at the mean pace so far."""
        step = max(1, self.state.step)
        return min(self.state.seconds / step * (self.profile.steps - step), self.seconds - self.state.seconds)

    @torch.no_grad()
    def _validate(self) -> dict[str, float]:
        if not len(self.held_out):
            return {}
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.profile.precision == "bf16"):
            return self.task.validate(self.state.average, self.held_out)

    def _fresh(self) -> RunState:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.recipe.seed)
            shipped = self.task.build()
            model = trained_part(self.task, shipped)
        if not self.recipe.start.weights:
            begin(self.task, shipped, self.sampler)
        if self.recipe.start.weights:
            load_into(shipped, self.recipe.start.weights, skip=self.recipe.start.skip)
        self._rest(model)
        model = model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        average = deepcopy(model).requires_grad_(False)
        optimisers = self.task.optimisers(model, self.recipe.optimiser.learning_rate)
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                group.setdefault("initial_lr", group["lr"])
        return RunState(model, average, optimisers)

    def _rest(self, model: nn.Module) -> None:
        """Leave out of the training what the recipe does not name."""
        only = self.recipe.optimiser.only
        names = [name for name, _ in model.named_parameters()]
        for part in only:
            if not any(learns(name, [part]) for name in names):
                allowed = sorted({name.split(".")[0] for name in names})
                raise TrainingError(f"optimiser.only: the model has no {part!r}; allowed: {', '.join(allowed)}")
        for name, parameter in model.named_parameters():
            if not learns(name, only):
                parameter.requires_grad_(False)

    def _finish(self, curves: Curves) -> Path:
        return save_weights(
            self.folder / f"{self.recipe.name}.safetensors",
            shipped_part(self.state.average).cpu(),
            self.task,
            recipe=self.recipe,
            profile=self.profile,
            pack=self.pack,
            steps=self.state.step,
            last=curves.last(),
            drawn_from=self.sampler.drawn_from,
        )


def _schedule(step: int, steps: int, warmup: int, final_share: float, spent: float = 0.0) -> float:
    """Linear warm-up, then half a cosine down to `final_share` when the steps or the time, of which `spent`, end."""
    rising = min(1.0, (step + 1) / max(1, min(warmup, steps // 4)))
    along = min(1.0, max(step / max(1, steps), spent))
    return rising * (final_share + (1 - final_share) * 0.5 * (1 + math.cos(math.pi * along)))


@torch.no_grad()
def _move_average(average: nn.Module, model: nn.Module, keep: float) -> None:
    as_is = getattr(model, "unaveraged", ())  # parts whose average would mean nothing
    pairs = list(zip(average.named_parameters(), model.parameters()))
    copied = [(slow, fast) for (name, slow), fast in pairs if as_is and name.startswith(as_is)]
    moved = [(slow, fast) for (name, slow), fast in pairs if not (as_is and name.startswith(as_is))]
    for slow, fast in copied:
        slow.copy_(fast)
    torch._foreach_lerp_([slow for slow, _ in moved], [fast for _, fast in moved], 1 - keep)
    for kept, newest in zip(average.buffers(), model.buffers()):
        kept.copy_(newest)


def _device(name: str | None) -> torch.device:
    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))


def _profile_facts(profile: Profile) -> dict:
    """What of a profile a resumed run must share with its beginning."""
    return {key: getattr(profile, key) for key in ("steps", "batch", "crop", "precision")}
