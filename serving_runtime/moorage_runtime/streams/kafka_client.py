"""What every Kafka client of the runtime is configured with: address, TLS and credentials from mounted secrets."""

import hashlib
import re
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError

from moorage_runtime.config import StreamConfig

_ATTEMPT = re.compile(r" \(after [0-9]+ms in state .*\)")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


def client_config(servers: str, stream: StreamConfig) -> dict[str, Any]:
    """Librdkafka's settings. Raises ValueError or OSError naming the file at fault."""
    config: dict[str, Any] = {
        "bootstrap.servers": servers,
        "client.id": "moorage",
        # what fails is told by callbacks, once, and not by librdkafka on standard error
        "log_level": 0,
        "reconnect.backoff.max.ms": 2000,
        "broker.address.ttl": 1000,
        "topic.metadata.refresh.interval.ms": 30_000,
    }
    encrypted = stream.tls
    if stream.ca_dir is not None:
        encrypted = True
        config["ssl.ca.location"] = str(_file(stream.ca_dir, "ca.crt"))
    if stream.auth_dir is not None and (Path(stream.auth_dir) / "tls.crt").exists():
        encrypted = True
        config["ssl.certificate.location"] = str(_file(stream.auth_dir, "tls.crt"))
        config["ssl.key.location"] = str(_file(stream.auth_dir, "tls.key"))
    known = credentials(stream)
    if known is not None:
        mechanism = _mechanism(stream)
        config |= {"sasl.mechanism": mechanism, "sasl.username": known[0], "sasl.password": known[1]}
    elif stream.auth_dir is not None and "ssl.certificate.location" not in config:
        raise ValueError(
            f"{stream.auth_dir}: neither username and password nor tls.crt and tls.key are there"
        )
    security = ("SASL_" if known is not None else "") + ("SSL" if encrypted else "PLAINTEXT")
    return config | {"security.protocol": security}


def credentials(stream: StreamConfig) -> tuple[str, str] | None:
    """User and password, where the secret has them."""
    if stream.auth_dir is None or not (Path(stream.auth_dir) / "username").exists():
        return None
    return _text(stream.auth_dir, "username"), _text(stream.auth_dir, "password")


def fingerprint(stream: StreamConfig) -> str:
    """Changes whenever a file of the secrets does."""
    digest = hashlib.sha256()
    for folder in (stream.ca_dir, stream.auth_dir):
        for path in sorted(Path(folder).glob("*")) if folder is not None else ():
            if path.is_file():
                digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def said(error: KafkaError) -> str:
    """Its words without the time that an attempt took: the same trouble is told in the same words."""
    return _ATTEMPT.sub("", error.str())


def words(error: Exception) -> str:
    """Librdkafka's own words, where it spoke."""
    first = error.args[0] if error.args else error
    return said(first) if isinstance(first, KafkaError) else str(error)


def _mechanism(stream: StreamConfig) -> str:
    assert stream.auth_dir is not None
    path = Path(stream.auth_dir) / "mechanism"
    mechanism = path.read_text().strip() if path.exists() else "PLAIN"
    if mechanism not in MECHANISMS:
        raise ValueError(f"{path}: {mechanism!r} is none of {', '.join(MECHANISMS)}")
    return mechanism


def _text(folder: str, name: str) -> str:
    return _file(folder, name).read_text().strip()


def _file(folder: str, name: str) -> Path:
    path = Path(folder) / name
    if not path.is_file():
        raise ValueError(f"{path} is missing")
    return path
