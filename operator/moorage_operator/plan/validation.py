"""The last rung of the validation ladder: what slipped past the API server becomes InvalidSpec."""

from typing import TypeVar

from moorage_api.base import ApiModel
from moorage_api.conditions import Reason
from moorage_api.ladder import apply_defaults, validate
from moorage_api.shared import ObjectMeta
from moorage_operator.plan.refusal import Refused
from moorage_operator.plan.types import Object

_SHOWN = 5

T = TypeVar("T", bound=ApiModel)


def parse(model: type[T], resource: Object) -> T:
    """The resource as its API type, without its status; `Refused` with the paths of the bad fields."""
    written = {key: value for key, value in resource.items() if key != "status"}
    errors = [str(error) for error in validate(written)]
    if errors:
        more = [f"and {len(errors) - _SHOWN} more"] if len(errors) > _SHOWN else []
        raise Refused(Reason.INVALID_SPEC, "; ".join(errors[:_SHOWN] + more))
    return model.model_validate(apply_defaults(written))


def identity(resource: Object) -> ObjectMeta:
    """Who the resource is, whether it is valid or not: its status has to be written in any case."""
    found = resource["metadata"]
    return ObjectMeta.model_construct(
        name=found["name"],
        namespace=found.get("namespace") or "default",
        uid=found.get("uid") or "",
        generation=found.get("generation") or 1,
        annotations=found.get("annotations") or {},
        labels=found.get("labels") or {},
    )
