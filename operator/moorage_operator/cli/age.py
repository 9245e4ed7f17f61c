"""Durations: written as kubectl's AGE column does, read as Go's `time.ParseDuration` does."""

import re
from datetime import UTC, datetime

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")


def age(since: str | None, now: datetime | None = None) -> str:
    """The time since an RFC 3339 timestamp; `<unknown>` where there is none."""
    if not since:
        return "<unknown>"
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        return "<invalid>"
    return human((now or datetime.now(UTC)).timestamp() - moment.astimezone(UTC).timestamp())


def human(seconds: float) -> str:
    """Two units at most, fewer the longer it is."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    whole = max(whole, 0)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if minutes < 2:
        return f"{whole}s"
    if minutes < 10:
        return f"{minutes}m" + _rest(whole % 60, "s")
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h" + _rest(minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d" + _rest(hours % 24, "h")
    if days < 365 * 2:
        return f"{days}d"
    years = days // 365
    return f"{years}y" + (_rest(days % 365, "d") if years < 8 else "")


def seconds_of(text: str) -> float:
    """`60s`, `2m`, `1h30m`, `-1s`, `0`; ValueError for anything else."""
    sign, digits = (-1.0, text[1:]) if text.startswith("-") else (1.0, text)
    if digits == "0":
        return 0.0
    parts = _PART.findall(digits)
    if not parts or "".join(number + unit for number, unit in parts) != digits:
        raise ValueError(f'invalid duration "{text}": write it like 60s, 2m or 1h30m')
    return sign * sum(float(number) * _UNITS[unit] for number, unit in parts)


def _rest(value: int, unit: str) -> str:
    return f"{value}{unit}" if value else ""
