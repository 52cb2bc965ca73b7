"""Any image model of CompressAI as a source codec: every frame, or every k-th, by itself.

A packet is one frame: two bytes of checksum, the lengths of all strings but
the last, and the strings. The checksum stands there because CompressAI's own
decoder trusts its bytes. Sizes of latents follow from the frame's size, which
both ends know. CompressAI computes probabilities in floating point, so sender
and receiver must run the same build on the same number of threads.

Source: [begaint2020compressai].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zlib import crc32

import numpy as np
import torch

from semlink.blocks import CodecBase
from semlink.codecs.entropy.leb128 import read_leb128, to_leb128
from semlink.codecs.packetization import framed_size
from semlink.codecs.video.luma import placed, to_luma8
from semlink.colour.layout import Colour, apart, together
from semlink.errors import Infeasible, ModelError, ScenarioError
from semlink.files import as_file, reason_of
from semlink.payload import FrameShape, Packet
from semlink.weights.remembered import remembered

__all__ = ["CompressAICodec"]

MULTIPLE = 64  # frame sizes that every model of the library takes
QUALITIES = range(1, 9)
_CHECK_BYTES = 2


@dataclass(frozen=True, slots=True)
class CompressAICodec(CodecBase):
    """An image model by its CompressAI name.

    Attributes:
        model: such as `bmshj2018-hyperprior` or `mbt2018-mean`.
        quality: 1 to 8, or None: the best that fits the budget.
        checkpoint: file of a state dict; `{quality}` in it stands for the quality.
        pretrained: let CompressAI fetch its published weights instead.
        every: code one frame in so many; the receiver repeats it.
        colour: of the frames; a gray one is sent as three equal planes, and comes back as their mean.
    Raises:
        ScenarioError: neither or both sources of weights, or a quality that is none.
    """

    model: str
    quality: int | None = None
    checkpoint: str | None = None
    pretrained: bool = False
    every: int = 1
    colour: Colour = "gray"
    colours = ("gray", "rgb")

    def __post_init__(self) -> None:
        if self.pretrained == (self.checkpoint is not None):
            raise ScenarioError("codec: give checkpoint (a file) or pretrained: true, one of them")
        if self.quality is not None and self.quality not in QUALITIES:
            raise ScenarioError(f"codec.quality: got {self.quality}; allowed: 1 to 8")
        if self.every < 1:
            raise ScenarioError(f"codec.every: got {self.every}; allowed: 1 or more")

    def encode(self, clip: np.ndarray, *, max_bytes: int) -> tuple[Packet, ...]:
        """The packets of the highest quality whose framed size is at most `max_bytes`.

        Raises:
            Infeasible: not even the lowest fits.
        """
        sizes = {}
        for quality in reversed(self._qualities):
            packets = self.encode_at(clip, quality)
            sizes[quality] = framed_size(packets)
            if sizes[quality] <= max_bytes:
                return packets
        least = min(sizes.values())
        raise Infeasible(
            f"{self.model}: the lowest quality takes {least} bytes with packet headers, the budget is {max_bytes}; "
            f"raise it to {least} bytes, or code fewer frames (every)"
        )

    def encode_at(self, clip: np.ndarray, rate: float) -> tuple[Packet, ...]:
        """The packets at quality `rate`.

        Raises:
            ScenarioError: not a quality that this codec has.
        """
        self.check_rate(rate)
        net = self._net(int(rate))
        return tuple(
            Packet(time, _packed(int(rate), net.compress(_pictured(clip[time], self.colour))["strings"]))
            for time in range(0, len(clip), self.every)
        )

    def check_rate(self, rate: float | None, shape: FrameShape | None = None) -> None:
        """Refuse a quality that it does not have, and checkpoints that are missing or none.

        Raises:
            ScenarioError: such a quality.
            ModelError: no such model, or such a checkpoint.
        """
        if rate is not None and rate not in self._qualities:
            raise ScenarioError(f"rates: got quality {rate:g} for {self.model}; allowed: {list(self._qualities)}")
        if self.checkpoint is not None:
            for quality in self._qualities if rate is None else (int(rate),):
                self._net(quality)

    def decode(self, packets: Sequence[Packet], shape: FrameShape) -> np.ndarray:
        """float32 (t, rows, w) in [0, 1]; frames that are missing repeat the last one before."""
        pictures: dict[int, np.ndarray] = {}
        for packet in packets:
            found = _unpacked(packet.data)
            if found is None or found[0] not in self._qualities or packet.time >= shape.t:
                continue
            pictures[packet.time] = self._picture(*found, shape)
        return placed(pictures, FrameShape(shape.t, shape.rows, shape.w))

    @property
    def _qualities(self) -> Sequence[int]:
        if self.quality is not None:
            return (self.quality,)
        several = self.pretrained or "{quality}" in str(self.checkpoint)
        return QUALITIES if several else (1,)

    def _net(self, quality: int) -> Any:
        path = None if self.checkpoint is None else self.checkpoint.replace("{quality}", str(quality))
        return load_model(self.model, quality, path)

    def _picture(self, quality: int, strings: list[bytes], shape: FrameShape) -> np.ndarray:
        """uint8 (rows, w)."""
        net = self._net(quality)
        size = _latent_size(net, shape.h, shape.w)
        with torch.no_grad():
            colours = net.decompress([[string] for string in strings], size)["x_hat"][0, :, : shape.h, : shape.w]
        return to_luma8((colours.mean(0) if shape.colour == "gray" else together(colours)).numpy())


@remembered
def load_model(name: str, quality: int, checkpoint: str | None) -> Any:
    """A model ready to code, its entropy tables built.

    Raises:
        ImportError: CompressAI is not installed.
        ModelError: no such model, or a checkpoint that does not fit it.
    """
    try:
        from compressai.zoo import image_models
        from compressai.zoo.image import model_architectures
    except ModuleNotFoundError as missing:
        raise ImportError("the codec compressai needs CompressAI: pip install 'semlink[compressai]'") from missing
    if name not in image_models:
        raise ModelError(f"codec.model: got {name!r}; allowed: {sorted(image_models)}")
    if checkpoint is None:
        net = image_models[name](quality=quality, pretrained=True)
    else:
        state = _state(Path(checkpoint))
        try:
            net = model_architectures[name].from_state_dict(state)
        except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as why:
            raise ModelError(f"{checkpoint}: does not fit {name} ({str(why).splitlines()[0]})") from why
    net = net.eval().requires_grad_(False)
    net.update(force=True)
    return net


def _state(path: Path) -> Mapping[str, torch.Tensor]:
    """The state dict of a file, or of the training checkpoint in it."""
    try:
        loaded = torch.load(as_file(path), map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, UnpicklingError) as why:
        raise ModelError(f"{path}: cannot be read as a checkpoint ({reason_of(why).partition(chr(10))[0]})") from why
    if not isinstance(loaded, Mapping):
        raise ModelError(f"{path}: holds a {type(loaded).__name__}; allowed: a state dict")
    found = loaded.get("state_dict", loaded)
    if not isinstance(found, Mapping):
        raise ModelError(f"{path}: state_dict is a {type(found).__name__}; allowed: tensors by name")
    return found


def _pictured(frame: np.ndarray, colour: Colour = "gray") -> torch.Tensor:
    """(1, 3, H, W) of (rows, w), gray as three equal planes, grown by repeating the edge."""
    planes = frame[None] if colour == "gray" else apart(frame)
    h, w = planes.shape[1:]
    wide = np.pad(planes.astype(np.float32), ((0, 0), (0, -h % MULTIPLE), (0, -w % MULTIPLE)), mode="edge")
    return torch.from_numpy(wide)[None].expand(1, 3, -1, -1).contiguous()


@cache
def _latent_size(net: Any, h: int, w: int) -> tuple[int, int]:
    """The `shape` that the model tells its decoder; it depends on the size of the frame alone."""
    return tuple(net.compress(_pictured(np.full((h, w), 0.5)))["shape"])


def _packed(quality: int, strings: Sequence[Sequence[bytes]]) -> bytes:
    """Checksum, quality with the number of strings, lengths of all but the last, strings."""
    flat = [group[0] for group in strings]
    if any(len(group) != 1 or not isinstance(group[0], bytes) for group in strings) or len(flat) > 15:
        raise ModelError("codec: this CompressAI model does not give one string a picture; allowed: image models")
    lengths = b"".join(to_leb128(len(string)) for string in flat[:-1])
    body = bytes((quality << 4 | len(flat),)) + lengths + b"".join(flat)
    return _check(body) + body


def _unpacked(data: bytes) -> tuple[int, list[bytes]] | None:
    """Quality and strings; None where the checksum or a length is wrong."""
    check, body = data[:_CHECK_BYTES], data[_CHECK_BYTES:]
    if not body or check != _check(body):
        return None
    quality, number = body[0] >> 4, body[0] & 15
    lengths, at = [], 1
    for _ in range(number - 1):
        length, at = read_leb128(body, at)
        if length is None:
            return None
        lengths.append(length)
    strings = []
    for length in lengths:
        strings.append(body[at : at + length])
        at += length
    return (quality, [*strings, body[at:]]) if at <= len(body) else None


def _check(body: bytes) -> bytes:
    return (crc32(body) & 0xFFFF).to_bytes(_CHECK_BYTES, "big")
