"""A codec with the coding that a spec names: a scheme that sends once, one that listens, or a bound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from semlink.blocks import CodecBase, CodingBase, RateBoundBase, Scheme
from semlink.link.schemes.digital.bound import BoundScheme
from semlink.link.schemes.digital.burst_schedule import Rules
from semlink.link.schemes.digital.interactive import InteractiveScheme
from semlink.link.schemes.digital.scheme import DigitalScheme
from semlink.phy.coding.ldpc_coding import LdpcCoding
from semlink.phy.specs.codings import CodingSpec
from semlink.plugins.specs import CodingPlugin
from semlink.spec import BuildContext


def digital_scheme(codec: CodecBase, spec: CodingSpec | CodingPlugin, context: BuildContext) -> Scheme:
    """One end of the scheme, without a sensor."""
    codings = spec.codings(context)
    harq, adaptive = spec.feedback()
    if harq is not None or adaptive is not None:
        ldpc = cast(Mapping[str, LdpcCoding], codings)  # no other coding listens
        return InteractiveScheme(codec, ldpc, Rules(harq, adaptive, codec.gop), context.streams)
    bound = codings.get("only")
    if bound is not None and bound.is_bound:
        return BoundScheme(codec, cast(RateBoundBase, bound), context.streams)
    return DigitalScheme(codec, cast(Mapping[str, CodingBase], codings), context.streams)
