"""Bounds, the verdict, and the last words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage_runtime.config import (
    ExpectConfig,
    MetricResult,
    ProbeResult,
    TestStatus,
)
from moorage_runtime.live_test import expect, termination
from moorage_runtime.live_test.answers import Answer
from moorage_runtime.live_test.fault import TestFault
from moorage_runtime.live_test.timing import counts, timing
from moorage_runtime.live_test.verdict import decide, refuse_silence

METRICS = [MetricResult(name="accuracy", value=0.9), MetricResult(name="errors", value=0)]


def answer(latency=0.001, error=None, started=0.0, detail=None):
    return Answer("id", 0, started, latency, error=error, detail=detail)


@pytest.mark.parametrize(
    ("bound", "passed"),
    [
        ({"min": 0.9}, True),
        ({"min": 0.91}, False),
        ({"max": 0.9}, True),
        ({"max": 0.89}, False),
        ({"min": 0.5, "max": 0.95}, True),
    ],
)
def test_bounds_are_inclusive(bound, passed):
    (metric, _) = expect.apply(METRICS, [ExpectConfig(name="accuracy", **bound)], [])
    assert metric.passed is passed
    verdict, message = decide([metric], [], [answer()])
    assert verdict == ("Passed" if passed else "Failed")
    if not passed:
        assert "accuracy 0.9 is " in message


def test_an_unknown_metric_is_an_error_that_lists_what_exists():
    with pytest.raises(TestFault, match=r"no metric acuracy \(too few\); it has: accuracy, errors"):
        expect.apply(METRICS, [ExpectConfig(name="acuracy", min=1)], ["too few"])


def test_two_bounds_on_one_metric_both_count():
    two = [ExpectConfig(name="accuracy", min=0.5), ExpectConfig(name="accuracy", min=0.95)]
    assert expect.apply(METRICS, two, [])[0].passed is False


def test_errors_fail_a_test_that_says_nothing_of_them():
    answers = [answer(), answer(error="4xx", detail="no such feature")]
    metrics = expect.apply(counts(answers), expect.bounds([]), [])
    verdict, message = decide(metrics, [], answers)
    assert verdict == "Failed"
    assert "errors 1 is above 0" in message
    assert "1 times 4xx (no such feature)" in message
    allowed = expect.apply(counts(answers), expect.bounds([ExpectConfig(name="errors", max=1)]), [])
    assert decide(allowed, [], answers)[0] == "Passed"


def test_silence_is_an_error_unless_errors_are_expected():
    silent = [answer(error="timeout", detail="no answer in time")] * 3
    with pytest.raises(TestFault, match="none of 3 requests was answered: 3 times timeout"):
        refuse_silence(silent, [ExpectConfig(name="accuracy", min=0.9)])
    refuse_silence(silent, [ExpectConfig(name="errors", max=0)])


def test_a_failed_probe_fails_the_test_and_is_named():
    verdict, message = decide([], [ProbeResult(name="digest", passed=False, message="is x")], [answer()])
    assert (verdict, message) == ("Failed", "digest: is x")


def test_latencies_are_of_answers_only_and_keep_whole_seconds():
    answers = [answer(2.25), answer(0.75, started=1.0), answer(30.0, error="timeout")]
    got = {metric.name: metric.value for metric in timing(answers, open_loop=False)}
    assert (got["min_latency"], got["avg_latency"], got["max_latency"]) == (750_000, 1_500_000, 2_250_000)
    assert got["latency_p50_milliseconds"] == 1500
    assert got["throughput"] == pytest.approx(2 / 30, rel=1e-5)
    assert {metric.name: metric.value for metric in counts(answers)}["errors_timeout"] == 1


texts = st.text(max_size=3000)
results = st.builds(
    MetricResult,
    name=st.text(min_size=1, max_size=63),
    value=st.floats(allow_nan=False, allow_infinity=False),
    unit=st.none() | st.text(max_size=20),
    passed=st.none() | st.booleans(),
    min=st.none() | st.just(0.5),
)


@settings(max_examples=60, deadline=None)
@given(
    metrics=st.lists(results, max_size=80),
    probes=st.lists(
        st.builds(ProbeResult, name=st.text(min_size=1, max_size=60), passed=st.booleans(), message=texts),
        max_size=30,
    ),
    message=texts,
    uri=st.none() | st.text(max_size=6000),
)
def test_the_last_words_fit_and_keep_the_verdict(metrics, probes, message, uri):
    status = TestStatus(
        name="iris",
        namespace="default",
        revision="abc",
        verdict="Failed",
        message=message,
        metrics=metrics,
        probes=probes,
        report_uri=uri,
        finished_at="2026-01-01T00:00:00Z",
    )
    raw = termination.encode(status)
    assert len(raw) <= 4096
    assert TestStatus.model_validate_json(raw).verdict == "Failed"


def test_trimming_gives_up_unexpected_metrics_first():
    metrics = [MetricResult(name=f"metric_{number:02}", value=number, unit="x" * 40) for number in range(60)]
    metrics.append(MetricResult(name="accuracy", value=0.1, passed=False, min=0.9))
    status = TestStatus(
        name="t",
        namespace="n",
        revision="r",
        verdict="Failed",
        message="m",
        metrics=metrics,
        probes=[ProbeResult(name="digest", passed=False, message="other")],
        finished_at="z",
    )
    kept = TestStatus.model_validate_json(termination.encode(status))
    assert kept.metrics[-1].name == "accuracy"
    assert kept.probes[0].name == "digest"
    assert 10 < len(kept.metrics) < 61
