"""What a scenario may say about channels and waveforms."""

from __future__ import annotations

from typing import Any, Literal

from semlink.link.kinds import Spec, one_of


class AwgnSpec(Spec):
    """Additive white Gaussian noise, Es/N0 as swept."""

    kind: Literal["awgn"]

    def build(self) -> Any:
        from semlink.phy.awgn import Awgn

        return Awgn()


class PlainSpec(Spec):
    """No pilots, no equaliser: the scheme's symbols go to the antenna as they are."""

    kind: Literal["plain"]

    def build(self) -> Any:
        from semlink.phy.waveform import Plain

        return Plain()


CHANNELS = (AwgnSpec,)
WAVEFORMS = (PlainSpec,)
AnyChannel = one_of("channel", *CHANNELS)
AnyWaveform = one_of("waveform", *WAVEFORMS)
