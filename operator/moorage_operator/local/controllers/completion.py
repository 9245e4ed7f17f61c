"""What a Job does next, and what its status says: pure, after the rules of Kubernetes' own controller.

An Indexed Job wants one success of each index from 0 to completions - 1; any other wants `completions`
successes of whichever pods. An index that has succeeded never runs again, whatever becomes of its pod.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from moorage_operator.local.apiserver.objects import timestamp
from moorage_operator.local.backoff import Backoff
from moorage_operator.plan.types import Object

_DEFAULT_BACKOFF_LIMIT = 6


@dataclass(frozen=True, slots=True)
class PodView:
    """What a Job needs to know of a pod; `index` is None where the Job has no indexes."""

    index: int | None
    phase: str
    started: datetime
    exit_code: int | None = None
    ending: bool = False
    """It was told to end: neither active nor failed, but its index is not free yet."""


@dataclass(frozen=True, slots=True)
class Step:
    """Pods to start, by index, whether all that run are to be ended, and when to look again."""

    start: tuple[int | None, ...] = ()
    stop: bool = False
    again: float | None = None


def finished(job: Object) -> str | None:
    """Complete or Failed; None while neither is so."""
    found = verdict(job)
    return None if found is None else str(found["type"])


def verdict(job: Object) -> Object | None:
    """The condition that says how the Job has ended."""
    listed: Sequence[Object] = (job.get("status") or {}).get("conditions") or []
    ends = (entry for entry in listed if entry["type"] in {"Complete", "Failed"})
    return next((entry for entry in ends if entry["status"] == "True"), None)


def indexed(job: Object) -> bool:
    """Whether each pod of the Job has an index."""
    return bool(job["spec"].get("completionMode") == "Indexed")


def step(job: Object, pods: Sequence[PodView], backoff: Backoff, now: datetime) -> Step:
    """The next move towards the Job's end; `pods` are all that the Job ever had and that are on record."""
    if finished({"status": status(job, pods, now)}) or job["spec"].get("suspend"):
        return Step(stop=True)
    busy = [pod for pod in pods if pod.phase not in {"Succeeded", "Failed"}]
    room = int(job["spec"].get("parallelism", 1)) - len(busy)
    start: list[int | None] = []
    waits: list[float] = []
    for index in _left(job, pods, busy):
        if len(start) >= room:
            break
        wait = _wait(pods, index, backoff, now)
        if wait <= 0:
            start.append(index)
        else:
            waits.append(wait)
    deadline = job["spec"].get("activeDeadlineSeconds")
    if deadline is not None:
        waits.append(float(deadline))
    return Step(tuple(start), again=min(waits, default=None))


def status(job: Object, pods: Sequence[PodView], now: datetime) -> Object:
    """`status` of the Job whose pods are these."""
    spec, former = job["spec"], job.get("status") or {}
    phases = Counter(pod.phase for pod in pods)
    done = _succeeded(job, pods)
    suspended = bool(spec.get("suspend"))
    active = sum(pod.phase not in {"Succeeded", "Failed"} and not pod.ending for pod in pods)
    written: Object = {"active": active, "failed": phases["Failed"]}
    written["succeeded"] = len(done) if indexed(job) else phases["Succeeded"]
    if indexed(job):
        written["completedIndexes"] = index_ranges(done)
    if not suspended:
        written["startTime"] = former.get("startTime", timestamp(now))
    conditions = _suspension(former, now, suspended=suspended)
    if end := _end(spec, written, pods, now):
        conditions.append(end)
        if end["type"] == "Complete":
            written["completionTime"] = end["lastTransitionTime"]
    return {**written, **({"conditions": conditions} if conditions else {})}


def index_ranges(indexes: Iterable[int]) -> str:
    """Indexes as Kubernetes writes them: "0,2-4,7"; two in a row have a comma between."""
    runs: list[list[int]] = []
    for index in sorted(indexes):
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(map(str, run)) for run in runs)


def parse_ranges(text: str) -> set[int]:
    """The indexes of `index_ranges`."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def _succeeded(job: Object, pods: Iterable[PodView]) -> set[int]:
    """Indexes that are done, by their pods or by what was noted before a pod was removed."""
    noted = parse_ranges(str((job.get("status") or {}).get("completedIndexes") or ""))
    return noted | {pod.index for pod in pods if pod.phase == "Succeeded" and pod.index is not None}


def _left(job: Object, pods: Sequence[PodView], busy: Collection[PodView]) -> Iterable[int | None]:
    """Indexes that neither run nor are done, lowest first; so many None where the Job has no indexes."""
    completions = int(job["spec"].get("completions") or 1)
    if indexed(job):
        taken = _succeeded(job, pods) | {pod.index for pod in busy}
        return [index for index in range(completions) if index not in taken]
    succeeded = sum(pod.phase == "Succeeded" for pod in pods)
    return [None] * max(0, completions - succeeded - len(busy))


def _wait(pods: Iterable[PodView], index: int | None, backoff: Backoff, now: datetime) -> float:
    """Seconds until the next attempt of an index (of anything, without indexes) after failed ones."""
    failed = [pod.started for pod in pods if pod.phase == "Failed" and pod.index == index]
    return backoff.delay(len(failed)) - (now - max(failed)).total_seconds() if failed else 0.0


def _end(spec: Object, written: Object, pods: Iterable[PodView], now: datetime) -> Object | None:
    if written["succeeded"] >= (spec.get("completions") or 1):
        return _condition("Complete", "CompletionsReached", "", now)
    fatal = next((pod for pod in pods if pod.phase == "Failed" and _is_fatal(spec, pod.exit_code)), None)
    if fatal is not None:
        message = (
            f"a pod has failed with exit code {fatal.exit_code}, which its failure policy does not try again"
        )
        return _condition("Failed", "PodFailurePolicy", message, now)
    if written["failed"] > spec.get("backoffLimit", _DEFAULT_BACKOFF_LIMIT):
        message = "Job has reached the specified backoff limit"
        return _condition("Failed", "BackoffLimitExceeded", message, now)
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and "startTime" in written:
        running = (now - datetime.fromisoformat(written["startTime"])).total_seconds()
        if running >= deadline:
            message = "Job was active longer than specified deadline"
            return _condition("Failed", "DeadlineExceeded", message, now)
    return None


def _is_fatal(spec: Object, code: int | None) -> bool:
    """Whether the Job's podFailurePolicy ends it at a pod's exit code: the first rule that fits decides."""
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        named = rule.get("onExitCodes")
        if named and code and (code in named["values"]) is (named["operator"] == "In"):
            return bool(rule["action"] == "FailJob")
    return False


def _suspension(former: Object, now: datetime, *, suspended: bool) -> list[Object]:
    """The condition Suspended, once the Job has ever been so."""
    before = next((one for one in former.get("conditions") or () if one["type"] == "Suspended"), None)
    if before is None and not suspended:
        return []
    value = "True" if suspended else "False"
    if before is not None and before["status"] == value:
        return [before]
    reason, message = ("JobSuspended", "Job suspended") if suspended else ("JobResumed", "Job resumed")
    return [{**_condition("Suspended", reason, message, now), "status": value}]


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
