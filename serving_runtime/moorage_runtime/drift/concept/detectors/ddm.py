"""DDM, Drift Detection Method: J. Gama, P. Medas, G. Castillo, P. Rodrigues, Learning with Drift Detection, SBIA 2004."""

import math
from dataclasses import dataclass, field

from moorage_runtime.drift.concept.detectors.base import Detector, ParameterError, Zone, positive


@dataclass(slots=True)
class DDM(Detector):
    """Watches the error rate p with its deviation s = √(p(1-p)/n) against the least p + s seen.

    Warning where p + s > p_min + warning_threshold · s_min, change with drift_threshold; both after `warm_start`
    errors, however long the stream before was.
    """

    warm_start: int = 30
    warning_threshold: float = 2.0
    drift_threshold: float = 3.0
    _n: int = field(default=0, init=False)
    _p: float = field(default=0.0, init=False)
    _p_min: float = field(default=0.0, init=False)
    _s_min: float = field(default=0.0, init=False)
    _least: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        positive("warm_start", self.warm_start)
        positive("warning_threshold", self.warning_threshold)
        if self.drift_threshold < self.warning_threshold:
            raise ParameterError("drift_threshold must not be below warning_threshold")

    def add(self, error: float) -> Zone:
        """Take 0 or 1; a number between counts as that share of an error."""
        if self.zone is Zone.CHANGE:
            self._n, self._p, self._least, self.zone = 0, 0.0, None, Zone.STABLE
        self._n += 1
        self._p += (min(1.0, max(0.0, error)) - self._p) / self._n
        if self._n <= self.warm_start:
            return self.zone
        deviation = self._deviation()
        level = self._p + deviation
        if self._least is None or level <= self._least:
            self._p_min, self._s_min, self._least = self._p, deviation, level
        if level > self._p_min + self.drift_threshold * self._s_min:
            self.zone = Zone.CHANGE
        elif level > self._p_min + self.warning_threshold * self._s_min:
            self.zone = Zone.WARNING
        else:
            self.zone = Zone.STABLE
        return self.zone

    @property
    def value(self) -> float:
        """The level p + s."""
        return self._p + self._deviation() if self._n else 0.0

    def _deviation(self) -> float:
        return math.sqrt(max(0.0, self._p * (1 - self._p)) / self._n)
