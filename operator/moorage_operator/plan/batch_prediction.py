"""BatchPrediction: an Indexed Job that predicts a data set, once for each edit of the spec or by a schedule.

A run is named by the hash of the spec. What a finished run came to stays in the status, and is never asked for again,
whether its Job still exists or not.
"""

from moorage_api.batch_prediction import BatchPrediction, ConcurrencyPolicy
from moorage_operator.plan import (
    batch_prediction_pod,
    batch_prediction_status,
    children,
    cron_jobs,
    labels,
    names,
    serving_refs,
    validation,
    workloads,
)
from moorage_operator.plan.catalogue import Catalogue
from moorage_operator.plan.conditions import Outcome
from moorage_operator.plan.refusal import Refused
from moorage_operator.plan.types import Object, Observed, Plan

KIND = "BatchPrediction"
references = serving_refs.references


def plan(resource: Object, catalogue: Catalogue, observed: Observed) -> Plan:
    """A Job or CronJob with its ConfigMap and NetworkPolicy."""
    meta = validation.identity(resource)
    try:
        prediction = validation.parse(BatchPrediction, resource)
        by_clock = prediction.spec.schedule is not None
        made = (_scheduled if by_clock else _once)(resource, prediction, catalogue, observed)
        children.check_conflicts(KIND, made.children or (), observed)
    except Refused as refusal:
        return Plan(None, batch_prediction_status.refused(resource, meta, observed, refusal))
    return Plan(None, made.status, made.requeue_seconds) if labels.paused(meta) else made


def _once(resource: Object, prediction: BatchPrediction, catalogue: Catalogue, observed: Observed) -> Plan:
    meta, spec = prediction.metadata, prediction.spec
    revision = batch_prediction_pod.fingerprint(spec)
    name = names.child(meta.name, revision)
    files = children.find(observed, "ConfigMap", name)
    job = children.find(observed, "Job", name)
    seen = batch_prediction_status.of_job(resource, prediction, revision, name, job, observed)
    existing = tuple(children.kept(KIND, meta, found) for found in (files, job) if found)
    if seen.finished:
        return Plan(existing, seen.written(), seen.requeue_seconds)
    if files and job:
        wanted = (children.kept(KIND, meta, files), _suspended(children.kept(KIND, meta, job), spec.suspend))
        return Plan((*wanted, _policy(prediction)), seen.written(), seen.requeue_seconds)
    made = batch_prediction_pod.ready(prediction, revision, catalogue, observed)
    if isinstance(made, Outcome):
        return Plan(existing, seen.written(made), seen.requeue_seconds)
    new = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": labels.metadata(KIND, meta, name),
        "spec": {**made.job, "suspend": spec.suspend},
    }
    wanted = (
        children.kept(KIND, meta, files)
        if files
        else children.config_map(labels.metadata(KIND, meta, name), made.files),
        _suspended(children.kept(KIND, meta, job), spec.suspend) if job else new,
    )
    return Plan((*wanted, _policy(prediction)), seen.written(), seen.requeue_seconds)


def _scheduled(
    resource: Object, prediction: BatchPrediction, catalogue: Catalogue, observed: Observed
) -> Plan:
    meta, spec = prediction.metadata, prediction.spec
    name = names.child(meta.name, length=names.CRON_JOB_LENGTH)
    cron_job = children.find(observed, "CronJob", name)
    files = [owned for owned in observed.owned if owned.get("kind") == "ConfigMap"]
    made = batch_prediction_pod.ready(prediction, None, catalogue, observed)
    revision = None if isinstance(made, Outcome) else made.revision
    seen = batch_prediction_status.of_schedule(resource, prediction, revision, cron_job, observed)
    if isinstance(made, Outcome):
        existing = [children.kept(KIND, meta, owned) for owned in (*files, cron_job) if owned]
        policy = [_policy(prediction)] if cron_job else []
        return Plan((*existing, *policy), seen.written(made), seen.requeue_seconds)
    still_used = cron_jobs.configs_in_use(KIND, meta, cron_job, files, made.config_name)
    wanted = (
        children.config_map(labels.metadata(KIND, meta, made.config_name), made.files),
        cron_jobs.cron_job(
            KIND,
            meta,
            name,
            schedule=spec.schedule,
            time_zone=spec.time_zone,
            job=made.job,
            settings={
                "concurrencyPolicy": (spec.concurrency_policy or ConcurrencyPolicy.FORBID).value,
                "suspend": spec.suspend,
            },
        ),
    )
    return Plan((*wanted, _policy(prediction), *still_used), seen.written(), seen.requeue_seconds)


def _suspended(job: Object, suspend: bool) -> Object:
    """A Job as it is, but for the one field of it that can be changed."""
    return {**job, "spec": {**job["spec"], "suspend": suspend}}


def _policy(prediction: BatchPrediction) -> Object:
    meta = prediction.metadata
    return workloads.network_policy(
        KIND, meta, names.child(meta.name, "batch"), labels.selector(KIND, meta.name)
    )
