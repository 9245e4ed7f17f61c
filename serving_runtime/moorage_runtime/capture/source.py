"""The source of events: who predicts, and with which loaded model. The same for HTTP and for streams."""

import os
import platform
from dataclasses import dataclass

from moorage_runtime.capture.event import Source
from moorage_runtime.config import ModelConfig
from moorage_runtime.models.load import Loaded


@dataclass(frozen=True, slots=True)
class Identity:
    """Who predicts: the parts of an event's source that all models share."""

    namespace: str
    serving: str
    revision: str
    host: str


def identity(namespace: str, serving: str, revision: str) -> Identity:
    """The identity of this process; its host is the pod's name."""
    return Identity(namespace, serving, revision, os.environ.get("HOSTNAME") or platform.node())


def source_of(who: Identity, config: ModelConfig, loaded: Loaded) -> Source:
    """The source of a loaded model's events."""
    signature = loaded.model.signature
    return Source(
        namespace=who.namespace,
        serving=who.serving,
        revision=who.revision,
        model=config.name,
        version=config.version,
        digest=loaded.digest,
        framework=loaded.framework,
        class_name=loaded.class_name,
        features=tuple(feature.name for feature in signature.features),
        outputs=tuple(output.name for output in signature.outputs),
        host=who.host,
    )
