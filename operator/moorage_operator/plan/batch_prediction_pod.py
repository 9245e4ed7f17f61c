"""The Job of a BatchPrediction: with which model it predicts, or what it waits for."""

from dataclasses import dataclass

from moorage_api.batch_prediction import BatchPrediction, BatchPredictionSpec
from moorage_api.model_runtime import Role
from moorage_api.model_serving import Model
from moorage_operator.plan import config, labels, names, pods, serving_refs, workloads
from moorage_operator.plan.catalogue import Catalogue, Runtime
from moorage_operator.plan.conditions import Outcome
from moorage_operator.plan.refusal import invalid
from moorage_operator.plan.serving_refs import Referred
from moorage_operator.plan.types import Object, Observed
from moorage_runtime import config as runtime

KIND = "BatchPrediction"
_GRACE_SECONDS = 60
"""To finish the part in hand."""
_FAILURES = 6
"""As many pods may fail for each worker, as Kubernetes has it for a Job of one."""
_MOST_FAILURES = 100
_CONFIGURATION = 2
"""The exit code of what cannot become better by trying again."""


@dataclass(frozen=True, slots=True)
class BatchJob:
    """The spec of a Job and the ConfigMap that its pods mount."""

    revision: str
    config_name: str
    files: dict[str, str]
    job: Object


def fingerprint(spec: BatchPredictionSpec) -> str:
    """The hash that names a run: the same with and without defaults written out, suspended or not."""
    said = spec.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"suspend"})
    return names.fingerprint(said)


def ready(
    prediction: BatchPrediction, revision: str | None, catalogue: Catalogue, observed: Observed
) -> BatchJob | Outcome:
    """The Job's spec, or why it has to wait. Raises `Refused` where waiting would not help.

    Without a `revision`, that of a schedule, it is the hash of what the Job is, the model included.
    """
    spec = prediction.spec
    if spec.model:
        model = spec.model
    else:
        assert spec.serving_ref is not None, "a rule of BatchPredictionSpec"
        found = serving_refs.find(spec.serving_ref, prediction.metadata.namespace, observed)
        if isinstance(found, Outcome):
            return found
        _check_storage(spec, found)
        model = found.model
    chosen = catalogue.pick(prediction.metadata.namespace, Role.BATCH, [model.framework], spec.runtime)
    if revision is None:
        blank = _job(prediction, "", model, chosen)
        revision = names.fingerprint([blank.job, blank.files])
    return _job(prediction, revision, model, chosen)


def _check_storage(spec: BatchPredictionSpec, found: Referred) -> None:
    """A model that its serving reads with an address or credentials would be looked for without them."""
    storage = found.serving.spec.storage
    told = storage is not None and (storage.endpoint or storage.credentials_secret_ref)
    if told and spec.storage is None and found.model.uri.startswith("s3://"):
        raise invalid(
            "spec.storage",
            f"ModelServing {found.serving.metadata.name} reads the model with its own spec.storage, which is not "
            "taken over: say here how all objects are reached ({} is the pod's own way)",
        )


def _job(prediction: BatchPrediction, revision: str, model: Model, chosen: Runtime) -> BatchJob:
    meta, spec = prediction.metadata, prediction.spec
    config_name = names.child(meta.name, revision)
    container = pods.Container(
        image=chosen.spec.image,
        command=chosen.spec.command,
        args=[Role.BATCH.value, "--config", runtime.CONFIG_FILE],
        env=chosen.spec.env or (),
        env_from_secrets=config.storage_secrets(spec.storage),
        attachments=[pods.config(config_name), *config.batch_attachments(spec, model)],
        settings={"ports": [workloads.MANAGEMENT]},
    )
    template = pods.template(
        container=container,
        pod=spec.pod,
        pod_labels={**labels.fixed(KIND, meta.name), labels.REVISION: revision},
        settings={"restartPolicy": "Never", "terminationGracePeriodSeconds": _GRACE_SECONDS},
    )
    read = config.batch(meta=meta, spec=spec, declared=model, revision=revision)
    job = {
        "completionMode": "Indexed",
        "completions": spec.parallelism,
        "parallelism": spec.parallelism,
        "backoffLimit": min(_FAILURES * spec.parallelism, _MOST_FAILURES),
        "podFailurePolicy": _FAILURE_POLICY,
        "template": template,
    }
    return BatchJob(revision, config_name, {pods.CONFIG_KEY: config.document(read)}, job)


_FAILURE_POLICY = {
    "rules": [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {
            "action": "FailJob",
            "onExitCodes": {
                "containerName": pods.CONTAINER,
                "operator": "In",
                "values": [_CONFIGURATION],
            },
        },
    ]
}
"""A pod that was evicted is not counted, and a config that cannot be used is not tried again."""
