"""The training harness: resume to the bit, stop at NaN, refuse what is wrong, and really learn."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from training_toys import RECIPE, small_pack, write_recipe

from semlink.errors import ModelError, ScenarioError, SourceError, TrainingError
from semlink.training import loop, model_card
from semlink.training.data.clip_sampler import ClipSampler, ClipSettings, validation_clips
from semlink.training.data.material import DataSpec, find_material
from semlink.training.data.pack import Pack, load_pack, pack_folders, save_pack
from semlink.training.loop import train
from semlink.training.loss_curves import Curves
from semlink.training.model_card import load_into, load_model
from semlink.training.recipe import load_recipe
from semlink.training.state import read_facts
from semlink.training.task import build_task


@pytest.fixture
def pack_file(tmp_path) -> Path:
    save_pack(small_pack(), tmp_path / "pack.npz")
    return tmp_path / "pack.npz"


class Killed(Exception):
    """Stands for a run that ends in the middle."""


def killed_at(step: int):
    def report(progress):
        if progress.step >= step:
            raise Killed

    return report


@pytest.mark.parametrize("kill", [2, 4, 6, 10])
def test_a_killed_run_resumes_to_the_same_bits(tmp_path, pack_file, kill):
    recipe = write_recipe(tmp_path)
    whole = train(recipe, out=tmp_path / "whole", data=pack_file)
    with pytest.raises(Killed):
        train(recipe, out=tmp_path / "killed", data=pack_file, report=killed_at(kill))
    resumed = train(recipe, out=tmp_path / "killed", data=pack_file)
    one, two = load_file(whole), load_file(resumed)
    assert all(torch.equal(one[key], two[key]) for key in one)
    state = [load_file(tmp_path / name / "state.safetensors") for name in ("whole", "killed")]
    assert state[0].keys() == state[1].keys() and all(torch.equal(state[0][key], state[1][key]) for key in state[0])
    assert (tmp_path / "whole/curves.csv").read_text() == (tmp_path / "killed/curves.csv").read_text()


def test_loss_falls_and_curves_are_kept(tmp_path, pack_file):
    """Short exposures of scenes that stand still: averaging over time is soon found."""
    seen = []
    still = {"frames": 8, "still_share": 1.0, "static_share": 1.0}
    recipe = write_recipe(tmp_path, clips=still, options={"maps": {"uniform": 1.0, "counts": [4]}})
    train(recipe, out=tmp_path / "run", data=pack_file, steps=60, report=seen.append)
    with (tmp_path / "run/curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    losses = [float(row["loss"]) for row in rows]
    assert np.mean(losses[-8:]) < 0.7 * np.mean(losses[:4])
    assert [p.step for p in seen] == [1, *(int(row["step"]) for row in rows)]
    assert seen[-1].seconds_left == 0 and seen[5].seconds_left > 0
    assert any(row["psnr_fixed4_db"] for row in rows)
    assert (tmp_path / "run/curves.png").stat().st_size > 1000


def test_an_interrupted_run_keeps_the_step_under_way(tmp_path, pack_file):
    """Step 3 is between two checkpoints of the recipe."""
    recipe = write_recipe(tmp_path)
    whole = train(recipe, out=tmp_path / "whole", data=pack_file)
    seen = []

    def press(progress):
        seen.append(progress.step)
        if progress.step >= 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(recipe, out=tmp_path / "stopped", data=pack_file, report=press)
    assert read_facts(tmp_path / "stopped")["step"] == seen[-1]
    resumed = train(recipe, out=tmp_path / "stopped", data=pack_file)
    one, two = load_file(whole), load_file(resumed)
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert resumed.stat().st_mode & 0o777 == recipe.stat().st_mode & 0o777


def test_the_state_is_kept_by_time_too(tmp_path, pack_file, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_S", 0.0)
    with pytest.raises(Killed):
        train(write_recipe(tmp_path), out=tmp_path / "run", data=pack_file, report=killed_at(2))
    assert read_facts(tmp_path / "run")["step"] == 1


def test_curves_of_negative_losses_are_drawn_as_they_are(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, path: drawn.append(figure))
    for losses, figures in (([-1.0, -3.0], {}), ([3.0, 1.0], {"psnr_db": 20.0})):
        curves = Curves(tmp_path, keep_below=0)
        for step, loss in enumerate(losses, start=1):
            curves.add(step, loss, figures)
        curves.draw()
    below, above = drawn
    assert len(below.axes) == 1 and below.axes[0].get_yscale() == "linear"
    assert list(below.axes[0].lines[0].get_ydata()) == [-1.0, -3.0]
    assert len(above.axes) == 2 and above.axes[0].get_yscale() == "log"


def test_not_a_number_stops_and_keeps_the_last_good_checkpoint(tmp_path, pack_file, monkeypatch):
    recipe = write_recipe(tmp_path)
    task = build_task("reconstruction", RECIPE["model"], RECIPE["options"])
    honest = type(task).loss

    def loss(self, model, clips, step, rng):
        value, figures = honest(self, model, clips, step, rng)
        return (value * float("nan") if step == 6 else value), figures

    monkeypatch.setattr(type(task), "loss", loss)
    with pytest.raises(TrainingError, match="nan.*at step 6; the last good checkpoint is kept"):
        train(recipe, out=tmp_path / "run", data=pack_file)
    assert all(torch.isfinite(value).all() for value in load_file(tmp_path / "run/state.safetensors").values())
    monkeypatch.setattr(type(task), "loss", honest)
    resumed = train(recipe, out=tmp_path / "run", data=pack_file)
    whole = train(recipe, out=tmp_path / "whole", data=pack_file)
    assert all(torch.equal(a, b) for a, b in zip(load_file(resumed).values(), load_file(whole).values()))


def test_a_checkpoint_of_another_run_is_refused(tmp_path, pack_file):
    with pytest.raises(Killed):
        train(write_recipe(tmp_path), out=tmp_path / "run", data=pack_file, report=killed_at(6))
    with pytest.raises(TrainingError, match="recipe of the run was"):
        train(write_recipe(tmp_path, seed=5), out=tmp_path / "run", data=pack_file)
    save_pack(small_pack(1), tmp_path / "other.npz")
    with pytest.raises(
        TrainingError, match="other data: . items then, . now, files of the same names with other pixels"
    ):
        train(write_recipe(tmp_path), out=tmp_path / "run", data=tmp_path / "other.npz")
    state = tmp_path / "run/state.safetensors"
    state.write_bytes(state.read_bytes()[:200])
    with pytest.raises(TrainingError, match="checkpoint is damaged"):
        train(write_recipe(tmp_path), out=tmp_path / "run", data=pack_file)
    train(write_recipe(tmp_path), out=tmp_path / "run", data=pack_file, steps=2, resume=False)


def test_the_card_names_the_material_that_was_used(tmp_path):
    """Not what the recipe would allow: a small picture is left out, and terms of its folders are no others'."""
    from PIL import Image

    folder = tmp_path / "mine"
    folder.mkdir()
    for number in range(12):
        side = 8 if number == 4 else 40
        Image.new("L", (side, side), 20 * number).save(folder / f"{number:02}.png")
    path = train(write_recipe(tmp_path), out=tmp_path / "run", data=folder, steps=1)
    told = json.loads(path.with_suffix(".json").read_text())["data"]
    used = [f"{number:02}.png" for number in range(12) if number not in (4, 9)]
    assert (told["items"], told["used"], told["held_out"]) == (12, 10, 1)
    assert (told["files"], told["files_held_out"]) == (used, ["09.png"])
    assert told["terms"] == "not the recipe's data but another folder, mine; its terms are not known here"
    (folder / "00.png").rename(folder / "zz.png")
    with pytest.raises(TrainingError, match="12 items then, 12 now, 1 gone, such as 00.png, 1 new, such as zz.png"):
        train(write_recipe(tmp_path), out=tmp_path / "run", data=folder, steps=1)


