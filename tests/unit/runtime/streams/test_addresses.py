"""A URI says where a stream is, and a wrong one says what is wrong with it."""

import pytest

from moorage_runtime.config import StreamConfig
from moorage_runtime.streams import StreamError, kafka_address, open_reader, open_writer, stream_path
from moorage_runtime.streams.directory import DirectoryReader, DirectoryWriter
from moorage_runtime.streams.kafka_client import client_config


def test_kafka_addresses():
    assert kafka_address("kafka://a:9092,b:9092/iris.capture") == ("a:9092,b:9092", "iris.capture")
    assert kafka_address("users/admin/tststream") is None


@pytest.mark.parametrize(
    "uri", ["kafka://a:9092", "kafka://a:9092/", "kafka:///t", "kafka://a:9092/a/b", "kafka://a/ü"]
)
def test_a_wrong_kafka_address_is_named(uri):
    with pytest.raises(StreamError, match=uri):
        kafka_address(uri)


def test_paths():
    assert stream_path("users/admin/tststream") == "users/admin/tststream"
    assert stream_path("file:///data/a%20b") == "/data/a b"
    for uri in ("s3://bucket/key", "file://host/x"):
        with pytest.raises(StreamError, match=uri):
            stream_path(uri)


def test_a_path_opens_a_directory_stream(tmp_path):
    stream = StreamConfig(uri=f"file://{tmp_path}/s")
    writer = open_writer(stream, 1 << 20)
    assert isinstance(writer, DirectoryWriter)
    writer.close(1)
    assert isinstance(open_reader(stream, "g", "earliest"), DirectoryReader)


def secret(folder, **files):
    folder.mkdir()
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_text(content + "\n")
    return str(folder)


def test_credentials_come_from_the_mounted_secrets(tmp_path):
    auth = secret(tmp_path / "auth", mechanism="SCRAM-SHA-512", username="moorage", password="s3cret")
    ca = secret(tmp_path / "ca", ca_crt="pem")
    config = client_config("a:9092", StreamConfig(uri="kafka://a:9092/t", ca_dir=ca, auth_dir=auth))
    assert config["security.protocol"] == "SASL_SSL"
    assert (config["sasl.mechanism"], config["sasl.username"]) == ("SCRAM-SHA-512", "moorage")
    assert config["sasl.password"] == "s3cret"
    assert config["ssl.ca.location"] == f"{ca}/ca.crt"


def test_client_certificates(tmp_path):
    auth = secret(tmp_path / "auth", tls_crt="pem", tls_key="pem")
    config = client_config("a:9092", StreamConfig(uri="kafka://a:9092/t", auth_dir=auth))
    assert config["security.protocol"] == "SSL"
    assert config["ssl.certificate.location"] == f"{auth}/tls.crt"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"username": "u"}, "password is missing"),
        ({"tls_crt": "pem"}, "tls.key is missing"),
        ({"mechanism": "GSSAPI", "username": "u", "password": "p"}, "'GSSAPI' is none of"),
        ({}, "neither username and password nor"),
    ],
)
def test_an_incomplete_secret_is_named(tmp_path, files, said):
    auth = secret(tmp_path / "auth", **files)
    with pytest.raises(StreamError, match=said):
        open_writer(StreamConfig(uri="kafka://127.0.0.1:1/t", auth_dir=auth), 1 << 20)
