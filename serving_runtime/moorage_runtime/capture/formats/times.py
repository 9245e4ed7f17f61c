"""Event times as text; the second's part is formatted once for all events within it."""

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=16)
def _second(seconds: int, separator: str) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(f"%Y-%m-%d{separator}%H:%M:%S")


def text(nanoseconds: int, separator: str = " ") -> str:
    """`2026-11-22 09:08:20.678969`, UTC, without a zone."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{_second(seconds, separator)}.{rest // 1000:06d}"
