"""The config of role serve."""

from moorage_api import model_serving as api
from moorage_operator.plan import pods
from moorage_operator.plan.config.models import capture, model
from moorage_operator.plan.config.shared import storage
from moorage_runtime import config as runtime


def serve(*, name: str, namespace: str, spec: api.ModelServingSpec, revision: str) -> runtime.ServeConfig:
    """`moorage-runtime serve` for a ModelServing."""
    return runtime.ServeConfig(
        name=name,
        namespace=namespace,
        revision=revision,
        models=[model(each) for each in spec.models],
        http=runtime.HttpConfig(
            timeout_seconds=spec.http.timeout_seconds,
            max_body_bytes=spec.http.max_body_bytes,
            max_in_flight=spec.http.max_in_flight,
            ready_when=spec.http.ready_when.value,
            drain_seconds=spec.http.timeout_seconds,
        ),
        capture=capture(spec.capture) if spec.capture else None,
        storage=storage(spec.storage),
        cache_dir=pods.CACHE_DIR,
    )
