"""What a run found, as one value, and its written forms: JSON with every record, JUnit XML, and an HTML page."""

import platform
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from moorage_runtime.config import MetricResult, ProbeResult, TestConfig, TestStatus
from moorage_runtime.live_test.answers import Answer
from moorage_runtime.live_test.client import public_url
from moorage_runtime.live_test.dataset import Sample
from moorage_runtime.live_test.expect import broken
from moorage_runtime.live_test.metrics import Quality
from moorage_runtime.live_test.tensors import Served
from moorage_runtime.live_test.verdict import Verdict

SCHEMA = "moorage.dev/live-test-report/v1"


@dataclass(slots=True)
class Report:
    """Filled step by step; a run that ends early leaves the rest as it is."""

    config: TestConfig
    run: str
    started_at: str
    finished_at: str = ""
    verdict: Verdict = "Error"
    message: str = ""
    report_uri: str | None = None
    before: Served = field(default_factory=Served)
    after: Served | None = None
    sample: Sample | None = None
    answers: list[Answer] = field(default_factory=list)
    quality: Quality | None = None
    metrics: list[MetricResult] = field(default_factory=list)
    probes: list[ProbeResult] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def status(self) -> TestStatus:
        """The short form, which goes to the termination log."""
        return TestStatus(
            name=self.config.name,
            namespace=self.config.namespace,
            revision=self.config.revision,
            verdict=self.verdict,
            message=self.message,
            metrics=self.metrics,
            probes=self.probes,
            report_uri=self.report_uri,
            serving_revision=self.before.revision,
            finished_at=self.finished_at,
        )

    @property
    def load(self) -> str:
        """How the records were sent, in words."""
        load = self.config.load
        if load.requests_per_second and load.duration_seconds:
            return f"open loop, {load.requests_per_second} requests/s for {load.duration_seconds} s"
        return f"closed loop, concurrency {load.concurrency or 1}"


def as_json(report: Report) -> bytes:
    """The whole report. Times: RFC 3339; `started` and `latency` of a record in seconds."""
    document = {
        "schema": SCHEMA,
        **report.status().model_dump(mode="json", by_alias=True),
        "run": report.run,
        "startedAt": report.started_at,
        "url": public_url(report.config.url),
        "model": report.config.model,
        "dataset": report.config.dataset.model_dump(mode="json", by_alias=True),
        "load": report.load,
        "served": {
            "before": report.before.identity,
            "after": report.after.identity if report.after else None,
            "platform": report.before.platform,
        },
        "task": report.quality.task if report.quality else None,
        "confusion": _confusion(report.quality),
        "notes": report.notes,
        "records": records(report),
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY, default=str)


def records(report: Report) -> list[dict[str, Any]]:
    """Every request in the order sent: row of the data set, label, prediction, whether they match, times, error."""
    if report.sample is None:
        return []
    good = [answer.request_id for answer in report.answers if answer.error is None]
    correct = dict(zip(good, report.quality.correct.tolist(), strict=True)) if report.quality else {}
    return [
        {
            "id": answer.request_id,
            "row": report.sample.rows[answer.record],
            "label": report.sample.labels[answer.record],
            "prediction": answer.prediction,
            "correct": correct.get(answer.request_id),
            "started": round(answer.started, 6),
            "latency": round(answer.latency, 6),
            "status": answer.status,
            "error": answer.error,
            "detail": answer.detail,
        }
        for answer in report.answers
    ]


def as_junit(report: Report) -> bytes:
    """JUnit XML: a test case per bound and per probe, and one for a run that ended in an error."""
    suite = ET.Element(
        "testsuite",
        name=f"moorage.live_test.{report.config.name}",
        timestamp=report.started_at,
        hostname=platform.node(),
        time=f"{_seconds(report):.3f}",
    )
    properties = ET.SubElement(suite, "properties")
    for metric in report.metrics:
        ET.SubElement(properties, "property", name=metric.name, value=f"{metric.value:.10g}")
    failures = 0
    for metric in report.metrics:
        if metric.passed is not None:
            case = ET.SubElement(suite, "testcase", classname="expect", name=_bound(metric))
            if not metric.passed:
                failures += 1
                ET.SubElement(case, "failure", type="bound", message=_legal(broken(metric)))
    for probe in report.probes:
        case = ET.SubElement(suite, "testcase", classname="probes", name=probe.name)
        if not probe.passed:
            failures += 1
            ET.SubElement(case, "failure", type="probe", message=_legal(probe.message or ""))
    error = report.verdict == "Error"
    if error:
        case = ET.SubElement(suite, "testcase", classname="run", name="test can be carried out")
        ET.SubElement(case, "error", type="run", message=_legal(report.message))
    suite.set("tests", str(len(suite.findall("testcase"))))
    suite.set("failures", str(failures))
    suite.set("errors", str(int(error)))
    suite.set("skipped", "0")
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    return bytes(ET.tostring(suites, encoding="utf-8", xml_declaration=True))


def _seconds(report: Report) -> float:
    """How long the run took; 0 where it has not ended."""
    if not report.finished_at:
        return 0.0
    began, ended = (datetime.fromisoformat(time) for time in (report.started_at, report.finished_at))
    return (ended - began).total_seconds()


def _bound(metric: MetricResult) -> str:
    low = f" >= {metric.min:.6g}" if metric.min is not None else ""
    high = f" <= {metric.max:.6g}" if metric.max is not None else ""
    return metric.name + low + high


def _legal(text: str) -> str:
    """Without the control characters that XML 1.0 has no way to write."""
    return "".join(char for char in text if char in "\t\n" or (char >= " " and char not in "\ufffe\uffff"))


def _confusion(quality: Quality | None) -> dict[str, Any] | None:
    if quality is None or quality.confusion is None:
        return None
    return {"classes": quality.confusion.names, "counts": quality.confusion.counts.tolist()}
