"""Where the programs are that a scenario names, and which: points depend on what is in their files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from semlink.codecs.command.codec import CommandCodec
from semlink.codecs.command.programs import Program
from semlink.errors import ScenarioError
from semlink.plugins.named_files import content_digest
from semlink.spec import BuildContext

__all__ = ["found_codec"]


def found_codec(
    program: Program, executables: Mapping[str, str], context: BuildContext, timeout_s: float, fps: float
) -> CommandCodec:
    """The codec of a program that is here.

    Args:
        executables: where programs are, by the first word of a command.
    Raises:
        ScenarioError: it is not here.
    """
    files: dict[str, Path] = {}
    encode = tuple(_found(program.encode, executables, context, files))
    decode = tuple(_found(program.decode, executables, context, files))
    if context.files is not None:
        context.files.update(files.items())
    versions = tuple(content_digest(path) for path in files.values())
    return CommandCodec(replace(program, encode=encode, decode=decode), versions, timeout_s, fps)


def _found(
    words: Sequence[str], executables: Mapping[str, str], context: BuildContext, files: dict[str, Path]
) -> Iterator[str]:
    """The words of a command with the program and the files that it names in full; `files` takes them."""
    name, *rest = words
    wanted = executables.get(name, name)
    near = Path(context.found(wanted)).absolute()
    path = str(near) if near.is_file() and ("/" in wanted or near.parent == context.folder) else shutil.which(wanted)
    if path is None:
        raise ScenarioError(
            f"codec command: no program {wanted!r} here; install it, or say where it is: executables: {{{name}: /path}}"
        )
    files[name] = Path(path)
    yield path
    for word in rest:
        file = Path(context.found(word))
        is_named = "{" not in word and not word.startswith("-") and file.is_file() and file != Path("/dev/null")
        if is_named:
            files[word] = file
        yield str(file.absolute()) if is_named else word
