"""The config of role batch."""

from moorage_api import batch_prediction as api
from moorage_api.model_serving import Model
from moorage_api.shared import ObjectMeta
from moorage_operator.plan import pods
from moorage_operator.plan.config.models import model, model_attachments
from moorage_operator.plan.config.shared import claims, storage
from moorage_runtime import config as runtime


def batch(
    *, meta: ObjectMeta, spec: api.BatchPredictionSpec, declared: Model, revision: str
) -> runtime.BatchPredictConfig:
    """`moorage-runtime batch` for a BatchPrediction with the model `declared`."""
    return runtime.BatchPredictConfig(
        name=meta.name,
        namespace=meta.namespace,
        revision=revision,
        model=model(declared),
        input=runtime.BatchInputConfig(
            uri=spec.input.uri,
            format=spec.input.format.value if spec.input.format else None,
            columns=spec.input.columns,
        ),
        output_uri=spec.output.uri,
        keep=spec.output.keep,
        parallelism=spec.parallelism,
        storage=storage(spec.storage),
        cache_dir=pods.CACHE_DIR,
    )


def batch_attachments(spec: api.BatchPredictionSpec, declared: Model) -> list[pods.Attachment]:
    """The model's code and the volumes of model, data set and predictions."""
    path = "spec.model" if spec.model else "spec.servingRef"
    return [
        *model_attachments([(path, declared)]),
        *claims([("spec.input.uri", spec.input.uri)]),
        *claims([("spec.output.uri", spec.output.uri)], read_only=False),
    ]
