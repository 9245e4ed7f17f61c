"""HTTP itself: order, limits, time, and what must not be smuggled in."""

import asyncio
import tracemalloc

import orjson
import pytest

from moorage_runtime.config import HttpConfig
from moorage_runtime.http.limits import PIPELINE, SECOND, Limits

ROW = [1.0, 2.0, 3.0, 4.0]
V1 = "/v1/models/iris:predict"


def predict(app, first, path=V1):
    return app.request("POST", path, {"instances": [[first, 0, 0, 0]]})


async def test_replies_keep_the_order_of_pipelined_requests(app):
    wanted = [3, 1, 2, 5, 4]
    slow_first = app.request("POST", "/v1/models/user:predict", {"instances": [[9, 0, 0, 0]]})
    data = slow_first + b"".join(predict(app, n) for n in wanted) + app.request("GET", "/v2/health/live")
    found, wire = await app.send(data)
    assert [reply.json.get("predictions", ["live"])[0] for reply in found] == [9, *wanted, "live"]
    assert not wire.closed


async def test_a_request_may_come_byte_by_byte(app):
    connection, wire = app.connect()
    for byte in predict(app, 7):
        connection.data_received(bytes([byte]))
    await app.settle(connection)
    assert app.replies(wire)[0].json == {"predictions": [7]}


async def test_a_body_may_be_chunked(app):
    body = orjson.dumps({"instances": [ROW]})
    chunks = b"".join(b"%x\r\n%b\r\n" % (1, bytes([byte])) for byte in body) + b"0\r\n\r\n"
    head = b"POST %b HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n" % V1.encode()
    found, _ = await app.send(head + chunks)
    assert found[0].json == {"predictions": [10]}


async def test_too_many_unanswered_requests_stop_the_reading(app):
    connection, wire = app.connect()
    connection.data_received(predict(app, 1) * (PIPELINE + 5))
    assert not wire.reading
    await app.settle(connection)
    assert wire.reading
    assert len(app.replies(wire)) == PIPELINE + 5


async def test_a_client_that_does_not_read_is_not_read_from_and_cut_off(app):
    connection, wire = app.connect()
    connection.pause_writing()
    assert not wire.reading
    connection.resume_writing()
    assert wire.reading
    connection.pause_writing()
    connection.sweep(connection.active + 31 * SECOND)
    assert wire.aborted


