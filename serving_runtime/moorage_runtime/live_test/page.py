"""The report as one self-contained HTML page."""

from collections import Counter
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from moorage_runtime.config import MetricResult
from moorage_runtime.live_test import charts
from moorage_runtime.live_test.answers import ERROR_CLASSES
from moorage_runtime.live_test.client import public_url
from moorage_runtime.live_test.report import Report, records

MISTAKES_SHOWN = 25
NO_NEWS = {f"errors_{name}" for name in ERROR_CLASSES}
UNITS = {
    "milliseconds": "ms",
    "microseconds": "µs",
    "requests/second": "/s",
    "ratio": "",
    "requests": "",
    "nats": "nats",
}
_templates = Environment(
    loader=PackageLoader("moorage_runtime.live_test"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def as_html(report: Report) -> bytes:
    """Verdict, metrics with their bounds, probes, figures, and the first wrong answers."""
    quality = report.quality
    wrong = [record for record in records(report) if record["correct"] is False]
    wrong.sort(key=lambda record: -_gap(record))
    latencies = [answer.latency * 1e3 for answer in report.answers if answer.error is None]
    page = _templates.get_template("report.html.j2").render(
        report=report,
        facts=facts(report),
        judged=[metric for metric in report.metrics if metric.passed is not None],
        others=[metric for metric in shown(report.metrics) if metric.passed is None],
        errors=Counter(
            (answer.error, answer.detail or "") for answer in report.answers if answer.error
        ).most_common(10),
        wrong=wrong[:MISTAKES_SHOWN],
        wrong_total=len(wrong),
        histogram=charts.histogram(latencies),
        matrix=charts.matrix(quality.confusion) if quality and quality.confusion else None,
        residuals=charts.residuals(*quality.residuals) if quality and quality.residuals else None,
        charts=charts,
        figure=figure,
        bound=bound,
        cell=cell,
    )
    return page.encode()


def facts(report: Report) -> list[tuple[str, str]]:
    """What was tested, with what, when."""
    config, before = report.config, report.before
    sample = f"{len(report.sample)} records" if report.sample else "not read"
    found = [
        ("Model", config.model),
        ("Endpoint", public_url(config.url)),
        ("Version", ", ".join(before.versions)),
        ("Revision", before.revision or ""),
        ("Digest", before.digest or ""),
        ("Platform", before.platform or ""),
        ("Data set", config.dataset.uri),
        ("Label", config.dataset.label_column),
        ("Sample", f"{sample}, seed {config.dataset.seed}"),
        ("Load", report.load),
        ("Started", report.started_at),
        ("Finished", report.finished_at),
    ]
    return [(name, value) for name, value in found if value]


def shown(metrics: list[MetricResult]) -> list[MetricResult]:
    """Without the error classes that did not occur and that nothing was expected of."""
    return [one for one in metrics if one.value or one.passed is not None or one.name not in NO_NEWS]


def figure(metric: MetricResult) -> str:
    """A value with its unit: thousands apart, times and rates to four significant digits, all else to six."""
    digits = 4 if metric.unit in ("milliseconds", "requests/second") else 6
    whole = metric.value == int(metric.value) or abs(metric.value) >= 10 ** (digits - 1)
    number = f"{metric.value:,.0f}" if whole else f"{metric.value:.{digits}g}"
    return f"{number} {UNITS.get(metric.unit or '', metric.unit or '')}".strip()


def bound(metric: MetricResult) -> str:
    """What was expected: `≥ 0.9`, `≤ 50`, or both."""
    low = f"≥ {metric.min:g}" if metric.min is not None else ""
    high = f"≤ {metric.max:g}" if metric.max is not None else ""
    return " and ".join(part for part in (low, high) if part)


def cell(value: object) -> str:
    """A label or prediction, numbers to six significant digits."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _gap(record: dict[str, Any]) -> float:
    """How far a number is from its label; 0 for classes, which keep their order."""
    label, prediction = record["label"], record["prediction"]
    if isinstance(label, float) and isinstance(prediction, (int, float)):
        return abs(label - prediction)
    return 0.0
