"""ModelServing: a Deployment that rolls without a gap, its Service, and what keeps both safe.

Each revision has an immutable ConfigMap of its own, named by the hash of the pod template. The ConfigMaps of
older revisions stay until the rollout is complete, so that an old pod can still restart while a new revision
fails.
"""

from moorage_api.model_runtime import Role
from moorage_api.model_serving import ModelServing
from moorage_api.shared import ObjectMeta
from moorage_operator.plan import (
    children,
    config,
    labels,
    model_serving_status,
    model_stream,
    model_stream_status,
    names,
    pods,
    validation,
    workloads,
)
from moorage_operator.plan.catalogue import Catalogue, Runtime
from moorage_operator.plan.refusal import Refused, invalid
from moorage_operator.plan.types import Object, Observed, Plan, Ref
from moorage_runtime import config as runtime_config

KIND = "ModelServing"
_ENVIRONMENT_MODEL = "SERVING_MODEL_"
_PRE_STOP_SECONDS = 5
"""Between leaving the Service's endpoints and SIGTERM, as proxies learn of it late."""
_DRAIN_MARGIN_SECONDS = 5


def references(_resource: Object) -> tuple[Ref, ...]:
    """A ModelServing stands alone."""
    return ()


def plan(resource: Object, catalogue: Catalogue, observed: Observed) -> Plan:
    """Deployment, Service, ConfigMaps, NetworkPolicy, a disruption budget, and what `spec.stream` adds."""
    meta = validation.identity(resource)
    try:
        serving = validation.parse(ModelServing, resource)
        _check_environment(serving)
        chosen = catalogue.pick(
            meta.namespace,
            Role.SERVE,
            [model.framework for model in serving.spec.models],
            serving.spec.runtime,
        )
        planned, revision = _children(serving, chosen, observed)
        streaming = model_stream.planned(serving, chosen, catalogue, observed)
        planned += streaming.children
        children.check_conflicts(KIND, planned, observed)
    except Refused as refusal:
        return Plan(children=None, status=model_serving_status.refused(resource, meta, observed, refusal))
    status = model_serving_status.of(
        resource,
        serving,
        runtime_name=chosen.name,
        revision=revision,
        streaming=model_stream_status.of(resource, serving, streaming.revision, observed),
        observed=observed,
    )
    return Plan(children=None if labels.paused(meta) else planned, status=status)


def _children(serving: ModelServing, chosen: Runtime, observed: Observed) -> tuple[tuple[Object, ...], str]:
    meta, spec = serving.metadata, serving.spec
    template, files, revision = _revision(serving, chosen)
    selector = labels.selector(KIND, meta.name)
    existing = children.find(observed, "Deployment", meta.name)
    planned = [
        children.config_map(labels.metadata(KIND, meta, names.child(meta.name, revision)), files),
        workloads.deployment(
            KIND,
            meta,
            meta.name,
            selector=selector,
            template=template,
            strategy=workloads.ROLLING,
            replicas=_replicas_field(spec.replicas, existing),
        ),
        _service(meta),
        workloads.network_policy(KIND, meta, meta.name, selector, [runtime_config.HTTP_PORT]),
    ]
    if replicas(spec.replicas, existing) > 1:
        planned.append(_disruption_budget(meta))
    planned += workloads.former_configs(KIND, meta, meta.name, revision, observed)
    return tuple(planned), revision


def replicas(declared: int | None, deployment: Object | None) -> int:
    """The pods that are wanted: what the manifest says, else what an autoscaler made of it, else 1."""
    existing = ((deployment or {}).get("spec") or {}).get("replicas")
    return declared if declared is not None else existing if isinstance(existing, int) else 1


def _replicas_field(declared: int | None, deployment: Object | None) -> dict[str, int]:
    if declared is None and deployment is not None:
        return {}  # an autoscaler may own it
    return {"replicas": replicas(declared, None)}


def _revision(serving: ModelServing, chosen: Runtime) -> tuple[Object, dict[str, str], str]:
    """(pod template, files of its ConfigMap, revision): the revision is the hash of the other two."""
    meta, spec = serving.metadata, serving.spec

    def made(revision: str) -> tuple[Object, dict[str, str]]:
        read = config.serve(name=meta.name, namespace=meta.namespace, spec=spec, revision=revision)
        template = pods.template(
            container=_container(serving, chosen, names.child(meta.name, revision)),
            pod=spec.pod,
            pod_labels={**labels.fixed(KIND, meta.name), labels.REVISION: revision},
            settings={
                "terminationGracePeriodSeconds": _PRE_STOP_SECONDS
                + read.http.drain_seconds
                + _DRAIN_MARGIN_SECONDS
            },
        )
        return template, {pods.CONFIG_KEY: config.document(read)}

    revision = names.fingerprint(made(""))
    return *made(revision), revision


def _container(serving: ModelServing, chosen: Runtime, config_name: str) -> pods.Container:
    spec = serving.spec
    custom = chosen.spec.command is not None
    return pods.Container(
        image=chosen.spec.image,
        command=chosen.spec.command,
        args=[Role.SERVE.value, "--config", runtime_config.CONFIG_FILE],
        env=chosen.spec.env or (),
        env_from_secrets=config.storage_secrets(spec.storage),
        attachments=[
            pods.config(config_name),
            *config.served_models(spec),
            *(config.stream_secrets(spec.capture.kafka) if spec.capture else ()),
        ],
        settings={
            "ports": [{"name": "http", "containerPort": runtime_config.HTTP_PORT}, workloads.MANAGEMENT],
            "lifecycle": {"preStop": {"sleep": {"seconds": _PRE_STOP_SECONDS}}},
            **(_open_inference_probes() if custom else workloads.probes()),
        },
    )


def _open_inference_probes() -> Object:
    """An image with a command of its own only speaks Open Inference."""
    return workloads.probes(port=runtime_config.HTTP_PORT, live="/v2/health/live", ready="/v2/health/ready")


def _service(meta: ObjectMeta) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": labels.metadata(KIND, meta, meta.name),
        "spec": {
            "selector": labels.selector(KIND, meta.name),
            "ports": [
                {"name": "http", "port": 80, "targetPort": runtime_config.HTTP_PORT, "protocol": "TCP"}
            ],
        },
    }


def _disruption_budget(meta: ObjectMeta) -> Object:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": labels.metadata(KIND, meta, meta.name),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": labels.selector(KIND, meta.name)}},
    }


def _check_environment(serving: ModelServing) -> None:
    """A model that the manifest and the pod's environment both name would be served by chance."""
    declared = {model.name for model in serving.spec.models}
    pod = serving.spec.pod
    for index, variable in enumerate((pod.env if pod else None) or ()):
        name = variable.name
        if name.startswith(_ENVIRONMENT_MODEL) and name.removeprefix(_ENVIRONMENT_MODEL) in declared:
            raise invalid(f"spec.pod.env[{index}].name", f"spec.models has the model of {name} too")