async def test_http_1_0(app):
    found, wire = await app.send(b"GET /v2/health/live HTTP/1.0\r\n\r\n")
    assert (found[0].status, found[0].headers["connection"], wire.closed) == (200, "close", True)
    kept, wire = await app.send(b"GET /v2/health/live HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert (kept[0].headers["connection"], wire.closed) == ("keep-alive", False)


async def test_connection_close_is_honoured(app):
    found, wire = await app.send(app.request("GET", "/", headers={"Connection": "close"}))
    assert (found[0].headers["connection"], wire.closed) == ("close", True)


async def test_head_has_the_length_and_no_body(app):
    connection, wire = app.connect()
    connection.data_received(app.request("HEAD", "/v2/health/live"))
    assert wire.sent.endswith(b"\r\n\r\n")
    assert b"content-length: 13\r\n" in wire.sent


async def test_an_offered_upgrade_is_not_taken_up(app):
    headers = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQ"}
    data = app.request("POST", V1, {"instances": [ROW]}, headers) * 500
    found, _ = await app.send(data)
    assert len(found) == 500
    assert found[0].json == found[-1].json == {"predictions": [10]}


async def test_connect_is_answered_and_the_connection_ends(app):
    found, wire = await app.send(b"CONNECT t:80 HTTP/1.1\r\nHost: t\r\n\r\n")
    assert (found[0].status, wire.closed) == (404, True)


async def test_100_continue(app):
    connection, wire = app.connect()
    body = orjson.dumps({"instances": [ROW]})
    whole = app.request("POST", V1, body, {"Expect": "100-continue"})
    connection.data_received(whole[: -len(body)])
    assert wire.sent == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.data_received(body)
    await app.settle(connection)
    assert [reply.status for reply in app.replies(wire)] == [100, 200]


async def test_100_continue_waits_for_the_replies_before_it(app):
    connection, wire = app.connect()
    body = orjson.dumps({"instances": [ROW]})
    whole = app.request("POST", V1, body, {"Expect": "100-continue"})
    connection.data_received(predict(app, 1) + whole[: -len(body)])
    assert wire.sent == b""
    await app.settle(connection)
    assert [reply.status for reply in app.replies(wire)] == [200, 100]


REFUSED = [
    (b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
    (b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 3, 3\r\n\r\nabc", 400),
    (b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: -1\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: t\r\n folded: x\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: t\r\nX: a\x00b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\nHost: t\n\n", 400),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"GET /\xff HTTP/1.1\r\nHost: t\r\n\r\n", 400),
    (b"NONSENSE\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00", 400),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    (b"GET / HTTP/2.0\r\nHost: t\r\n\r\n", 505),
    (b"POST / HTTP/1.1\r\nHost: t\r\nExpect: a-miracle\r\n\r\n", 417),
    (b"POST / HTTP/1.1\r\nHost: t\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\n", 415),
    (b"GET / HTTP/1.1\r\nHost: t\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", 431),
    (b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: t\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\nHost: t\r\n" + b"A: b\r\n" * 20_000 + b"\r\n", 431),
]


@pytest.mark.parametrize(("data", "status"), REFUSED)
async def test_what_is_not_http_is_refused_and_nothing_after_it_is_read(app, data, status):
    found, wire = await app.send(data + app.request("GET", "/v2/health/live"))
    assert [reply.status for reply in found] == [status]
    assert found[0].headers["connection"] == "close"
    assert list(found[0].json) == ["error"]
    assert wire.ended


async def test_a_head_without_an_end_is_refused_before_it_ends(app):
    connection, wire = app.connect()
    connection.data_received(b"GET / HTTP/1.1\r\nX: ")
    for _ in range(10):
        connection.data_received(b"x" * 4096)
    assert app.replies(wire)[0].status == 431


async def test_a_large_body_is_refused_before_it_is_read(app):
    body = {"instances": [ROW] * 100}
    whole = app.request("POST", V1, body)
    head = whole[: whole.index(b"\r\n\r\n") + 4]
    found, wire = await app.send(head, body=1000)
    assert found[0].status == 413
    assert "the limit is 1000" in found[0].json["error"]
    assert wire.ended
    legacy, _ = await app.send(app.request("POST", "/iris/predict", body), body=1000)
    assert legacy[0].headers["content-type"].startswith("text/plain")


async def test_a_chunked_body_is_refused_where_it_passes_the_limit(app):
    head = b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
    found, _ = await app.send(head + b"100\r\n" + b"x" * 256 + b"\r\n" * 1 + b"100\r\n", body=255)
    assert found[0].status == 413


async def test_what_a_refused_client_still_sends_is_thrown_away(app):
    connection, wire = app.connect(body=10)
    connection.data_received(app.request("POST", V1, b"x" * 100))
    before = wire.sent
    connection.data_received(app.request("GET", "/"))
    assert wire.sent == before
    assert not wire.closed
    connection.sweep(connection.active + 60 * SECOND)
    assert wire.closed


async def test_pipelined_requests_before_a_bad_one_are_answered(app):
    found, _ = await app.send(predict(app, 1) + predict(app, 2) + b"garbage\r\n\r\n")
    assert [reply.status for reply in found] == [200, 200, 400]


async def test_time_runs_out(app):
    connection, wire = app.connect()
    connection.data_received(app.request("POST", "/v1/models/user:predict", {"instances": [ROW]}))
    connection.sweep(connection.active + 29 * SECOND)
    assert wire.sent == b""
    connection.sweep(connection.active + 31 * SECOND)
    reply = app.replies(wire)[0]
    assert (reply.status, reply.json) == (504, {"error": "no answer within 30 s"})
    assert app.gate.in_flight == 0
    await asyncio.sleep(0)
    assert len(app.replies(wire)) == 1


async def test_a_request_that_does_not_arrive_is_a_408(app):
    connection, wire = app.connect()
    connection.data_received(b"GET / HTTP/1.1\r\nHost: ")
    connection.sweep(connection.active)
    connection.sweep(connection.active + 9 * SECOND)
    assert wire.sent == b""
    connection.sweep(connection.active + 11 * SECOND)
    assert app.replies(wire)[0].status == 408


async def test_an_idle_connection_is_closed(app):
    connection, wire = app.connect()
    connection.sweep(connection.active + 74 * SECOND)
    assert not wire.closed
    connection.sweep(connection.active + 76 * SECOND)
    assert (wire.closed, wire.sent) == (True, b"")


async def test_a_client_may_end_its_side_before_the_reply(app):
    connection, wire = app.connect()
    connection.data_received(predict(app, 3))
    assert connection.eof_received()
    await app.settle(connection)
    assert app.replies(wire)[0].json == {"predictions": [3]}
    assert wire.closed


async def test_a_client_that_is_gone_costs_no_prediction(app):
    connection, _ = app.connect()
    connection.data_received(predict(app, 3))
    assert app.gate.in_flight == 1
    connection.connection_lost(None)
    assert app.gate.in_flight == 0
    await asyncio.sleep(0.01)
    assert app.sums.calls == []


async def test_a_draining_server_answers_what_it_has_and_says_close(app):
    connection, wire = app.connect()
    connection.data_received(predict(app, 1) + predict(app, 2))
    app.gate.draining = True
    await app.settle(connection)
    first, second = app.replies(wire)
    assert "connection" not in first.headers
    assert second.headers["connection"] == "close"
    assert wire.ended


@pytest.mark.parametrize(
    "path",
    [
        "/v2/models/iris/ready?x=1",
        "/v2/models/iris/ready/",
        "/v2/models/%69ris/ready",
        "http://t/v2/models/iris/ready",
    ],
)
async def test_forms_of_one_path(app, path):
    assert (await app.ask("GET", path)).json == {"name": "iris", "ready": True}


def half(app):
    """A request, and where it is cut in two: within its body."""
    data = predict(app, 1)
    return data[:-10], data[-10:]


async def test_bodies_in_flight_are_counted_from_their_first_byte_until_the_answer(app):
    begin, end = half(app)
    connection, wire = app.connect()
    connection.data_received(begin)
    body = len(begin + end) - (begin + end).index(b"\r\n\r\n") - 4
    assert app.gate.body_bytes == body - 10
    assert f"moorage_in_flight_body_bytes {float(body - 10)}".encode() in app.metrics.expose()
    connection.data_received(end)
    assert app.gate.body_bytes == body
    await app.settle(connection)
    assert app.replies(wire)[0].status == 200
    assert app.gate.body_bytes == 0


async def test_more_bodies_than_the_bound_are_a_503_and_those_before_are_answered(app):
    begin, end = half(app)
    first, wire = app.connect()
    first.data_received(begin)
    bound = app.gate.body_bytes + 20
    (refused,), other = await app.send(begin + end, bodies=bound)
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert f"{bound} bytes" in refused.json["error"]
    assert other.ended
    chunked = f"POST {V1} HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n1e\r\n{'x' * 30}\r\n"
    (refused,), _ = await app.send(chunked.encode(), bodies=bound)
    assert refused.status == 503
    first.data_received(end)
    await app.settle(first)
    assert app.replies(wire)[0].status == 200
    assert app.gate.body_bytes == 0


@pytest.mark.parametrize("body_limit", [1, 1 << 20, 16 << 20, 64 << 20, 1 << 30])
async def test_the_largest_body_is_admitted_where_nothing_else_is_in_flight(body_limit):
    limits = Limits.of(HttpConfig(max_body_bytes=body_limit))
    assert limits.bodies == max(64 << 20, 4 * body_limit)


async def test_a_body_that_just_fits_the_bound_alone_is_taken(app):
    data = predict(app, 1)
    (reply,), _ = await app.send(data, bodies=len(data.partition(b"\r\n\r\n")[2]))
    assert reply.status == 200


async def test_a_client_that_goes_away_gives_its_bytes_back(app):
    begin, end = half(app)
    connection, _ = app.connect()
    connection.data_received(begin)
    connection.connection_lost(None)
    assert app.gate.body_bytes == 0
    connection, _ = app.connect()
    connection.data_received(begin + end)
    connection.connection_lost(None)
    assert (app.gate.body_bytes, app.gate.in_flight) == (0, 0)


async def test_a_body_in_tiny_chunks_takes_no_more_memory_than_its_bytes(app):
    connection, _ = app.connect()
    connection.data_received(f"POST {V1} HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    tracemalloc.start()
    for _ in range(50):
        connection.data_received(b"2\r\nab\r\n" * 1000)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert app.gate.body_bytes == 100_000
    assert held < 400_000
