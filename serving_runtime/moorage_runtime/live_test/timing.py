"""Counts and times of a run, under MLRun's names where it has one."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from moorage_runtime.config import MetricResult
from moorage_runtime.live_test.answers import ERROR_CLASSES, Answer

PERCENTILES = (50, 90, 95, 99)


def counts(answers: Sequence[Answer]) -> list[MetricResult]:
    """total_tests, errors, and errors by class."""
    found = Counter(answer.error for answer in answers if answer.error is not None)
    return [
        MetricResult(name="total_tests", value=len(answers), unit="requests"),
        MetricResult(name="errors", value=sum(found.values()), unit="requests"),
        *(MetricResult(name=f"errors_{name}", value=found[name], unit="requests") for name in ERROR_CLASSES),
    ]


def timing(answers: Sequence[Answer], *, open_loop: bool) -> list[MetricResult]:
    """Latencies of the usable answers, and throughput: usable answers per second from first start to last answer.

    Percentiles are interpolated linearly. An open loop also says how late the client itself was.
    """
    good = [answer for answer in answers if answer.error is None]
    if not good:
        return []
    seconds = np.array([answer.latency for answer in good])
    begin = min(answer.started for answer in answers)
    end = max(answer.started + answer.latency for answer in answers)
    found = [
        MetricResult(name=f"{name}_latency", value=round(float(figure) * 1e6), unit="microseconds")
        for name, figure in (("avg", seconds.mean()), ("min", seconds.min()), ("max", seconds.max()))
    ]
    found += [
        MetricResult(
            name=f"latency_p{level}_milliseconds", value=_round(float(figure) * 1e3), unit="milliseconds"
        )
        for level, figure in zip(PERCENTILES, np.percentile(seconds, PERCENTILES), strict=True)
    ]
    found.append(
        MetricResult(
            name="throughput", value=_round(len(good) / max(end - begin, 1e-9)), unit="requests/second"
        )
    )
    if open_loop:
        late = float(np.percentile([answer.late for answer in answers], 99)) * 1e3
        found.append(
            MetricResult(name="client_late_p99_milliseconds", value=_round(late), unit="milliseconds")
        )
    return found


def _round(figure: float) -> float:
    return float(f"{figure:.6g}")
