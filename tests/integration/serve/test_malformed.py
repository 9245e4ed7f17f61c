"""Malformed requests get the right 4xx in the dialect's own shape, and cost the server no memory."""

import asyncio
import json
from pathlib import Path

import pytest

from parts.base import wait_until
from support.malformed_requests import ALL, Bad

ROW = [5.1, 3.5, 1.4, 0.2]
TOTAL = 100_000
AT_ONCE = 50
GROWTH_KIB = 8 * 1024
MIXED_GROWTH_KIB = 48 * 1024
"""Of large bodies the allocator keeps some pages."""


def model(path):
    return {"name": "iris", "uri": str(path), "framework": "sklearn"}


async def read_reply(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    return int(head[0].split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


async def answer(port, bad: Bad):
    """The one reply to a request, on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    try:
        writer.write(bad.data)
        reply = await asyncio.wait_for(read_reply(reader), 5)
        if bad.closes:
            assert await asyncio.wait_for(reader.read(), 5) == b"", "something was read after the fault"
    except TimeoutError:
        return 0, {}, b"no reply, or no end after it"
    else:
        return reply
    finally:
        writer.close()


def fault(bad: Bad, reply):
    """What is wrong with a reply; None where nothing is."""
    status, headers, body = reply
    if status != bad.status:
        return f"{bad.name}: {status} {body[:200]!r}, not {bad.status}"
    if headers["content-type"] != bad.kind:
        return f"{bad.name}: {headers['content-type']}, not {bad.kind}"
    if bad.kind == "application/json" and list(json.loads(body)) != ["error"]:
        return f"{bad.name}: {body[:200]!r} is no error object"
    if b"Traceback" in body or not body:
        return f"{bad.name}: {body[:200]!r}"
    return None


async def test_each_gets_its_4xx(server):
    assert len(ALL) > 300
    faults = [wrong for bad in ALL if (wrong := fault(bad, await answer(server.port, bad)))]
    assert not faults, "\n".join(faults)
    assert server.post("/v1/models/iris:predict", {"instances": [ROW]}) == (200, {"predictions": [0]})


def resident_kib(pid):
    with Path(f"/proc/{pid}/status").open() as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


async def flood(port, count):
    """Send that many, pipelined where the connection survives them."""
    lasting, closing = [b for b in ALL if not b.closes], [b for b in ALL if b.closes]
    sent = 0
    while sent < count:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        for start in range(0, len(lasting), AT_ONCE):
            some = lasting[start : start + AT_ONCE]
            writer.write(b"".join(bad.data for bad in some))
            for _ in some:
                assert 400 <= (await read_reply(reader))[0] < 500
            sent += len(some)
        writer.write(closing[sent % len(closing)].data)
        await read_reply(reader)
        writer.close()
        sent += 1


@pytest.mark.parametrize("total", [TOTAL, pytest.param(10 * TOTAL, marks=pytest.mark.soak)])
async def test_memory_is_flat(server, total):
    await flood(server.port, TOTAL // 10)
    before = resident_kib(server.pid)
    await flood(server.port, total)
    assert resident_kib(server.pid) - before < GROWTH_KIB
    assert server.post("/v1/models/iris:predict", {"instances": [ROW]}) == (200, {"predictions": [0]})


async def mixed_round(server):
    """Good requests in all dialects, malformed ones, clients that go away, and a body of megabytes."""
    rows = {"instances": [ROW]}
    tensor = {"name": "x", "shape": [1, 4], "datatype": "FP64", "data": ROW}
    asked = [
        (b"/v1/models/iris:predict", rows),
        (b"/iris/predict", rows),
        (b"/v2/models/iris/infer", {"inputs": [ROW]}),
        (b"/v2/models/iris/infer", {"inputs": [tensor], "outputs": [{"name": "predict_proba"}]}),
        (b"/v1/models/iris:predict", {"instances": [ROW] * 50_000}),
    ]
    requests = []
    for path, document in asked:
        body = json.dumps(document).encode()
        head = b"POST %b HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n" % (path, len(body))
        requests.append(head + body)

    async def client():
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 20)
        for _ in range(20):
            writer.write(b"".join(requests[:4]) * 5)
            for _ in range(20):
                assert (await asyncio.wait_for(read_reply(reader), 20))[0] == 200
        writer.write(requests[4])
        status, _, body = await asyncio.wait_for(read_reply(reader), 20)
        assert (status, len(json.loads(body)["predictions"])) == (200, 50_000)
        writer.write(requests[0][:-10])  # never finished
        writer.close()

    await asyncio.gather(flood(server.port, len(ALL)), *(client() for _ in range(8)))


@pytest.mark.parametrize("rounds", [5, pytest.param(1100, marks=pytest.mark.soak)])
async def test_mixed_load_leaves_nothing_behind(serve, iris, tmp_path, rounds):
    server = serve([model(iris)], capture={"stream": {"uri": str(tmp_path / "stream")}})
    wait_until(server.ready, "readiness")
    for _ in range(5):
        await mixed_round(server)
    before = resident_kib(server.pid)
    for _ in range(rounds):
        await mixed_round(server)

    def status():
        return server.get("/moorage/v1/status", server.management)[1]["capture"]

    wait_until(lambda: status()["pending"] == 0, "delivery of all")
    good = 8 * (20 * 20 + 1) * (5 + rounds)
    assert (status()["captured"], status()["dropped"]) == (good, 0)
    assert resident_kib(server.pid) - before < MIXED_GROWTH_KIB
