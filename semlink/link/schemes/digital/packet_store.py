"""Coded clips kept on disk, so that a clip is coded once for all SNRs, trials and workers.

    {"key": ..., "packets": [[time, base64], ...], "sha256": ...}     or "infeasible" with the reason

The digest is of all the rest, so that neither a damaged file nor packets of
another clip or codec can become a result: they are set aside with a warning,
and the clip is coded again.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from semlink.blocks import PacketStore
from semlink.caching import digest_of
from semlink.errors import Infeasible
from semlink.files import JsonDict, as_file, json_in, reason_of, write_atomic
from semlink.payload import Packet
from semlink.plugins.contents import chosen, contents, specs_inside
from semlink.plugins.specs import PluginSpec
from semlink.spec import BuildContext, Spec

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StreamStore:
    """Packets on disk by digest; an infeasible encode is remembered with its reason."""

    folder: Path

    def get(self, key: str, make: Callable[[], Sequence[Packet]]) -> tuple[Packet, ...]:
        """The packets at `key`, coded once for all workers and runs.

        Raises:
            Infeasible: coding found no stream that fits, now or earlier.
        """
        path = self.folder / key[:2] / f"{key[2:]}.json"
        known = _read(path, key)
        if known is None:
            known = {"key": key, **_made(make)}
            write_atomic(path, json.dumps({**known, "sha256": _digest(known)}).encode(), durable=False)
        if "infeasible" in known:
            raise Infeasible(known["infeasible"])
        return tuple(Packet(time, base64.b64decode(data)) for time, data in known["packets"])


@dataclass(frozen=True, slots=True)
class CodecStore:
    """The part of a store that is one codec's, as its code, its weights and its files are now."""

    store: PacketStore
    made_by: str

    def get(self, key: str, make: Callable[[], Sequence[Packet]]) -> tuple[Packet, ...]:
        """The packets at `key`; those of another text, of another revision or of other weights do not count."""
        return self.store.get(digest_of(self.made_by, key), make)


def store_of(codec: Spec | PluginSpec, store: PacketStore | None, context: BuildContext) -> PacketStore | None:
    """`store` for the packets of `codec`: its options, its revision or its source text, its weights and its files.

    Args:
        codec: of what codes, without the channel code.
        context: that the codec was built in, with the files that its class declares.
    """
    if store is None:
        return None
    own = {"codec": codec}
    made_by = {
        "options": chosen(codec, without={"coding"}),
        "revisions": {place: spec.revision for place, spec in specs_inside(own) if isinstance(spec, Spec)},
        **contents(own, context.folder, context.files or ()),
        **({} if context.colour == "gray" else {"colour": context.colour}),
    }
    return CodecStore(store, json.dumps(made_by, sort_keys=True))


def _made(make: Callable[[], Sequence[Packet]]) -> dict:
    try:
        return {"packets": [(p.time, base64.b64encode(p.data).decode()) for p in make()]}
    except Infeasible as reason:
        return {"infeasible": str(reason)}


def _read(path: Path, key: str) -> JsonDict | None:
    """What is kept at `key`; None where nothing is, or something damaged, which is set aside."""
    try:
        known = json_in(as_file(path).read_bytes())
        if not isinstance(known, dict) or known.pop("sha256", None) != _digest(known) or known.get("key") != key:
            raise ValueError("not what was written under this key")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as fault:
        aside = path.with_suffix(".damaged")
        LOG.warning(
            "warning: %s: damaged coded clip (%s); set aside as %s, coded again", path, reason_of(fault), aside.name
        )
        _move(path, aside)
        return None
    return known


def _digest(known: JsonDict) -> str:
    return digest_of(json.dumps(known, sort_keys=True).encode())


def _move(path: Path, aside: Path) -> None:
    """Rename; what was set aside earlier goes. Where neither is allowed, writing says so."""
    with suppress(OSError):
        if aside.is_dir() and not aside.is_symlink():
            shutil.rmtree(aside)
        else:
            aside.unlink(missing_ok=True)
        os.replace(path, aside)
