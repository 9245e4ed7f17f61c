"""The management port of roles without an HTTP server of their own."""

import json
import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, Counter

from moorage_runtime.config import STATUS_PATH, BatchPredictStatus
from moorage_runtime.management import Management


@pytest.fixture
def server():
    registry = CollectorRegistry()
    Counter("moorage_rows", "Rows.", registry=registry).inc(3)
    why = ["loading"]
    status = BatchPredictStatus(name="b", namespace="ns", revision="r", rows_done=3)
    with Management(
        "127.0.0.1", 0, unready=lambda: why[0], status=lambda: status, registry=registry
    ) as management:
        yield management, why


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_probes_status_and_metrics_are_answered(server):
    management, why = server
    assert get(management.port, "/live") == (200, '{"live":true}')
    assert get(management.port, "/ready") == (503, '{"ready":false,"error":"loading"}')
    why[0] = None
    assert get(management.port, "/ready?verbose") == (200, '{"ready":true}')
    code, body = get(management.port, STATUS_PATH)
    assert (code, json.loads(body)["rowsDone"]) == (200, 3)
    code, body = get(management.port, "/metrics")
    assert code == 200
    assert "moorage_rows_total 3.0" in body
    assert get(management.port, "/nothing")[0] == 404
