"""What the denoisers of `smoothed_projections` do, in compiled code: a step of total variation, windows of the DCT.

The transform of a window is taken axis by axis and not as one matrix, and frames are read once for each view.
"""

from __future__ import annotations

import numpy as np

from semlink.kernels.compiled import compiled

__all__ = ["add_thresholded", "less_variation"]

_OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}


@compiled(**_OPTIONS)
def add_thresholded(frames, into, shift, strength, share, short, over_time, over_space):
    """Add `share` times the frames (n, h, w) without the weak coefficients of windows displaced by `shift` (t, y, x).

    Windows are 8 x 8 pixels and `short` frames, 4 or 1; the bases (2, size, size) are a DCT's rows and its columns.
    """
    n, h, w = frames.shape
    whole = (n + short - 1) // short * short
    down, right, across = shift
    high = w // 8
    here, there = np.empty((short, 8, 8, high), np.float32), np.empty((short, 8, 8, high), np.float32)
    columns = np.array([(x - across) % w for x in range(w)])
    pixels = short * 8
    for first in range(0, whole, short):
        for top in range(0, h, 8):
            for k in range(short):
                t = min((first + k - down) % whole, n - 1)
                for j in range(8):
                    row, place = frames[t, (top + j - right) % h], here[k, j]
                    for c in range(high):
                        for i in range(8):
                            place[i, c] = row[columns[8 * c + i]]
            _eight(over_space[0], here.reshape(pixels, 8, high), there.reshape(pixels, 8, high))
            _eight(over_space[0], there.reshape(short, 8, w), here.reshape(short, 8, w))
            if short == 4:
                _four(over_time[0], here.reshape(4, 8 * w), there.reshape(4, 8 * w))
                _drop(there.reshape(pixels * w), strength)
                _four(over_time[1], there.reshape(4, 8 * w), here.reshape(4, 8 * w))
            else:
                _drop(here.reshape(pixels * w), strength)
            _eight(over_space[1], here.reshape(short, 8, w), there.reshape(short, 8, w))
            _eight(over_space[1], there.reshape(pixels, 8, high), here.reshape(pixels, 8, high))
            for k in range(short):
                t = (first + k - down) % whole
                if t < n:
                    for j in range(8):
                        row, place = into[t, (top + j - right) % h], here[k, j]
                        for c in range(high):
                            for i in range(8):
                                row[columns[8 * c + i]] += share * place[i, c]


@compiled(**_OPTIONS)
def _eight(rows, given, found):
    """found[o] = rows @ given[o]; written out, so that the innermost loop runs in vectors."""
    for o in range(given.shape[0]):
        a, b, c, d = given[o, 0], given[o, 1], given[o, 2], given[o, 3]
        e, f, g, h = given[o, 4], given[o, 5], given[o, 6], given[o, 7]
        for k in range(8):
            r0, r1, r2, r3 = rows[k, 0], rows[k, 1], rows[k, 2], rows[k, 3]
            r4, r5, r6, r7 = rows[k, 4], rows[k, 5], rows[k, 6], rows[k, 7]
            into = found[o, k]
            for i in range(into.size):
                low = r0 * a[i] + r1 * b[i] + r2 * c[i] + r3 * d[i]
                into[i] = low + r4 * e[i] + r5 * f[i] + r6 * g[i] + r7 * h[i]


@compiled(**_OPTIONS)
def _four(rows, given, found):
    """found = rows @ given."""
    a, b, c, d = given[0], given[1], given[2], given[3]
    for k in range(4):
        r0, r1, r2, r3 = rows[k, 0], rows[k, 1], rows[k, 2], rows[k, 3]
        into = found[k]
        for i in range(into.size):
            into[i] = r0 * a[i] + r1 * b[i] + r2 * c[i] + r3 * d[i]


@compiled(**_OPTIONS)
def _drop(values, strength):
    """Zero what is not above the strength."""
    for i in range(values.size):
        if not abs(values[i]) > strength:
            values[i] = 0


@compiled(**_OPTIONS)
def less_variation(frames, dual, into, strength, time_weight):
    """One step of `TvDenoiser`: `into` becomes the frames (n, h, w), smoother; `dual` (3, n, h, w) goes on."""
    n, h, w = frames.shape
    step = np.float32(1) / (np.float32(4) * (np.float32(2) + time_weight * time_weight) * strength)
    norm = np.empty(w, np.float32)
    _primal(frames, dual, into, strength, time_weight)
    for t in range(n):
        for y in range(h):
            here, over_t, over_y, over_x = into[t, y], dual[0, t, y], dual[1, t, y], dual[2, t, y]
            if t + 1 < n:
                _climb(over_t, into[t + 1, y], here, step * time_weight)
            if y + 1 < h:
                _climb(over_y, into[t, y + 1], here, step)
            _climb(over_x[:-1], here[1:], here[:-1], step)
            for x in range(w):
                norm[x] = over_t[x] * over_t[x] + over_y[x] * over_y[x] + over_x[x] * over_x[x]
            for x in range(w):
                norm[x] = np.float32(1) / np.sqrt(max(norm[x], np.float32(1)))
            for x in range(w):
                over_t[x] *= norm[x]
                over_y[x] *= norm[x]
                over_x[x] *= norm[x]
    _primal(frames, dual, into, strength, time_weight)


@compiled(**_OPTIONS)
def _climb(dual, behind, here, step):
    """Move the dual along a difference."""
    for x in range(dual.size):
        dual[x] += step * (behind[x] - here[x])


@compiled(**_OPTIONS)
def _primal(frames, dual, into, strength, time_weight):
    """into = frames - strength D^T dual."""
    n, h, w = frames.shape
    along_t = strength * time_weight
    for t in range(n):
        for y in range(h):
            row, given = into[t, y], frames[t, y]
            over_t, over_y, over_x = dual[0, t, y], dual[1, t, y], dual[2, t, y]
            for x in range(w):
                row[x] = given[x] + along_t * over_t[x] + strength * (over_y[x] + over_x[x])
            if t:
                before = dual[0, t - 1, y]
                for x in range(w):
                    row[x] -= along_t * before[x]
            if y:
                above = dual[1, t, y - 1]
                for x in range(w):
                    row[x] -= strength * above[x]
            for x in range(1, w):
                row[x] -= strength * over_x[x - 1]
