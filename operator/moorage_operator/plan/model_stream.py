"""`ModelServing.spec.stream`: a Deployment of its own that predicts from a topic to a topic.

Its pods have a label of their own, so that the Service, the scale subresource and the disruption budget see the
HTTP replicas only, and a revision of their own, so that neither of the two rolls because of the other.
"""

from dataclasses import dataclass

from moorage_api.conditions import Reason
from moorage_api.model_runtime import Role
from moorage_api.model_serving import ModelServing
from moorage_operator.plan import (
    children,
    config,
    labels,
    model_stream_status,
    names,
    pods,
    worker_pods,
    workloads,
)
from moorage_operator.plan.catalogue import Catalogue, Runtime
from moorage_operator.plan.refusal import Refused
from moorage_operator.plan.types import Object, Observed

KIND = "ModelServing"
_PODS = "ModelServing-stream"
"""What the pods' label says instead of the kind."""


@dataclass(frozen=True, slots=True)
class Streaming:
    """The children of `spec.stream`, none without it, and their revision."""

    children: tuple[Object, ...] = ()
    revision: str | None = None


def planned(serving: ModelServing, chosen: Runtime, catalogue: Catalogue, observed: Observed) -> Streaming:
    """Deployment, ConfigMaps and NetworkPolicy of the stream's workers.

    They run on the runtime that serves, so that a model answers the same in both. Raises `Refused` where that
    cannot stream.
    """
    meta, spec = serving.metadata, serving.spec
    if spec.stream is None:
        return Streaming()
    _check(serving, chosen, catalogue)
    name = model_stream_status.deployment_name(meta)
    selector = labels.selector(_PODS, meta.name)
    template, files, revision = _revision(serving, chosen, name)
    return Streaming(
        (
            children.config_map(labels.metadata(KIND, meta, names.child(name, revision)), files),
            workloads.deployment(
                KIND,
                meta,
                name,
                selector=selector,
                template=template,
                strategy=workloads.ROLLING,
                replicas={"replicas": spec.stream.replicas},
            ),
            workloads.network_policy(KIND, meta, name, selector),
            *workloads.former_configs(KIND, meta, name, revision, observed),
        ),
        revision,
    )


def _check(serving: ModelServing, chosen: Runtime, catalogue: Catalogue) -> None:
    if Role.STREAM not in chosen.spec.roles:
        raise Refused(
            Reason.NO_SUPPORTING_RUNTIME,
            f"spec.stream: the runtime {chosen.name}, which serves the models, does not have the role stream; "
            + catalogue.listed(serving.metadata.namespace, Role.STREAM),
        )


def _revision(serving: ModelServing, chosen: Runtime, name: str) -> tuple[Object, dict[str, str], str]:
    """(pod template, files of its ConfigMap, revision): the revision is the hash of the other two."""
    meta, spec = serving.metadata, serving.spec

    def made(revision: str) -> tuple[Object, dict[str, str]]:
        template = worker_pods.template(
            Role.STREAM,
            chosen,
            pod=spec.pod,
            storage=spec.storage,
            attachments=[
                pods.config(names.child(name, revision)),
                *config.served_models(spec),
                *config.stream_predict_secrets(spec),
            ],
            fixed=labels.fixed(_PODS, meta.name),
            revision=revision,
        )
        read = config.stream_predict(meta=meta, spec=spec, revision=revision)
        return template, {pods.CONFIG_KEY: config.document(read)}

    revision = names.fingerprint(made(""))
    return *made(revision), revision