def test_of_many_files_a_card_names_the_first():
    names = tuple(f"{number}.png" for number in range(203)) + ("set.npz:0", "set.npz:1")
    told = Pack(names, ((1, 1, 1),) * 205, (False,) * 205, np.zeros(205, np.uint8)).told(range(205))
    assert told["used"] == 205 and told["files"][199:] == ["199.png", "and 4 more"]


def test_the_card_tells_right_weights_from_wrong_ones(tmp_path, pack_file):
    path = train(write_recipe(tmp_path), out=tmp_path / "run", data=pack_file, steps=4)
    model, card = load_model(path)
    assert card["steps"] == 4 and card["data"]["terms"] == "made up" and card["facts"]["num_frames"] == 8
    assert card["parameters"] == sum(p.numel() for p in model.parameters())
    assert card["recipe_sha256"] == load_recipe(tmp_path / "tiny.yaml").digest

    tensors = load_file(path)
    bent = tmp_path / "bent.safetensors"
    save_file(tensors | {"leave.weight": tensors["leave.weight"] + 0.1}, bent)
    card_file = bent.with_suffix(".json")
    card_file.write_text(json.dumps(card))
    with pytest.raises(ModelError, match="not those of the card"):
        load_model(bent)
    card_file.write_text(json.dumps(card | {"weights_sha256": model_card.file_digest(bent)}))
    with pytest.raises(ModelError, match="probe answers"):
        load_model(bent)
    wider = card | {"model": card["model"] | {"width": 16}}
    card_file.write_text(json.dumps(wider))
    with pytest.raises(ModelError, match="made for 'reconstruction T=8 width=8"):
        load_model(bent)
    card_file.unlink()
    with pytest.raises(ModelError, match="no readable model card"):
        load_model(bent)
    with pytest.raises(ModelError, match="no such file; allowed"):
        load_model("no_such_weights")


