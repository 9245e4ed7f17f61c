"""ModelTest: once its ModelServing is ready, a Job (or a CronJob) that tests it and reports a verdict.

A run is named by the hash of the spec, so an edit starts a new one and nothing else does: a verdict that is
in the status is never asked for again, whether its Job still exists or not.
"""

from moorage_api.model_test import ModelTest, ModelTestSpec, TriggerType
from moorage_operator.plan import (
    children,
    conditions,
    cron_jobs,
    labels,
    model_test_pod,
    model_test_status,
    names,
    serving_refs,
    validation,
)
from moorage_operator.plan.catalogue import Catalogue
from moorage_operator.plan.conditions import Outcome
from moorage_operator.plan.refusal import Refused
from moorage_operator.plan.types import Object, Observed, Plan

KIND = "ModelTest"
references = serving_refs.references


def plan(resource: Object, catalogue: Catalogue, observed: Observed) -> Plan:
    """A Job or CronJob and its ConfigMap, as soon as there is something to test."""
    meta = validation.identity(resource)
    try:
        test = validation.parse(ModelTest, resource)
        made = _planned(resource, test, catalogue, observed)
        children.check_conflicts(KIND, made.children or (), observed)
    except Refused as refusal:
        outcome = conditions.stalled(refusal.reason, refusal.message)
        return Plan(None, model_test_status.refused(resource, meta, observed, outcome))
    return Plan(None, made.status, made.requeue_seconds) if labels.paused(meta) else made


def fingerprint(spec: ModelTestSpec) -> str:
    """The hash that names a run: the same with and without defaults written out."""
    return names.fingerprint(spec.model_dump(mode="json", by_alias=True, exclude_defaults=True))


def _planned(resource: Object, test: ModelTest, catalogue: Catalogue, observed: Observed) -> Plan:
    run = fingerprint(test.spec)
    if test.spec.trigger.type is TriggerType.SCHEDULE:
        return _scheduled(resource, test, run, catalogue, observed)
    return _once(resource, test, run, catalogue, observed)


def _once(resource: Object, test: ModelTest, run: str, catalogue: Catalogue, observed: Observed) -> Plan:
    meta = test.metadata
    name = names.child(meta.name, run)
    files = children.find(observed, "ConfigMap", name)
    job = children.find(observed, "Job", name)
    seen = model_test_status.of_job(resource, test, name, job, observed)
    existing = tuple(children.kept(KIND, meta, found) for found in (files, job) if found)
    if seen.finished or (files and job):
        return Plan(existing, seen.written(), seen.requeue_seconds)
    made = model_test_pod.ready(test, run, name, catalogue, observed)
    if isinstance(made, Outcome):
        return Plan(existing, seen.written(made))
    spec = {"backoffLimit": 0, "template": made.template}
    new = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": labels.metadata(KIND, meta, name),
        "spec": spec,
    }
    wanted = (
        children.kept(KIND, meta, files)
        if files
        else children.config_map(labels.metadata(KIND, meta, name), made.files),
        children.kept(KIND, meta, job) if job else new,
    )
    return Plan(wanted, seen.written(), seen.requeue_seconds)


def _scheduled(resource: Object, test: ModelTest, run: str, catalogue: Catalogue, observed: Observed) -> Plan:
    meta, trigger = test.metadata, test.spec.trigger
    name = names.child(meta.name, length=names.CRON_JOB_LENGTH)
    cron_job = children.find(observed, "CronJob", name)
    files = [owned for owned in observed.owned if owned.get("kind") == "ConfigMap"]
    seen = model_test_status.of_schedule(resource, test, run, observed)
    made = model_test_pod.ready(test, run, None, catalogue, observed)
    if isinstance(made, Outcome):
        existing = [children.kept(KIND, meta, owned) for owned in (*files, cron_job) if owned]
        return Plan(tuple(existing), seen.written(made))
    still_used = cron_jobs.configs_in_use(KIND, meta, cron_job, files, made.config_name)
    wanted = (
        children.config_map(labels.metadata(KIND, meta, made.config_name), made.files),
        cron_jobs.cron_job(
            KIND,
            meta,
            name,
            schedule=trigger.schedule,
            time_zone=trigger.time_zone,
            job={"backoffLimit": 0, "template": made.template},
            settings={"concurrencyPolicy": "Forbid"},
        ),
    )
    return Plan((*wanted, *still_used), seen.written())
