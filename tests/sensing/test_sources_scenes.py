"""Built-in scenes: the same everywhere, moving as fast as they say, without borders, aliasing or cheating."""

from __future__ import annotations

import math
import pickle
import time

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image
from skimage.registration import phase_cross_correlation

from semlink.colour.layout import apart
from semlink.errors import SourceError
from semlink.sensing.sources.motion import motion_class
from semlink.sensing.sources.synthetic.photos import BACKGROUNDS, OBJECTS, draw_object, photograph
from semlink.sensing.sources.synthetic.scene_motion import Poses, Range, at_speed, grid, mean_motion, wander
from semlink.sensing.sources.synthetic.scene_render import Layer, backdrop_canvas, coverage, object_canvases, render
from semlink.sensing.sources.synthetic.scenes import SceneSource


def still(gain: complex = 1, shift: complex = 0, frames: int = 1) -> Poses:
    return Poses(np.full(frames, gain, complex), np.full(frames, shift, complex))


def test_same_seed_same_bits():
    first, again, other = (SceneSource(2, 3, (64, 64), seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.clip(1), again.clip(1))
    assert not np.array_equal(first.clip(1), other.clip(1)) and not np.array_equal(first.clip(0), first.clip(1))
    np.testing.assert_array_equal(SceneSource(9, 3, (64, 64), seed=5).clip(1), first.clip(1))


def test_pixels_that_every_machine_must_draw():
    """Written by this renderer itself (Pillow 13.0, scikit-image 0.26, x86-64): guards against drift, not for truth."""
    clip = SceneSource(2, 4, (48, 48), seed=1).clip(1)
    got = np.rint(clip[[0, 1, 3]][:, ::16, ::16] * 255).astype(int)
    np.testing.assert_allclose(got, GOLDEN, atol=1)  # Pillow's resize may round one level otherwise


GOLDEN = [
    [[143, 125, 99], [168, 124, 113], [102, 132, 114]],
    [[137, 105, 74], [163, 136, 91], [95, 127, 125]],
    [[129, 126, 93], [149, 133, 61], [120, 120, 120]],
]


@pytest.mark.parametrize("size", [(1, 1), (7, 30), (90, 41)])
@pytest.mark.parametrize("frames", [1, 5])
def test_any_size_and_length(size, frames):
    source = SceneSource(3, frames, size, seed=2)
    for number in range(3):
        clip = source.clip(number)
        assert clip.shape == (frames, *size) and clip.dtype == np.float32
        assert clip.min() >= 0 and clip.max() <= 1 and np.isfinite(source.speed_px(number))


def test_a_clip_of_256_takes_no_long_time():
    """A twentieth of a second of the processor, and never anything that is felt."""
    source = SceneSource(1, 16, (256, 256), seed=9)
    begin = time.process_time()
    source.clip(0)
    assert time.process_time() - begin < 5


def test_a_shifted_layer_is_a_shifted_picture():
    canvas = backdrop_canvas(photograph("camera"), 0.5)
    at = render([Layer(canvas, None, Poses(np.ones(2, complex), np.array([0, 7 - 4j])))], 2, (128, 128))
    np.testing.assert_array_equal(at[1][:-4, 7:], at[0][4:, :-7])


def test_half_a_pixel_is_half_a_pixel():
    """A smooth wave may be sampled anywhere: the drawn values are those of the wave."""
    x = np.arange(256)
    wave = np.tile(128 + 100 * np.sin(2 * np.pi * x / 32), (256, 1)).round().astype(np.uint8)
    turn = np.exp(0.3j)
    drawn = render([Layer(backdrop_canvas(wave, 1.0), None, still(turn, 3.5 + 0.25j))], 1, (100, 100))[0]
    z = grid_of((100, 100))
    world = (z - (3.5 + 0.25j)) / turn
    np.testing.assert_allclose(drawn, 128 + 100 * np.sin(2 * np.pi * (world.real + 127.5) / 32), atol=1.6)


def grid_of(size: tuple[int, int]) -> np.ndarray:
    y, x = np.mgrid[: size[0], : size[1]]
    return (x - (size[1] - 1) / 2) + 1j * (y - (size[0] - 1) / 2)


def test_fine_detail_is_not_aliased():
    checks = (np.indices((512, 512)).sum(0) % 2 * 255).astype(np.uint8)
    layer = Layer(backdrop_canvas(checks, 0.45), None, still(np.exp(0.2j)))
    drawn = render([layer], 1, (150, 150))[0]
    assert np.abs(drawn.astype(int) - 127).max() <= 4


def test_beyond_the_photograph_it_is_mirrored_without_a_border():
    layer = Layer(backdrop_canvas(photograph("grass"), 0.25), None, still())  # 128 pixels wide, shown on 400
    drawn = render([layer], 1, (400, 400))[0].astype(int)
    np.testing.assert_array_equal(drawn[:, 136:264], drawn[:, 8:136][:, ::-1])
    inside = np.abs(np.diff(drawn[:, 140:260], axis=1)).mean()
    assert np.abs(drawn[:, 135] - drawn[:, 136]).mean() < inside


@pytest.mark.parametrize("seed", range(12))
def test_objects_hide_what_is_behind_them(seed):
    cutout = draw_object(np.random.default_rng(seed), BACKGROUNDS, not_from="moon")
    gray, opacity = object_canvases(cutout, 1.0)
    assert opacity.max() == 255 and not opacity[[0, -1]].any() and not opacity[:, [0, -1]].any()
    front, view = Layer(gray, opacity, still(1, 2 + 3j)), (400, 400)
    backdrops = [Layer(np.full((800, 800), level, np.int32), None, still()) for level in (0, 200)]
    dark, bright = (render([backdrop, front], 1, view)[0].astype(int) for backdrop in backdrops)
    hidden = coverage(front, grid_of(view), 0)
    assert hidden.sum() > 500
    seen_through = (bright - dark) / 200  # 1 less the opacity
    # coverage looks at the nearest canvas pixel; an edge is a few of them wide
    assert seen_through.min() >= -0.01 and seen_through[hidden].max() < 0.75 and seen_through[~hidden].min() > 0.25
    assert (seen_through[hidden] < 0.01).mean() > 0.8 and (seen_through[~hidden] > 0.99).mean() > 0.9


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.05, 6), st.integers(8, 80), st.booleans())
def test_paths_have_the_speed_that_was_asked_for(seed, speed_px, frames, camera):
    places = grid((256, 256) if camera else (60, 80))
    rng = np.random.default_rng(seed)
    path = wander(rng, frames, Range(100 + 90j, turn=0.2, zoom=0.22), lever=float(np.abs(places).mean()))
    poses = at_speed(path, speed_px, places, camera=camera)
    assert mean_motion(poses, places, camera=camera) == pytest.approx(speed_px, rel=0.05)
    assert (np.abs(poses.gain) >= 1 - 1e-12).all()  # never shrunk below what its canvas was filtered for


