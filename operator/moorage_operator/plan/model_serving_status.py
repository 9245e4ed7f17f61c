"""Status of a ModelServing: only what the Deployment's status and the pods' reports say is believed.

`Ready` speaks of the desired revision, `Available` of any: while a bad revision fails to load and the old one
still answers, they differ.
"""

from collections.abc import Iterable, Sequence

from moorage_api.conditions import ConditionType, Reason
from moorage_api.model_serving import Model, ModelServing, ReadyWhen
from moorage_api.shared import ObjectMeta
from moorage_operator.plan import children, conditions, labels, model_stream_status, pods, rollouts, status
from moorage_operator.plan.conditions import Outcome, Statement
from moorage_operator.plan.model_stream_status import Streamed
from moorage_operator.plan.refusal import Refused
from moorage_operator.plan.types import Object, Observed, Report
from moorage_runtime.config import ModelState, ModelStatus, ServeStatus

KIND = "ModelServing"


def url(meta: ObjectMeta) -> str:
    """Where the Service answers inside the cluster."""
    return f"http://{meta.name}.{meta.namespace}.svc"


def of(
    resource: Object,
    serving: ModelServing,
    *,
    runtime_name: str,
    revision: str,
    streaming: Streamed,
    observed: Observed,
) -> Object:
    """The status while `revision` is the desired one."""
    meta = serving.metadata
    deployment = children.find(observed, "Deployment", meta.name)
    wanted = serving.spec.replicas
    if wanted is None:
        wanted = rollouts.wanted(deployment)
    reports = rollouts.reports(observed, meta.name, revision)
    models = _models(serving.spec.models, reports) if wanted else []
    outcome = _outcome(serving, deployment, revision, wanted, models, reports)
    if streaming.outcome:
        outcome = conditions.worse(outcome, streaming.outcome)
    if labels.paused(meta):
        outcome = outcome.paused(labels.PAUSE)
    fields = {**_address(meta), "runtime": runtime_name, "revision": revision, "models": models}
    fields["stream"] = streaming.fields
    return _written(resource, meta, deployment, outcome, fields, wanted=wanted, observed=observed)


def refused(resource: Object, meta: ObjectMeta, observed: Observed, refusal: Refused) -> Object:
    """The status where nothing may be touched: what runs is reported as it is."""
    deployment = children.find(observed, "Deployment", meta.name)
    revision = pods.revision_of(deployment)
    former = resource.get("status") or {}
    fields = {
        **(_address(meta) if deployment else {}),
        "runtime": former.get("runtime"),
        "revision": revision,
        "models": _models((), rollouts.reports(observed, meta.name, revision)) if revision else [],
        "stream": model_stream_status.as_it_is(resource, meta, observed),
    }
    outcome = conditions.stalled(refusal.reason, refusal.message)
    wanted = rollouts.wanted(deployment)
    return _written(resource, meta, deployment, outcome, fields, wanted=wanted, observed=observed)


def _address(meta: ObjectMeta) -> Object:
    return {"url": url(meta), "address": {"url": url(meta)}}


def _outcome(
    serving: ModelServing,
    deployment: Object | None,
    revision: str,
    wanted: int,
    models: Sequence[Object],
    reports: Sequence[Report],
) -> Outcome:
    """The first of these checks that has something to say decides."""
    done = rollouts.complete(deployment, revision) and rollouts.wanted(deployment) == wanted
    failed = [model for model in models if model["state"] == ModelState.FAILED]
    tolerated = done and serving.spec.http.ready_when is ReadyWhen.ANY_MODEL
    if wanted == 0:
        return rollouts.scaled_to_zero(deployment, revision, "spec.replicas")
    if failed and not tolerated:
        wrong = [model for model in failed if model["reason"] == Reason.DIGEST_MISMATCH]
        if wrong:
            return conditions.stalled(Reason.DIGEST_MISMATCH, _said(wrong[0]))
        return conditions.stalled(Reason.MODEL_LOAD_FAILED, _said(failed[0]))
    capture = min(filter(None, map(_capture_error, reports)), default=None)
    if done:
        notes = [_said(model) for model in failed]
        notes += [f"predictions are served, but not captured: {capture}"] if capture else []
        return conditions.ready(Reason.RECONCILED, "; ".join(notes))
    if capture:
        return conditions.working(Reason.CAPTURE_FAILED, capture)
    return status.trouble(reports) or rollouts.under_way(deployment, revision)


def _written(
    resource: Object,
    meta: ObjectMeta,
    deployment: Object | None,
    outcome: Outcome,
    fields: Object,
    *,
    wanted: int,
    observed: Observed,
) -> Object:
    answering = rollouts.count(deployment, "status", "readyReplicas")
    if answering:
        available = Statement(ConditionType.AVAILABLE, "True", Reason.MINIMUM_REPLICAS_AVAILABLE)
    else:
        reason = Reason.SCALED_TO_ZERO if wanted == 0 else Reason.MINIMUM_REPLICAS_UNAVAILABLE
        available = Statement(ConditionType.AVAILABLE, "False", reason, "no pod is ready to answer")
    selector = labels.selector(KIND, meta.name)
    return status.written(
        resource,
        meta,
        [available, *conditions.kstatus(outcome)],
        {
            **fields,
            "replicas": rollouts.count(deployment, "status", "replicas"),
            "readyReplicas": answering,
            "selector": ",".join(f"{key}={value}" for key, value in sorted(selector.items())),
        },
        observed.now,
    )


def _models(declared: Sequence[Model], reports: Sequence[Report]) -> list[Object]:
    """One entry per model, as all pods together have it, in the order of the manifest."""
    said: dict[str, list[ModelStatus]] = {model.name: [] for model in declared}
    for report in reports:
        if isinstance(report.status, ServeStatus):
            for model in report.status.models:
                said.setdefault(model.name, []).append(model)
    known = {model.name: model for model in declared}
    return [_model(name, known.get(name), found) for name, found in said.items()]


def _model(name: str, declared: Model | None, found: Sequence[ModelStatus]) -> Object:
    rank = {ModelState.FAILED: 0, ModelState.LOADING: 1, ModelState.READY: 2}
    worst = min(found, key=lambda model: (rank[model.state], model.message or ""), default=None)
    digests = sorted({model.digest for model in found if model.digest})
    entry: Object = {
        "name": name,
        "version": _first([declared.version if declared else None, *(model.version for model in found)]),
        "digest": digests[0] if len(digests) == 1 else None,
        "framework": _first([declared.framework.name if declared else None, *(m.framework for m in found)]),
        "predictor": _first(model.predictor for model in found),
        "state": str(worst.state if worst else ModelState.LOADING),
        "reason": worst.reason if worst else None,
        "message": worst.message if worst else None,
    }
    if worst and worst.state is ModelState.FAILED:
        entry["reason"] = worst.reason or str(Reason.MODEL_LOAD_FAILED)
    elif len(digests) > 1:
        entry["state"] = str(ModelState.FAILED)
        entry["reason"] = str(Reason.DIGEST_MISMATCH)
        entry["message"] = f"the pods have different artifacts: {', '.join(digests)}"
    return {key: value for key, value in entry.items() if value is not None}


def _said(model: Object) -> str:
    return f"model {model['name']}: {model.get('message') or 'could not be loaded'}"


def _capture_error(report: Report) -> str | None:
    capture = report.status.capture if isinstance(report.status, ServeStatus) else None
    return capture.error if capture else None


def _first(values: Iterable[str | None]) -> str | None:
    return next((value for value in values if value), None)
