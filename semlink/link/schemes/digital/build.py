"""A digital scheme from its spec: which codings there are to choose from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from semlink.link.schemes.digital.bound import BoundScheme
from semlink.link.schemes.digital.burst_schedule import Rules
from semlink.link.schemes.digital.interactive import InteractiveScheme
from semlink.link.schemes.digital.packet_store import StreamStore
from semlink.link.schemes.digital.scheme import DigitalScheme
from semlink.link.schemes.digital.spec import DigitalSpec
from semlink.phy.coding.ldpc_coding import LdpcCoding
from semlink.phy.specs.codings import LdpcSpec
from semlink.plugins import build_block

CLASSIC_RATES = (1 / 3, 1 / 2, 2 / 3, 3 / 4, 5 / 6)
"""Tried by `mcs: best` beside the tables' own, so that no fixed MCS of that kind beats it by a hair."""


def coded_scheme(spec: DigitalSpec, streams: StreamStore | None, folder: Path | None) -> Any:
    return digital_scheme(build_block(spec.codec, "codec", folder), spec.coding, streams, folder)


def digital_scheme(codec: Any, coding: Any, streams: StreamStore | None, folder: Path | None) -> Any:
    """A codec with the coding that a spec names."""
    if isinstance(coding, LdpcSpec):
        codings = {"only": coding.build()} if not isinstance(coding.mcs, str) else _every_mcs(coding)
        harq, adaptive = coding.harq, coding.adaptation()
        if harq is None and adaptive is None:
            return DigitalScheme(codec, codings, streams)
        rules = Rules(None if harq is None else harq.build(), adaptive, getattr(codec, "gop", None))
        return InteractiveScheme(codec, codings, rules, streams)
    built = build_block(coding, "coding", folder)
    if hasattr(built, "bits") and hasattr(built, "uses"):
        return BoundScheme(codec, built, streams)
    return DigitalScheme(codec, {"only": built}, streams)


def _every_mcs(spec: LdpcSpec) -> dict[str, LdpcCoding]:
    """The rows of one MCS table, or of all three; for `best` every modulation with every rate of them."""
    from semlink.phy.coding.mcs_tables import mcs_table

    entries = [m for table in ((1, 2, 3) if spec.table is None else (spec.table,)) for m in mcs_table(table)]
    pairs = {(m.bits_per_symbol, m.rate) for m in entries}
    if spec.table is None and spec.mcs == "best":
        rates = {m.rate for m in entries} | set(CLASSIC_RATES)
        pairs = {(m.bits_per_symbol, rate) for m in entries for rate in rates}
    codings = [LdpcCoding(order, rate, spec.block_bits, spec.iterations, spec.backend) for order, rate in sorted(pairs)]
    return {coding_name(coding): coding for coding in codings}


def coding_name(coding: LdpcCoding) -> str:
    """Modulation and rate as in the MCS tables, such as `16qam 490/1024`."""
    order = {2: "qpsk", 4: "16qam", 6: "64qam", 8: "256qam"}[coding.bits_per_symbol]
    return f"{order} {coding.rate * 1024:g}/1024"