def test_paths_stay_within_their_range_and_turn_smoothly():
    path = wander(np.random.default_rng(3), 2000, Range(40 + 30j, turn=0.2, zoom=0.2), lever=60)
    poses = at_speed(path, 2.0, grid((100, 100)), camera=False)
    steady = poses.shift - np.mean(poses.shift)
    assert np.abs(steady.real).max() < 50 and np.abs(steady.imag).max() < 40
    assert np.abs(np.angle(poses.gain)).max() <= 0.2 and np.abs(poses.gain).max() <= math.exp(0.2) + 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_the_told_speed_is_the_speed_seen(seed):
    """Phase correlation, which knows nothing of how the scene was made, finds the camera's pan."""
    source = SceneSource(1, 6, (128, 128), seed=seed, motion_px=(1.0, 3.0), objects=(0, 0))
    clip = source.clip(0)
    clip = clip - clip.mean()
    window = np.hanning(128)[:, None] * np.hanning(128)[None, :]
    found = [
        np.hypot(*phase_cross_correlation(a * window, b * window, upsample_factor=20)[0])
        for a, b in zip(clip, clip[1:])
    ]
    # turn and zoom move the border more than the middle, where the window looks
    assert 0.4 * source.speed_px(0) < np.mean(found) < 1.2 * source.speed_px(0)


def test_speeds_cover_their_range():
    speeds = [SceneSource(12, 16, (64, 64), seed=3, objects=(0, 0)).speed_px(number) for number in range(12)]
    assert min(speeds) < 0.6 and max(speeds) > 3.4 and max(np.diff(np.sort(speeds))) < 0.8
    fast = SceneSource(3, 8, (64, 64), motion_px=(3.0, 3.0))
    assert [fast.speed_px(number) for number in range(3)] == pytest.approx([3.0] * 3, rel=0.15)


@pytest.mark.parametrize("rate", [15, 60, 240])
def test_motion_in_pixels_a_second_stays(rate):
    usual, other = (SceneSource(3, 9, (96, 96), seed=2, motion_px=(2, 3), frames_per_second=r) for r in (30, rate))
    for clip in range(3):
        assert other._speed(clip) * rate == pytest.approx(usual._speed(clip) * 30)
        a_second = [np.mean([mean_motion(s._layers(clip)[0].poses, grid(s.size), camera=True)]) for s in (usual, other)]
        assert a_second[1] * rate == pytest.approx(a_second[0] * 30, rel=0.05)


def test_an_open_shutter_averages_what_passes():
    """A backdrop that moves 4 pixels a frame, open half the time: the mean of pictures along 2 pixels."""
    photo = photograph("camera")
    gray, frames = backdrop_canvas(photo, 0.5), 3
    moving = Poses(np.ones(frames, complex), 4.0 * np.arange(frames, dtype=complex))
    blurred = render([Layer(gray, None, moving.while_open(0.5, 40))], frames, (64, 64), 40).astype(float)
    for t in range(frames):
        along = 4.0 * t + 2.0 * (np.arange(200) + 0.5) / 200
        instants = render([Layer(gray, None, Poses(np.ones(200, complex), along.astype(complex)))], 200, (64, 64))
        assert np.abs(blurred[t] - instants.astype(float).mean(0)).max() < 1.0


