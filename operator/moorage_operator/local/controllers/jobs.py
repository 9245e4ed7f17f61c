"""Jobs as processes to completion. What a Job's pods come to is a pure function; the pods stay on record."""

from collections.abc import Sequence
from datetime import UTC, datetime

from moorage_operator.local.apiserver.objects import Key, controller_of, timestamp
from moorage_operator.local.kubelet import pod_status
from moorage_operator.local.kubelet.identity import Identity, random_name
from moorage_operator.local.kubelet.node import Node
from moorage_operator.local.kubelet.pod import Pod
from moorage_operator.plan import names
from moorage_operator.plan.types import Object, Report

_DEFAULT_BACKOFF_LIMIT = 6


def finished(job: Object) -> str | None:
    """Complete or Failed; None while neither is so."""
    listed = (job.get("status") or {}).get("conditions") or []
    return next(
        (
            entry["type"]
            for entry in listed
            if entry["type"] in {"Complete", "Failed"} and entry["status"] == "True"
        ),
        None,
    )


def status(job: Object, phases: Sequence[str], now: datetime) -> Object:
    """`status` of a Job whose pods are in these phases."""
    former = job.get("status") or {}
    succeeded, failed = phases.count("Succeeded"), phases.count("Failed")
    spec = job["spec"]
    written: Object = {
        "startTime": former.get("startTime", timestamp(now)),
        "active": len(phases) - succeeded - failed,
        "succeeded": succeeded,
        "failed": failed,
    }
    limit = spec.get("backoffLimit", _DEFAULT_BACKOFF_LIMIT)
    deadline = spec.get("activeDeadlineSeconds")
    running = (now - datetime.fromisoformat(written["startTime"])).total_seconds()
    if succeeded >= (spec.get("completions") or 1):
        written["completionTime"] = timestamp(now)
        return {**written, "conditions": [_condition("Complete", "CompletionsReached", "", now)]}
    if failed > limit:
        message = "Job has reached the specified backoff limit"
        return {**written, "conditions": [_condition("Failed", "BackoffLimitExceeded", message, now)]}
    if deadline is not None and running >= deadline:
        message = "Job was active longer than specified deadline"
        return {**written, "conditions": [_condition("Failed", "DeadlineExceeded", message, now)]}
    return written


def _condition(kind: str, reason: str, message: str, now: datetime) -> Object:
    at = timestamp(now)
    return {
        "type": kind,
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": at,
        "lastProbeTime": at,
    }


class Jobs:
    """All Jobs of this machine."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._running: dict[Key, Pod] = {}

    def sync(self, key: Key) -> float | None:
        """One step towards the Job's end; seconds after which to look again."""
        job = self._node.store.get(*key)
        pod = self._running.get(key)
        if pod is not None and pod.ended:
            del self._running[key]
            pod = None
        if pod is not None and (
            job is None or pod.identity.owner["metadata"]["uid"] != job["metadata"]["uid"]
        ):
            pod.stop()
            return None
        if job is None:
            return None
        now = datetime.now(UTC)
        if finished(job):
            return self._expire(key, job, now)
        records = self._records(job, pod)
        phases = [pod_status.phase(record) for record in records]
        written = status(job, phases, now)
        if finished({"status": written}):
            if pod is not None:
                pod.stop()
        elif pod is None:
            wait = self._wait(records, now)
            if wait > 0:
                self._node.store.put_status(*key, written)
                return wait
            self._start(key, job)
            written = status(job, [*phases, "Pending"], now)
        self._node.store.put_status(*key, written)
        deadline = job["spec"].get("activeDeadlineSeconds")
        return None if deadline is None else float(deadline)

    def reports(self, job: Object) -> list[Report]:
        """What the pods of a Job say, or left behind when they ended."""
        key = ("Job", job["metadata"]["namespace"], job["metadata"]["name"])
        pod = self._running.get(key)
        said = [pod_status.report_of(record) for record in self._ended(job)]
        return [*said, *([pod.report()] if pod is not None and not pod.ended else [])]

    def pods(self) -> list[Pod]:
        """All that have not ended."""
        return [pod for pod in self._running.values() if not pod.ended]

    def _start(self, key: Key, job: Object) -> None:
        template = job["spec"]["template"]
        pod = Pod(
            self._node,
            Identity(
                name=random_name(key[2]),
                owner=job,
                template=template,
                template_hash=names.fingerprint(template),
                restarts=False,
            ),
        )
        self._running[key] = pod
        self._node.store.record_event(job, "Normal", "SuccessfulCreate", f"created pod {pod.identity.name}")
        pod.start()

    def _records(self, job: Object, pod: Pod | None) -> list[Object]:
        """The Job's Pod objects; those whose process ended with an earlier `moorage up` never counted."""
        found = []
        for record in self._of(job):
            ended = pod_status.phase(record) in {"Succeeded", "Failed"}
            if ended or (pod is not None and pod.identity.name == record["metadata"]["name"]):
                found.append(record)
            else:
                self._node.store.delete("Pod", record["metadata"]["namespace"], record["metadata"]["name"])
        return found

    def _ended(self, job: Object) -> list[Object]:
        return [each for each in self._of(job) if pod_status.phase(each) in {"Succeeded", "Failed"}]

    def _of(self, job: Object) -> list[Object]:
        uid = job["metadata"]["uid"]
        pods = self._node.store.list("Pod", job["metadata"]["namespace"])
        return [each for each in pods if controller_of(each) == uid]

    def _wait(self, records: Sequence[Object], now: datetime) -> float:
        """Seconds until the next attempt after failed ones."""
        failed = [each for each in records if pod_status.phase(each) == "Failed"]
        if not failed:
            return 0.0
        last = max(datetime.fromisoformat(each["status"]["startTime"]) for each in failed)
        return self._node.settings.restart.delay(len(failed)) - (now - last).total_seconds()

    def _expire(self, key: Key, job: Object, now: datetime) -> float | None:
        life = job["spec"].get("ttlSecondsAfterFinished")
        if life is None:
            return None
        ended = datetime.fromisoformat(job["status"]["conditions"][0]["lastTransitionTime"])
        left = float(life - (now - ended).total_seconds())
        if left > 0:
            return left
        self._node.store.delete(*key)
        return None
