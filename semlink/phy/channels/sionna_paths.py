"""3GPP TR 38.901 paths from Sionna, drawn from our streams.

Sionna draws from one generator of its own per process, and importing it
reseeds torch's. Here its generator is set to a seed of ours for one draw and
put back; the import leaves torch's generators as they were. Draws are made one
clip at a time, so a clip's paths do not depend on the batch it is in.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from semlink.seeds import Seeds

if TYPE_CHECKING:
    import torch

Family = Literal["tdl", "cdl"]
_LOCK = Lock()


def draw_paths(model: Any, seed: int, num_steps: int, rate_hz: float) -> tuple[torch.Tensor, torch.Tensor]:
    """One draw of `model`: gains complex128 (path, step) and delays in seconds (path,)."""
    gains, delays = draw_many_paths(model, seed, 1, num_steps, rate_hz)
    return gains[0], delays[0]


def draw_many_paths(
    model: Any, seed: int, num: int, num_steps: int, rate_hz: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """`num` draws of `model` at once: gains complex128 (draw, path, step) and delays in seconds (draw, path)."""
    from sionna.phy import config

    with _LOCK:
        generator = config.torch_rng("cpu")
        before = generator.get_state()
        try:
            generator.manual_seed(seed)
            gains, delays = model(num, num_steps, rate_hz)
        finally:
            generator.set_state(before)
    return gains[:, 0, 0, 0, 0], delays[:, 0, 0]


def path_seed(seeds: Seeds, clip: int) -> int:
    """The seed of a clip's paths in this trial."""
    return int(seeds.sequence("phy/paths", clip).generate_state(1, np.uint64)[0]) & (2**63 - 1)


@lru_cache(maxsize=32)
def sionna_model(family: Family, profile: str, delay_spread_s: float, carrier_hz: float, speed_mps: float) -> Any:
    """Sionna's TDL or CDL model in double precision on the CPU, one antenna at either end."""
    _import_quietly()
    from sionna.phy.channel.tr38901 import CDL, TDL, PanelArray

    where: dict[str, Any] = {"precision": "double", "device": "cpu"}
    if family == "tdl":
        return TDL(profile, delay_spread_s, carrier_hz, min_speed=speed_mps, **where)
    antenna = PanelArray(
        num_rows_per_panel=1,
        num_cols_per_panel=1,
        polarization="single",
        polarization_type="V",
        antenna_pattern="omni",
        carrier_frequency=carrier_hz,
        **where,
    )
    speeds = {"min_speed": speed_mps, "max_speed": speed_mps}
    return CDL(profile, delay_spread_s, carrier_hz, antenna, antenna, "downlink", **speeds, **where)


def _import_quietly() -> None:
    """Import Sionna without moving torch's generators."""
    import torch

    if "sionna.phy" not in sys.modules:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            import sionna.phy.channel.tr38901  # noqa: F401
