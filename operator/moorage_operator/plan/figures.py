"""Figures as a status has them: rounded, so that it changes seldom, and in decimals that the API takes."""

import math

_DIGITS = 2
_LEAST = 1e-99
"""The API's decimals have two digits of exponent."""


def rounded(count: int) -> int:
    """A count to two significant digits; exact below 100."""
    return int(float(f"{count:.{_DIGITS - 1}e}"))


def plain(value: float) -> str | None:
    """A decimal of two significant digits without an exponent; None of what is no number."""
    if not math.isfinite(value):
        return None
    shown = float(f"{value:.{_DIGITS - 1}e}")
    if abs(shown) >= 10 ** (_DIGITS - 1):
        return str(int(shown))
    return f"{shown:.{_DIGITS}f}".rstrip("0").rstrip(".")


def decimal(value: float, digits: int = 4) -> str | None:
    """A decimal of some significant digits; what is smaller than the API can say is 0. None of what is no number."""
    if not math.isfinite(value):
        return None
    return f"{0.0 if abs(value) < _LEAST else value:.{digits}g}"