def test_a_shutter_blurs_motion_and_leaves_rest_alone():
    def detail(**options) -> float:
        clip = SceneSource(1, 4, (96, 96), seed=3, objects=(0, 0), **options).clip(0)
        return float(np.abs(np.diff(clip, axis=2)).mean())

    rest, fast = ({"motion_px": (speed, speed)} for speed in (0, 6))
    assert detail(**rest, shutter=1.0) == detail(**rest)
    assert detail(**fast, shutter=1.0) < detail(**fast, shutter=0.5) < 0.97 * detail(**fast)
    slow = detail(**fast, shutter=1.0, frames_per_second=240) / detail(**fast, frames_per_second=240)
    assert slow > 0.95, "an eighth of the motion, so hardly a blur"


def test_no_motion_is_no_motion():
    source = SceneSource(2, 4, (64, 64), motion_px=(0, 0))
    clip = source.clip(1)
    assert (clip == clip[0]).all() and source.speed_px(1) < 1e-12 and motion_class(clip) == "slow"


def test_photographs_come_from_the_wheel_and_differ():
    shown = {name: photograph(name) for name in {*BACKGROUNDS, *(name for name, _ in OBJECTS)}}
    assert all(photo.dtype == np.uint8 and min(photo.shape) > 100 and photo.std() > 5 for photo in shown.values())
    with pytest.raises(ValueError, match="read-only"):
        photograph("camera")[0, 0] = 1


def test_own_photographs(tmp_path):
    for number, level in enumerate((60, 200)):
        rng = np.random.default_rng(number)
        Image.fromarray(rng.integers(level - 20, level + 20, (90, 120)).astype(np.uint8)).save(
            tmp_path / f"{number}.png"
        )
    source = SceneSource(2, 3, (48, 48), photos=str(tmp_path), objects=(1, 1))
    levels = [float(source.clip(number).min()) for number in range(2)]
    assert max(levels) < 0.35 and all(source.clip(number).max() > 0.6 for number in range(2))
    assert SceneSource(1, 2, (32, 32), photos=("camera",)).clip(0).shape == (2, 32, 32)


def test_scenes_are_plain_values():
    source = SceneSource(2, 3, [32, 48], seed=1, motion_px=[0, 2])
    again = pickle.loads(pickle.dumps(source))
    assert again == source == eval(repr(source)) and hash(again) == hash(source) and len(source) == 2
    assert [source.name(0), source.name(1)] == ["scene1-0", "scene1-1"]
    with pytest.raises(IndexError, match="clip 2 of 2"):
        source.clip(2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clips": 0}, "clips: got 0, need a whole number of at least 1"),
        ({"frames": -2}, "frames: got -2"),
        ({"size": (0, 8)}, r"size \(height\): got 0"),
        ({"seed": -1}, "seed: got -1, need a whole number of at least 0"),
        ({"motion_px": (3, 1)}, r"motion_px: got \(3, 1\), need 0 <= from <= to"),
        ({"motion_px": 2}, r"motion_px: got 2, need two numbers, \[from, to\]"),
        ({"motion_px": (0, math.inf)}, "motion_px: got"),
        ({"objects": (0.5, 1)}, "objects: got .* need two whole numbers"),
        ({"frames_per_second": 0}, "frames_per_second: got 0, allowed: 1 to 100000"),
        ({"shutter": 1.5}, "shutter: got 1.5, allowed: 0 to 1"),
        ({"photos": ("nowhere",)}, "nowhere: no such file or folder"),
    ],
)
def test_bad_options_are_told_in_one_line(options, message):
    with pytest.raises(SourceError, match=message) as caught:
        SceneSource(**options)
    assert "\n" not in str(caught.value)


def test_a_scene_in_colour_moves_as_the_gray_one_does():
    """BT.709 luma of R, G and B is the gray scene, but for rounding; gray photographs stay gray."""
    options = {"clips": 4, "frames": 2, "size": (48, 64), "photos": ("coffee", "gravel"), "shutter": 0.3}
    gray, colour, halved = (SceneSource(**options, colour=c) for c in ("gray", "rgb", "yuv420"))
    seen = set()
    for n in range(4):
        rgb = apart(colour.clip(n))
        assert rgb.shape == (2, 3, 48, 64)
        luma = 0.2126 * rgb[:, 0] + 0.7152 * rgb[:, 1] + 0.0722 * rgb[:, 2]
        away = np.abs(luma - gray.clip(n)) * 255
        assert np.percentile(away, 99) < 2 and away.mean() < 0.6
        yuv = halved.clip(n)
        assert yuv.shape == (2, 72, 64) and np.abs(yuv[:, :48] - luma).max() < 0.6 / 255
        seen.add(bool(np.ptp(rgb, axis=1).max() > 0.2))
    assert True in seen
    with pytest.raises(SourceError, match="need even sides"):
        SceneSource(1, 1, (63, 64), colour="yuv420")
