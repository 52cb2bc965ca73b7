"""Means, variances and covariance under the window, compiled: each row down its columns, then along itself.

It adds in the order of `scipy.ndimage.correlate1d` with a symmetric window (the middle, then pairs from the outside
in), all in double precision, and so gives the digits that `gaussian_filter` gives, several times as fast.
"""

from __future__ import annotations

import numpy as np

from semlink.kernels.compiled import compiled

__all__ = ["moments", "similarity"]


@compiled(nogil=True, error_model="numpy")
def moments(x, y, weights, rows, columns, out):
    """Fill `out` (5, t, h, w): means of x and y, their variances, their covariance.

    `weights` (r + 1,) has the middle first; `rows` and `columns` say which pixel stands at each place from -r to
    size + r.
    """
    line, found = _room(x, weights)
    for f in range(len(x)):
        planes = _products(x[f], y[f])
        for i in range(x.shape[1]):
            _row(planes, weights, rows, columns, i, line, found)
            for k in range(5):
                out[k, f, i] = found[k]


@compiled(nogil=True, error_model="numpy")
def similarity(x, y, weights, rows, columns, c1, c2, out):
    """Fill `out` (t, h, w) with [wang2004, eq. (13)]."""
    line, found = _room(x, weights)
    for f in range(len(x)):
        planes = _products(x[f], y[f])
        for i in range(x.shape[1]):
            _row(planes, weights, rows, columns, i, line, found)
            _compare(found[0], found[1], found[2], found[3], found[4], c1, c2, out[f, i])


@compiled(nogil=True, error_model="numpy")
def _room(x, weights):
    width = x.shape[2]
    return np.empty(width + 2 * len(weights) - 2), np.empty((5, width))


@compiled(nogil=True, error_model="numpy")
def _products(x, y):
    """What is blurred: x, y, x x, y y and x y."""
    height, width = x.shape
    planes = np.empty((5, height, width))
    for i in range(height):
        for c in range(width):
            a, b = x[i, c], y[i, c]
            planes[0, i, c] = a
            planes[1, i, c] = b
            planes[2, i, c] = a * a
            planes[3, i, c] = b * b
            planes[4, i, c] = a * b
    return planes


@compiled(nogil=True, error_model="numpy")
def _row(planes, weights, rows, columns, i, line, found):
    """The moments (5, w) of row `i`."""
    reach, width = len(weights) - 1, planes.shape[2]
    for k in range(5):
        plane, out = planes[k], found[k]
        _add(line[reach : reach + width], plane[i], plane[i], weights[0], True)
        for j in range(reach, 0, -1):
            _add(line[reach : reach + width], plane[rows[i + reach - j]], plane[rows[i + reach + j]], weights[j], False)
        for c in range(reach):
            line[c] = line[reach + columns[c]]
            line[width + reach + c] = line[reach + columns[width + reach + c]]
        _along(line, weights, out)
    _take(found[2], found[0], found[0])
    _take(found[3], found[1], found[1])
    _take(found[4], found[0], found[1])


@compiled(nogil=True, error_model="numpy")
def _add(out, one, other, weight, first):
    """A pair of the window's places onto `out`; the middle, which stands alone, comes first."""
    if first:
        for c in range(len(out)):
            out[c] = one[c] * weight
    else:
        for c in range(len(out)):
            out[c] += (one[c] + other[c]) * weight


@compiled(nogil=True, error_model="numpy")
def _along(line, weights, out):
    """The window along a row: 11 places, written out so that a processor takes many pixels at a time."""
    w0, w1, w2, w3, w4, w5 = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    for c in range(len(out)):
        found = line[c + 5] * w0
        found += (line[c] + line[c + 10]) * w5
        found += (line[c + 1] + line[c + 9]) * w4
        found += (line[c + 2] + line[c + 8]) * w3
        found += (line[c + 3] + line[c + 7]) * w2
        out[c] = found + (line[c + 4] + line[c + 6]) * w1


@compiled(nogil=True, error_model="numpy")
def _take(out, one, other):
    for c in range(len(out)):
        out[c] -= one[c] * other[c]


@compiled(nogil=True, error_model="numpy")
def _compare(mean_x, mean_y, var_x, var_y, cov, c1, c2, out):
    for c in range(len(out)):
        top = (2 * mean_x[c] * mean_y[c] + c1) * (2 * cov[c] + c2)
        out[c] = top / ((mean_x[c] * mean_x[c] + mean_y[c] * mean_y[c] + c1) * (var_x[c] + var_y[c] + c2))
