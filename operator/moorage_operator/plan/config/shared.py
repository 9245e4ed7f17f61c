"""What the configs of all roles share: streams, HTTP targets, storage, claims, and the secrets that they need."""

import json
import re
from collections.abc import Iterable

from moorage_api.shared import HttpTarget, Kafka, Storage
from moorage_operator.plan import pods
from moorage_operator.plan.refusal import invalid
from moorage_runtime import config as runtime

_CLAIM = re.compile(r"pvc://([a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?)(?:/.*)?")


def document(config: runtime.Config) -> str:
    """The JSON that the pod reads; only what was said, so that a new default starts no new revision."""
    dumped = config.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    return json.dumps(dumped, indent=2, sort_keys=True) + "\n"


def stream(kafka: Kafka) -> runtime.StreamConfig:
    """A topic as a stream's URI, with the folders of its secrets."""
    ca = kafka.tls.ca_secret_ref if kafka.tls else None
    return runtime.StreamConfig(
        uri=f"kafka://{kafka.bootstrap_servers}/{kafka.topic}",
        tls=kafka.tls is not None,
        ca_dir=secret_dir(ca.name) if ca else None,
        auth_dir=secret_dir(kafka.auth_secret_ref.name) if kafka.auth_secret_ref else None,
    )


def stream_secrets(kafka: Kafka) -> list[pods.Attachment]:
    """The secrets that `stream` speaks of."""
    refs = (kafka.tls.ca_secret_ref if kafka.tls else None, kafka.auth_secret_ref)
    return [pods.secret(ref.name) for ref in refs if ref]


def http_target(target: HttpTarget) -> runtime.HttpTargetConfig:
    """An HTTP address, with the folders of its secrets."""
    token, basic, ca = target.bearer_token_secret_ref, target.basic_auth_secret_ref, target.ca_secret_ref
    return runtime.HttpTargetConfig(
        url=target.url,
        token_dir=secret_dir(token.name) if token else None,
        basic_auth_dir=secret_dir(basic.name) if basic else None,
        ca_dir=secret_dir(ca.name) if ca else None,
    )


def http_target_secrets(target: HttpTarget) -> list[pods.Attachment]:
    """The secrets that `http_target` speaks of."""
    refs = (target.bearer_token_secret_ref, target.basic_auth_secret_ref, target.ca_secret_ref)
    return [pods.secret(ref.name) for ref in refs if ref]


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


def secret_dir(name: str) -> str:
    """Where a Secret is mounted."""
    return f"{runtime.SECRETS_DIR}/{name}"
