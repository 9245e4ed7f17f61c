"""The kinds of the API: their names, types and printer columns, for the CRDs and for `moorage get`."""

from dataclasses import dataclass
from typing import NamedTuple

from moorage_api.base import ApiModel
from moorage_api.batch_prediction import BatchPrediction
from moorage_api.conditions import ConditionType
from moorage_api.drift_monitor import DriftMonitor
from moorage_api.model_runtime import ModelRuntime
from moorage_api.model_serving import ModelServing
from moorage_api.model_test import ModelTest

CATEGORY = "moorage"


class Column(NamedTuple):
    """A printer column; priority 0 is shown always, 1 with `-o wide`.

    A path to a list prints it as JSON. `[*]` would print its first entry only, on every API server.
    """

    name: str
    json_path: str
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Kind:
    """Names of a kind, its type and how it is printed."""

    kind: str
    plural: str
    singular: str
    short_names: tuple[str, ...]
    namespaced: bool
    model: type[ApiModel]
    columns: tuple[Column, ...]
    scalable: bool = False
    """Whether it has the scale subresource."""


def _condition(condition: ConditionType, field: str = "status") -> str:
    return f'.status.conditions[?(@.type=="{condition}")].{field}'


_AGE = Column("Age", ".metadata.creationTimestamp")
_RUNTIME_COLUMNS = (
    Column("Frameworks", ".spec.frameworks"),
    Column("Image", ".spec.image"),
    _AGE,
    Column("Roles", ".spec.roles", 1),
    Column("Auto", ".spec.autoSelect", 1),
    Column("Priority", ".spec.priority", 1),
)

_ALL = (
    Kind(
        "ModelServing",
        "modelservings",
        "modelserving",
        ("mserve",),
        namespaced=True,
        model=ModelServing,
        columns=(
            Column("Ready", _condition(ConditionType.READY)),
            Column("URL", ".status.url"),
            Column("Replicas", ".status.readyReplicas"),
            Column("Reason", _condition(ConditionType.READY, "reason")),
            _AGE,
            Column("Available", _condition(ConditionType.AVAILABLE), 1),
            Column("Runtime", ".status.runtime", 1),
            Column("Revision", ".status.revision", 1),
            Column("Message", _condition(ConditionType.READY, "message"), 1),
        ),
        scalable=True,
    ),
    Kind(
        "ModelTest",
        "modeltests",
        "modeltest",
        ("mtest",),
        namespaced=True,
        model=ModelTest,
        columns=(
            Column("Verdict", ".status.verdict"),
            Column("Serving", ".spec.servingRef.name"),
            Column("Reason", _condition(ConditionType.READY, "reason")),
            _AGE,
            Column("Ready", _condition(ConditionType.READY), 1),
            Column("Schedule", ".spec.trigger.schedule", 1),
            Column("Report", ".status.reportUri", 1),
            Column("Message", _condition(ConditionType.READY, "message"), 1),
        ),
    ),
    Kind(
        "DriftMonitor",
        "driftmonitors",
        "driftmonitor",
        ("drift",),
        namespaced=True,
        model=DriftMonitor,
        columns=(
            Column("Drift", ".status.drift"),
            Column("Ready", _condition(ConditionType.READY)),
            Column("Serving", ".spec.servingRef.name"),
            Column("Windows", ".status.windows"),
            Column("Lag", ".status.lag"),
            _AGE,
            Column("Data", _condition(ConditionType.DATA_DRIFT, "reason"), 1),
            Column("Prediction", _condition(ConditionType.PREDICTION_DRIFT, "reason"), 1),
            Column("Concept", _condition(ConditionType.CONCEPT_DRIFT, "reason"), 1),
            Column("Message", _condition(ConditionType.READY, "message"), 1),
        ),
    ),
    Kind(
        "BatchPrediction",
        "batchpredictions",
        "batchprediction",
        ("bpred",),
        namespaced=True,
        model=BatchPrediction,
        columns=(
            Column("Ready", _condition(ConditionType.READY)),
            Column("Done", ".status.rowsDone"),
            Column("Rows", ".status.rowsTotal"),
            Column("Reason", _condition(ConditionType.READY, "reason")),
            _AGE,
            Column("Finish", ".status.estimatedFinishAt", 1),
            Column("Schedule", ".spec.schedule", 1),
            Column("Output", ".status.outputUri", 1),
            Column("Message", _condition(ConditionType.READY, "message"), 1),
        ),
    ),
    Kind(
        "ModelRuntime",
        "modelruntimes",
        "modelruntime",
        ("mruntime",),
        namespaced=True,
        model=ModelRuntime,
        columns=_RUNTIME_COLUMNS,
    ),
    Kind(
        "ClusterModelRuntime",
        "clustermodelruntimes",
        "clustermodelruntime",
        ("cmruntime",),
        namespaced=False,
        model=ModelRuntime,
        columns=_RUNTIME_COLUMNS,
    ),
)

KINDS: dict[str, Kind] = {kind.kind: kind for kind in _ALL}
"""Every kind of the group, by its name."""
