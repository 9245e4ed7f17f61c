"""Status of a DriftMonitor: what its worker reports, and while none does, what was known before."""

from collections.abc import Iterable, Sequence

from moorage_api.conditions import ConditionType, Reason
from moorage_api.drift_monitor import DriftMonitor
from moorage_api.shared import ObjectMeta
from moorage_operator.plan import children, conditions, figures, labels, names, pods, rollouts, status
from moorage_operator.plan.conditions import Outcome, Statement, Truth
from moorage_operator.plan.refusal import Refused
from moorage_operator.plan.types import Object, Observed, Report
from moorage_runtime.config import DriftAspect, DriftState, DriftStatus, FeatureStatus

_FEATURES = 10
_NAME_LENGTH = 1024
_KEPT = ("drift", "features", "lastWindow", "windows", "lag")
_SAID: dict[DriftState, tuple[Truth, Reason]] = {
    DriftState.UNKNOWN: ("Unknown", Reason.WAITING_FOR_WINDOW),
    DriftState.NONE: ("False", Reason.NO_DRIFT),
    DriftState.POSSIBLE: ("False", Reason.DRIFT_POSSIBLE),
    DriftState.DETECTED: ("True", Reason.DRIFT_DETECTED),
}
_ASPECTS = (ConditionType.DATA_DRIFT, ConditionType.PREDICTION_DRIFT, ConditionType.CONCEPT_DRIFT)
_WAITING = "no window has been judged yet"


def deployment_name(meta: ObjectMeta) -> str:
    """The Deployment of the monitor's worker."""
    return names.child(meta.name, "drift")


def of(resource: Object, monitor: DriftMonitor, revision: str, observed: Observed) -> Object:
    """The status while `revision` is the desired one."""
    meta = monitor.metadata
    deployment = children.find(observed, "Deployment", deployment_name(meta))
    reports = rollouts.reports(observed, deployment_name(meta), revision)
    outcome = _outcome(monitor.spec.replicas, deployment, revision, reports)
    if labels.paused(meta):
        outcome = outcome.paused(labels.PAUSE)
    return _written(resource, meta, outcome, _watched(monitor), _told(reports), revision, observed)


def waiting(resource: Object, monitor: DriftMonitor, observed: Observed, outcome: Outcome) -> Object:
    """The status while the serving is missing; a worker that runs goes on, and is reported."""
    meta = monitor.metadata
    told, revision = _running(meta, observed)
    if labels.paused(meta):
        outcome = outcome.paused(labels.PAUSE)
    return _written(resource, meta, outcome, _watched(monitor), told, revision, observed)


def refused(resource: Object, meta: ObjectMeta, observed: Observed, refusal: Refused) -> Object:
    """The status where nothing may be touched: what runs is reported as it is."""
    outcome = conditions.stalled(refusal.reason, refusal.message)
    told, revision = _running(meta, observed)
    former = resource.get("status")
    shown = [kind for kind in _ASPECTS if _aspect(told, kind) or conditions.find(former, kind)]
    return _written(resource, meta, outcome, shown, told, revision, observed)


def _running(meta: ObjectMeta, observed: Observed) -> tuple[DriftStatus | None, str | None]:
    """What the worker that there is reports, and its revision."""
    name = deployment_name(meta)
    revision = pods.revision_of(children.find(observed, "Deployment", name))
    return _told(rollouts.reports(observed, name, revision)), revision


def _watched(monitor: DriftMonitor) -> list[ConditionType]:
    spec = monitor.spec
    asked = (True, spec.prediction_drift is not None, spec.concept_drift is not None)
    return [kind for kind, wanted in zip(_ASPECTS, asked, strict=True) if wanted]


def _told(reports: Sequence[Report]) -> DriftStatus | None:
    """The word of the worker that has got furthest."""
    told = [
        (report.ready, report.status.windows, report.status)
        for report in reports
        if isinstance(report.status, DriftStatus)
    ]
    return max(told, key=lambda each: each[:2])[2] if told else None


def _outcome(wanted: int, deployment: Object | None, revision: str, reports: Sequence[Report]) -> Outcome:
    """The first of these checks that has something to say decides."""
    if wanted == 0:
        return rollouts.scaled_to_zero(deployment, revision, "spec.replicas")
    told = _told(reports)
    if told and told.error:
        if told.reason == Reason.REFERENCE_FAILED:
            return conditions.stalled(Reason.REFERENCE_FAILED, told.error)
        failures = (Reason.STREAM_FAILED, Reason.CHECKPOINT_FAILED)
        found = next((each for each in failures if each == told.reason), Reason.PROGRESSING)
        return conditions.working(found, told.error)
    if rollouts.complete(deployment, revision) and rollouts.wanted(deployment) == wanted:
        failing = [f"{sink.name}: {sink.error}" for sink in (told.sinks if told else ()) if sink.error]
        note = f"drift is judged, but results wait for {'; '.join(sorted(failing))}" if failing else ""
        return conditions.ready(Reason.RECONCILED, note)
    return status.trouble(reports) or rollouts.under_way(deployment, revision)


def _written(
    resource: Object,
    meta: ObjectMeta,
    outcome: Outcome,
    watched: Iterable[ConditionType],
    told: DriftStatus | None,
    revision: str | None,
    observed: Observed,
) -> Object:
    former = resource.get("status")
    statements = [_statement(kind, told, former) for kind in watched]
    fields = _fields(told) if told else _former(former)
    return status.written(
        resource,
        meta,
        [*conditions.kstatus(outcome), *statements],
        {**fields, "revision": revision},
        observed.now,
    )


def _aspect(told: DriftStatus | None, kind: ConditionType) -> DriftAspect | None:
    if told is None:
        return None
    return dict(zip(_ASPECTS, (told.data, told.prediction, told.concept), strict=True))[kind]


def _statement(kind: ConditionType, told: DriftStatus | None, former: object) -> Statement:
    if told:
        aspect = _aspect(told, kind) or DriftAspect()
        truth, reason = _SAID[aspect.state]
        message = aspect.message or (_WAITING if aspect.state is DriftState.UNKNOWN else "")
        return Statement(kind, truth, reason, message)
    known = conditions.find(former, kind) or {}
    for truth, reason in _SAID.values():
        if (known.get("status"), known.get("reason")) == (truth, reason):
            return Statement(kind, truth, reason, str(known.get("message", "")))
    return Statement(kind, "Unknown", Reason.WAITING_FOR_WINDOW, _WAITING)


def _fields(told: DriftStatus) -> Object:
    window = told.last_window
    return {
        "drift": None if told.drift is DriftState.UNKNOWN else str(told.drift),
        "features": [shown for each in told.features for shown in [_feature(each)] if shown][:_FEATURES],
        "lastWindow": window.model_dump(by_alias=True) if window else None,
        "windows": told.windows,
        "lag": None if told.lag is None else figures.rounded(told.lag),
    }


def _feature(told: FeatureStatus) -> Object | None:
    """An entry of `features`; None of one that has not been judged."""
    value, p_value = figures.decimal(told.value), figures.decimal(told.p_value, 2)
    if value is None or p_value is None or told.state is DriftState.UNKNOWN:
        return None
    return {
        "name": told.name[:_NAME_LENGTH],
        "role": told.role,
        "statistic": told.statistic,
        "value": value,
        "pValue": p_value,
        "state": str(told.state),
    }


def _former(former: object) -> Object:
    """What was known before: a restart is no reason to forget it."""
    return {key: former[key] for key in _KEPT if key in former} if isinstance(former, dict) else {}
