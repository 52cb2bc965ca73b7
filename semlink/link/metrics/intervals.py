"""Confidence intervals of means and of shares, over noise that was drawn.

Near a cliff a quality is a mixture: clean, or damaged once in a while. Its
mean moves with losses that few trials have not met, which a spread of what was
seen knows nothing of. So the interval reckons with one transmission more, as
bad (or as good) as it can get, beside those that were made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from semlink.link.metrics.draws import Draws
from semlink.link.metrics.weighted_means import chance_below_zero

__all__ = ["CONFIDENCE", "ERROR", "halfwidth", "halfwidth_without_loss", "is_within", "share_interval", "t_halfwidth"]

CONFIDENCE = 0.95
ERROR = 1 - CONFIDENCE
STEPS = 60
DIGITS = 9


def t_halfwidth(values: Sequence[float], error: float = ERROR) -> float:
    """Half width of Student's interval of the mean of independent values; NaN for fewer than two."""
    if len(values) < 2:
        return float("nan")
    from scipy.special import stdtrit

    scale = stdtrit(len(values) - 1, 1 - error / 2) / len(values) ** 0.5
    return float(np.std(values, ddof=1) * scale)


def halfwidth(draws: Draws, error: float = ERROR) -> float:
    """Half width of the interval of the mean over clips and trials, clips held fixed; NaN for one trial.

    The mean is further off than this with at most the probability `error`: by
    the weights that the transmissions leave open (`chance_below_zero`, both
    sides together), and not by less than Student's t with each clip's spread.
    Without any loss in N transmissions it is the Clopper-Pearson bound
    1 - error^(1/N) of the loss rate times the worst damage.

    Source: [gaffke2005, third statistic], [learnedmiller2019, the bound m(z, U)], [clopper1934, the binomial case],
        [satterthwaite1946, degrees of freedom of a sum of variances].
    """
    if len(draws.values) < 2:
        return float("nan")
    pool = _Pool(draws)
    least = _spread(draws, error)
    return _least(lambda half: pool.misses_less(half, error), least, max(least, pool.reach))


def halfwidth_without_loss(damage: float, transmissions: int, error: float = ERROR) -> float:
    """What `halfwidth` comes to where nothing was lost and the worst is `damage` away: no run of so many gets below.

    Source: [clopper1934, the binomial case].
    """
    return float(damage * -math.expm1(math.log(error) / transmissions))


def is_within(draws: Draws, half: float, error: float = ERROR) -> bool:
    """Whether `halfwidth` is at most `half`; False for one trial."""
    if len(draws.values) < 2:
        return False
    return _spread(draws, error) <= half and _Pool(draws).misses_less(half, error)


def share_interval(lost: np.ndarray, of: np.ndarray, error: float = ERROR) -> tuple[float, float]:
    """The interval of a rate of losses whose units stand in clusters that may share their fate.

    For one unit a cluster this is the Clopper-Pearson interval. NaN where there is no unit.

    Args:
        lost: (cluster,), units lost.
        of: (cluster,), units sent.
    Source: [clopper1934, the binomial case], [gaffke2005, third statistic].
    """
    lost, of = np.ravel(lost).astype(float), np.ravel(of).astype(float)
    kept = of > 0
    return _share_interval(lost[kept].tobytes(), of[kept].tobytes(), error)


@lru_cache(maxsize=1024)
def _share_interval(lost_bytes: bytes, of_bytes: bytes, error: float) -> tuple[float, float]:
    """The same of float64 in bytes, all `of` above zero: clips and points often lose alike, many nothing at all."""
    lost, of = np.frombuffer(lost_bytes), np.frombuffer(of_bytes)
    if not of.size:
        return float("nan"), float("nan")
    size, counts = of.mean(), np.ones(of.size + 1)

    def miss(share: float, sign: int) -> float:
        rest = np.append(lost - share * of, (size if sign > 0 else 0.0) - share * size)
        return chance_below_zero(-sign * rest, counts)

    share = float(lost.sum() / of.sum())
    low = 0.0 if not lost.any() else share - _least(lambda h: miss(share - h, -1) <= error / 2, 0.0, share)
    high = 1.0 if (lost == of).all() else share + _least(lambda h: miss(share + h, 1) <= error / 2, 0.0, 1 - share)
    return max(low, 0.0), min(high, 1.0)


class _Pool:
    """Transmissions of all clips brought to one mean, equal ones counted, with what nobody has seen."""

    def __init__(self, draws: Draws) -> None:
        worst, best = (float(side.mean()) for side in draws.limits)
        values = _pooled(draws)
        self.mean = float(draws.values.mean())
        self.values, counts = np.unique(np.round(values, DIGITS), return_counts=True)
        self.counts = np.append(counts.astype(float), 1.0)
        self.worst = min(worst, float(self.values[0]))
        self.best = max(best, float(self.values[-1]))

    @property
    def reach(self) -> float:
        """No mean is further away."""
        return max(self.mean - self.worst, self.best - self.mean)

    def misses_less(self, half: float, error: float) -> bool:
        """Whether the true mean is further off than `half` with at most the probability `error`."""
        below = np.append(self.values, self.worst) - (self.mean - half)
        too_low = chance_below_zero(below, self.counts)
        if too_low > error:
            return False
        above = self.mean + half - np.append(self.values, self.best)
        return too_low + chance_below_zero(above, self.counts) <= error


def _pooled(draws: Draws) -> np.ndarray:
    """(trial x clip,), values about the common mean.

    What clips differ in always is not chance: a share of it is taken out, as
    large as the clips' means differ by more than noise explains (James-Stein).
    """
    damage = draws.values - draws.anchor
    count, clips = damage.shape
    by_clip = damage.mean(0)
    share = 0.0
    if clips > 1:
        within, between = float(damage.var(0, ddof=1).mean()), count * float(by_clip.var(ddof=1))
        share = max(0.0, 1 - within / between) if between > 0 else 0.0
    kept = by_clip.mean() + (1 - share) * (by_clip - by_clip.mean())
    values = kept + (damage - by_clip) * math.sqrt(count / (count - share))
    return np.asarray(values - values.mean() + draws.values.mean()).ravel()


def _spread(draws: Draws, error: float) -> float:
    """Student's half width with the variance of each clip by itself."""
    from scipy.special import stdtrit

    count, clips = draws.values.shape
    variances = draws.values.var(0, ddof=1)
    total = float(variances.sum())
    if total <= 0:
        return 0.0
    freedom = total**2 * (count - 1) / float((variances**2).sum())
    return float(stdtrit(freedom, 1 - error / 2)) * math.sqrt(total / count) / clips


def _least(is_enough: Callable[[float], bool], low: float, high: float) -> float:
    """The least number between `low` and `high` that is enough, to five digits."""
    if low >= high or (low > 0 and is_enough(low)):
        return low
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
        if high - low <= 1e-5 * high:
            break
    return high
