"""What rounding took away, as numbers for an analogue layer beside the packets: which latents, how strong, how used.

A latent y was sent as the whole number k. Of r = y - k both ends know mean and
variance, from the context model and k. In pixels the variance is that of r over
the square of the gain, since the synthesis is nearly orthonormal. The `count`
latents in which most is left are sent, each as

    x = g (r - mean r),    mean of x^2 = p,    p ~ sqrt(variance in pixels),

the mean of all p being 1 [jakubczak2011, Sec. 3.2]. They are chosen by whole
numbers, ties by place, so both ends choose the same ones, and no map is sent.

From z = x + w, the noise w of variance n, the receiver takes a share
a = p / (p + n) of the estimate that has no bias:

    r' = a (z / g + mean r).

The decoder was trained on whole latents and reckons with the mean by itself;
so it is told the mean only as far as it is told r. Without any symbol it gets k.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from semlink.codecs.tokens.integer_contexts import Expected, Turn
from semlink.codecs.tokens.latent_coding import scale_groups
from semlink.codecs.tokens.loaded import Band, LoadedTokens, log_gains
from semlink.codecs.tokens.logistic_tables import VARIANCE_ONE, remainders, split_values, table_columns
from semlink.payload import FrameShape

HALF = 0.5  # a step, the most that rounding takes away


@dataclass(frozen=True, slots=True)
class Layer:
    """The numbers of one band.

    Attributes:
        first, last: which of all numbers are the band's; those beyond its latents are zero.
        places: latents that are sent (k,), in the flattened band, by falling variance in pixels.
        mean: of what rounding took away from each.
        gain, power: g and p of each.
    """

    first: int
    last: int
    places: np.ndarray
    mean: np.ndarray
    gain: np.ndarray
    power: np.ndarray

    def sent(self, remainder: np.ndarray) -> np.ndarray:
        """The band's numbers (last - first,) for what rounding took away (rows, columns, channels)."""
        numbers = np.zeros(self.last - self.first)
        numbers[: len(self.places)] = self.gain * (remainder.ravel()[self.places] - self.mean)
        return numbers

    def estimated(self, numbers: np.ndarray, noise_var: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """What rounding took away (rows, columns, channels), as far as all numbers and their noise tell; else 0."""
        own = slice(self.first, self.first + len(self.places))
        share = self.power / (self.power + np.maximum(noise_var[own], 0))
        told = np.nan_to_num(share * (numbers[own] / self.gain + self.mean)).clip(-HALF, HALF)
        found = np.zeros(int(np.prod(shape)))
        found[self.places] = told
        return found.reshape(shape)


class RefinableTokens:
    """Bands of whole latents, and the analogue layer that makes them finer; see `semlink.blocks.Refinable`.

    Args:
        bands: by their first row of tokens; each has a share of the numbers by its rows.
        count: of all numbers.
    """

    def __init__(self, code: LoadedTokens, bands: dict[int, Band], shape: FrameShape, count: int) -> None:
        self.code, self.bands, self.shape, self.count = code, bands, shape, count
        rows = code.tokens(shape.h)
        self.layers = {
            start: layer(code, band, count * start // rows, count * (start + len(band[1])) // rows)
            for start, band in bands.items()
        }

    def numbers(self, clip: np.ndarray) -> np.ndarray:
        """What rounding took away from the latents of readings (T/2, h, w)."""
        x = self.code.readings(clip)
        seen, numbers = self.code.look(x), np.zeros(self.count)
        for start, (knob, latents) in self.bands.items():
            y = self.code.unrounded(x, seen, knob).double().numpy()[start : start + len(latents)]
            own = self.layers[start]
            numbers[own.first : own.last] = own.sent((y - latents).clip(-HALF, HALF))
        return numbers / np.sqrt(max(1.0, float(np.mean(numbers**2))))

    def frames(self, numbers: np.ndarray, noise_var: np.ndarray) -> np.ndarray:
        """Frames (t, h, w) in [0, 1] from what arrived of the numbers."""
        finer = {
            start: (knob, latents + self.layers[start].estimated(numbers, noise_var, latents.shape))
            for start, (knob, latents) in self.bands.items()
        }
        return self.code.frames(finer, self.shape)


def layer(code: LoadedTokens, band: Band, first: int, last: int) -> Layer:
    """The latents of a band that the numbers `first` to `last` carry, and how; from what both ends know."""
    knob, latents = band
    mean, variance = law(code, latents, knob)
    gain = log_gains(code.net)[knob]
    classes = (variance - np.rint(2 * VARIANCE_ONE * gain).astype(np.int64)).ravel()
    places = np.argsort(-classes, kind="stable")[: last - first]
    spread = np.exp(classes[places] / (2 * VARIANCE_ONE))
    power = spread * ((last - first) / max(spread.sum(), 1e-30))
    scale = np.sqrt(power * np.exp(-variance.ravel()[places] / VARIANCE_ONE))
    return Layer(first, last, places, mean.ravel()[places], scale, power)


def law(code: LoadedTokens, latents: np.ndarray, knob: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean of what rounding took away from the whole latents of a band, and the number of its variance."""
    means, variances = np.zeros(latents.shape), np.zeros(latents.shape, np.int64)
    flat_means, flat_variances = means.reshape(-1, latents.shape[2]), variances.reshape(-1, latents.shape[2])

    def meet(turn: Turn, values: np.ndarray, expected: Expected) -> None:
        mean, variance = _looked_up(values, expected)
        flat_means[turn.places, turn.first : turn.last] = mean
        flat_variances[turn.places, turn.first : turn.last] = variance

    code.walk(latents, knob, meet)
    return means, variances


def _looked_up(values: np.ndarray, expected: Expected) -> tuple[np.ndarray, np.ndarray]:
    """From the tables, for whole values of any shape."""
    residual, fraction = split_values(values, expected.mean)
    mean, variance = np.zeros(residual.shape), np.zeros(residual.shape, np.int64)
    for number, here in scale_groups(expected.scale):
        found, column = remainders(number), table_columns(residual[here], number)
        mean[here], variance[here] = found.mean[fraction[here], column], found.variance[fraction[here], column]
    return mean.reshape(values.shape), variance.reshape(values.shape)