def test_starting_from_other_weights_copies_what_fits(tmp_path, pack_file):
    path = train(write_recipe(tmp_path), out=tmp_path / "run", data=pack_file, steps=2)
    stored = load_file(path)
    masked = build_task("reconstruction", RECIPE["model"] | {"masked": True}, {}).build()
    assert load_into(masked, path) == len(stored)
    assert torch.equal(masked.fusion[0].weight[:, :9], stored["fusion.0.weight"].float())
    policy = build_task("ratio_policy", RECIPE["model"], {"costs": [0.1], "steps": 1}).build()
    before = policy.decoder.fusion[0].weight.clone()
    assert load_into(policy, path, skip=["fusion.0.weight"]) == len(stored) - 1
    assert torch.equal(policy.decoder.fusion[0].weight, before)
    assert torch.equal(policy.decoder.enter.weight, stored["enter.weight"].float())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeed": 1}, r"tiny\.yaml:\d+: seeed: unknown key; did you mean 'seed'"),
        ({"optimiser": {"learning_rate": "fast"}}, r"optimiser\.learning_rate: got 'fast', allowed: a number"),
        ({"profiles": {"cpu": {"batch": 2}}}, r"profiles\.cpu: the key 'steps' is missing"),
        ({"profiles": {"cpu": {"steps": 2, "batch": True}}}, r"batch: got True, allowed: a whole number"),
        ({"task": "guess"}, r"task: got 'guess', allowed: \["),
        ({"optimiser": {"learning_rate": 10**400}}, r"learning_rate: got 10{56}\.\.\., allowed: a number$"),
        ({"clips": "x" * 5000}, r"clips: got 'x{56}\.\.\., allowed: a mapping$"),
        ({"options": {"losss": "mse"}}, r"tiny\.yaml:\d+: options\.losss: unknown key; did you mean 'loss'"),
        ({"options": {"loss": "ssim"}}, r"got 'ssim', allowed: 'mse' or 'rmse'"),
    ],
)
def test_wrong_recipes_are_refused(tmp_path, pack_file, changes, message):
    with pytest.raises(ScenarioError, match=message):
        train(write_recipe(tmp_path, **changes), out=tmp_path / "run", data=pack_file)


def test_an_unknown_profile_is_refused(tmp_path, pack_file):
    with pytest.raises(ScenarioError, match=r"profiles: got 'tpu', allowed: \['cpu'\]"):
        train(write_recipe(tmp_path), profile="tpu", out=tmp_path / "run", data=pack_file)


def test_missing_or_empty_data_is_said(tmp_path):
    spec = DataSpec(["video"])
    with pytest.raises(SourceError, match="not a folder"):
        find_material(spec, tmp_path / "nowhere")
    (tmp_path / "empty/video").mkdir(parents=True)
    with pytest.raises(SourceError, match="holds no clips or stills"):
        find_material(spec, tmp_path / "empty")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/clip.mkv").write_bytes(b"not a video")
    with pytest.raises(SourceError, match=r"clip\.mkv: cannot be read as video"):
        find_material(spec, tmp_path / "broken")
    (tmp_path / "broken/clip.mkv").rename(tmp_path / "broken/still.png")
    with pytest.raises(SourceError, match=r"still\.png: cannot be read as a picture"):
        find_material(spec, tmp_path / "broken")
    with pytest.raises(TrainingError, match="none of 3 items is large enough"):
        ClipSampler(small_pack(), ClipSettings(crop=64), 0)


