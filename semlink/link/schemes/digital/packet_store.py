"""Coded clips kept on disk, so that a clip is coded once for all SNRs, trials and workers."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from semlink.blocks import PacketStore
from semlink.caching import digest_of
from semlink.errors import Infeasible
from semlink.files import write_atomic
from semlink.payload import Packet
from semlink.plugins.specs import PluginSpec
from semlink.spec import Spec
from semlink.weights.cards import RANDOM, find_weights, read_card


@dataclass(frozen=True, slots=True)
class StreamStore:
    """Packets on disk by digest; an infeasible encode is remembered with its reason."""

    folder: Path

    def get(self, key: str, make: Callable[[], Sequence[Packet]]) -> tuple[Packet, ...]:
        """The packets at `key`, coded once for all workers and runs.

        Raises:
            Infeasible: coding found no stream that fits, now or earlier.
        """
        path = self.folder / key[:2] / f"{key[2:34]}.json"
        known = _read(path)
        if known is None:
            known = _made(make)
            write_atomic(path, json.dumps(known).encode(), durable=False)
        if "infeasible" in known:
            raise Infeasible(known["infeasible"])
        return tuple(Packet(time, base64.b64decode(data)) for time, data in known["packets"])


@dataclass(frozen=True, slots=True)
class CodecStore:
    """The part of a store that is one codec's, as its code and its weights are now."""

    store: PacketStore
    made_by: str

    def get(self, key: str, make: Callable[[], Sequence[Packet]]) -> tuple[Packet, ...]:
        """The packets at `key`; those of an earlier revision or of other weights do not count."""
        return self.store.get(digest_of(self.made_by, key), make)


def store_of(codec: Spec | PluginSpec, store: PacketStore | None) -> PacketStore | None:
    """`store` for the packets of `codec`; of a user's class `packets.coded` adds the text of its file."""
    if store is None or isinstance(codec, PluginSpec):
        return store
    weights = dict(codec).get("weights")
    digest = "" if weights in (None, RANDOM) else read_card(find_weights(weights))["weights_sha256"]
    return CodecStore(store, digest_of(codec.revision, digest))


def _made(make: Callable[[], Sequence[Packet]]) -> dict:
    try:
        return {"packets": [(p.time, base64.b64encode(p.data).decode()) for p in make()]}
    except Infeasible as reason:
        return {"infeasible": str(reason)}


def _read(path: Path) -> dict | None:
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
