"""ModelServing: a Deployment that rolls without a gap, its Service, and what keeps both safe.

Each revision has an immutable ConfigMap of its own, named by the hash of the pod template. The ConfigMaps of
older revisions stay until the rollout is complete, so that an old pod can still restart while a new revision
fails.
"""

from moorage_api.model_runtime import Role
from moorage_api.model_serving import ModelServing
from moorage_api.shared import ObjectMeta
from moorage_operator.plan import children, config, labels, model_serving_status, names, pods, validation
from moorage_operator.plan.catalogue import Catalogue, Runtime
from moorage_operator.plan.refusal import Refused, invalid
from moorage_operator.plan.types import Object, Observed, Plan, Ref
from moorage_runtime import config as runtime_config

KIND = "ModelServing"
_ENVIRONMENT_MODEL = "SERVING_MODEL_"
_PRE_STOP_SECONDS = 5
"""Between leaving the Service's endpoints and SIGTERM, as proxies learn of it late."""
_DRAIN_MARGIN_SECONDS = 5
_METRICS_READERS = ("moorage-operator", "prometheus")
"""`app.kubernetes.io/name` of the pods that may reach the management port."""


def references(_resource: Object) -> tuple[Ref, ...]:
    """A ModelServing stands alone."""
    return ()


def plan(resource: Object, catalogue: Catalogue, observed: Observed) -> Plan:
    """Deployment, Service, ConfigMaps, NetworkPolicy and, with more than one replica, a disruption budget."""
    meta = validation.identity(resource)
    deployment = children.find(observed, "Deployment", meta.name)
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
        children.check_conflicts(KIND, planned, observed)
    except Refused as refusal:
        status = model_serving_status.refused(resource, meta, deployment, observed, refusal)
        return Plan(children=None, status=status)
    status = model_serving_status.of(
        resource, serving, runtime_name=chosen.name, revision=revision, observed=observed
    )
    return Plan(children=None if labels.paused(meta) else planned, status=status)


def _children(serving: ModelServing, chosen: Runtime, observed: Observed) -> tuple[tuple[Object, ...], str]:
    meta, spec = serving.metadata, serving.spec
    template, files, revision = _revision(serving, chosen)
    config_name = names.child(meta.name, revision)
    deployment = children.find(observed, "Deployment", meta.name)
    planned = [
        children.config_map(labels.metadata(KIND, meta, config_name), files),
        _deployment(meta, template, _replicas_field(spec.replicas, deployment)),
        _service(meta),
        _network_policy(meta),
    ]
    if replicas(spec.replicas, deployment) > 1:
        planned.append(_disruption_budget(meta))
    if not model_serving_status.complete(deployment, revision):
        planned += [
            children.kept(KIND, meta, owned)
            for owned in observed.owned
            if owned.get("kind") == "ConfigMap" and owned["metadata"]["name"] != config_name
        ]
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
    uris = [(f"spec.models[{index}].uri", model.uri) for index, model in enumerate(spec.models)]
    uris += [
        (f"spec.models[{index}].code.uri", model.code.uri)
        for index, model in enumerate(spec.models)
        if model.code and model.code.uri
    ]
    code = [
        pods.code(model.code.config_map_ref.name, config.code_folder(model.name))
        for model in spec.models
        if model.code and model.code.config_map_ref
    ]
    return pods.Container(
        image=chosen.spec.image,
        command=chosen.spec.command,
        args=[Role.SERVE.value, "--config", runtime_config.CONFIG_FILE],
        env=chosen.spec.env or (),
        env_from_secrets=config.storage_secrets(spec.storage),
        attachments=[
            pods.config(config_name),
            *code,
            *config.claims(uris),
            *(config.stream_secrets(spec.capture.kafka) if spec.capture else ()),
        ],
        settings={
            "ports": [
                {"name": "http", "containerPort": runtime_config.HTTP_PORT},
                {"name": "management", "containerPort": runtime_config.MANAGEMENT_PORT},
            ],
            "lifecycle": {"preStop": {"sleep": {"seconds": _PRE_STOP_SECONDS}}},
            **_probes(custom=chosen.spec.command is not None),
        },
    )


def _probes(*, custom: bool) -> Object:
    """Probes of the management port; an image with a command of its own only speaks Open Inference."""
    if custom:
        port, live, ready = runtime_config.HTTP_PORT, "/v2/health/live", "/v2/health/ready"
    else:
        port, live, ready = runtime_config.MANAGEMENT_PORT, "/live", "/ready"

    def probe(path: str, period: int, failures: int) -> Object:
        return {
            "httpGet": {"path": path, "port": port},
            "periodSeconds": period,
            "timeoutSeconds": 2,
            "failureThreshold": failures,
        }

    return {
        "startupProbe": probe(live, 2, 150),
        "livenessProbe": probe(live, 10, 3),
        "readinessProbe": probe(ready, 2, 2),
    }


def _deployment(meta: ObjectMeta, template: Object, replicas_field: dict[str, int]) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": labels.metadata(KIND, meta, meta.name),
        "spec": {
            **replicas_field,
            "selector": {"matchLabels": labels.selector(KIND, meta.name)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "revisionHistoryLimit": 1,
            "template": template,
        },
    }


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


def _network_policy(meta: ObjectMeta) -> Object:
    readers = {"key": labels.APP_NAME, "operator": "In", "values": list(_METRICS_READERS)}

    def ingress(port: int, pod_selector: Object) -> Object:
        source = {"namespaceSelector": {}, **pod_selector}
        return {"from": [source], "ports": [{"port": port, "protocol": "TCP"}]}

    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": labels.metadata(KIND, meta, meta.name),
        "spec": {
            "podSelector": {"matchLabels": labels.selector(KIND, meta.name)},
            "policyTypes": ["Ingress"],
            "ingress": [
                ingress(runtime_config.HTTP_PORT, {}),
                ingress(runtime_config.MANAGEMENT_PORT, {"podSelector": {"matchExpressions": [readers]}}),
            ],
        },
    }


def _check_environment(serving: ModelServing) -> None:
    """A model that the manifest and the pod's environment both name would be served by chance."""
    declared = {model.name for model in serving.spec.models}
    pod = serving.spec.pod
    for index, variable in enumerate((pod.env if pod else None) or ()):
        name = variable.name
        if name.startswith(_ENVIRONMENT_MODEL) and name.removeprefix(_ENVIRONMENT_MODEL) in declared:
            raise invalid(f"spec.pod.env[{index}].name", f"spec.models has the model of {name} too")
