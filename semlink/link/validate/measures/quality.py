"""Scores of pictures, and averages between curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from semlink.link.compare.bd_rate import bd_quality, bd_rate
from semlink.link.metrics.ms_ssim import ms_ssim
from semlink.link.metrics.psnr_ssim import psnr_db, ssim
from semlink.link.validate.entry import Bench, Found, found_exactly

__all__ = ["Bjontegaard", "Offset", "Photograph", "ScikitImage", "photograph_pair"]

Curve = tuple[tuple[float, float], ...]


def photograph_pair(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A piece of scikit-image's photograph `camera`, and the same in blur and noise: float32 (1, h, w) each."""
    from skimage.data import camera

    rng = np.random.default_rng(0)
    picture = camera()[100 : 100 + size[0], 60 : 60 + size[1]].astype(np.float32) / np.float32(255)
    damaged = 0.7 * picture + 0.3 * np.roll(picture, 3, axis=1) + 0.04 * rng.standard_normal(size)
    return picture[None], np.clip(damaged, 0, 1).astype(np.float32)[None]


@dataclass(frozen=True, slots=True)
class Photograph:
    """PSNR, SSIM and MS-SSIM of a piece of a photograph, the same picture for every seed."""

    height: int
    width: int

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        pair = photograph_pair((self.height, self.width))
        scores = {"psnr": psnr_db(*pair), "ssim": ssim(*pair), "ms_ssim": ms_ssim(*pair)}
        return {name: found_exactly(score) for name, score in scores.items()}


@dataclass(frozen=True, slots=True)
class ScikitImage:
    """The largest differences between our PSNR and SSIM and scikit-image's, run here on the same pictures."""

    sizes: tuple[tuple[int, int], ...]

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        from skimage.metrics import peak_signal_noise_ratio, structural_similarity

        gaps: dict[str, list[float]] = {"psnr": [], "ssim": []}
        how = {"data_range": 1.0, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        for size in self.sizes:
            pair = photograph_pair(size)
            x, y = (frames[0].astype(np.float64) for frames in pair)
            gaps["psnr"].append(abs(psnr_db(*pair) - peak_signal_noise_ratio(x, y, data_range=1.0)))
            gaps["ssim"].append(abs(ssim(*pair) - structural_similarity(x, y, K1=0.01, K2=0.03, **how)))
        return {name: found_exactly(float(max(found)), f"{len(found)} sizes") for name, found in gaps.items()}


@dataclass(frozen=True, slots=True)
class Offset:
    """PSNR of a clip that is `error` off everywhere."""

    error: float

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        clip = np.full((2, 16, 16), 0.25, np.float32)
        return {"": found_exactly(psnr_db(clip, clip + np.float32(self.error)))}


@dataclass(frozen=True, slots=True)
class Bjontegaard:
    """BD-rate in percent and BD-PSNR in dB of `test` against `reference`: points of cost and quality."""

    reference: Curve
    test: Curve

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        averages = {"rate": bd_rate(self.reference, self.test), "quality": bd_quality(self.reference, self.test)}
        numbers = {name: np.nan if found.value is None else found.value for name, found in averages.items()}
        refused = float(all(found.value is None and found.note != "" for found in averages.values()))
        return {name: found_exactly(number) for name, number in (numbers | {"refused": refused}).items()}
