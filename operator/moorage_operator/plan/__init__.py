"""What should exist: pure functions from a resource and what was observed to its children and status.

A new kind is one file with `references` and `plan`, and one line in `KINDS`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from moorage_operator.plan import batch_prediction, drift_monitor, model_serving, model_test
from moorage_operator.plan.catalogue import Catalogue
from moorage_operator.plan.types import Object, Observed, Plan, Ref, Report

__all__ = [
    "KINDS",
    "Catalogue",
    "KindPlan",
    "Object",
    "Observed",
    "Plan",
    "Ref",
    "Report",
    "plan",
    "references",
]


@dataclass(frozen=True, slots=True)
class KindPlan:
    """How one kind is planned."""

    references: Callable[[Object], tuple[Ref, ...]]
    plan: Callable[[Object, Catalogue, Observed], Plan]


KINDS: dict[str, KindPlan] = {
    module.KIND: KindPlan(module.references, module.plan)
    for module in (model_serving, model_test, drift_monitor, batch_prediction)
}


def references(resource: Object) -> tuple[Ref, ...]:
    """Other resources that the plan of this one reads; a change of one of them asks for a new plan."""
    return KINDS[resource["kind"]].references(resource)


def plan(resource: Object, catalogue: Catalogue, observed: Observed) -> Plan:
    """What should exist for this resource, and what to say of it. Never raises for what a user wrote."""
    return KINDS[resource["kind"]].plan(resource, catalogue, observed)
