"""Models as every role that predicts loads them, their captured events, and what their pods mount."""

from collections.abc import Iterable

from moorage_api import model_serving as api
from moorage_operator.plan import pods
from moorage_operator.plan.config.shared import claims, stream
from moorage_runtime import config as runtime


def model(declared: api.Model) -> runtime.ModelConfig:
    """One model to load."""
    schema = declared.schema_ or api.ModelSchema()
    return runtime.ModelConfig(
        name=declared.name,
        uri=declared.uri,
        framework=declared.framework.name,
        framework_version=declared.framework.version,
        version=declared.version,
        sha256=declared.sha256,
        code_uri=_code(declared),
        python_class=declared.python_class,
        features=tensors(schema.features),
        outputs=tensors(schema.outputs),
        parameters=declared.parameters or {},
    )


def code_folder(model_name: str) -> str:
    """Where a model's ConfigMap of code is mounted."""
    return f"{runtime.CODE_DIR}/{model_name}"


def _code(declared: api.Model) -> str | None:
    if declared.code is None:
        return None
    return code_folder(declared.name) if declared.code.config_map_ref else declared.code.uri


def capture(declared: api.Capture) -> runtime.CaptureConfig:
    """Where requests and predictions are written to."""
    return runtime.CaptureConfig(
        stream=stream(declared.kafka), format=declared.format.value, sample_ratio=float(declared.sample_ratio)
    )


def model_attachments(models: Iterable[tuple[str, api.Model]]) -> list[pods.Attachment]:
    """Code and volumes of the models among (field path, model); `Refused` where a URI names no claim."""
    declared = list(models)
    uris = [(f"{path}.uri", each.uri) for path, each in declared]
    uris += [(f"{path}.code.uri", each.code.uri) for path, each in declared if each.code and each.code.uri]
    return [*(each for _, one in declared for each in model_code(one)), *claims(uris)]


def served_models(spec: api.ModelServingSpec) -> list[pods.Attachment]:
    """Code and volumes of all models of a ModelServing."""
    return model_attachments((f"spec.models[{index}]", each) for index, each in enumerate(spec.models))


def model_code(declared: api.Model) -> list[pods.Attachment]:
    """The ConfigMap of a model's code, where it has one."""
    ref = declared.code.config_map_ref if declared.code else None
    return [pods.code(ref.name, code_folder(declared.name))] if ref else []


def tensors(declared: list[api.Tensor] | None) -> list[runtime.TensorConfig] | None:
    """Named columns, where they are declared."""
    if declared is None:
        return None
    return [runtime.TensorConfig(name=each.name, type=each.type, shape=each.shape) for each in declared]
