"""Page-Hinkley: E. S. Page, Continuous Inspection Schemes, Biometrika 41, 1954, with a fading factor."""

import math
from dataclasses import dataclass, field

from moorage_runtime.drift.concept.detectors.base import Detector, ParameterError, Zone, positive

MODES = ("up", "down", "both")


@dataclass(slots=True)
class PageHinkley(Detector):
    """Cumulates how far errors lie above (or below) their running mean, less `delta`; sums fade by `alpha`.

    Change where a sum is more than `threshold` away from its least (greatest) value, after `min_instances` errors.
    Takes any number, so it watches regressions too. It has no warning.
    """

    min_instances: int = 30
    delta: float = 0.005
    threshold: float = 50.0
    alpha: float = 0.9999
    mode: str = "both"
    _n: int = field(default=0, init=False)
    _mean: float = field(default=0.0, init=False)
    _up: float = field(default=0.0, init=False)
    _down: float = field(default=0.0, init=False)
    _least: float | None = field(default=None, init=False)
    _greatest: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        positive("min_instances", self.min_instances)
        positive("threshold", self.threshold)
        if not 0 < self.alpha <= 1:
            raise ParameterError(f"alpha must be above 0 and at most 1, not {self.alpha!r}")
        if self.mode not in MODES:
            raise ParameterError(f"mode must be one of {', '.join(MODES)}, not {self.mode!r}")

    def add(self, error: float) -> Zone:
        """Take one error, of any size."""
        if self.zone is Zone.CHANGE:
            self._n, self._mean, self._up, self._down = 0, 0.0, 0.0, 0.0
            self._least = self._greatest = None
            self.zone = Zone.STABLE
        self._n += 1
        self._mean += (error - self._mean) / self._n
        difference = error - self._mean
        self._up = self.alpha * self._up + difference - self.delta
        self._down = self.alpha * self._down + difference + self.delta
        self._least = self._up if self._least is None else min(self._least, self._up)
        self._greatest = self._down if self._greatest is None else max(self._greatest, self._down)
        if self._n >= self.min_instances and self.value > self.threshold:
            self.zone = Zone.CHANGE
        return self.zone

    @property
    def value(self) -> float:
        """The greater of the watched distances."""
        if self._least is None or self._greatest is None:
            return 0.0
        up = self._up - self._least if self.mode != "down" else -math.inf
        down = self._greatest - self._down if self.mode != "up" else -math.inf
        return max(up, down)
