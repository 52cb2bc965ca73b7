"""Qualities of frames in colour against FFmpeg's and scikit-image's, and what each is given of them."""

from __future__ import annotations

from fractions import Fraction

import av
import av.filter
import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from semlink.colour.conversion import Conversion
from semlink.colour.layout import apart, together
from semlink.colour.look import Look
from semlink.errors import ScenarioError
from semlink.link.metrics.ms_ssim import ms_ssim
from semlink.link.metrics.psnr_ssim import psnr_db
from semlink.link.metrics.registry import METRICS, Metric, extremes_of

BY_NAME = {metric.name: metric for metric in METRICS}


def pair(h: int = 48, w: int = 64, t: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """RGB (t, 3, h, w) of 8 bits in [0, 1], and the same with noise."""
    n, c, y, x = np.meshgrid(range(t), range(3), range(h), range(w), indexing="ij")
    clean = 0.5 + 0.4 * np.sin(n + 2 * c + x / (6 + c) + y / (9 - 2 * c))
    noisy = clean + np.random.default_rng(3).normal(0, 0.04, clean.shape) * np.array([1, 2, 3])[:, None, None]
    return tuple((np.rint(255 * frames.clip(0, 1)) / 255).astype(np.float32) for frames in (clean, noisy))


def by_ffmpeg(reference: np.ndarray, received: np.ndarray) -> dict[str, float]:
    """FFmpeg's filter `psnr` on a frame of 8 bits in I420, by plane."""
    graph, base = av.filter.Graph(), Fraction(1, 25)
    h, w = reference.shape[0] // 3 * 2, reference.shape[1]
    inputs = [graph.add_buffer(width=w, height=h, format="yuv420p", time_base=base) for _ in range(2)]
    judge, end = graph.add("psnr"), graph.add("buffersink")
    for number, source in enumerate(inputs):
        source.link_to(judge, 0, number)
    judge.link_to(end)
    graph.configure()
    for source, pixels in zip(inputs, (received, reference)):
        chroma = [part.reshape(-1, w) for part in np.split(pixels[h:], 2, axis=1)]
        planes = np.ascontiguousarray(np.rint(255 * np.concatenate((pixels[:h], *chroma))).astype(np.uint8))
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = 0, base
        source.push(frame)
    told = end.pull().metadata
    return {name: float(told[f"lavfi.psnr.{key}"]) for name, key in
            {"y": "psnr.y", "u": "psnr.u", "v": "psnr.v", "all": "psnr_avg"}.items()}  # fmt: skip


@pytest.mark.source("ohm2012", "combined PSNR_YUV")
def test_planes_of_yuv420_score_what_ffmpeg_says():
    look, clips = Look("yuv420", conversion=Conversion("bt709", "limited")), []
    for rgb in pair(t=1):
        clips.append((np.rint(255 * look.conversion.frames(rgb)) / 255).astype(np.float32))
    said = by_ffmpeg(*(clip[0] for clip in clips))
    scores = {name: BY_NAME[name].score(*clips, look) for name in ("psnr", "psnr_y", "psnr_yuv611")}
    assert scores["psnr_y"] == pytest.approx(said["y"], abs=0.01) and abs(said["y"] - said["v"]) > 1
    assert scores["psnr_yuv611"] == pytest.approx((6 * said["y"] + said["u"] + said["v"]) / 8, abs=0.01)
    assert scores["psnr"] == pytest.approx(said["all"], abs=0.01), "over all samples: four of Y to one of Cb and Cr"


def test_psnr_of_rgb_is_over_all_samples_and_ssim_the_mean_of_its_planes():
    reference, received = pair()
    look, stacks = Look("rgb"), [together(rgb) for rgb in (reference, received)]
    assert BY_NAME["psnr"].score(*stacks, look) == pytest.approx(
        peak_signal_noise_ratio(reference, received, data_range=1.0)
    )
    theirs = [
        structural_similarity(
            x, y, channel_axis=0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0
        )
        for x, y in zip(reference.astype(np.float64), received.astype(np.float64))
    ]
    frames = BY_NAME["ssim"].frames(*stacks, look)
    assert frames == pytest.approx(theirs, abs=2e-4)
    each = [ms_ssim(reference[:, n], received[:, n]) for n in range(3)]
    assert BY_NAME["ms_ssim"].score(*stacks, look) == pytest.approx(np.mean(each))


def test_luma_of_rgb_is_that_of_the_runs_matrix():
    stacks = [together(rgb) for rgb in pair()]
    look = Look("rgb", conversion=Conversion("bt601", "full"))
    pictures = [[np.uint8(np.rint(255 * rgb)).transpose(1, 2, 0) for rgb in apart(clip)] for clip in stacks]
    lumas = [
        np.stack([np.asarray(Image.fromarray(np.ascontiguousarray(p)).convert("YCbCr"))[..., 0] for p in clip]) / 255
        for clip in pictures
    ]
    assert BY_NAME["psnr_y"].score(*stacks, look) == pytest.approx(psnr_db(*lumas), abs=0.05)
    other = Look("rgb", conversion=Conversion("bt709", "full"))
    assert abs(BY_NAME["psnr_y"].score(*stacks, other) - BY_NAME["psnr_y"].score(*stacks, look)) > 0.1


@pytest.mark.parametrize("name", ["ssim", "ms_ssim", "xpsnr", "psnr_y"])
def test_what_sees_luma_sees_no_chroma(name):
    rgb, _ = pair(t=2)
    look = Look("yuv420")
    clip = look.conversion.frames(rgb)
    gray, other = clip[:, :48], clip.copy()
    other[:, 48:] = 1 - other[:, 48:]
    other[:, 3:9, 5:20] += 0.01
    assert BY_NAME[name].score(clip, other, look) == BY_NAME[name].score(gray, other[:, :48])
    assert BY_NAME["psnr"].score(clip, other, look) < 30 < BY_NAME["psnr_y"].score(clip, other, look)


@pytest.mark.parametrize("colour", ["gray", "rgb", "yuv420"])
def test_every_metric_scores_every_colour_or_says_why_not(colour):
    look = Look(colour)
    rgb = pair(64, 64, t=1)
    clips = {
        "gray": [x[:, 0] for x in rgb],
        "rgb": list(map(together, rgb)),
        "yuv420": list(map(look.conversion.frames, rgb)),
    }
    for metric in METRICS:
        if metric.package:
            continue
        if metric.name == "psnr_yuv611" and colour == "gray":
            with pytest.raises(ScenarioError, match="psnr_yuv611: scores luma and chroma, and the source gives gray"):
                metric.check_colour(colour)
            continue
        metric.check_colour(colour)
        score, (worst, _) = metric.score(*clips[colour], look), extremes_of(metric, clips[colour][0], look)
        assert worst < score < metric.score(clips[colour][0], clips[colour][0], look)


def test_a_users_metric_is_given_luma_or_rgb_as_it_says():
    shapes = []

    def shape_of(reference, received) -> float:
        shapes.append(reference.shape)
        return 0.0

    look = Look("yuv420")
    clip = look.conversion.frames(pair()[0])
    for sees, pixels, its in (("luma", clip, look), ("rgb", clip, look), ("rgb", clip[:, :48], Look())):
        Metric("m", "m", "m", 2, shape_of, sees=sees).score(pixels, pixels, its)
    assert shapes == [(2, 48, 64), (2, 3, 48, 64), (2, 3, 48, 64)]
