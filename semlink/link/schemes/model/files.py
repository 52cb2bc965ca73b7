"""Networks in files that are no Python: TorchScript and ONNX, and the programs of torch.export.

What is read without running code of others: ONNX, a list of known operations; and TorchScript, a small language that
reaches neither Python nor the system, once its text names none of the few operations that touch files. torch.export
falls back to unpickling and evaluates text, so its files count as code of a user.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from semlink.errors import ModelError
from semlink.files import as_file, reason_of
from semlink.link.schemes.model.checkpoint import is_program

__all__ = ["load_network"]

Run = Callable[..., Any]
TOUCHES = re.compile(
    rb"\b(?:torch|ops\.aten)\.(save|from_file|load)\b|\bops\.(?!prim\b|aten\b|quantized\b)(\w+)|(rpc_\w+)"
)
"""What a TorchScript text names that reaches a file, another machine or a library of somebody's own."""


def load_network(path: Path, role: str) -> Run:
    """What a file computes, as a function of tensors.

    Raises:
        ModelError: no such file, not what its name says, or a program that reaches beyond tensors.
    """
    try:
        as_file(path)
    except OSError as why:
        raise ModelError(f"{role} {path}: {reason_of(why)}") from why
    load = {".onnx": _onnx, ".pt2": _exported}.get(path.suffix, _script)
    return load(path, role)


def _script(path: Path, role: str) -> Run:
    if not is_program(path):
        raise ModelError(
            f"{role} {path}: is no TorchScript program; weights alone go under checkpoint, and network names the class"
        )
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if "/code/" in name and name.endswith(".py") and (found := TOUCHES.search(archive.read(name))):
                what = next(group for group in found.groups() if group).decode()
                raise ModelError(f"{role} {path}: its program uses {what!r}, which reaches beyond tensors; refused")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that TorchScript is old is no news to who has such a file
            network = torch.jit.load(path, map_location="cpu")
    except (RuntimeError, ValueError) as why:
        raise ModelError(f"{role} {path}: cannot be read as TorchScript ({_first(why)})") from why
    return network.eval()


def _exported(path: Path, role: str) -> Run:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.load(path).module()
    except Exception as why:
        raise ModelError(f"{role} {path}: cannot be read as a program of torch.export ({_first(why)})") from why


def _onnx(path: Path, role: str) -> Run:
    try:
        import onnxruntime
    except ModuleNotFoundError as missing:
        raise ModelError(f"{role} {path}: ONNX needs onnxruntime: pip install 'semlink[onnx]'") from missing
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as why:
        raise ModelError(f"{role} {path}: cannot be read as ONNX ({_first(why)})") from why
    inputs = session.get_inputs()
    alone = inputs[0].shape and inputs[0].shape[0] == 1

    def once(*given: torch.Tensor, **named: torch.Tensor) -> Any:
        told = dict(zip([i.name for i in inputs], given, strict=False)) | named
        found = [torch.from_numpy(out) for out in session.run(None, {n: v.numpy() for n, v in told.items()})]
        return found[0] if len(found) == 1 else tuple(found)

    def run(*given: torch.Tensor, **named: torch.Tensor) -> Any:
        """A program that was written out for one item gets them one after the other."""
        if not alone or len(given[0]) == 1:
            return once(*given, **named)
        items = range(len(given[0]))
        found = [once(*(v[k : k + 1] for v in given), **{n: v[k : k + 1] for n, v in named.items()}) for k in items]
        if isinstance(found[0], tuple):
            return tuple(torch.cat(parts) for parts in zip(*found))
        return torch.cat(found)

    return run


def _first(why: Exception) -> str:
    return str(why).strip().partition("\n")[0][:160]
