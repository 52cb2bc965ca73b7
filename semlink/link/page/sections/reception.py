"""How the clip was received: constellation, LLRs, gain over time and lost blocks of one reception a point."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence

import numpy as np

from semlink.files import JsonDict
from semlink.link.page.parts import NamedRun, PageOptions, Section
from semlink.link.results.media.reception import LATER, LOST, UNSAID, Reception, Receptions, Scatter

__all__ = ["drawn", "section", "words_of"]

MOST_BYTES = 3_000_000
"""Of the symbols of all points; where there are many points, fewer symbols of each are in the page."""
A_SYMBOL = 9
"""Bytes that a symbol takes there."""
FEWEST_SYMBOLS = 150
STEPS = 2000.0
"""Steps of a symbol's parts in the page, to 1."""
STILL_DB = 0.05
"""A gain that moves by less is not drawn."""


def section(runs: Sequence[NamedRun], options: PageOptions) -> Section | None:
    """None where no folder keeps a reception."""
    found = {key: kept for run in runs for key, kept in _receptions(run)}
    if not found:
        return None
    most = max(MOST_BYTES // (A_SYMBOL * len(found)), FEWEST_SYMBOLS)
    points = {key: drawn(kept, most, options.single or 0) for key, kept in found.items()}
    data = {"steps": STEPS, "points": points}
    return Section("reception", "How it was received", data, {"single": options.single is not None})


def _receptions(run: NamedRun) -> Iterator[tuple[str, Reception]]:
    store = Receptions(run.run.folder)
    for key, point in run.points():
        kept = store.read(point.key) if point.key else None
        if kept is not None:
            yield key, kept


def drawn(kept: Reception, most: int, trial: int = 0) -> JsonDict:
    """What the script draws of a reception in a trial, with so many of its symbols."""
    total = sum(len(scatter.sent) for scatter in kept.scatters)
    moves = {"true": _moving(kept.gain_db), "believed": _moving(kept.believed_gain_db)}
    return {
        "words": words_of(kept, trial),
        "symbols": kept.symbols,
        "asked": kept.asked_db,
        "scatters": [_scatter(s, max(most * len(s.sent) // max(total, 1), 1)) for s in kept.scatters],
        "llr": None if kept.llrs is None else _llrs(kept),
        "gain": {"at": kept.at.tolist(), **moves} if any(m is not None for m in moves.values()) else None,
        "blocks": [[round(a, 1), round(b, 1), int(fate)] for (a, b), fate in zip(kept.blocks.tolist(), kept.fates)],
        "bursts": list(kept.bursts),
    }


def _scatter(scatter: Scatter, most: int) -> JsonDict:
    number = min(len(scatter.sent), most)
    kept = np.arange(number) * len(scatter.sent) // max(number, 1)
    sent, received = scatter.sent[kept], scatter.received[kept]
    found: JsonDict = {"name": scatter.name, "of": scatter.symbols, "received": _packed(received)}
    if not len(scatter.points):
        return found | {"sent": _packed(sent)}
    nearest = [np.abs(symbols[:, None] - scatter.points).argmin(1) for symbols in (sent, received)]
    return found | {
        "points": [[round(float(p.real), 4), round(float(p.imag), 4)] for p in scatter.points],
        "wrong": "".join("01"[int(a != b)] for a, b in zip(*nearest)),
    }


def _packed(symbols: np.ndarray) -> str:
    """Real and imaginary parts by turns, as steps in 16 bits."""
    parts = np.ascontiguousarray(symbols, np.complex64).view(np.float32)
    return b64encode(np.clip(np.rint(parts * STEPS), -32767, 32767).astype("<i2").tobytes()).decode()


def _llrs(kept: Reception) -> JsonDict:
    assert kept.llrs is not None
    return {
        "reach": round(float(kept.llrs.edges[-1]), 4),
        "zeros": kept.llrs.zeros.tolist(),
        "ones": kept.llrs.ones.tolist(),
    }


def _moving(level: np.ndarray) -> list[float | None] | None:
    """A gain in dB, None for what is not known; None if it stands still or is not known at all."""
    known = level[np.isfinite(level)]
    if not known.size or known.max() - known.min() < STILL_DB:
        return None
    return [round(float(x), 2) if np.isfinite(x) else None for x in level]


def words_of(kept: Reception, trial: int = 0) -> list[str]:
    """What one sees, in sentences."""
    return [said for said in (_sent(kept, trial), _snr(kept), _bits(kept), _gain(kept), _blocks(kept)) if said]


def _sent(kept: Reception, trial: int) -> str:
    bursts, which = _counted(len(kept.bursts), "burst"), f"trial {trial}" if trial else "first trial"
    return f"{kept.symbols:,} data symbols of clip {kept.clip} in {bursts}, {which}."


def _snr(kept: Reception) -> str:
    told = [f"SNR asked for {_db(kept.asked_db)}"]
    if kept.measured_db is not None:
        told.append(f"measured behind the equaliser {_db(kept.measured_db)}")
    if kept.believed_db is not None:
        told.append(f"taken for {_db(kept.believed_db)} by the receiver")
    never = f" {_percent(kept.unheard)} of the symbols never arrived." if kept.unheard else ""
    return ", ".join(told) + "." + never


def _bits(kept: Reception) -> str:
    if kept.llrs is None or not kept.llrs.bits:
        return ""
    wrong = _percent(kept.llrs.wrong)
    if kept.side:
        split = f"Bits and blocks are those of {kept.side} alone, other symbols carry amplitudes: "
        return f"{split}{wrong} of the bits lie on the wrong side before decoding."
    return f"{wrong} of the bits lie on the wrong side before decoding."


def _gain(kept: Reception) -> str:
    if _moving(kept.gain_db) is None:
        return ""
    known = kept.gain_db[np.isfinite(kept.gain_db)]
    return f"The gain lies between {_db(float(known.min()))} and {_db(float(known.max()))}."


def _blocks(kept: Reception) -> str:
    if not kept.told:
        return ""
    later = len(np.unique(kept.blocks[kept.fates == LATER], axis=0))
    mended = f" {_counted(later, 'block').capitalize()} failed at first and arrived when sent again." if later else ""
    if not kept.lost:
        return f"{_all(kept.told)} arrived.{mended}"
    which = " Which ones the scheme does not say." if (kept.fates == UNSAID).any() or not len(kept.blocks) else ""
    if kept.lost == kept.told:
        return f"{_all(kept.told)} {'was' if kept.told == 1 else 'were'} lost.{mended}"
    where = f" ({_percent(_time_of(kept, LOST))} of the time)" if (kept.fates == LOST).any() else ""
    return f"{kept.lost} of {kept.told} blocks {'was' if kept.lost == 1 else 'were'} lost{where}.{which}{mended}"


def _all(blocks: int) -> str:
    return {1: "The one block", 2: "Both blocks"}.get(blocks, f"All {blocks:,} blocks")


def _time_of(kept: Reception, fate: int) -> float:
    spans = kept.blocks[kept.fates == fate]
    return float((spans[:, 1] - spans[:, 0]).sum()) / max(kept.symbols, 1)


def _counted(number: int, word: str) -> str:
    return f"one {word}" if number == 1 else f"{number:,} {word}s"


def _percent(share: float) -> str:
    return f"{100 * share:.2g}\N{NO-BREAK SPACE}%" if share < 0.995 else f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def _db(level: float) -> str:
    return f"{level:.1f}\N{NO-BREAK SPACE}dB".replace("-", "\N{MINUS SIGN}")
