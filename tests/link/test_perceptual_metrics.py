"""XPSNR against FFmpeg's filter, VMAF against libvmaf, and what both say of frames that they cannot take."""

from __future__ import annotations

from fractions import Fraction

import av
import av.filter
import numpy as np
import pytest

import semlink
from semlink.errors import ScenarioError
from semlink.link.metrics.psnr_ssim import psnr_by_frame
from semlink.link.metrics.registry import METRICS, check_metric_name
from semlink.link.metrics.vmaf import small_for_vmaf, vmaf
from semlink.link.metrics.xpsnr import block_side, xpsnr_by_frame, xpsnr_db


def moving(t: int, h: int, w: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Moving waves, and the same blurred in noise, both of 8 bits: float64 (t, h, w) in [0, 1]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:h, :w]
    waves = [
        128 + 50 * np.sin(y / 5 + k / 3) * np.cos(x / 7 - k / 4) + 20 * np.sin((x + y) / 2.3 + k) for k in range(t)
    ]
    reference = np.stack(waves)
    noisy = reference + rng.normal(0, 6, reference.shape)
    received = (noisy + np.roll(noisy, 1, 2) + np.roll(noisy, 1, 1)) / 3
    return reference.round().clip(0, 255) / 255, received.round().clip(0, 255) / 255


def by_ffmpeg(reference: np.ndarray, received: np.ndarray) -> list[float]:
    """FFmpeg's filter `xpsnr` on frames of 8 bits, at 30 a second."""
    graph, (height, width) = av.filter.Graph(), reference.shape[1:]
    base = Fraction(1, 30)
    inputs = [graph.add_buffer(width=width, height=height, format="gray", time_base=base) for _ in range(2)]
    judge, end = graph.add("xpsnr"), graph.add("buffersink")
    for number, source in enumerate(inputs):
        source.link_to(judge, 0, number)
    judge.link_to(end)
    graph.configure()
    found = []
    for time, pair in enumerate(zip(reference, received)):
        for source, pixels in zip(inputs, pair):
            frame = av.VideoFrame.from_ndarray(np.rint(pixels * 255).astype(np.uint8), format="gray")
            frame.pts, frame.time_base = time, base
            source.push(frame)
        found.append(float(end.pull().metadata["lavfi.xpsnr.xpsnr.y"]))
    return found


@pytest.mark.parametrize("size", [(64, 64), (96, 128), (130, 66), (256, 256)], ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.source("helmrich2020", "weights and their smoothing")
def test_xpsnr_is_that_of_ffmpegs_filter(size):
    """But for the first frame, which the filter takes to come after a black one. Even sizes, where it is sound."""
    reference, received = moving(4, *size)
    frames = xpsnr_by_frame(reference, received)
    theirs = by_ffmpeg(*(np.concatenate((clip[:1], clip)) for clip in (reference, received)))[1:]
    np.testing.assert_allclose(frames, theirs, atol=0.05)  # the filter's levels are whole numbers of 255
    assert xpsnr_db(reference, received) == pytest.approx(
        -20 * np.log10(np.mean(10 ** (-np.array(theirs) / 20))), abs=0.05
    )
    assert abs(frames - psnr_by_frame(reference, received)).min() > 1  # weights do something


def test_xpsnr_of_alike_frames_and_of_frames_without_blocks():
    reference, received = moving(3, 44, 46)
    assert block_side(44, 46) == 0 and block_side(45, 45) == 4 and block_side(2160, 3840) == 128
    np.testing.assert_allclose(xpsnr_by_frame(reference, received), psnr_by_frame(reference, received))
    assert xpsnr_db(reference, reference) == 100.0


def test_xpsnr_weighs_errors_in_flat_regions_more():
    rng = np.random.default_rng(3)
    busy = rng.random((1, 64, 64))
    busy[..., 32:] = 0.5
    noise = rng.normal(0, 0.02, (1, 64, 32))
    in_busy, in_flat = busy.copy(), busy.copy()
    in_busy[..., :32] += noise
    in_flat[..., 32:] += noise
    assert xpsnr_db(busy, in_busy) > xpsnr_db(busy, in_flat) + 6


LIBVMAF = {
    (6, 64, 64): (63.367, 75.659, 77.940, 79.202, 79.909, 78.542),
    (6, 128, 128): (64.318, 79.561, 80.565, 80.169, 80.020, 76.323),
    (4, 256, 256): (65.806, 79.190, 79.661, 79.746),
    (1, 64, 64): (63.367,),
}
"""Of libvmaf in FFmpeg 9.0.2, model v0.6.1, on `moving` as yuv420p with grey chroma."""


@pytest.mark.parametrize("shape", LIBVMAF, ids=str)
@pytest.mark.source("vmaf2016", "model v0.6.1")
def test_vmaf_is_that_of_libvmaf(shape):
    """libvmaf was given the levels 0 to 255 as they are; 16 + 219 x is what `vmaf` makes of x."""
    reference, received = ((255 * clip - 16) / 219 for clip in moving(*shape))
    assert reference.min() >= 0 and reference.max() <= 1 and received.min() >= 0 and received.max() <= 1
    assert vmaf(reference, received) == pytest.approx(np.mean(LIBVMAF[shape]), abs=0.15 if shape[1] == 64 else 0.02)


def test_frames_too_small_for_vmaf_are_refused_before_the_work_and_small_ones_are_told(tmp_path):
    small = {
        "name": "small",
        "source": {"kind": "scenes", "frames": 2, "size": [16, 16], "clips": 1},
        "channel": {"kind": "awgn"},
        "sweep": {"snr_db": 9, "budget": 0.5},
        "schemes": [{"name": "soft", "kind": "softcast"}],
        "metrics": ["psnr", "vmaf"],
    }
    with pytest.raises(ScenarioError, match="vmaf: got frames of 16x16; need 32 pixels or more on a side"):
        semlink.run(semlink.load(small), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert "far below the 1080p" in small_for_vmaf(64, 200) and small_for_vmaf(128, 128) == ""


def test_a_metric_whose_package_is_missing_is_refused_with_what_to_install(monkeypatch):
    monkeypatch.setattr("semlink.link.metrics.registry.find_spec", lambda name: None)
    monkeypatch.delitem(__import__("sys").modules, "vmaf_torch", raising=False)
    with pytest.raises(ValueError, match=r"vmaf: needs vmaf_torch.*: pip install 'semlink\[perceptual\]'"):
        check_metric_name("vmaf")
    assert check_metric_name("xpsnr") == "xpsnr" and {m.package for m in METRICS} == {"", "vmaf_torch"}
