"""What is known of a pod, and the Pod object that says so in Kubernetes' words. Pure."""

import signal
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from moorage_operator.local.apiserver.objects import timestamp
from moorage_operator.local.kubelet.addresses import LOOPBACK
from moorage_operator.local.kubelet.identity import Identity
from moorage_operator.plan import labels
from moorage_operator.plan.types import Object, Report
from moorage_runtime.config import Status

MANAGEMENT = "moorage.dev/local-management"
PROCESS = "moorage.dev/local-process"
_STATUS: Final[TypeAdapter[Status]] = TypeAdapter(Annotated[Status, Field(discriminator="role")])


@dataclass(frozen=True, slots=True)
class Seen:
    """A pod at one moment."""

    state: Literal["waiting", "running", "terminated"] = "waiting"
    ready: bool = False
    pid: int | None = None
    management_port: int | None = None
    restarts: int = 0
    exit_code: int | None = None
    """Of the last process that has ended."""
    termination: str = ""
    status: Status | None = None
    trouble: tuple[str, str] | None = None

    def with_news(self, **news: Any) -> "Seen":
        """The same with these fields changed."""
        return replace(self, **news)


def read_status(document: str | bytes) -> Status | None:
    """The status document of any role; None where it is none."""
    try:
        return _STATUS.validate_json(document)
    except ValidationError:
        return None


def exit_words(code: int) -> str:
    """An exit code for a person."""
    if code >= 0:
        return f"exit code {code}"
    return f"signal {signal.Signals(-code).name}"


def notes(seen: Seen) -> dict[str, str | None]:
    """Annotations that say where the process is; None for what is not so."""
    running = seen.state == "running"
    return {
        MANAGEMENT: f"{LOOPBACK}:{seen.management_port}" if running else None,
        PROCESS: str(seen.pid) if running else None,
    }


def pod_object(identity: Identity, seen: Seen) -> Object:
    """The Pod, owned by its Deployment or Job, with its status."""
    owner = identity.owner
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": identity.name,
            "namespace": identity.namespace,
            "labels": identity.labels,
            "annotations": identity.annotations,
            "ownerReferences": [
                {
                    "apiVersion": owner["apiVersion"],
                    "kind": owner["kind"],
                    "name": owner["metadata"]["name"],
                    "uid": owner["metadata"]["uid"],
                    "controller": True,
                }
            ],
        },
        "spec": identity.template["spec"],
        "status": _status(identity, seen),
    }


def report_of(pod: Object) -> Report:
    """What a finished Job's pod left behind: its termination message, read as its role's status."""
    ended = _container(pod).get("state", {}).get("terminated", {})
    owner = pod["metadata"]["ownerReferences"][0]["name"]
    revision = (pod["metadata"].get("labels") or {}).get(labels.REVISION, "")
    said = str(ended.get("message", ""))
    status = read_status(said)
    trouble = None if status is not None else (str(ended.get("reason", "Error")), said)
    return Report(owner, pod["metadata"]["name"], revision, ready=False, status=status, trouble=trouble)


def phase(pod: Object) -> str:
    """Pending, Running, Succeeded or Failed."""
    return str((pod.get("status") or {}).get("phase", "Pending"))


def exit_code(pod: Object) -> int | None:
    """The exit code of a finished pod."""
    code = _container(pod).get("state", {}).get("terminated", {}).get("exitCode")
    return code if isinstance(code, int) else None


def _container(pod: Object) -> Object:
    listed = (pod.get("status") or {}).get("containerStatuses") or [{}]
    container: Object = listed[0]
    return container


def _status(identity: Identity, seen: Seen) -> Object:
    container = identity.template["spec"]["containers"][0]
    reason, message = seen.trouble or ("ContainerCreating", "")
    state: Object = {"waiting": {"reason": reason, "message": message}}
    if seen.state == "running":
        state = {"running": {}}
    elif seen.state == "terminated":
        words = "Completed" if seen.exit_code == 0 else "Error"
        state = {"terminated": {"exitCode": seen.exit_code, "reason": words, "message": seen.termination}}
    phases = {
        "waiting": "Running" if seen.restarts else "Pending",
        "running": "Running",
        "terminated": "Succeeded" if seen.exit_code == 0 else "Failed",
    }
    return {
        "phase": phases[seen.state],
        "podIP": LOOPBACK,
        "hostIP": LOOPBACK,
        "startTime": timestamp(identity.created),
        "conditions": [{"type": "Ready", "status": "True" if seen.ready else "False"}],
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container["image"],
                "ready": seen.ready,
                "restartCount": seen.restarts,
                "state": state,
            }
        ],
    }
