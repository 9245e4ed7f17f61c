"""Status of a ModelTest: the verdict of the present spec, and the last ten runs of any.

A verdict comes from a run's own report. A Job that ended without one is an Error, once its pod has been seen
or has had time to be: a report that comes later still corrects it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import ValidationError

from moorage_api.conditions import ConditionType, Reason
from moorage_api.model_test import ModelTest, Run, Verdict
from moorage_api.shared import ObjectMeta
from moorage_operator.plan import conditions, jobs, labels, status
from moorage_operator.plan.conditions import Outcome, Statement
from moorage_operator.plan.types import Object, Observed, Report
from moorage_runtime.config import MetricResult, TestStatus

HISTORY_LENGTH = 10
_LATE_REPORT = timedelta(seconds=60)
"""How long the report of an ended Job may take to be seen."""
_LOOK_AGAIN_SECONDS = 5.0
_REASONS = {
    Verdict.PASSED: Reason.TEST_PASSED,
    Verdict.FAILED: Reason.TEST_FAILED,
    Verdict.ERROR: Reason.TEST_ERROR,
}


@dataclass(frozen=True, slots=True)
class Finished:
    """The verdict of the present spec."""

    verdict: Verdict
    message: str
    metrics: list[Object]
    report_uri: str | None

    @property
    def outcome(self) -> Outcome:
        """A test that did not pass waits for a person, so that gates fail."""
        said = conditions.ready if self.verdict is Verdict.PASSED else conditions.stalled
        return said(_REASONS[self.verdict], self.message)


@dataclass(frozen=True, slots=True)
class Seen:
    """Where a test stands, before it is said what it waits for."""

    resource: Object
    meta: ObjectMeta
    now: datetime
    history: list[Object]
    underway: Outcome
    """What is to be said while there is no verdict."""
    finished: Finished | None = None
    started: bool = False
    requeue_seconds: float | None = None

    def written(self, waiting: Outcome | None = None) -> Object:
        """The status; `waiting` says what a test that has not begun waits for."""
        done = self.finished
        outcome = done.outcome if done else waiting or self.underway
        if labels.paused(self.meta) and not self.started:
            outcome = outcome.paused(labels.PAUSE)
        return _written(self.resource, self.meta, outcome, self.history, done, self.now)


def of_job(resource: Object, test: ModelTest, name: str, job: Object | None, observed: Observed) -> Seen:
    """A test whose one run is the Job `name`."""
    history = _history(resource, observed)
    reports = [report for report in observed.reports if report.owner == name]
    end = jobs.ended(job)
    late = None
    done = _told(reports) or _kept(resource, history, name)
    if done is None and end is not None:
        if reports or observed.now - end.at >= _LATE_REPORT:
            done = _silent(reports)
            history = _newest([*history, _run(name, end.at, Verdict.ERROR)])
        else:
            late = _LOOK_AGAIN_SECONDS
    return Seen(
        resource=resource,
        meta=test.metadata,
        now=observed.now,
        history=history,
        underway=status.trouble(reports) or conditions.working(Reason.TEST_RUNNING, f"Job {name} is running"),
        finished=done,
        started=job is not None,
        requeue_seconds=late,
    )


def of_schedule(resource: Object, test: ModelTest, run: str, observed: Observed) -> Seen:
    """A test that runs by the clock; the newest run of the present spec speaks for it."""
    history = _history(resource, observed)
    present = [
        report
        for report in observed.reports
        if isinstance(report.status, TestStatus) and report.status.revision == run
    ]
    newest = history[0]["name"] if history else None
    done = _told([report for report in present if report.owner == newest])
    if done is None and _same_generation(resource, test.metadata):
        done = _former(resource)
    done = done or _told(present)
    scheduled = conditions.ready(Reason.SCHEDULED, f"runs at {test.spec.trigger.schedule}")
    return Seen(
        resource=resource,
        meta=test.metadata,
        now=observed.now,
        history=history,
        underway=status.trouble(observed.reports) or scheduled,
        finished=done,
    )


def refused(resource: Object, meta: ObjectMeta, observed: Observed, outcome: Outcome) -> Object:
    """The status where nothing may be touched: the history stays, the present spec has no verdict."""
    return _written(resource, meta, outcome, _history(resource, observed), None, observed.now)


def _written(
    resource: Object,
    meta: ObjectMeta,
    outcome: Outcome,
    history: list[Object],
    done: Finished | None,
    now: datetime,
) -> Object:
    if done:
        truth: conditions.Truth = "True" if done.verdict is Verdict.PASSED else "False"
        passed = Statement(ConditionType.PASSED, truth, _REASONS[done.verdict], done.message)
    else:
        passed = Statement(
            ConditionType.PASSED, "Unknown", outcome.reason, "no run of this spec has finished"
        )
    fields = {
        "verdict": str(done.verdict) if done else None,
        "metrics": done.metrics if done else None,
        "reportUri": done.report_uri if done else None,
        "history": history,
    }
    return status.written(resource, meta, [*conditions.kstatus(outcome), passed], fields, now)


def _told(reports: Sequence[Report]) -> Finished | None:
    """The verdict of the newest report among these, in its own words."""
    told = [report.status for report in reports if isinstance(report.status, TestStatus)]
    if not told:
        return None
    newest = max(told, key=lambda each: each.finished_at)
    return Finished(
        verdict=Verdict(newest.verdict),
        message=_message(newest),
        metrics=[_metric(metric) for metric in newest.metrics],
        report_uri=newest.report_uri,
    )


def _message(told: TestStatus) -> str:
    """Which expectations were not met, without the values, which differ from run to run."""
    if told.verdict == "Error":
        return told.message
    missed = [
        metric.name
        + "".join(
            f" {word} {bound:g}"
            for word, bound in (("below", metric.min), ("above", metric.max))
            if bound is not None and (metric.value < bound if word == "below" else metric.value > bound)
        )
        for metric in told.metrics
        if metric.passed is False
    ]
    missed += [f"probe {probe.name}" for probe in told.probes if not probe.passed]
    if told.verdict == "Passed":
        return "all expectations are met"
    return f"not met: {', '.join(missed)}" if missed else told.message


def _metric(metric: MetricResult) -> Object:
    entry = {
        "name": metric.name,
        "value": f"{metric.value:.6g}",
        "unit": metric.unit,
        "passed": metric.passed,
    }
    return {key: value for key, value in entry.items() if value is not None}


def _silent(reports: Sequence[Report]) -> Finished:
    """A Job that ended and left no report."""
    trouble = min((report.trouble for report in reports if report.trouble), default=None)
    words = ["the run ended without a report", *(trouble or ())]
    return Finished(Verdict.ERROR, ": ".join(filter(None, words)), [], None)


def _kept(resource: Object, history: Sequence[Object], name: str) -> Finished | None:
    """The verdict of a run that the status already knows; its figures only where they are still its own."""
    known = next((run for run in history if run["name"] == name), None)
    if known is None:
        return None
    former = _former(resource) if history[0]["name"] == name else None
    if former and former.verdict == known["verdict"]:
        return former
    return Finished(Verdict(known["verdict"]), f"run {name} is in the history", [], None)


def _former(resource: Object) -> Finished | None:
    """The verdict that the status has now, with everything that belongs to it."""
    written = resource.get("status") or {}
    if written.get("verdict") not in set(Verdict):
        return None
    passed = conditions.find(written, ConditionType.PASSED) or {}
    return Finished(
        verdict=Verdict(written["verdict"]),
        message=str(passed.get("message", "")),
        metrics=list(written.get("metrics") or []),
        report_uri=written.get("reportUri"),
    )


def _same_generation(resource: Object, meta: ObjectMeta) -> bool:
    return (resource.get("status") or {}).get("observedGeneration") == meta.generation


def _history(resource: Object, observed: Observed) -> list[Object]:
    """The runs that the status knows and those that report now, newest first; a report is the later word."""
    runs = []
    for entry in (resource.get("status") or {}).get("history") or []:
        try:
            known = Run.model_validate(entry)
        except ValidationError:
            continue
        runs.append(known.model_dump(mode="json", by_alias=True, exclude_none=True))
    for report in observed.reports:
        if isinstance(report.status, TestStatus):
            told = report.status
            runs.append(_run(report.owner, told.finished_at, Verdict(told.verdict), told.serving_revision))
    return _newest(runs)


def _run(name: str, finished: datetime | str, verdict: Verdict, revision: str | None = None) -> Object:
    at = finished if isinstance(finished, str) else conditions.rfc3339(finished)
    run: Object = {"name": name, "finishedAt": at, "verdict": str(verdict)}
    return {**run, "revision": revision} if revision else run


def _newest(runs: Sequence[Object]) -> list[Object]:
    by_name = {run["name"]: run for run in runs}
    ordered = sorted(by_name.values(), key=lambda run: (run["finishedAt"], run["name"]), reverse=True)
    return ordered[:HISTORY_LENGTH]
