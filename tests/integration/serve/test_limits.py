"""Limits on a real server: too much, too many, too slow."""

import asyncio
import json

import pytest
from prometheus_client.parser import text_string_to_metric_families

from parts.base import wait_until

CODE = '''
import time

class Slow:
    """Sleeps for the first value of the first row, in milliseconds."""

    def predict(self, rows):
        time.sleep(float(rows[0][0]) / 1000)
        return [float(row[0]) for row in rows]
'''


@pytest.fixture(scope="module")
def slow(serve, tmp_path_factory):
    folder = tmp_path_factory.mktemp("slow")
    (folder / "slow_model.py").write_text(CODE)
    model = {
        "name": "slow", "uri": str(folder), "codeUri": str(folder), "framework": "python",
        "pythonClass": "slow_model:Slow",
    }  # fmt: skip
    running = serve([model], http={"timeoutSeconds": 1, "maxInFlight": 4, "maxBodyBytes": 10_000})
    wait_until(running.ready, "readiness")
    return running


def request(milliseconds):
    body = json.dumps({"instances": [[milliseconds]]}).encode()
    return b"POST /v1/models/slow:predict HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


async def reply(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in head[1:] if line)
    return int(head[0].split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


async def test_more_than_the_bound_is_a_503_at_once_and_the_rest_is_answered(slow):
    lines = [await asyncio.open_connection("127.0.0.1", slow.port) for _ in range(8)]
    for _, writer in lines:
        writer.write(request(100))
    found = [await asyncio.wait_for(reply(reader), 20) for reader, _ in lines]
    statuses = sorted(status for status, _, _ in found)
    assert statuses == [200] * 4 + [503] * 4
    assert all(headers["retry-after"] == "1" for status, headers, _ in found if status == 503)
    for _, writer in lines:
        writer.close()


async def test_a_prediction_that_takes_too_long_is_a_504_and_the_connection_lives_on(slow):
    reader, writer = await asyncio.open_connection("127.0.0.1", slow.port)
    writer.write(request(2500))
    status, _, body = await asyncio.wait_for(reply(reader), 20)
    assert (status, json.loads(body)) == (504, {"error": "no answer within 1 s"})
    assert (await asyncio.to_thread(slow.get, "/live", slow.management))[0] == 200
    for _ in range(20):  # the thread is still busy with the first
        writer.write(request(1))
        status, _, body = await asyncio.wait_for(reply(reader), 20)
        if status == 200:
            break
    assert json.loads(body) == {"predictions": [1.0]}
    writer.close()


async def test_a_large_body_is_refused_while_it_is_sent(slow):
    reader, writer = await asyncio.open_connection("127.0.0.1", slow.port)
    writer.write(
        b"POST /slow/predict HTTP/1.1\r\nHost: t\r\nContent-Length: 50000000\r\n\r\n" + b"x" * 100_000
    )
    status, headers, body = await asyncio.wait_for(reply(reader), 20)
    assert (status, headers["content-type"]) == (413, "text/plain; charset=utf-8")
    assert b"the limit is 10000" in body
    writer.close()


async def test_replies_of_one_connection_keep_their_order(slow):
    reader, writer = await asyncio.open_connection("127.0.0.1", slow.port)
    live = b"GET /v2/health/live HTTP/1.1\r\nHost: t\r\n\r\n"
    writer.write(request(50) + live + request(1) + live)
    bodies = [(await asyncio.wait_for(reply(reader), 20))[2] for _ in range(4)]
    assert bodies == [b'{"predictions":[50.0]}', b'{"live":true}', b'{"predictions":[1.0]}', b'{"live":true}']
    writer.close()


async def test_bodies_that_are_being_received_are_bounded_together(server):
    """Four of the largest are taken at once; the next is told to come again, and later it may."""
    rows = [[5.1, 3.5, 1.4, 0.2]] * 100
    body = json.dumps({"instances": rows}).encode()
    body += b" " * (16 * 1024 * 1024 - len(body))
    head = b"POST /v1/models/iris:predict HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n" % len(body)

    def held():
        families = text_string_to_metric_families(server.get("/metrics", server.management)[1])
        return next(f for f in families if f.name == "moorage_in_flight_body_bytes").samples[0].value

    lines = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(5)]
    for _, writer in lines[:4]:
        writer.write(head + body[:-1])
        await writer.drain()
    await asyncio.to_thread(wait_until, lambda: held() == 4 * (len(body) - 1), "all but the last bytes")
    reader, writer = lines[4]
    writer.write(head)
    status, headers, text = await asyncio.wait_for(reply(reader), 20)
    assert (status, headers["retry-after"]) == (503, "1")
    assert b"67108864 bytes are in flight" in text
    assert (await asyncio.to_thread(server.get, "/live", server.management))[0] == 200
    for reader, writer in lines[:4]:
        writer.write(body[-1:])
        status, _, text = await asyncio.wait_for(reply(reader), 20)
        assert (status, len(json.loads(text)["predictions"])) == (200, 100)
    assert await asyncio.to_thread(held) == 0
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(head + body)
    assert (await asyncio.wait_for(reply(reader), 20))[0] == 200
    for _, each in (*lines, (reader, writer)):
        each.close()
