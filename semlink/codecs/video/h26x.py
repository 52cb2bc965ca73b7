"""H.264, H.265 and AV1 as source codecs (libx264, libx265, SVT-AV1).

A raw elementary stream is cut into packets (`elementary`): no container, no
encoder's business card, parameter sets once. The budget is met from below by
turning the CRF. The receiver needs nothing but packets and the clip's shape;
H.264's decoder conceals lost slices and lost references from their
neighbours, H.265's drops pictures whose references are missing, AV1's shows
what it can still decode. The specs name the standards.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from semlink.blocks import CodecBase
from semlink.codecs.packetization import framed_size
from semlink.codecs.rate_search import Knob, best_under
from semlink.codecs.video.eight_bit import (
    as_eight_bit,
    check_chroma,
    coded_planes,
    coded_shape,
    shown,
)
from semlink.codecs.video.elementary_stream import Standard, access_units, packets_of
from semlink.codecs.video.libav import coded_units, decoded_pictures
from semlink.codecs.video.options import (
    LONGEST_GOP,
    MOST_BFRAMES,
    MOST_SLICES,
    Chroma,
    Preset,
    RateControl,
    SvtPreset,
    SvtTune,
    X264Tune,
    X265Tune,
)
from semlink.colour.layout import COLOURS, Colour
from semlink.errors import ScenarioError, SourceError
from semlink.payload import FrameShape, Packet

__all__ = ["RateControl", "VideoCodec"]

MAX_FRAMES = 256  # a packet's time is one byte
_WHOLE_CLIP = LONGEST_GOP  # frames between key frames where one group of pictures is wanted
_PRESETS = get_args(Preset)
_SVT_PRESETS = dict(zip(_PRESETS, (12, 11, 10, 9, 8, 6, 5, 4, 3, 1), strict=True))
_SVT_KNOBS = {
    "crf": Knob(0, 70, 0.25, 14, fine=0.25 / 32, fine_octave=0.8),
    "qp": Knob(0, 63, 1, 14, fine=1 / 32, fine_octave=3.2),
}
_SVT_LAMBDA = 128  # what SVT-AV1 calls 1: the weight of bits against error
_SVT_KINDS = 7  # of pictures, each with a weight of its own
_TUNES = {"h264": get_args(X264Tune), "h265": get_args(X265Tune), "av1": get_args(SvtTune)}


@dataclass(frozen=True, slots=True)
class _Library:
    """Who codes a standard, and what pictures it takes.

    x265 writes outside its buffers at widths below 64, so H.265 and AV1 are
    padded to 64; gray (4:0:0) costs no more than neutral 4:2:0 where it exists.
    `pix_fmt` is for gray frames.
    """

    encoder: str
    decoder: str
    decoder_options: Mapping[str, str]
    pix_fmt: str
    multiple: int
    least: int
    knobs: Mapping[str, Knob]


_LIBRARIES = {
    "h264": _Library(
        encoder="libx264",
        decoder="h264",
        decoder_options={"ec": "guess_mvs+deblock"},
        pix_fmt="gray",
        multiple=2,
        least=16,
        knobs={"crf": Knob(0, 51, 0.05, 6.5), "qp": Knob(0, 51, 1, 6.5)},
    ),
    "h265": _Library(
        encoder="libx265",
        decoder="hevc",
        decoder_options={},
        pix_fmt="gray",
        multiple=8,
        least=64,
        knobs={"crf": Knob(0, 51, 0.05, 5.5), "qp": Knob(0, 51, 1, 5.5)},
    ),
    "av1": _Library(
        encoder="libsvtav1",
        decoder="libdav1d",
        decoder_options={},
        pix_fmt="yuv420p",
        multiple=8,
        least=64,
        knobs=_SVT_KNOBS,
    ),
}
_PIX_FMT = {"4:2:0": "yuv420p", "4:4:4": "yuv444p"}
_TYPICAL = (0.1, 0.68)  # bits a pixel, and where on the knob's range they usually lie
_FIRST_AT_MOST = 0.92  # of that range: its end is steep


@dataclass(frozen=True, slots=True)
class VideoCodec(CodecBase):
    """One standard with the options its encoder is run with.

    Attributes:
        standard: h264, h265 or av1.
        preset: ultrafast ... placebo; AV1 also takes SVT-AV1's numbers 0 ... 13.
        gop: at most so many frames from key frame to key frame; None: the whole clip is one group.
        slices: slices a picture (H.264 only: no libavcodec decoder conceals the others' lost parts).
        bframes: bidirectional pictures in a row; None: the preset's choice; AV1 takes 0 (low delay) or None.
        tune: what the encoder optimises (psnr, ssim, zerolatency, ...); None: its default.
        deblock: the loop filter against block edges.
        rate_control: `crf` (constant quality) or `qp` (constant quantiser).
        fps: frames a second that the encoder assumes; CRF means finer coding at lower rates.
        repeat_headers: send parameter sets again with each key frame.
        chroma: of rgb frames, 4:2:0 or 4:4:4.
        colour: of the frames.
    Raises:
        ScenarioError: an option this standard does not have.
    """

    standard: Standard
    preset: str = "medium"
    gop: int | None = None
    slices: int = 1
    bframes: int | None = None
    tune: str | None = None
    deblock: bool = True
    rate_control: RateControl = "crf"
    fps: float = 25.0
    repeat_headers: bool = False
    chroma: Chroma = "4:2:0"
    colour: Colour = "gray"
    colours = COLOURS

    def __post_init__(self) -> None:
        _require("standard", self.standard, get_args(Standard))
        presets = [*_PRESETS, *get_args(SvtPreset)] if self.standard == "av1" else _PRESETS
        _require("preset", self.preset, presets)
        _require("tune", self.tune, [None, *_TUNES[self.standard]])
        _require("rate_control", self.rate_control, get_args(RateControl))
        _require("slices", self.slices, range(1, MOST_SLICES + 1) if self.standard == "h264" else (1,))
        _require("bframes", self.bframes, (None, 0) if self.standard == "av1" else (None, *range(MOST_BFRAMES + 1)))
        _require("gop", self.gop, (None, *range(1, _WHOLE_CLIP + 1)))
        if not 1 <= self.fps <= 1000:
            raise ScenarioError(f"codec.fps: got {self.fps}; allowed: 1 to 1000")
        _require("chroma", self.chroma, get_args(Chroma))
        check_chroma(self.chroma, self.colour, self.standard)

    def unquantised(self, clip: np.ndarray) -> np.ndarray:
        """Planes of 8 bits, as a lossless stream has them."""
        return as_eight_bit(clip, self.colour, self.chroma)

    def encode(self, clip: np.ndarray, *, max_bytes: int) -> tuple[Packet, ...]:
        """The best packets for `clip` (t, rows, w) whose framed size is at most `max_bytes`.

        Raises:
            Infeasible: not even the coarsest setting fits.
            SourceError: no clip of 1 to 256 frames.
        """
        return best_under(
            lambda rate: self._packets(clip, rate),
            framed_size,
            max_bytes,
            knob=self._knob,
            start=self._first_guess(8 * max_bytes / max(clip.size, 1)),
            name=f"{self.standard}: even {self.rate_control}",
        ).stream

    def encode_at(self, clip: np.ndarray, rate: float) -> tuple[Packet, ...]:
        """The packets at CRF (or QP) `rate`.

        Raises:
            ScenarioError: a rate the encoder does not have.
            SourceError: no clip of 1 to 256 frames.
        """
        self.check_rate(rate)
        return self._packets(clip, rate)

    def check_rate(self, rate: float | None, shape: FrameShape | None = None) -> None:
        knob = self._knob
        if rate is None or (knob.finest <= rate <= knob.coarsest and (self.rate_control != "qp" or rate == int(rate))):
            return
        kind = "whole numbers" if self.rate_control == "qp" else "numbers"
        raise ScenarioError(
            f"rates: got {self.rate_control} {rate:g} for {self.standard}; "
            f"allowed: {kind} from {knob.finest:g} to {knob.coarsest:g}"
        )

    def _packets(self, clip: np.ndarray, rate: float) -> tuple[Packet, ...]:
        """The packets at any setting of the knob, those between two whole QP included."""
        _check_clip(clip)
        library = _LIBRARIES[self.standard]
        planes = coded_planes(clip, self.colour, self.chroma, multiple=library.multiple, least=library.least)
        options = _OPTIONS[self.standard](self, f"{rate:.9g}", planes[0].shape[2])
        pix_fmt = library.pix_fmt if self.colour == "gray" else _PIX_FMT[self.chroma]
        units = coded_units(planes, library.encoder, pix_fmt=pix_fmt, fps=self.fps, options=options)
        return packets_of(units, self.standard, repeat_headers=self.repeat_headers)

    def decode(self, packets: Sequence[Packet], shape: FrameShape) -> np.ndarray:
        """float32 (t, rows, w) in [0, 1] from the packets that arrived; never raises on damage.

        Frames that are missing repeat the last one before; without any, mid-gray.
        """
        library = _LIBRARIES[self.standard]
        units = access_units(packets, self.standard)
        coded = coded_shape(shape, self.chroma)
        return shown(
            decoded_pictures(units, library.decoder, coded, options=library.decoder_options), shape, self.chroma
        )

    @property
    def _knob(self) -> Knob:
        return _LIBRARIES[self.standard].knobs[self.rate_control]

    def _first_guess(self, bits_per_pixel: float) -> float:
        typical, position = _TYPICAL
        octaves = math.log2(max(bits_per_pixel, 1e-6) / typical)
        return min(self._knob.coarsest * position - self._knob.octave * octaves, self._knob.coarsest * _FIRST_AT_MOST)


def _x264_options(codec: VideoCodec, rate: str, width: int) -> dict[str, str]:
    """Options of libx264; the same bytes on every make of processor."""
    options = _shared_options(codec, rate) | {"slices": str(codec.slices)}
    return options | {"x264-params": _joined("cpu-independent=1", None if codec.deblock else "no-deblock=1")}


def _x265_options(codec: VideoCodec, rate: str, width: int) -> dict[str, str]:
    """Options of libx265: silent, one thread, closed groups.

    A picture one coding tree unit wide reads memory nobody wrote, so there the unit is halved.
    """
    params = _joined(
        "log-level=none:info=0:pools=none:frame-threads=1:open-gop=0",
        "ctu=32" if width <= 64 else None,
        None if codec.deblock else "no-deblock=1",
    )
    return _shared_options(codec, rate) | {"x265-params": params}


def _shared_options(codec: VideoCodec, rate: str) -> dict[str, str]:
    """What libx264 and libx265 call by the same names."""
    chosen = {"bf": codec.bframes, "tune": codec.tune}
    options = {"preset": codec.preset, codec.rate_control: rate, "g": str(codec.gop or _WHOLE_CLIP)}
    return options | {name: str(value) for name, value in chosen.items() if value is not None}


def _svt_options(codec: VideoCodec, rate: str, width: int) -> dict[str, str]:
    """Options of SVT-AV1."""
    params = _joined(
        "lp=1",
        _svt_quality(codec.rate_control, float(rate)),
        "keyint=-1" if codec.gop is None else f"keyint={codec.gop}",
        "pred-struct=1" if codec.bframes == 0 else None,
        f"tune={_TUNES['av1'].index(codec.tune)}" if codec.tune else None,
        None if codec.deblock else "enable-dlf=0",
    )
    return {"preset": str(_SVT_PRESETS.get(codec.preset, codec.preset)), "svtav1-params": params}


def _svt_quality(control: RateControl, rate: float) -> str:
    """SVT-AV1's steps of CRF (quarters) or QP; between two of them bits weigh less than at the coarser, down to half.

    A step is up to a fifth of a short clip's bytes, too coarse to fill a budget.
    """
    coarser, towards = _SVT_KNOBS[control].split(rate)
    weight = round(_SVT_LAMBDA * 2**-towards)
    weights = f"lambda-scale-factors=[{','.join([str(weight)] * _SVT_KINDS)}]" if towards else None
    return _joined("rc=0:aq-mode=0" if control == "qp" else None, f"{control}={coarser:g}", weights)


_OPTIONS = {"h264": _x264_options, "h265": _x265_options, "av1": _svt_options}


def _joined(*params: str | None) -> str:
    return ":".join(param for param in params if param)


def _check_clip(clip: np.ndarray) -> None:
    if clip.ndim != 3 or 0 in clip.shape or len(clip) > MAX_FRAMES:
        raise SourceError(f"codec: got a clip of shape {tuple(clip.shape)}; need 1 to {MAX_FRAMES} frames (t, h, w)")


def _require(option: str, value: object, allowed) -> None:
    if value not in allowed:
        names = list(allowed)
        shown = f"{names[0]} to {names[-1]}" if len(names) > 15 else ", ".join(map(str, names))
        raise ScenarioError(f"codec.{option}: got {value!r}; allowed: {shown}")
