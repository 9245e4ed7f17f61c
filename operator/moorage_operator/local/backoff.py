"""How long to wait before trying again: doubling from a first delay to a bound."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays in seconds. `reset_after`: whoever worked that long starts again at `first`."""

    first: float = 0.5
    most: float = 30.0
    reset_after: float = 60.0

    def delay(self, failures: int) -> float:
        """Seconds to wait after the given number of failures in a row (1 is the first)."""
        return float(min(self.first * 2.0 ** min(failures - 1, 32), self.most))

    def failures(self, before: int, worked: float) -> int:
        """Failures in a row now, for something that had failed `before` times and then worked for a while."""
        return 1 if worked >= self.reset_after else before + 1
