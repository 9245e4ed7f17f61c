"""Deployments and what stands around them: probes, the policy of the management port, the ConfigMaps of revisions."""

import re
from collections.abc import Sequence

from moorage_api.shared import ObjectMeta
from moorage_operator.plan import children, labels, rollouts
from moorage_operator.plan.types import Object, Observed
from moorage_runtime import config as runtime

ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
"""A new pod is ready before an old one goes."""
RECREATE = {"type": "Recreate"}
"""Never two at once."""
MANAGEMENT = {"name": "management", "containerPort": runtime.MANAGEMENT_PORT}
"""The port of probes, metrics and status."""
_METRICS_READERS = ("moorage-operator", "prometheus")
"""`app.kubernetes.io/name` of the pods that may reach the management port."""


def deployment(
    kind: str,
    meta: ObjectMeta,
    name: str,
    *,
    selector: dict[str, str],
    template: Object,
    strategy: Object,
    replicas: dict[str, int],
) -> Object:
    """A Deployment; `replicas` is its field, or nothing where an autoscaler may own it."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": labels.metadata(kind, meta, name),
        "spec": {
            **replicas,
            "selector": {"matchLabels": selector},
            "strategy": strategy,
            "revisionHistoryLimit": 1,
            "template": template,
        },
    }


def probes(*, port: int = runtime.MANAGEMENT_PORT, live: str = "/live", ready: str = "/ready") -> Object:
    """The container's probes; it has five minutes to start answering."""

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


def network_policy(
    kind: str, meta: ObjectMeta, name: str, selector: dict[str, str], open_ports: Sequence[int] = ()
) -> Object:
    """Who may reach the pods: everybody their `open_ports`, the operator and Prometheus the management port."""
    readers = {"key": labels.APP_NAME, "operator": "In", "values": list(_METRICS_READERS)}

    def ingress(port: int, pod_selector: Object) -> Object:
        source = {"namespaceSelector": {}, **pod_selector}
        return {"from": [source], "ports": [{"port": port, "protocol": "TCP"}]}

    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": labels.metadata(kind, meta, name),
        "spec": {
            "podSelector": {"matchLabels": selector},
            "policyTypes": ["Ingress"],
            "ingress": [
                *(ingress(port, {}) for port in open_ports),
                ingress(runtime.MANAGEMENT_PORT, {"podSelector": {"matchExpressions": [readers]}}),
            ],
        },
    }


def former_configs(kind: str, meta: ObjectMeta, name: str, revision: str, observed: Observed) -> list[Object]:
    """ConfigMaps of other revisions of the Deployment `name`: its older pods need them until it is rolled out."""
    if rollouts.complete(children.find(observed, "Deployment", name), revision):
        return []
    ours = re.compile(re.escape(name) + "-(?P<revision>[0-9a-f]+)")
    return [
        children.kept(kind, meta, owned)
        for owned in observed.owned
        for found in [ours.fullmatch(owned["metadata"]["name"])]
        if owned.get("kind") == "ConfigMap" and found and found["revision"] != revision
    ]
