"""What the tests of BatchPrediction share: its resource, its plan, and what its workers report."""

import json

from moorage_operator.plan import Object, Plan, Report, plan
from unit.operator.plan.world import CATALOGUE, batch_prediction, batch_report, child, seeing

BEGUN = "2026-01-02T03:00:00Z"
"""245 s before NOW."""


def of_serving(**spec: object) -> Object:
    return batch_prediction(model=None, servingRef={"name": "iris"}, **spec)


def config_of(made: Plan) -> Object:
    return json.loads(child(made, "ConfigMap")["data"]["config.json"])


def predicting(job: str, index: int = 0, **fields: object) -> Report:
    return batch_report(job, index, **{"state": "Predicting", "startedAt": BEGUN, **fields})


def finished(job: str, **fields: object) -> Report:
    return predicting(
        job,
        state="Finished",
        rowsTotal=1003,
        rowsDone=1003,
        fragmentsTotal=3,
        fragmentsDone=3,
        finishedAt="2026-01-02T03:03:59Z",
        outputUri="s3://predictions/backlog/run-1/",
        **fields,
    )


def seen(found: Object, *referenced: Object, **fields: object) -> Plan:
    return plan(found, CATALOGUE, seeing(*referenced, **fields))
