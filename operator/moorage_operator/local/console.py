"""What `moorage up` prints: one calm line for what a person should know, and nothing twice. Pure."""

from moorage_operator.plan import Object
from moorage_operator.plan.conditions import find


def line(resource: Object, status: Object) -> str | None:
    """What to say of a resource whose status is now this; None where a person sees no difference."""
    now, before = _answer(status), _answer(resource.get("status") or {})
    if now is None or now == before:
        return None
    name = called(resource)
    ready, reason, message, url, verdict = now
    if ready == "True":
        where = f" at {url}" if url else ""
        said = f"{verdict}" if verdict else f"ready{where}"
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


def _where(status: Object) -> str:
    return f"ready at {status['url']}" if status.get("url") and _is_true(status, "Ready") else ""


def _answer(status: Object) -> tuple[str, str, str, str | None, str | None] | None:
    ready = find(status, "Ready")
    if ready is None:
        return None
    return (
        ready["status"],
        ready["reason"],
        ready.get("message", ""),
        status.get("url"),
        status.get("verdict"),
    )


def _is_true(status: Object, kind: str) -> bool:
    found = find(status, kind)
    return found is not None and found["status"] == "True"
