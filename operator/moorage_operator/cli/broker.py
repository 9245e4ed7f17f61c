"""A real broker, by kafka-python: reached at once or named at once, with the credentials of the manifests."""

import base64
import logging
import socket
import ssl
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from moorage_operator.cli.failure import Failure
from moorage_operator.local.apiserver.objects import Object

_CONNECT_SECONDS = 10


@contextmanager
def connected(
    kafka: str,
    topic: str,
    security_of: Callable[[Path], dict[str, Any]],
    client: str,
    **options: Any,
) -> Iterator[Any]:
    """A client of that class of kafka-python (KafkaConsumer, KafkaProducer) until the end of the block.

    `security_of` gives its options for TLS and SASL, and may write files into the folder that it is given. Raises
    Failure, naming broker and topic.
    """
    where = f"kafka://{kafka}/{topic}"
    _reach(kafka, where)
    # kafka-python's own, on Python 3.11
    warnings.filterwarnings("ignore", r"(open|read)_text is deprecated", DeprecationWarning)
    import kafka as library
    from kafka.errors import KafkaError

    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        try:
            connection = getattr(library, client)(
                bootstrap_servers=kafka.split(","), **options, **security_of(Path(folder))
            )
        except (KafkaError, OSError, ValueError) as error:
            raise Failure(f"error: {where} does not answer: {error}") from None
        try:
            yield connection
        except KafkaError as error:
            raise Failure(f"error: {where}: {error}") from None
        finally:
            connection.close()


def _reach(kafka: str, where: str) -> None:
    """Say at once where no broker listens; kafka-python would try for half a minute."""
    problem = ""
    for address in kafka.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS):
                return
        except (OSError, ValueError) as error:
            problem = f"{address}: {error}"
    raise Failure(f"error: {where} does not answer: {problem}")


def security(spec: Object, secret: Object | None, ca: Object | None, folder: Path) -> dict[str, Any]:
    """kafka-python's options for `tls` and `authSecretRef`; keys and certificates are written under `folder`."""
    auth, authority = _decoded(secret), _decoded(ca)
    options: dict[str, Any] = {}
    if "tls" in spec:
        context = ssl.create_default_context(cadata=authority.get("ca.crt"))
        if "tls.crt" in auth:
            for name in ("tls.crt", "tls.key"):
                (folder / name).touch(mode=0o600)
                (folder / name).write_text(auth[name], encoding="utf-8")
            context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
        options |= {"ssl_context": context}
    if "username" in auth:
        options |= {
            "sasl_mechanism": auth.get("mechanism", "PLAIN").strip(),
            "sasl_plain_username": auth["username"].strip(),
            "sasl_plain_password": auth.get("password", "").strip(),
        }
    protocol = ("SASL_" if "username" in auth else "") + ("SSL" if "tls" in spec else "PLAINTEXT")
    return {**options, "security_protocol": protocol}


def _decoded(secret: Object | None) -> dict[str, str]:
    data = (secret or {}).get("data") or {}
    return {key: base64.b64decode(value).decode() for key, value in data.items()}
