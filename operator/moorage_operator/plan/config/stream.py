"""The config of role stream, and the secrets of its topics."""

from moorage_api import model_serving as api
from moorage_api.shared import ObjectMeta
from moorage_operator.plan import pods
from moorage_operator.plan.config.models import capture, model
from moorage_operator.plan.config.shared import storage, stream, stream_secrets
from moorage_runtime import config as runtime


def stream_predict(
    *, meta: ObjectMeta, spec: api.ModelServingSpec, revision: str
) -> runtime.StreamPredictConfig:
    """`moorage-runtime stream` for a ModelServing with spec.stream."""
    assert spec.stream is not None, "the caller has looked"
    declared = spec.stream
    return runtime.StreamPredictConfig(
        name=meta.name,
        namespace=meta.namespace,
        revision=revision,
        models=[model(each) for each in spec.models],
        input=stream(declared.input.kafka),
        group=declared.input.consumer_group or f"moorage.{meta.namespace}.{meta.name}",
        output=stream(declared.output.kafka),
        dead_letter=stream(declared.dead_letter.kafka),
        delivery=declared.delivery.value,
        capture=capture(spec.capture) if spec.capture else None,
        storage=storage(spec.storage),
        cache_dir=pods.CACHE_DIR,
    )


def stream_predict_secrets(spec: api.ModelServingSpec) -> list[pods.Attachment]:
    """The secrets that `stream_predict` speaks of."""
    assert spec.stream is not None, "the caller has looked"
    declared = spec.stream
    topics = [declared.input.kafka, declared.output.kafka, declared.dead_letter.kafka]
    topics += [spec.capture.kafka] if spec.capture else []
    return [secret for topic in topics for secret in stream_secrets(topic)]
