"""The pod of a DriftMonitor: which events it reads, or what it waits for."""

from dataclasses import dataclass

from moorage_api.drift_monitor import DriftMonitor
from moorage_api.model_runtime import Role
from moorage_api.model_serving import CaptureFormat
from moorage_operator.plan import config, drift_monitor_status, labels, names, pods, serving_refs, workloads
from moorage_operator.plan.catalogue import Catalogue, Runtime
from moorage_operator.plan.conditions import Outcome
from moorage_operator.plan.refusal import invalid
from moorage_operator.plan.serving_refs import Referred
from moorage_operator.plan.types import Object, Observed
from moorage_runtime import config as runtime

KIND = "DriftMonitor"
_GRACE_SECONDS = 60
"""To deliver what waits and to write the last checkpoint."""
_UNREADABLE = (CaptureFormat.CLOUDEVENTS,)


@dataclass(frozen=True, slots=True)
class DriftPod:
    """A pod template and the ConfigMap that it mounts; the revision is the hash of both."""

    revision: str
    config_name: str
    files: dict[str, str]
    template: Object


def ready(monitor: DriftMonitor, catalogue: Catalogue, observed: Observed) -> DriftPod | Outcome:
    """The pod, or why it has to wait. Raises `Refused` where waiting would not help."""
    spec = monitor.spec
    if spec.stream:
        watched = config.Watched(kafka=spec.stream.kafka, model=spec.stream.model)
    else:
        assert spec.serving_ref is not None, "a rule of DriftMonitorSpec"
        found = serving_refs.find(spec.serving_ref, monitor.metadata.namespace, observed)
        if isinstance(found, Outcome):
            return found
        watched = _captured(found)
    return _pod(monitor, watched, catalogue.pick(monitor.metadata.namespace, Role.DRIFT, ()))


def _captured(found: Referred) -> config.Watched:
    """The serving's captured events of the one model."""
    capture = found.serving.spec.capture
    name = found.serving.metadata.name
    if capture is None:
        raise invalid(
            "spec.servingRef", f"ModelServing {name} has no spec.capture, so there is nothing to read"
        )
    if capture.format in _UNREADABLE:
        readable = ", ".join(each.value for each in CaptureFormat if each not in _UNREADABLE)
        raise invalid(
            "spec.servingRef",
            f"ModelServing {name} captures events as {capture.format.value}; drift reads {readable}",
        )
    return config.Watched(kafka=capture.kafka, model=found.model.name, declared=found.model)


def _pod(monitor: DriftMonitor, watched: config.Watched, chosen: Runtime) -> DriftPod:
    meta, spec = monitor.metadata, monitor.spec
    name = drift_monitor_status.deployment_name(meta)

    def made(revision: str) -> tuple[Object, dict[str, str]]:
        container = pods.Container(
            image=chosen.spec.image,
            command=chosen.spec.command,
            args=[Role.DRIFT.value, "--config", runtime.CONFIG_FILE],
            env=chosen.spec.env or (),
            env_from_secrets=config.storage_secrets(spec.storage),
            attachments=[
                pods.config(names.child(name, revision)),
                *config.drift_claims(spec),
                *config.drift_secrets(spec, watched),
            ],
            settings={"ports": [workloads.MANAGEMENT], **workloads.probes()},
        )
        template = pods.template(
            container=container,
            pod=spec.pod,
            pod_labels={**labels.fixed(KIND, meta.name), labels.REVISION: revision},
            settings={"terminationGracePeriodSeconds": _GRACE_SECONDS},
        )
        read = config.drift(meta=meta, spec=spec, watched=watched, revision=revision)
        return template, {pods.CONFIG_KEY: config.document(read)}

    revision = names.fingerprint(made(""))
    template, files = made(revision)
    return DriftPod(revision, names.child(name, revision), files, template)
