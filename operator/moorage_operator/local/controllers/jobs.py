"""Jobs as processes to completion; the pods stay on record. What to start and to end is `completion.step`'s word."""

from datetime import UTC, datetime

from moorage_operator.local.apiserver.objects import Key, controller_of
from moorage_operator.local.controllers import completion
from moorage_operator.local.kubelet import pod_status
from moorage_operator.local.kubelet.identity import INDEX, Identity, random_name, with_index
from moorage_operator.local.kubelet.node import Node
from moorage_operator.local.kubelet.pod import Pod
from moorage_operator.plan import names
from moorage_operator.plan.types import Object, Report

_ENDED = frozenset({"Succeeded", "Failed"})


class Jobs:
    """All Jobs of this machine."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._pods: dict[Key, list[Pod]] = {}

    def sync(self, key: Key) -> float | None:
        """One step towards the Job's end; seconds after which to look again."""
        job = self._node.store.get(*key)
        pods = [pod for pod in self._pods.pop(key, []) if not pod.ended]
        if pods:
            self._pods[key] = pods
        strangers = [pod for pod in pods if job is None or _uid(pod.identity.owner) != _uid(job)]
        for pod in strangers:
            pod.stop()
        if job is None or strangers:
            return None
        now = datetime.now(UTC)
        if completion.finished(job):
            return self._expire(key, job, now)
        views = self._views(job, pods)
        step = completion.step(job, views, self._node.settings.restart, now)
        for pod in pods if step.stop else ():
            pod.stop()
        for index in step.start:
            self._start(key, job, index)
        self._node.store.put_status(*key, completion.status(job, self._views(job, self._live(key)), now))
        return step.again

    def settle(self, key: Key) -> None:
        """Write the status of a Job whose pods have all ended."""
        job = self._node.store.get(*key)
        if job is not None and completion.finished(job) is None:
            written = completion.status(job, self._views(job, []), datetime.now(UTC))
            self._node.store.put_status(*key, written)

    def reports(self, job: Object) -> list[Report]:
        """What the pods of a Job say, or left behind when they ended."""
        key = ("Job", job["metadata"]["namespace"], job["metadata"]["name"])
        said = [pod_status.report_of(record) for record in self._of(job) if _ended(record)]
        return [*said, *(pod.report() for pod in self._live(key) if not pod.stopping)]

    def pods(self) -> list[Pod]:
        """All that have not ended."""
        return [pod for key in self._pods for pod in self._live(key)]

    def _live(self, key: Key) -> list[Pod]:
        return [pod for pod in self._pods.get(key, []) if not pod.ended]

    def _start(self, key: Key, job: Object, index: int | None) -> None:
        template = job["spec"]["template"]
        numbered = template if index is None else with_index(template, index)
        prefix = key[2] if index is None else f"{key[2]}-{index}"
        pod = Pod(
            self._node,
            Identity(
                name=random_name(prefix),
                owner=job,
                template=numbered,
                template_hash=names.fingerprint(template),
                restarts=False,
            ),
        )
        self._pods.setdefault(key, []).append(pod)
        self._node.store.record_event(job, "Normal", "SuccessfulCreate", f"created pod {pod.identity.name}")
        pod.start()

    def _views(self, job: Object, live: list[Pod]) -> list[completion.PodView]:
        """The Job's pods on record; those whose process ended with an earlier `moorage up` never counted."""
        ending = {pod.identity.name: pod.stopping for pod in live}
        views = []
        for record in self._of(job):
            name = record["metadata"]["name"]
            if _ended(record) or name in ending:
                views.append(_view(record, ending=ending.get(name, False)))
            else:
                self._node.store.delete("Pod", record["metadata"]["namespace"], name)
        return views

    def _of(self, job: Object) -> list[Object]:
        pods = self._node.store.list("Pod", job["metadata"]["namespace"])
        return [each for each in pods if controller_of(each) == _uid(job)]

    def _expire(self, key: Key, job: Object, now: datetime) -> float | None:
        life, end = job["spec"].get("ttlSecondsAfterFinished"), completion.verdict(job)
        if life is None or end is None:
            return None
        left = float(life - (now - datetime.fromisoformat(end["lastTransitionTime"])).total_seconds())
        if left > 0:
            return left
        self._node.store.delete(*key)
        return None


def _uid(obj: Object) -> str:
    return str(obj["metadata"]["uid"])


def _ended(record: Object) -> bool:
    return pod_status.phase(record) in _ENDED


def _view(record: Object, *, ending: bool) -> completion.PodView:
    index = (record["metadata"].get("annotations") or {}).get(INDEX)
    return completion.PodView(
        index=None if index is None else int(index),
        phase=pod_status.phase(record),
        started=datetime.fromisoformat(record["status"]["startTime"]),
        exit_code=pod_status.exit_code(record),
        ending=ending,
    )