def test_folders_become_packs_without_loss(tmp_path):
    from PIL import Image

    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (20, 30), dtype=np.uint8) for _ in range(11)]
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{number:02}.png")
    pack = find_material(DataSpec(["not", "here"]), tmp_path)
    assert sum(pack.held_out) == 1 and pack.held_out[9]
    assert np.array_equal(pack.items()[3][0], pictures[3])
    assert np.array_equal(pack.items(held_out=True)[0][0], pictures[9])
    save_pack(pack, tmp_path / "again.npz")
    again = load_pack(tmp_path / "again.npz")
    assert again.digest == pack.digest and again.names == pack.names
    small = pack_folders([tmp_path], max_side=16)
    assert np.array_equal(small.items()[0][0], ((pictures[0].reshape(10, 2, 15, 2).sum((1, 3)) + 2) // 4))
    with pytest.raises(TrainingError, match="not a training pack"):
        load_pack(tmp_path / "00.png")


def test_video_is_read_as_its_luma_plane(tmp_path):
    import av

    frames = np.random.default_rng(0).integers(0, 256, (5, 32, 48), dtype=np.uint8)
    with av.open(str(tmp_path / "clip.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for luma in frames:
            planes = np.concatenate([luma, np.full((16, 48), 128, np.uint8)])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        container.mux(stream.encode())
    assert np.array_equal(pack_folders([tmp_path]).items()[0], frames)


def test_batches_depend_on_seed_and_step_only():
    sampler, other = (ClipSampler(small_pack(), ClipSettings(frames=8, crop=16), seed) for seed in (3, 4))
    ahead = sampler.batch(7, 3)
    sampler.batch(2, 3)
    assert torch.equal(ahead, sampler.batch(7, 3))
    assert not torch.equal(ahead, sampler.batch(8, 3))
    assert not torch.equal(ahead, other.batch(7, 3))
    assert ahead.shape == (3, 8, 16, 16) and ahead.min() >= 0 and ahead.max() <= 1


def test_simulated_scenes_move_as_fast_as_they_are_told():
    """A ramp under a pan changes by (speed times slope) from frame to frame."""
    ramp = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    pack = Pack(("ramp",), ((1, 256, 256),), (False,), ramp.ravel())
    still = ClipSampler(pack, ClipSettings(still_share=1.0, static_share=1.0, crop=32), 0)
    moving = ClipSampler(pack, ClipSettings(still_share=1.0, static_share=0.0, crop=32, max_speed=4.0), 0)
    change = [(s.batch(0, 16)[:, 1:] - s.batch(0, 16)[:, :-1]).abs().amax((1, 2, 3)) * 255 for s in (still, moving)]
    assert change[0].max() < 1e-3
    assert change[1].max() > 1.0


def test_validation_takes_held_out_centres_only():
    clips = validation_clips(small_pack(), 8, 16)
    expected = small_pack().items(held_out=True)[0][:8, 4:20, 4:20].astype(np.float32) / 255
    assert np.array_equal(clips[0].numpy(), expected)
    assert len(validation_clips(small_pack(), 16, 16)) == 0


@pytest.mark.parametrize("task", ["ratio_policy", "ratio_ste"])
def test_ratio_tasks_train_resume_and_list_their_maps(tmp_path, pack_file, task):
    options = {"costs": [0.02, 2.0], "steps": 8}
    model = {"num_frames": 16, "width": 16, "stages": 1}
    pack = small_pack()
    shapes = ((24, 24, 14), *pack.shapes[1:2], (18, 20, 10), (16, 24, 12))
    save_pack(Pack(pack.names, shapes, pack.held_out, pack.pixels), pack_file)
    recipe = write_recipe(tmp_path, task=task, options=options, model=model, clips={"frames": 16, "still_share": 1.0})
    with pytest.raises(Killed):
        train(recipe, out=tmp_path / "run", data=pack_file, report=killed_at(10))
    resumed = train(recipe, out=tmp_path / "run", data=pack_file)
    whole = train(recipe, out=tmp_path / "whole", data=pack_file)
    assert all(torch.equal(a, b) for a, b in zip(load_file(resumed).values(), load_file(whole).values()))
    rows = load_model(resumed)[1]["facts"]["learned"]
    assert [row["cost"] for row in rows] == [0.02, 2.0]
    for row in rows:
        assert row["mean_count"] == np.mean(row["tile"]) and set(np.ravel(row["tile"])) <= {0, 1, 2, 4, 8}
    shutil.rmtree(tmp_path / "whole")
