"""The answer of a test: Passed, Failed, or Error where no answer could be had.

Failed: a bound or a probe does not hold. Error: the test could not be carried out, or nothing was answered and the
manifest does not say how many errors it expects (with a bound on `errors` that is a plain failure).
Without a bound on `errors`, any error fails the test.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from moorage_runtime.config import ExpectConfig, MetricResult, ProbeResult
from moorage_runtime.live_test.answers import Answer
from moorage_runtime.live_test.expect import broken
from moorage_runtime.live_test.fault import TestFault

Verdict = Literal["Passed", "Failed", "Error"]
EXIT_CODES: dict[Verdict, int] = {"Passed": 0, "Failed": 1, "Error": 2}


def refuse_silence(answers: Sequence[Answer], expected: Sequence[ExpectConfig]) -> None:
    """Raises TestFault where every request failed and nothing is expected of `errors`."""
    if all(answer.error for answer in answers) and not any(one.name == "errors" for one in expected):
        raise TestFault(f"none of {len(answers)} requests was answered: {commonest(answers)}")


def commonest(answers: Sequence[Answer]) -> str:
    """The commonest error with its count: `100 times 4xx (unknown feature)`."""
    found = Counter((answer.error, answer.detail) for answer in answers if answer.error)
    (kind, detail), count = found.most_common(1)[0]
    return f"{count} times {kind}" + (f" ({detail})" if detail else "")


def decide(
    metrics: Sequence[MetricResult], probes: Sequence[ProbeResult], answers: Sequence[Answer]
) -> tuple[Verdict, str]:
    """The verdict and one line that says why."""
    faults = [broken(metric) for metric in metrics if metric.passed is False]
    faults += [f"{probe.name}: {probe.message}" for probe in probes if not probe.passed]
    if faults:
        if any(answer.error for answer in answers):
            faults.append(f"most errors: {commonest(answers)}")
        return "Failed", "; ".join(faults)
    bounded = sum(metric.passed is not None for metric in metrics)
    said = f"{len(answers)} requests, {bounded} bound{'s' * (bounded != 1)} held"
    return "Passed", f"{said}, {len(probes)} probe{'s' * (len(probes) != 1)} passed" if probes else said
