"""The pod of a DriftMonitor: which events it reads, or what it waits for."""

from dataclasses import dataclass

from moorage_api.drift_monitor import DriftMonitor
from moorage_api.model_runtime import Role
from moorage_api.model_serving import CaptureFormat
from moorage_operator.plan import config, drift_monitor_status, labels, names, pods, serving_refs, worker_pods
from moorage_operator.plan.catalogue import Catalogue, Runtime
from moorage_operator.plan.conditions import Outcome
from moorage_operator.plan.refusal import invalid
from moorage_operator.plan.serving_refs import Referred
from moorage_operator.plan.types import Object, Observed

KIND = "DriftMonitor"
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
        template = worker_pods.template(
            Role.DRIFT,
            chosen,
            pod=spec.pod,
            storage=spec.storage,
            attachments=[
                pods.config(names.child(name, revision)),
                *config.drift_claims(spec),
                *config.drift_secrets(spec, watched),
            ],
            fixed=labels.fixed(KIND, meta.name),
            revision=revision,
        )
        read = config.drift(meta=meta, spec=spec, watched=watched, revision=revision)
        return template, {pods.CONFIG_KEY: config.document(read)}

    revision = names.fingerprint(made(""))
    template, files = made(revision)
    return DriftPod(revision, names.child(name, revision), files, template)
