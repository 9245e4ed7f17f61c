"""SIGTERM under load fails no accepted request, and the stream has every answered one."""

import asyncio
import json
import signal

import pytest

from parts.base import wait_until

ROW = [5.1, 3.5, 1.4, 0.2]
BODY = json.dumps({"instances": [ROW]}).encode()
REQUEST = b"POST /v1/models/iris:predict HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n%b" % (
    len(BODY),
    BODY,
)
CLIENTS = 16
BEFORE = 100


def model(path, **more):
    return {"name": "iris", "uri": str(path), "framework": "sklearn", **more}


async def one_client(port, answered, half_way):
    """Ask until the server says that it closes; the number of answers. Fails where a sent request has none."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            return  # nobody listens any more: nothing was accepted
        first = True
        while True:
            try:
                writer.write(REQUEST)
                head = await reader.readuntil(b"\r\n\r\n")
            except (ConnectionResetError, BrokenPipeError, asyncio.IncompleteReadError) as error:
                if not first or getattr(error, "partial", b""):
                    pytest.fail(f"an accepted connection was closed without an answer: {error!r}")
                break
            assert head.startswith(b"HTTP/1.1 200"), head
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            assert json.loads(await reader.readexactly(length)) == {"predictions": [0]}
            answered.append(1)
            if len(answered) == BEFORE * CLIENTS:
                half_way()
            first = False
            if b"connection: close" in head.lower():
                break
        writer.close()


async def test_sigterm_under_load_fails_no_accepted_request(serve, iris, tmp_path):
    stream = {"stream": {"uri": str(tmp_path / "stream")}, "format": "native"}
    running = serve([model(iris)], capture=stream)
    wait_until(running.ready, "readiness")
    answered = []

    def stop():
        running.process.process.send_signal(signal.SIGTERM)

    async with asyncio.timeout(60):
        await asyncio.gather(*(one_client(running.port, answered, stop) for _ in range(CLIENTS)))
        code = await asyncio.to_thread(running.process.process.wait, 20)
    assert code == 0
    assert len(answered) >= BEFORE * CLIENTS
    lines = [line for file in (tmp_path / "stream").glob("*.jsonl") for line in file.read_text().splitlines()]
    assert sum(len(json.loads(line)["requests"]["id"]) for line in lines) == len(answered)


async def test_an_idle_connection_gets_a_last_answer(serve, iris):
    running = serve([model(iris)])
    wait_until(running.ready, "readiness")
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(REQUEST)
    assert b"connection: close" not in await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(len(b'{"predictions":[0]}'))
    running.process.process.send_signal(signal.SIGTERM)
    await asyncio.to_thread(
        running.process.wait_until, lambda: "stopping" in running.process.tail(), "SIGTERM"
    )
    assert running.get("/ready", running.management)[0] == 503
    writer.write(REQUEST)
    assert b"connection: close" in await reader.readuntil(b"\r\n\r\n")
    assert await reader.read() == b'{"predictions":[0]}'
    writer.close()
    assert await asyncio.to_thread(running.process.process.wait, 20) == 0


async def test_connections_that_wait_to_be_accepted_are_answered(serve, iris):
    running = serve([model(iris)])
    wait_until(running.ready, "readiness")
    running.process.process.send_signal(signal.SIGSTOP)
    lines = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(50)]
    for _, writer in lines:
        writer.write(REQUEST)
    running.process.process.send_signal(signal.SIGTERM)
    running.process.process.send_signal(signal.SIGCONT)
    for reader, writer in lines:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        assert head.startswith(b"HTTP/1.1 200")
        writer.close()
    assert await asyncio.to_thread(running.process.process.wait, 20) == 0


async def test_the_drain_has_an_end(serve, iris):
    running = serve([model(iris)], http={"drainSeconds": 2})
    wait_until(running.ready, "readiness")
    _, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(REQUEST[:-5])  # never finished
    running.process.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(running.process.process.wait, 10) == 0
    writer.close()
