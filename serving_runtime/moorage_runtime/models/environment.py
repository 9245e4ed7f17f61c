"""The environment that MLRun's serving functions were configured by, so that a setup moves over as it is.

`SERVING_MODEL_<name>=<uri>` is a model each; `MODEL_CLASS` names the class, `SERVING_PARAMS` is a JSON object of
parameters for all; `INFERENCE_STREAM` is where requests are captured to, one in `INFERENCE_STREAM_SAMPLE`; `INFERENCE_STREAM_FORMAT`
(ours) is `mlrun-v1` or `mlrun-v2` where what reads the stream expects MLRun's events.
`MODEL_CLASS` was looked up in the function's own code: here MODULE:CLASS (or MODULE.CLASS) names such code, and a
bare name (ClassifierModel) means what the artifact's suffix says.
"""

import json
from collections.abc import Mapping
from typing import get_args

from moorage_runtime.config import CaptureConfig, ModelConfig, StreamConfig
from moorage_runtime.models.load import AUTO

PREFIX = "SERVING_MODEL_"


def models_from_environment(env: Mapping[str, str]) -> list[ModelConfig]:
    """The models, sorted by name. ValueError names the variable at fault."""
    parameters = _parameters(env.get("SERVING_PARAMS", ""))
    model_class = env.get("MODEL_CLASS", "").strip()
    python_class = model_class if ":" in model_class or "." in model_class else None
    models = []
    for variable in sorted(env):
        if not variable.startswith(PREFIX):
            continue
        name, uri = variable.removeprefix(PREFIX), env[variable].strip()
        if not name or not uri:
            raise ValueError(f"{variable} must be SERVING_MODEL_<name>=<path or URI>")
        models.append(
            ModelConfig(
                name=name,
                uri=uri,
                framework="python" if python_class else AUTO,
                python_class=python_class,
                parameters=dict(parameters),
            )
        )
    return models


def capture_from_environment(env: Mapping[str, str]) -> CaptureConfig | None:
    """Where to capture to; None without INFERENCE_STREAM. ValueError names the variable at fault."""
    stream = env.get("INFERENCE_STREAM", "").strip()
    if not stream:
        return None
    sample = env.get("INFERENCE_STREAM_SAMPLE", "").strip() or "1"
    if not sample.isdecimal() or int(sample) < 1:
        raise ValueError(f"INFERENCE_STREAM_SAMPLE is {sample!r}; a whole number N ≥ 1 (one in N) is needed")
    wanted = env.get("INFERENCE_STREAM_FORMAT", "").strip() or "native"
    formats = get_args(CaptureConfig.model_fields["format"].annotation)
    if wanted not in formats:
        raise ValueError(f"INFERENCE_STREAM_FORMAT is {wanted!r}; it must be one of {', '.join(formats)}")
    return CaptureConfig.model_validate(
        {"stream": StreamConfig(uri=stream), "format": wanted, "sample_ratio": 1 / int(sample)}
    )


def _parameters(text: str) -> dict[str, object]:
    try:
        parameters = json.loads(text) if text.strip() else {}
    except ValueError as error:
        raise ValueError(f"SERVING_PARAMS is not JSON: {error}") from None
    if not isinstance(parameters, dict):
        raise ValueError("SERVING_PARAMS must be a JSON object")  # noqa: TRY004 - the text is at fault, not a type
    return parameters
