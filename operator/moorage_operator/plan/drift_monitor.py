"""DriftMonitor: one worker that reads captured events, as a Deployment that never runs two of them at once.

It reads the stream of its ModelServing whether that is ready or not: what was captured can be judged all the same.
"""

from moorage_api.drift_monitor import DriftMonitor
from moorage_api.shared import ObjectMeta
from moorage_operator.plan import (
    children,
    drift_monitor_pod,
    drift_monitor_status,
    labels,
    serving_refs,
    validation,
    workloads,
)
from moorage_operator.plan.catalogue import Catalogue
from moorage_operator.plan.conditions import Outcome
from moorage_operator.plan.drift_monitor_pod import DriftPod
from moorage_operator.plan.refusal import Refused
from moorage_operator.plan.types import Object, Observed, Plan

KIND = "DriftMonitor"
references = serving_refs.references


def plan(resource: Object, catalogue: Catalogue, observed: Observed) -> Plan:
    """Deployment, ConfigMaps and NetworkPolicy; nothing is touched while the serving is missing."""
    meta = validation.identity(resource)
    try:
        monitor = validation.parse(DriftMonitor, resource)
        made = drift_monitor_pod.ready(monitor, catalogue, observed)
        if isinstance(made, Outcome):
            return Plan(None, drift_monitor_status.waiting(resource, monitor, observed, made))
        planned = _children(monitor, made, observed)
        children.check_conflicts(KIND, planned, observed)
    except Refused as refusal:
        return Plan(None, drift_monitor_status.refused(resource, meta, observed, refusal))
    status = drift_monitor_status.of(resource, monitor, made.revision, observed)
    return Plan(None if labels.paused(meta) else planned, status)


def _children(monitor: DriftMonitor, pod: DriftPod, observed: Observed) -> tuple[Object, ...]:
    meta: ObjectMeta = monitor.metadata
    name = drift_monitor_status.deployment_name(meta)
    selector = labels.selector(KIND, meta.name)
    return (
        children.config_map(labels.metadata(KIND, meta, pod.config_name), pod.files),
        workloads.deployment(
            KIND,
            meta,
            name,
            selector=selector,
            template=pod.template,
            strategy=workloads.RECREATE,
            replicas={"replicas": monitor.spec.replicas},
        ),
        workloads.network_policy(KIND, meta, name, selector),
        *workloads.former_configs(KIND, meta, name, pod.revision, observed),
    )
