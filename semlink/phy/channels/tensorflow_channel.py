"""A channel written for TensorFlow, gradients included.

The callable gets `(iq, noise_var, seed)` as TensorFlow tensors - complex64
(1, n), a float32 scalar and two int32 for `tf.random.stateless_*` - and
returns the received symbols. Clips are sent one by one, each with a seed of
its own, and `tf.random.set_seed` is called with it first, so that layers that
draw from TensorFlow's global generator (an older Sionna, say) repeat as well.

Gradients follow one convention in both frameworks, dL/dRe + j dL/dIm, so the
tape's answer is handed on as it is.

Source: [abadi2016tensorflow].
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from semlink.blocks import ChannelBase
from semlink.payload import ChannelOutput
from semlink.phy.channels.awgn import noise_var_at
from semlink.phy.validation import need
from semlink.seeds import Seeds


@dataclass(frozen=True, slots=True)
class TensorFlowChannel(ChannelBase):
    """`target` is "module:name" or "file.py:name" of a function, an object or a class.

    Attributes:
        options: keyword arguments of the class, where `target` names one.
        takes_seed: hand the seed over; False for callables of `(iq, noise_var)`.
    """

    target: str
    options: Mapping[str, Any] = field(default_factory=dict)
    takes_seed: bool = True

    def __post_init__(self) -> None:
        module, _, name = str(self.target).rpartition(":")
        need(bool(module and name), "TensorFlowChannel.target", self.target, "'module:callable' or 'file.py:callable'")

    def __call__(self, iq: torch.Tensor, snr_db: float, seeds: Seeds) -> ChannelOutput:
        noise_var = noise_var_at(snr_db)
        call = _callable(self.target, tuple(sorted(self.options.items())))
        rows = []
        for row, clip in enumerate(seeds.clips):
            seed = seeds.sequence("phy/tensorflow", clip).generate_state(2, np.uint32) >> 1
            rows.append(_Bridge.apply(iq[row : row + 1], call, noise_var, seed.astype(np.int32), self.takes_seed))
        return ChannelOutput(torch.cat(rows), noise_var=noise_var)


class _Bridge(torch.autograd.Function):
    """One clip through TensorFlow and its gradient back."""

    @staticmethod
    def forward(ctx: Any, iq: torch.Tensor, call: Callable, noise_var: float, seed: np.ndarray, takes_seed: bool):
        """Received symbols (1, n); the tape is kept for the way back."""
        tf = _tensorflow()
        tf.random.set_seed(int(seed[0]))
        sent = _to_tensorflow(iq)
        extra = (tf.constant(seed),) if takes_seed else ()
        with tf.GradientTape() as tape:
            tape.watch(sent)
            heard = call(sent, tf.constant(noise_var, tf.float32), *extra)
        ctx.kept = (tape, sent, heard)
        return _to_torch(heard, iq)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor):
        """Gradient on the sent symbols; zero where TensorFlow sees no path."""
        tape, sent, heard = ctx.kept
        slope = tape.gradient(heard, sent, output_gradients=_to_tensorflow(grad))
        back = torch.zeros_like(grad) if slope is None else _to_torch(slope, grad)
        return back, None, None, None, None


def _to_tensorflow(value: torch.Tensor) -> Any:
    """The same numbers in TensorFlow: by DLPack on a GPU, by numpy on a CPU."""
    tf = _tensorflow()
    value = value.detach().resolve_conj().contiguous()
    if value.is_cuda:
        return tf.experimental.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(value))
    return tf.constant(value.numpy())


def _to_torch(value: Any, like: torch.Tensor) -> torch.Tensor:
    """The same numbers in torch, on the device of `like`."""
    if like.is_cuda:
        return torch.utils.dlpack.from_dlpack(_tensorflow().experimental.dlpack.to_dlpack(value)).to(like.device)
    return torch.from_numpy(np.array(value))


def _tensorflow() -> ModuleType:
    try:
        return importlib.import_module("tensorflow")
    except ModuleNotFoundError as missing:
        raise ImportError("TensorFlowChannel needs tensorflow: pip install 'semlink[tensorflow]'") from missing


@lru_cache(maxsize=16)
def _callable(target: str, options: tuple[tuple[str, Any], ...]) -> Callable:
    """What `target` names; a class is built with `options`."""
    _tensorflow()
    place, _, name = target.rpartition(":")
    module = _module_from_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    found: Any = getattr(module, name, None)
    need(callable(found), "TensorFlowChannel.target", target, f"a callable called {name} in {place}")
    if isinstance(found, type):
        return found(**dict(options))
    need(not options, "TensorFlowChannel.options", dict(options), f"none, since {name} is not a class")
    return found


def _module_from_file(path: Path) -> ModuleType:
    need(path.is_file(), "TensorFlowChannel.target", str(path), "an existing file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
