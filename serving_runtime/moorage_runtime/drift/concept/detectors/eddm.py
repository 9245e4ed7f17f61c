"""EDDM, Early Drift Detection Method: M. Baena-García and others, ECML PKDD Workshop on Knowledge Discovery from Data
Streams, 2006.
"""

import math
from dataclasses import dataclass, field

from moorage_runtime.drift.concept.detectors.base import Detector, ParameterError, Zone, positive


@dataclass(slots=True)
class EDDM(Detector):
    """Watches the distance between errors: r = (mean + 2 · deviation) / the greatest such sum.

    Warning where r < alpha, change where r < beta; both after `warm_start` errors. The first distance is measured
    from the begin, the deviation is of the sample (n - 1).
    """

    warm_start: int = 30
    alpha: float = 0.95
    beta: float = 0.9
    _n: int = field(default=0, init=False)
    _last: int = field(default=0, init=False)
    _errors: int = field(default=0, init=False)
    _mean: float = field(default=0.0, init=False)
    _squares: float = field(default=0.0, init=False)
    _greatest: float = field(default=-1.0, init=False)
    _ratio: float = field(default=1.0, init=False)

    def __post_init__(self) -> None:
        positive("warm_start", self.warm_start)
        positive("beta", self.beta)
        if self.alpha < self.beta:
            raise ParameterError("alpha must not be below beta")

    def add(self, error: float) -> Zone:
        """Take 0 or 1; any number but 0 is an error."""
        if self.zone is Zone.CHANGE:
            self._n = self._last = self._errors = 0
            self._mean = self._squares = 0.0
            self._greatest, self._ratio, self.zone = -1.0, 1.0, Zone.STABLE
        self._n += 1
        if not error:
            return self.zone
        self._errors += 1
        distance = self._n - self._last
        self._last = self._n
        difference = distance - self._mean
        self._mean += difference / self._errors
        self._squares += difference * (distance - self._mean)
        if self._n > self.warm_start:
            self._judge()
        return self.zone

    def _judge(self) -> None:
        variance = self._squares / (self._errors - 1) if self._errors > 1 else 0.0
        level = self._mean + 2 * math.sqrt(max(0.0, variance))
        if level > self._greatest:
            self._greatest = level
            self._ratio = 1.0
        elif self._errors > self.warm_start:
            self._ratio = level / self._greatest
            if self._ratio < self.beta:
                self.zone = Zone.CHANGE
            else:
                self.zone = Zone.WARNING if self._ratio < self.alpha else Zone.STABLE

    @property
    def value(self) -> float:
        """The ratio r."""
        return self._ratio
