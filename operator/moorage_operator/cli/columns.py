"""The columns of `get`: the printer columns of our kinds, and Kubernetes' own for what the plan makes of them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from moorage_api.kinds import Column as PrinterColumn
from moorage_operator.cli.age import age, human
from moorage_operator.cli.jsonpath import find, text
from moorage_operator.local.apiserver.objects import Object

ADDRESS = "moorage.dev/local-address"


class Column(NamedTuple):
    """A heading, and the cell of an object; `wide` ones are shown with `-o wide`."""

    name: str
    cell: Callable[[Object], str]
    wide: bool = False


def printer_columns(columns: Sequence[PrinterColumn]) -> tuple[Column, ...]:
    """A kind's printer columns."""
    return tuple(_printed(column) for column in columns)


def _printed(column: PrinterColumn) -> Column:
    def cell(obj: Object) -> str:
        found = find(column.json_path, obj)
        if column.json_path == _CREATED:
            return age(found[0] if found else None)
        return _listed(found).partition("\n")[0]

    return Column(column.name.upper(), cell, column.priority > 0)


def _listed(values: Sequence[Any]) -> str:
    """Values with commas between; of a list its items, of an item with a name that name."""
    words: list[str] = []
    for value in values:
        if isinstance(value, list):
            words.append(_listed(value))
        else:
            words.append(str(value["name"]) if isinstance(value, dict) and "name" in value else text(value))
    return ",".join(words)


def _at(path: str, default: Any = "") -> Callable[[Object], str]:
    def cell(obj: Object) -> str:
        found = find(path, obj)
        return text(found[0]) if found else str(default)

    return cell


def _of(have: str, want: str, default: int = 0) -> Callable[[Object], str]:
    return lambda obj: f"{_at(have, 0)(obj)}/{_at(want, default)(obj)}"


def _count(field: str) -> Callable[[Object], str]:
    return lambda obj: str(len(obj.get(field) or {}))


def _pod_status(obj: Object) -> str:
    states = find(".status.containerStatuses[0].state", obj)
    for state in states[0].values() if states else ():
        if state.get("reason"):
            return str(state["reason"])
    return _at(".status.phase", "Pending")(obj)


def _pod_ready(obj: Object) -> str:
    statuses = find(".status.containerStatuses[*].ready", obj)
    return f"{sum(ready is True for ready in statuses)}/{len(obj['spec'].get('containers', ()))}"


def _job_status(obj: Object) -> str:
    for condition in ("Complete", "Failed", "Suspended"):
        if find(f'.status.conditions[?(@.type=="{condition}")].status', obj) == ["True"]:
            return condition
    return "Running"


def _job_duration(obj: Object) -> str:
    began, ended = find(".status.startTime", obj), find(".status.completionTime", obj)
    if not began:
        return ""
    if not ended:
        return age(began[0])
    from datetime import datetime

    return human((datetime.fromisoformat(ended[0]) - datetime.fromisoformat(began[0])).total_seconds())


def _ports(obj: Object) -> str:
    return ",".join(f"{port['port']}/TCP" for port in obj["spec"].get("ports", ()))


def _since(path: str) -> Callable[[Object], str]:
    return lambda obj: age(next(iter(find(path, obj)), None))


def _escaped(annotation: str) -> str:
    return f".metadata.annotations['{annotation}']"


_CREATED = ".metadata.creationTimestamp"
AGE = Column("AGE", _since(_CREATED))
CORE: dict[str, tuple[Column, ...]] = {
    "": (AGE,),
    "Pod": (
        Column("READY", _pod_ready),
        Column("STATUS", _pod_status),
        Column("RESTARTS", _at(".status.containerStatuses[0].restartCount", 0)),
        AGE,
        Column("PROCESS", _at(_escaped("moorage.dev/local-process")), wide=True),
        Column("MANAGEMENT", _at(_escaped("moorage.dev/local-management")), wide=True),
    ),
    "Deployment": (
        Column("READY", _of(".status.readyReplicas", ".spec.replicas", 1)),
        Column("UP-TO-DATE", _at(".status.updatedReplicas", 0)),
        Column("AVAILABLE", _at(".status.availableReplicas", 0)),
        AGE,
        Column("IMAGES", _at(".spec.template.spec.containers[0].image"), wide=True),
    ),
    "Service": (Column("ADDRESS", _at(_escaped(ADDRESS), "<none>")), Column("PORT(S)", _ports), AGE),
    "Job": (
        Column("STATUS", _job_status),
        Column("COMPLETIONS", _of(".status.succeeded", ".spec.completions", 1)),
        Column("DURATION", _job_duration),
        AGE,
    ),
    "CronJob": (
        Column("SCHEDULE", _at(".spec.schedule")),
        Column("TIMEZONE", _at(".spec.timeZone", "<none>")),
        Column("SUSPEND", lambda obj: _at(".spec.suspend", "False")(obj).capitalize()),
        Column("ACTIVE", lambda obj: str(len(find(".status.active[*]", obj)))),
        Column(
            "LAST SCHEDULE",
            lambda obj: _since(".status.lastScheduleTime")(obj).replace("<unknown>", "<none>"),
        ),
        AGE,
    ),
    "ConfigMap": (Column("DATA", _count("data")), AGE),
    "Secret": (Column("TYPE", _at(".type", "Opaque")), Column("DATA", _count("data")), AGE),
    "Event": (
        Column("LAST SEEN", _since(".lastTimestamp")),
        Column("TYPE", _at(".type")),
        Column("REASON", _at(".reason")),
        Column(
            "OBJECT", lambda obj: f"{obj['involvedObject']['kind'].lower()}/{obj['involvedObject']['name']}"
        ),
        Column("MESSAGE", _at(".message")),
    ),
    "Namespace": (Column("STATUS", lambda _: "Active"), AGE),
}
