"""Bounds on metrics: which hold and which do not."""

from collections.abc import Sequence

from moorage_runtime.config import ExpectConfig, MetricResult
from moorage_runtime.live_test.fault import TestFault

NO_ERRORS = ExpectConfig(name="errors", max=0)
"""Held against a run that says nothing of errors: a request without an answer is not passed over in silence."""


def bounds(expected: Sequence[ExpectConfig]) -> list[ExpectConfig]:
    """What is expected of the run; several bounds on one metric are all kept."""
    return [*expected] if any(one.name == "errors" for one in expected) else [*expected, NO_ERRORS]


def apply(
    metrics: Sequence[MetricResult], expected: Sequence[ExpectConfig], notes: Sequence[str]
) -> list[MetricResult]:
    """The metrics with `passed`, `min` and `max` where something was expected of them.

    Raises TestFault for a name that this run has no metric for, listing those that it has and why others are not.
    """
    known = {metric.name for metric in metrics}
    unknown = [one.name for one in expected if one.name not in known]
    if unknown:
        why = f" ({'; '.join(notes)})" if notes else ""
        raise TestFault(
            f"expect: this test has no metric {', '.join(unknown)}{why}; it has: {', '.join(sorted(known))}"
        )
    return [_checked(metric, [one for one in expected if one.name == metric.name]) for metric in metrics]


def _checked(metric: MetricResult, expected: Sequence[ExpectConfig]) -> MetricResult:
    if not expected:
        return metric
    low = max((one.min for one in expected if one.min is not None), default=None)
    high = min((one.max for one in expected if one.max is not None), default=None)
    passed = (low is None or metric.value >= low) and (high is None or metric.value <= high)
    return metric.model_copy(update={"passed": passed, "min": low, "max": high})


def broken(metric: MetricResult) -> str:
    """The broken bound in words: `accuracy 0.31 is below 0.9`."""
    if metric.min is not None and not metric.value >= metric.min:
        return f"{metric.name} {metric.value:.6g} is below {metric.min:.6g}"
    return f"{metric.name} {metric.value:.6g} is above {metric.max:.6g}"
