"""The config of role test."""

from dataclasses import dataclass

from moorage_api import model_serving as serving_api
from moorage_api import model_test as test_api
from moorage_operator.plan import pods
from moorage_operator.plan.config.models import capture, model
from moorage_operator.plan.config.shared import secret_dir, storage, stream_secrets
from moorage_operator.plan.refusal import invalid
from moorage_runtime import config as runtime


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
        token_dir=secret_dir(token.name) if token else None,
        ca_dir=secret_dir(ca.name) if ca else None,
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
