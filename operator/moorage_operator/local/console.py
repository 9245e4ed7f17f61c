"""What `moorage up` prints: one calm line for what a person should know, and nothing twice. Pure."""

from dataclasses import dataclass

from moorage_operator.plan import Object
from moorage_operator.plan.conditions import find

_DRIFTS = ("DataDrift", "PredictionDrift", "ConceptDrift")


@dataclass(frozen=True, slots=True)
class News:
    """A line for the console, and the event that tells the same."""

    line: str
    type: str
    reason: str
    message: str


def news(resource: Object, status: Object) -> list[News]:
    """What to say of a resource whose status is now this; empty where a person sees no difference."""
    former = resource.get("status") or {}
    said = [] if (text := line(resource, status)) is None else [News(text, *event(status))]
    return said + [found for kind in _DRIFTS if (found := _drift(resource, kind, former, status))]


def line(resource: Object, status: Object) -> str | None:
    """What to say of its readiness; None where that is as before."""
    now, before = _answer(status), _answer(resource.get("status") or {})
    if now is None or now == before:
        return None
    name = called(resource)
    ready, reason, message, verdict = now.ready, now.reason, now.message, now.verdict
    if ready == "True":
        where = f" at {now.url}" if now.url else ""
        said = verdict or now.result or f"ready{where}"
        return f"{name} {said}{f' ({message})' if message else ''}"
    detail = f"{reason}: {message}" if message else reason
    if _is_true(status, "Stalled"):
        serving = "; what was ready before keeps serving" if _is_true(status, "Available") else ""
        return f"{name} {verdict or 'failed'}: {detail}{serving}"
    return f"{name} {detail}"


def called(resource: Object) -> str:
    """`modelserving/iris`, with its namespace where that is not the default one."""
    meta = resource["metadata"]
    namespace = meta.get("namespace") or "default"
    there = "" if namespace == "default" else f" (namespace {namespace})"
    return f"{resource['kind'].lower()}/{meta['name']}{there}"


def event(status: Object) -> tuple[str, str, str]:
    """(type, reason, message) of the event that tells of this status."""
    ready = find(status, "Ready") or {}
    type_ = "Warning" if _is_true(status, "Stalled") else "Normal"
    return type_, str(ready.get("reason", "")), str(ready.get("message") or _where(status))


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a person compares of two statuses."""

    ready: str
    reason: str
    message: str
    url: str | None
    verdict: str | None
    result: str | None


def _answer(status: Object) -> _Answer | None:
    ready = find(status, "Ready")
    if ready is None:
        return None
    return _Answer(
        ready["status"],
        ready["reason"],
        ready.get("message", ""),
        status.get("url"),
        status.get("verdict"),
        _result(status) if ready["status"] == "True" else None,
    )


def _result(status: Object) -> str | None:
    """What a finished batch has done."""
    if status.get("finishedAt") is None or status.get("rowsDone") is None:
        return None
    where = f" to {status['outputUri']}" if status.get("outputUri") else ""
    return f"predicted {status['rowsDone']:,} rows{where}"


def _drift(resource: Object, kind: str, former: Object, status: Object) -> News | None:
    """What the last windows came to; before the first there is nothing to say."""
    now, before = find(status, kind), find(former, kind)
    if now is None or now["status"] == "Unknown":
        return None
    answer = (now["reason"], now.get("message", ""))
    if before and answer == (before["reason"], before.get("message", "")):
        return None
    detail = f"{answer[0]}: {answer[1]}" if answer[1] else answer[0]
    return News(
        f"{called(resource)} {kind} {detail}", "Warning" if now["status"] == "True" else "Normal", *answer
    )


def _where(status: Object) -> str:
    if not _is_true(status, "Ready"):
        return ""
    return _result(status) or (f"ready at {status['url']}" if status.get("url") else "")


def _is_true(status: Object, kind: str) -> bool:
    found = find(status, kind)
    return found is not None and found["status"] == "True"
