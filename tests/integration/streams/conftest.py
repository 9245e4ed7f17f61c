"""A real Kafka for the tests of streams."""

import pytest

from conftest import provide
from parts.kafka import kafka_broker


@pytest.fixture(scope="session")
def kafka():
    yield from provide(kafka_broker)
