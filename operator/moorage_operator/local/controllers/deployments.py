"""Deployments as processes: the pods of each, and its status. What to start and to end is `rollout.step`'s word."""

from datetime import UTC, datetime

from moorage_operator.local.apiserver.objects import Key
from moorage_operator.local.controllers import rollout
from moorage_operator.local.kubelet.identity import Identity, random_name
from moorage_operator.local.kubelet.node import Node
from moorage_operator.local.kubelet.pod import Pod
from moorage_operator.plan import labels, names
from moorage_operator.plan.types import Object, Report


class Deployments:
    """All Deployments of this machine."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._pods: dict[Key, list[Pod]] = {}

    def sync(self, key: Key) -> float | None:
        """One step towards what the Deployment asks for; seconds after which to look again."""
        deployment = self._node.store.get(*key)
        pods = self._pods[key] = [pod for pod in self._pods.get(key, []) if not pod.ended]
        if deployment is None:
            for pod in pods:
                pod.stop()
            if not pods:
                del self._pods[key]
            return None
        uid = deployment["metadata"]["uid"]
        for pod in pods:
            if pod.identity.owner["metadata"]["uid"] != uid:
                pod.stop()
        self._forget_strangers(key, deployment)
        template = names.fingerprint(deployment["spec"]["template"])
        ending = sum(pod.stopping for pod in pods)
        step = rollout.step(deployment, template, self._views(key), ending)
        for pod in pods:
            if pod.identity.name in step.stop:
                self._event(deployment, "Normal", "Killing", f"ending pod {pod.identity.name}")
                pod.stop()
        for _ in range(step.start):
            self._start(key, deployment, template)
        now = datetime.now(UTC)
        status = rollout.status(deployment, template, self._views(key), now)
        self._node.store.put_status(*key, status)
        return rollout.seconds_to_deadline(deployment, status, now)

    def settle(self, key: Key) -> None:
        """Write the status of a Deployment whose pods have all ended."""
        if deployment := self._node.store.get(*key):
            status = rollout.status(deployment, "", (), datetime.now(UTC))
            self._node.store.put_status(*key, status)

    def reports(self, key: Key) -> list[Report]:
        """What the pods of a Deployment say."""
        return [pod.report() for pod in self._pods.get(key, []) if not pod.stopping]

    def pods(self) -> list[Pod]:
        """All that have not ended."""
        return [pod for pods in self._pods.values() for pod in pods if not pod.ended]

    def _views(self, key: Key) -> list[rollout.PodView]:
        return [
            rollout.PodView(
                name=pod.identity.name,
                template=pod.identity.template_hash,
                ready=pod.seen.ready,
                created=pod.identity.created.timestamp(),
            )
            for pod in self._pods[key]
            if not pod.stopping
        ]

    def _start(self, key: Key, deployment: Object, template_hash: str) -> None:
        template = deployment["spec"]["template"]
        revision = (template.get("metadata", {}).get("labels") or {}).get(labels.REVISION, template_hash)
        pod = Pod(
            self._node,
            Identity(
                name=random_name(f"{key[2]}-{revision}"),
                owner=deployment,
                template=template,
                template_hash=template_hash,
                restarts=True,
            ),
        )
        self._pods[key].append(pod)
        self._event(deployment, "Normal", "SuccessfulCreate", f"created pod {pod.identity.name}")
        pod.start()

    def _forget_strangers(self, key: Key, deployment: Object) -> None:
        """Remove Pod objects that an earlier `moorage up` could not remove any more."""
        known = {pod.identity.name for pod in self._pods[key]}
        for found in self._node.store.list("Pod", key[1]):
            owner = found["metadata"]["ownerReferences"][0]["uid"]
            if owner == deployment["metadata"]["uid"] and found["metadata"]["name"] not in known:
                self._node.store.delete("Pod", key[1], found["metadata"]["name"])

    def _event(self, deployment: Object, type_: str, reason: str, message: str) -> None:
        self._node.store.record_event(deployment, type_, reason, message)
