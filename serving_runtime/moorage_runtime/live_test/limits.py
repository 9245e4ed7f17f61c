"""How long a test waits, in one place, so that no wait of a test is without end."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a run; times in seconds."""

    patience: float = 10.0
    """How long an endpoint that cannot be reached or is not ready is asked again before the first record."""
    request: float = 30.0
    """A request without an answer after this long is a timeout."""
    capture: float = 30.0
    """How long captured events may take to appear after the last answer, counted from the last one that did."""
    connections: int = 256
    """Connections of an open loop without `concurrency`."""
    in_flight: int = 10_000
    """Requests of an open loop that wait at any time; those beyond it start late, and their latency shows it."""
    requests: int = 1_000_000
    """Requests of one run; more are refused, for every record is kept for the report."""
