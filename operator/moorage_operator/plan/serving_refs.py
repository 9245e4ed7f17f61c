"""A spec's `servingRef`: the ModelServing that it names, and the one model of it that is meant."""

from dataclasses import dataclass

from moorage_api.conditions import Reason
from moorage_api.model_serving import Model, ModelServing, ServingRef
from moorage_operator.plan import conditions, validation
from moorage_operator.plan.conditions import Outcome
from moorage_operator.plan.refusal import Refused, invalid
from moorage_operator.plan.types import Object, Observed, Ref


@dataclass(frozen=True, slots=True)
class Referred:
    """A ModelServing as it was found, and the model that the reference means."""

    resource: Object
    serving: ModelServing
    model: Model

    def __str__(self) -> str:
        """For a person."""
        return _named(self.serving.metadata.namespace, self.serving.metadata.name)


def references(resource: Object) -> tuple[Ref, ...]:
    """The ModelServing that a spec names, where it names one."""
    spec = resource.get("spec")
    named = spec.get("servingRef") if isinstance(spec, dict) else None
    name = named.get("name") if isinstance(named, dict) else None
    if not isinstance(name, str):
        return ()
    return (Ref("ModelServing", resource["metadata"].get("namespace", "default"), name),)


def find(ref: ServingRef, namespace: str, observed: Observed) -> Referred | Outcome:
    """What is referred to, or what has to be waited for.

    Raises `Refused` where the serving has several models and none is named.
    """
    named = _named(namespace, ref.name)
    found = observed.referenced.get(Ref("ModelServing", namespace, ref.name))
    if found is None:
        return conditions.working(Reason.REFERENCE_NOT_FOUND, f"{named} does not exist")
    try:
        serving = validation.parse(ModelServing, found)
    except Refused:
        return conditions.working(Reason.WAITING_FOR_SERVING, f"{named} has an invalid spec")
    model = _model(ref, serving)
    if model is None:
        return conditions.working(
            Reason.REFERENCE_NOT_FOUND,
            f"spec.servingRef.model: {named} has no model {ref.model}; it has {_listed(serving)}",
        )
    return Referred(found, serving, model)


def _named(namespace: str, name: str) -> str:
    return f"ModelServing {namespace}/{name}"


def _model(ref: ServingRef, serving: ModelServing) -> Model | None:
    if ref.model is not None:
        return next((model for model in serving.spec.models if model.name == ref.model), None)
    if len(serving.spec.models) > 1:
        raise invalid(
            "spec.servingRef.model", f"ModelServing {ref.name} has {_listed(serving)}; name one of them"
        )
    return serving.spec.models[0]


def _listed(serving: ModelServing) -> str:
    return ", ".join(model.name for model in serving.spec.models)
