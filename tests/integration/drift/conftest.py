"""Real parts for the tests of the drift worker."""

import pytest

from conftest import provide
from parts.influx import influx as influx_server
from parts.kafka import kafka_broker
from parts.prometheus import prometheus as prometheus_server
from parts.s3 import s3_server
from parts.victoria import victoria as victoria_server
from support.drift_worker import line_server, write_reference


@pytest.fixture(scope="session")
def kafka():
    yield from provide(kafka_broker)


@pytest.fixture
def kafka_of_its_own():
    yield from provide(kafka_broker)


@pytest.fixture(scope="session")
def reference(tmp_path_factory):
    return write_reference(tmp_path_factory.mktemp("reference") / "iris.parquet")


@pytest.fixture
def lines():
    with line_server() as found:
        yield found


@pytest.fixture
def s3(monkeypatch):
    for server in provide(s3_server):
        for name, value in server.env.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def victoria():
    yield from provide(victoria_server)


@pytest.fixture
def prometheus():
    yield from provide(prometheus_server)


@pytest.fixture
def influx():
    yield from provide(influx_server)


@pytest.fixture
def series(victoria, prometheus, influx):
    """Every kind of time-series database."""
    return {"victoria": victoria, "prometheus": prometheus, "influx": influx}
