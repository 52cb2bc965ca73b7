"""What encoders may be told, by standard; imports nothing heavy."""

from __future__ import annotations

from typing import Literal

RateControl = Literal["crf", "qp"]
Chroma = Literal["4:2:0", "4:4:4"]
Preset = Literal[
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo"
]
SvtPreset = Literal["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13"]
X264Tune = Literal["film", "animation", "grain", "stillimage", "psnr", "ssim", "fastdecode", "zerolatency"]
X265Tune = Literal["animation", "grain", "psnr", "ssim", "fastdecode", "zerolatency"]
SvtTune = Literal["vq", "psnr", "ssim"]
LONGEST_GOP = 1000
MOST_SLICES = 64
MOST_BFRAMES = 16
