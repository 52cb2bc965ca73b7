"""What stands in the page as it is: data, scripts, styles, none of which can end the element that it stands in."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["HERE", "asset", "has_asset", "plotly", "script_data"]

HERE = Path(__file__).parent
ESCAPED = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}
END_OF_SCRIPT = re.compile(r"<(?=/script|!--)", re.IGNORECASE)


def script_data(data: Any) -> str:
    """JSON for a `<script type="application/json">`; numbers that are not finite become null."""
    text = json.dumps(_finite(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(ESCAPED)


@cache
def asset(name: str) -> str:
    """A style or a script of `assets/`."""
    return _harmless((HERE / "assets" / name).read_text(encoding="utf-8"))


@cache
def plotly() -> str:
    """The plotting library."""
    from plotly.offline import get_plotlyjs

    return _harmless(get_plotlyjs())


def has_asset(name: str) -> bool:
    return (HERE / "assets" / name).is_file()


def _harmless(script: str) -> str:
    return END_OF_SCRIPT.sub(r"\\x3c", script)


def _finite(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {str(name): _finite(found) for name, found in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(found) for found in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
