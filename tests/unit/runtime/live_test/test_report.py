"""The written report: parsable, complete, safe."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from moorage_runtime.config import DatasetConfig, MetricResult, ProbeResult, TestConfig
from moorage_runtime.live_test import charts, console
from moorage_runtime.live_test.answers import Answer
from moorage_runtime.live_test.dataset import Sample
from moorage_runtime.live_test.metrics import judge
from moorage_runtime.live_test.page import as_html, figure
from moorage_runtime.live_test.report import Report, as_json, as_junit

EVIL = "<script>alert(1)</script>\x00&\x1b[31m"


@pytest.fixture
def report():
    config = TestConfig(
        name="iris-live",
        url="http://me:secret@iris.ml.svc",
        model="iris",
        dataset=DatasetConfig(uri="s3://data/iris.parquet", label_column="species"),
    )
    sample = Sample({"a": [1.0, 2.0, 3.0]}, ["x", "y", "y"], [5, 2, 7], ["x", "y"])
    answers = [
        Answer("id-0", 0, 0.0, 0.002, status=200, prediction="x"),
        Answer("id-1", 1, 0.1, 0.003, status=200, prediction="x"),
        Answer("id-2", 2, 0.2, 0.004, status=400, error="4xx", detail=EVIL),
    ]
    made = Report(config, "iris-live-20260101", "2026-01-01T00:00:00Z", verdict="Failed", message=EVIL)
    made.sample, made.answers = sample, answers
    made.quality = judge(["x", "y"], ["x", "x"], ["x", "y"], None, sample.labels)
    made.metrics = [
        MetricResult(name="accuracy", value=0.5, unit="ratio", passed=False, min=0.9),
        MetricResult(name="errors", value=1, passed=True, max=1),
        MetricResult(name="avg_latency", value=2500, unit="microseconds"),
    ]
    made.probes = [
        ProbeResult(name="digest", passed=True, message="same"),
        ProbeResult(name="offline_skew", passed=False, message=EVIL),
    ]
    return made


def test_json_has_every_record_with_its_row(report):
    document = json.loads(as_json(report))
    assert [(r["row"], r["label"], r["prediction"], r["correct"]) for r in document["records"]] == [
        (5, "x", "x", True),
        (2, "y", "x", False),
        (7, "y", None, None),
    ]
    assert document["verdict"] == "Failed"
    assert document["confusion"] == {"classes": ["x", "y"], "counts": [[1, 0], [1, 0]]}
    assert document["metrics"][0]["min"] == 0.9


def test_junit_has_a_case_per_bound_and_probe(report):
    report.finished_at = "2026-01-01T00:00:02.5Z"
    suite = ET.fromstring(as_junit(report)).find("testsuite")
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped", "time")} == {
        "tests": "4",
        "failures": "2",
        "errors": "0",
        "skipped": "0",
        "time": "2.500",
    }
    assert suite.get("hostname")
    assert [child.tag for child in suite][:2] == ["properties", "testcase"]
    assert all(fault.get("type") and fault.get("message") for fault in suite.iter("failure"))
    cases = {(case.get("classname"), case.get("name")): case for case in suite.iter("testcase")}
    failed = cases["expect", "accuracy >= 0.9"].find("failure")
    assert failed.get("message") == "accuracy 0.5 is below 0.9"
    assert cases["expect", "errors <= 1"].find("failure") is None
    assert cases["probes", "offline_skew"].find("failure") is not None


def test_junit_of_an_error_has_one(report):
    report.verdict, report.metrics, report.probes = "Error", [], []
    suite = ET.fromstring(as_junit(report)).find("testsuite")
    assert (suite.get("tests"), suite.get("errors")) == ("1", "1")


def test_no_form_shows_a_password(report):
    for form in (as_json(report), as_junit(report), as_html(report), console.summary(report).encode()):
        assert b"secret" not in form


def test_the_page_escapes_and_loads_nothing(report):
    page = as_html(report).decode()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "src=" not in page
    assert "@import" not in page
    assert "url(" not in page
    assert page.count("<svg") == 2
    assert "Confusion matrix" in page


def test_the_page_of_a_regression_draws_residuals(report):
    report.quality = judge([1.5, 2.5], [1.0, 3.5], (), None, [])
    page = as_html(report).decode()
    assert page.count('class="point"') == 2
    assert "Confusion matrix" not in page


def test_the_page_of_a_run_that_never_began(report):
    bare = Report(report.config, "run", "2026-01-01T00:00:00Z", message="no such file")
    page = as_html(bare).decode()
    assert "no such file" in page
    assert "<svg" not in page


def test_every_request_is_in_some_bar_and_bars_stay_inside():
    made = charts.histogram([0.5, 0.6, 0.7, 12.0, 900.0])
    assert sum(int(bar.title.split(": ")[1].split()[0]) for bar in made.bars) == 5
    assert all(bar.x >= charts.LEFT and bar.x + bar.width <= charts.WIDTH for bar in made.bars)
    assert all(bar.y >= charts.TOP - 0.01 and bar.height > 0 for bar in made.bars)


def test_many_classes_keep_those_with_most_records():
    labels = [f"c{number:02}" for number in range(40)] + ["c39"] * 5
    quality = judge(labels, labels, sorted(set(labels)), None, [])
    drawn = charts.matrix(quality.confusion)
    assert len(drawn.names) == charts.CLASSES_DRAWN
    assert drawn.left_out == 40 - charts.CLASSES_DRAWN
    assert drawn.names[-1] == "c39"
    assert drawn.rows[-1][-1].count == 6


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3.7, 12.2), (0, 31), (1e-9, 2e-9), (-5e6, 5e6)])
def test_ticks_are_round_and_inside(low, high):
    ticks = charts.nice(low, high)
    assert 2 <= len(ticks) <= 7
    assert all(low - 1e-12 <= tick <= high + 1e-12 for tick in ticks)
    assert np.allclose(np.diff(ticks), ticks[1] - ticks[0])


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (12345, "microseconds", "12,345 µs"),
        (5.65941, "milliseconds", "5.659 ms"),
        (4864.79, "requests/second", "4,865 /s"),
        (0.96667, "ratio", "0.96667"),
        (3, "requests", "3"),
    ],
)
def test_figures_read_well(value, unit, text):
    assert figure(MetricResult(name="m", value=value, unit=unit)) == text


def test_the_bar_is_drawn_on_a_terminal_only(monkeypatch, capsys):
    for terminal, drawn in ((True, "[##############################] 7/7 requests"), (False, "")):
        monkeypatch.setattr("sys.stderr.isatty", lambda terminal=terminal: terminal, raising=False)
        bar = console.Bar()
        for done in range(1, 8):
            bar(done, 7)
        shown = capsys.readouterr().err
        assert drawn in shown
        assert bool(shown) is terminal


def test_error_classes_that_did_not_occur_are_not_shown(report):
    report.metrics += [MetricResult(name="errors_5xx", value=0), MetricResult(name="errors_4xx", value=1)]
    text = console.summary(report)
    assert "errors_4xx" in text
    assert "errors_5xx" not in text
    assert "errors_5xx" in as_json(report).decode()
