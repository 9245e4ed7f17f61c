"""TLS, passwords and client certificates from mounted secrets, on a real broker; secrets that change are reloaded."""

import shutil
import subprocess
from contextlib import contextmanager

import pytest

from conftest import provide
from moorage_runtime.config import StreamConfig
from moorage_runtime.streams import Message, open_reader, open_writer
from parts import free_port, wait_until
from parts.base import need
from parts.kafka import kafka_broker

PLAIN = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_moorage="s3cret";'


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def certificate(folder, name, ca, extension=""):
    """NAME.key and NAME.crt, signed by `ca`."""
    (folder / f"{name}.ext").write_text(extension)
    key, request, crt = (str(folder / f"{name}.{kind}") for kind in ("key", "csr", "crt"))
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={name}")
    signer = ["-CA", f"{ca}.crt", "-CAkey", f"{ca}.key", "-CAcreateserial"]
    openssl(
        "x509", "-req", "-in", request, *signer, "-days", "2", "-extfile", f"{folder}/{name}.ext", "-out", crt
    )


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    yield from provide(lambda: authority(tmp_path_factory.mktemp("pki")))


@contextmanager
def authority(folder):
    """A folder with ca, broker and client certificates."""
    need("openssl", "it makes the certificates")
    ca = folder / "ca"
    named = ["-subj", "/CN=ca", "-days", "2"]
    openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{ca}.key", "-out", f"{ca}.crt", *named
    )
    certificate(folder, "broker", ca, "subjectAltName=IP:127.0.0.1\n")
    certificate(folder, "client", ca)
    store = (folder / "broker.key").read_text() + (folder / "broker.crt").read_text()
    (folder / "broker.pem").write_text(store)
    yield folder


@pytest.fixture(scope="module")
def secured(pki):
    """A broker with a listener for passwords and one for client certificates."""
    passwords, certificates = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    listeners = f"PASSWORDS://{passwords},CERTIFICATES://{certificates}"
    settings = {
        "listeners": listeners,
        "advertised.listeners": listeners,
        "listener.security.protocol.map": "PASSWORDS:SASL_SSL,CERTIFICATES:SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(pki / "broker.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(pki / "ca.crt"),
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.passwords.plain.sasl.jaas.config": PLAIN,
        "listener.name.certificates.ssl.client.auth": "required",
    }
    for broker in provide(lambda: kafka_broker(settings)):
        yield broker, passwords, certificates


@pytest.fixture
def ca_dir(pki, tmp_path):
    folder = tmp_path / "ca"
    folder.mkdir()
    shutil.copy(pki / "ca.crt", folder / "ca.crt")
    return str(folder)


def secret(folder, **files):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content)
    return str(folder)


def round_trip(stream):
    writer = open_writer(stream, 1 << 20)
    writer.write([Message(b"hello")])
    writer.close(30)
    assert (writer.stats.delivered, writer.stats.error) == (1, None)
    reader = open_reader(stream, "g", "earliest")
    records = []
    wait_until(lambda: bool(records.extend(reader.poll(1, 0.2)) or records), "the message")
    reader.close()
    assert records[0].value == b"hello"


def test_password_over_tls(secured, ca_dir, tmp_path):
    broker, passwords, _ = secured
    auth = secret(tmp_path / "auth", mechanism="PLAIN\n", username="moorage\n", password="s3cret\n")
    uri = f"kafka://{passwords}/{broker.create_topic('password')}"
    round_trip(StreamConfig(uri=uri, tls=True, ca_dir=ca_dir, auth_dir=auth))


def test_client_certificate(secured, pki, ca_dir, tmp_path):
    broker, _, certificates = secured
    pair = {"tls.crt": (pki / "client.crt").read_text(), "tls.key": (pki / "client.key").read_text()}
    auth = secret(tmp_path / "auth", **pair)
    uri = f"kafka://{certificates}/{broker.create_topic('certificate')}"
    round_trip(StreamConfig(uri=uri, tls=True, ca_dir=ca_dir, auth_dir=auth))


def test_a_wrong_password_is_told_and_a_changed_secret_is_taken_up(secured, ca_dir, tmp_path):
    broker, passwords, _ = secured
    auth = secret(tmp_path / "auth", username="moorage", password="wrong")
    uri = f"kafka://{passwords}/{broker.create_topic('rotated')}"
    writer = open_writer(StreamConfig(uri=uri, tls=True, ca_dir=ca_dir, auth_dir=auth), 1 << 20)
    writer.write([Message(b"early")])
    wait_until(lambda: "uthentication" in (writer.stats.error or ""), "the broker's refusal in the status")
    secret(tmp_path / "auth", password="s3cret")
    wait_until(lambda: writer.stats.delivered == 1, "delivery of what was waiting")
    writer.write([Message(b"late")])
    assert writer.flush(30)
    wait_until(lambda: writer.stats.error is None, "the end of the fault")
    writer.close(10)
    assert (writer.stats.delivered, writer.stats.dropped) == (2, 0)


def test_an_unknown_authority_is_told(secured, tmp_path):
    broker, passwords, _ = secured
    auth = secret(tmp_path / "auth", username="moorage", password="s3cret")
    uri = f"kafka://{passwords}/{broker.create_topic('authority')}"
    writer = open_writer(StreamConfig(uri=uri, tls=True, auth_dir=auth), 1 << 20)
    wait_until(lambda: "certificate" in (writer.stats.error or ""), "the certificate's fault in the status")
    writer.close(0)
