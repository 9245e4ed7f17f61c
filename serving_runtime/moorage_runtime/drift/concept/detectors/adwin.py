"""ADWIN, Adaptive Windowing: A. Bifet, R. Gavaldà, Learning from Time-Changing Data with Adaptive Windowing, SDM 2007."""

import math
from dataclasses import dataclass, field

from moorage_runtime.drift.concept.detectors.base import Detector, ParameterError, Zone, positive

Bucket = list[float]
"""Sum and sum of squared differences from its own mean."""


@dataclass(slots=True)
class ADWIN(Detector):
    """Keeps a window that is as long as its mean does not change; takes any number.

    The window is an exponential histogram: row i holds at most `max_buckets` buckets of 2^i errors, the oldest
    first. Every `clock` errors it is cut at each bucket's border into an older part of n0 and a newer one of n1
    errors, and the oldest bucket is dropped while the means differ by more than
    ε = √(2 m σ² ln(2 ln(n)/δ)) + ⅔ m ln(2 ln(n)/δ), m = 1/(n0-min+1) + 1/(n1-min+1), with min = `min_window_length`.
    It has no warning.
    """

    delta: float = 0.002
    clock: int = 32
    max_buckets: int = 5
    min_window_length: int = 5
    grace_period: int = 10
    _rows: list[list[Bucket]] = field(default_factory=lambda: [[]], init=False)
    _width: int = field(default=0, init=False)
    _total: float = field(default=0.0, init=False)
    _squares: float = field(default=0.0, init=False)
    _ticks: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if not 0 < self.delta < 1:
            raise ParameterError(f"delta must be between 0 and 1, not {self.delta!r}")
        for name in ("clock", "max_buckets", "min_window_length"):
            positive(name, getattr(self, name))

    def add(self, error: float) -> Zone:
        """Take one error, of any size."""
        if self.zone is Zone.CHANGE:
            self._rows, self._width, self._total, self._squares = [[]], 0, 0.0, 0.0
            self._ticks, self.zone = 0, Zone.STABLE
        self._insert(float(error))
        self._ticks += 1
        if self._ticks % self.clock == 0 and self._width > self.grace_period:
            while self._cut():
                self._drop()
                self.zone = Zone.CHANGE
        return self.zone

    @property
    def value(self) -> float:
        """The window's width."""
        return float(self._width)

    def _insert(self, error: float) -> None:
        if self._width:
            difference = error - self._total / self._width
            self._squares += self._width * difference * difference / (self._width + 1)
        self._width += 1
        self._total += error
        self._rows[0].append([error, 0.0])
        for size, row in enumerate(self._rows):
            if len(row) <= self.max_buckets:
                return
            (total, squares), (other, more) = row.pop(0), row.pop(0)
            count = 1 << size
            difference = total / count - other / count
            joined = [total + other, squares + more + count * difference * difference / 2]
            if size + 1 == len(self._rows):
                self._rows.append([joined])
                return
            self._rows[size + 1].append(joined)

    def _cut(self) -> bool:
        """Whether some cut parts the window into two of different means."""
        older, old_total = 0, 0.0
        logarithm = math.log(2 * math.log(self._width) / self.delta)
        variance = self._squares / self._width
        for size in range(len(self._rows) - 1, -1, -1):
            for total, _ in self._rows[size]:
                older += 1 << size
                old_total += total
                newer = self._width - older
                if newer < self.min_window_length:
                    return False
                if older < self.min_window_length:
                    continue
                least = self.min_window_length - 1
                m = 1 / (older - least) + 1 / (newer - least)
                bound = math.sqrt(2 * m * variance * logarithm) + 2 / 3 * m * logarithm
                if abs(old_total / older - (self._total - old_total) / newer) > bound:
                    return True
        return False

    def _drop(self) -> None:
        """Forget the oldest bucket."""
        total, squares = self._rows[-1].pop(0)
        count = 1 << (len(self._rows) - 1)
        self._width -= count
        self._total -= total
        if self._width:
            difference = total / count - self._total / self._width
            joint = count * self._width * difference * difference / (count + self._width)
            self._squares = max(0.0, self._squares - squares - joint)
        else:
            self._squares = 0.0
        while len(self._rows) > 1 and not self._rows[-1]:
            self._rows.pop()
