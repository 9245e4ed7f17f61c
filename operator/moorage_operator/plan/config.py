"""From API types to what a pod reads: the runtime's config, and what has to be mounted for it.

Secrets appear as folders only: the config says where they are mounted, never what is in them.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from moorage_api import model_serving as serving_api
from moorage_api import model_test as test_api
from moorage_api.shared import Kafka, Storage
from moorage_operator.plan import pods
from moorage_operator.plan.refusal import invalid
from moorage_runtime import config as runtime

_CLAIM = re.compile(r"pvc://([a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?)(?:/.*)?")


def document(config: runtime.Config) -> str:
    """The JSON that the pod reads; only what was said, so that a new default starts no new revision."""
    dumped = config.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    return json.dumps(dumped, indent=2, sort_keys=True) + "\n"


def model(declared: serving_api.Model) -> runtime.ModelConfig:
    """One model to load."""
    schema = declared.schema_ or serving_api.ModelSchema()
    return runtime.ModelConfig(
        name=declared.name,
        uri=declared.uri,
        framework=declared.framework.name,
        framework_version=declared.framework.version,
        version=declared.version,
        sha256=declared.sha256,
        code_uri=_code(declared),
        python_class=declared.python_class,
        features=_tensors(schema.features),
        outputs=_tensors(schema.outputs),
        parameters=declared.parameters or {},
    )


def code_folder(model_name: str) -> str:
    """Where a model's ConfigMap of code is mounted."""
    return f"{runtime.CODE_DIR}/{model_name}"


def _code(declared: serving_api.Model) -> str | None:
    if declared.code is None:
        return None
    return code_folder(declared.name) if declared.code.config_map_ref else declared.code.uri


def stream(kafka: Kafka) -> runtime.StreamConfig:
    """A topic as a stream's URI, with the folders of its secrets."""
    ca = kafka.tls.ca_secret_ref if kafka.tls else None
    return runtime.StreamConfig(
        uri=f"kafka://{kafka.bootstrap_servers}/{kafka.topic}",
        tls=kafka.tls is not None,
        ca_dir=_secret_dir(ca.name) if ca else None,
        auth_dir=_secret_dir(kafka.auth_secret_ref.name) if kafka.auth_secret_ref else None,
    )


def stream_secrets(kafka: Kafka) -> list[pods.Attachment]:
    """The secrets that `stream` speaks of."""
    refs = (kafka.tls.ca_secret_ref if kafka.tls else None, kafka.auth_secret_ref)
    return [pods.secret(ref.name) for ref in refs if ref]


def capture(declared: serving_api.Capture) -> runtime.CaptureConfig:
    """Where requests and predictions are written to."""
    return runtime.CaptureConfig(
        stream=stream(declared.kafka), format=declared.format.value, sample_ratio=float(declared.sample_ratio)
    )


def storage(declared: Storage | None) -> runtime.StorageConfig:
    """Object storage; its credentials come by the environment (`storage_secrets`)."""
    declared = declared or Storage()
    return runtime.StorageConfig(endpoint=declared.endpoint, region=declared.region)


def storage_secrets(declared: Storage | None) -> list[str]:
    """Secrets whose keys become environment variables of the pod."""
    return [declared.credentials_secret_ref.name] if declared and declared.credentials_secret_ref else []


def claims(uris: Iterable[tuple[str, str]], *, read_only: bool = True) -> list[pods.Attachment]:
    """Volumes of the pvc:// URIs among (field path, URI); `Refused` where one names no claim."""
    attached = []
    for path, uri in uris:
        if not uri.startswith("pvc:"):
            continue
        found = _CLAIM.fullmatch(uri)
        if not found:
            raise invalid(path, f"{uri} must be pvc://CLAIM/PATH")
        attached.append(pods.claim(found[1], read_only=read_only))
    return attached


def serve(
    *, name: str, namespace: str, spec: serving_api.ModelServingSpec, revision: str
) -> runtime.ServeConfig:
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


@dataclass(frozen=True, slots=True)
class Target:
    """The endpoint that a test talks to, with what is known of the model behind it."""

    url: str
    model: str
    declared: serving_api.Model | None = None
    captured: serving_api.Capture | None = None


def test(
    *, name: str, namespace: str, spec: test_api.ModelTestSpec, target: Target, revision: str
) -> runtime.TestConfig:
    """`moorage-runtime test` for a ModelTest against `target`."""
    token, ca = None, None
    if spec.endpoint:
        token, ca = spec.endpoint.bearer_token_secret_ref, spec.endpoint.ca_secret_ref
    return runtime.TestConfig(
        name=name,
        namespace=namespace,
        revision=revision,
        url=target.url,
        model=target.model,
        expected_digest=target.declared.sha256 if target.declared else None,
        token_dir=_secret_dir(token.name) if token else None,
        ca_dir=_secret_dir(ca.name) if ca else None,
        dataset=runtime.DatasetConfig(
            uri=spec.dataset.uri,
            label_column=spec.dataset.label_column,
            rows=spec.dataset.rows,
            seed=spec.dataset.seed,
        ),
        load=runtime.LoadConfig(
            concurrency=spec.load.concurrency,
            requests_per_second=spec.load.requests_per_second,
            duration_seconds=spec.load.duration_seconds,
        ),
        expect=[
            runtime.ExpectConfig(name=each.name, min=_number(each.min), max=_number(each.max))
            for each in spec.expect
        ],
        negative=spec.probes.negative,
        capture=_round_trip(spec, target),
        skew=_skew(spec, target),
        report_uri=spec.report.uri if spec.report else None,
        storage=storage(spec.storage),
    )


def test_secrets(spec: test_api.ModelTestSpec, target: Target) -> list[pods.Attachment]:
    """The secrets that `test` speaks of."""
    attached = []
    if spec.endpoint:
        refs = (spec.endpoint.bearer_token_secret_ref, spec.endpoint.ca_secret_ref)
        attached += [pods.secret(ref.name) for ref in refs if ref]
    if spec.probes.capture_round_trip and target.captured:
        attached += stream_secrets(target.captured.kafka)
    return attached


def _round_trip(spec: test_api.ModelTestSpec, target: Target) -> runtime.CaptureConfig | None:
    if not spec.probes.capture_round_trip:
        return None
    assert spec.serving_ref is not None, "a rule of ModelTestSpec"
    if target.captured is None:
        raise invalid(
            "spec.probes.captureRoundTrip", f"ModelServing {spec.serving_ref.name} has no spec.capture"
        )
    return capture(target.captured)


def _skew(spec: test_api.ModelTestSpec, target: Target) -> runtime.SkewConfig | None:
    """The serving's model, loaded by the test from another URI; a pinned digest is the live model's own."""
    declared = spec.probes.offline_skew
    if declared is None:
        return None
    assert target.declared is not None, "a rule of ModelTestSpec: only a servingRef has offlineSkew"
    offline = model(target.declared).model_copy(update={"uri": declared.uri, "sha256": None})
    return runtime.SkewConfig(model=offline, tolerance=float(declared.tolerance))


def _number(decimal: str | None) -> float | None:
    return None if decimal is None else float(decimal)


def _secret_dir(name: str) -> str:
    return f"{runtime.SECRETS_DIR}/{name}"


def _tensors(declared: list[serving_api.Tensor] | None) -> list[runtime.TensorConfig] | None:
    if declared is None:
        return None
    return [runtime.TensorConfig(name=each.name, type=each.type, shape=each.shape) for each in declared]
