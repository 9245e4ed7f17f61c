"""What librdkafka says of a broker, as a status repeats it."""

import pytest
from confluent_kafka import KafkaError

from moorage_runtime.streams.kafka_client import said


@pytest.mark.parametrize(
    "spent",
    ["", " (after 0ms in state CONNECT)", " (after 12ms in state CONNECT, 3 identical error(s) suppressed)"],
)
def test_the_same_trouble_is_told_in_the_same_words(spent):
    refused = "b:9092/bootstrap: Connect to 127.0.0.1:9092 failed: Connection refused"
    assert said(KafkaError(KafkaError._TRANSPORT, refused + spent)) == refused
