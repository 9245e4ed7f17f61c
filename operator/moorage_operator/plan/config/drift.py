"""The config of role drift, and what its pod mounts."""

from collections.abc import Iterable
from dataclasses import dataclass

from moorage_api import drift_monitor as api
from moorage_api.model_serving import Model
from moorage_api.shared import HttpTarget, Kafka, ObjectMeta
from moorage_operator.plan import pods
from moorage_operator.plan.config.models import tensors
from moorage_operator.plan.config.shared import (
    claims,
    http_target,
    http_target_secrets,
    storage,
    stream,
    stream_secrets,
)
from moorage_runtime import config as runtime

_CHECKPOINT = "_checkpoint/"
"""Folder of the checkpoint in the object store's, where no other is given."""


@dataclass(frozen=True, slots=True)
class Watched:
    """The events that a monitor reads, with what is known of the model that they are of."""

    kafka: Kafka
    model: str
    declared: Model | None = None


def drift(
    *, meta: ObjectMeta, spec: api.DriftMonitorSpec, watched: Watched, revision: str
) -> runtime.DriftConfig:
    """`moorage-runtime drift` for a DriftMonitor of `watched`."""
    schema = watched.declared.schema_ if watched.declared else None
    data = spec.data_drift
    return runtime.DriftConfig(
        name=meta.name,
        namespace=meta.namespace,
        revision=revision,
        model=watched.model,
        stream=stream(watched.kafka),
        group=f"moorage.{meta.namespace}.{meta.name}.drift",
        start="earliest" if spec.start_from is api.StartFrom.EARLIEST else "latest",
        reference=runtime.ReferenceConfig(uri=spec.reference.uri, first_rows=spec.reference.first_rows),
        window=_window(spec.window),
        features=tensors(schema.features) if schema else None,
        outputs=tensors(schema.outputs) if schema else None,
        watched=runtime.FeaturesConfig(
            include=data.features.include,
            exclude=data.features.exclude,
            categorical=data.features.categorical,
        ),
        statistics=[each.value for each in data.statistics],
        decision=runtime.DecisionConfig(
            false_discovery_rate=float(data.decision.false_discovery_rate),
            minimum_effect=float(data.decision.minimum_effect),
            consecutive_windows=data.decision.consecutive_windows,
        ),
        mlrun_compatible=data.mlrun_compatible,
        prediction_drift=spec.prediction_drift is not None,
        concept_drift=_concept_drift(spec.concept_drift) if spec.concept_drift else None,
        timeseries=[_timeseries(each) for each in spec.sinks.timeseries],
        object_store=_object_store(spec.sinks.object_store) if spec.sinks.object_store else None,
        alerts=[_alert(each) for each in spec.sinks.alerts],
        checkpoint_uri=_checkpoint(spec)[1],
        storage=storage(spec.storage),
    )


def drift_secrets(spec: api.DriftMonitorSpec, watched: Watched) -> list[pods.Attachment]:
    """The secrets that `drift` speaks of."""
    topics = [watched.kafka, *(each.kafka for each in spec.sinks.alerts if each.kafka)]
    if spec.concept_drift:
        topics.append(spec.concept_drift.labels.kafka)
    return [
        *(secret for topic in topics for secret in stream_secrets(topic)),
        *(secret for target in _targets(spec.sinks) for secret in http_target_secrets(target)),
    ]


def drift_claims(spec: api.DriftMonitorSpec) -> list[pods.Attachment]:
    """The volumes of the reference, the history and the checkpoint."""
    written = [_checkpoint(spec)]
    if spec.sinks.object_store:
        written.append(("spec.sinks.objectStore.uri", spec.sinks.object_store.uri))
    read = [("spec.reference.uri", spec.reference.uri)] if spec.reference.uri else []
    return claims(read) + claims(written, read_only=False)


def _targets(sinks: api.Sinks) -> Iterable[HttpTarget]:
    listed = [each.prometheus_remote_write or each.influx for each in sinks.timeseries]
    listed += [each.webhook for each in sinks.alerts]
    return [each for each in listed if each]


def _window(declared: api.Window) -> runtime.WindowConfig:
    lateness = declared.allowed_lateness_seconds
    return runtime.WindowConfig(
        rows=declared.rows,
        seconds=declared.seconds,
        **({} if lateness is None else {"allowed_lateness_seconds": lateness}),
    )


def _concept_drift(declared: api.ConceptDrift) -> runtime.ConceptDriftConfig:
    labels = declared.labels
    return runtime.ConceptDriftConfig(
        labels=runtime.LabelsConfig(
            stream=stream(labels.kafka),
            key_field=labels.key_field,
            label_field=labels.label_field,
            ttl_seconds=labels.ttl_seconds,
        ),
        detectors=[
            runtime.DetectorConfig(name=each.name, type=each.type.value, parameters=each.parameters or {})
            for each in declared.detectors
        ],
    )


def _timeseries(declared: api.Timeseries) -> runtime.TimeseriesConfig:
    if declared.influx:
        return runtime.TimeseriesConfig(
            name=declared.name,
            protocol="influx",
            target=http_target(declared.influx),
            database=declared.influx.database,
        )
    assert declared.prometheus_remote_write is not None, "a rule of Timeseries"
    return runtime.TimeseriesConfig(
        name=declared.name,
        protocol="prometheusRemoteWrite",
        target=http_target(declared.prometheus_remote_write),
    )


def _object_store(declared: api.ObjectStore) -> runtime.ObjectStoreConfig:
    return runtime.ObjectStoreConfig(
        uri=declared.uri, rows=declared.rotate.rows, seconds=declared.rotate.seconds
    )


def _alert(declared: api.Alert) -> runtime.AlertConfig:
    return runtime.AlertConfig(
        name=declared.name,
        webhook=http_target(declared.webhook) if declared.webhook else None,
        stream=stream(declared.kafka) if declared.kafka else None,
    )


def _checkpoint(spec: api.DriftMonitorSpec) -> tuple[str, str]:
    """(field path, folder)."""
    if spec.checkpoint:
        return "spec.checkpoint.uri", spec.checkpoint.uri
    assert spec.sinks.object_store is not None, "a rule of DriftMonitorSpec"
    folder = spec.sinks.object_store.uri
    return "spec.sinks.objectStore.uri", f"{folder}{'' if folder.endswith('/') else '/'}{_CHECKPOINT}"
