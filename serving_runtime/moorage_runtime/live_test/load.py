"""Sending the records: a closed loop by concurrency, or an open loop by rate.

A closed loop sends the next request when one was answered, so a slow server slows the test. An open loop starts
requests at fixed times whatever the answers do, and measures from the intended start: a request that had to wait
behind a stall shows the stall (no coordinated omission).
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter

from moorage_runtime.capture import TEST_ID
from moorage_runtime.live_test.answers import Answer, error_text, predictions, tensors
from moorage_runtime.live_test.client import Client, Reply, Unanswered

EARLY = 0.001
"""The event loop's timer wakes up to a millisecond late, so an open loop wakes that much early."""

Send = Callable[[int, float | None], Awaitable[Answer]]
"""Sends request number n; the second argument is its intended start (perf_counter), None for now."""
Progress = Callable[[int, int], None]
"""Told how many requests of how many are answered."""


@dataclass(frozen=True, slots=True)
class Ids:
    """Ids of a run: no other request of anybody has them, so that the capture stream can be searched for them."""

    run: str

    def load(self, number: int) -> str:
        """Of request `number` of the load."""
        return f"{TEST_ID}{self.run}-{number}"

    def other(self, what: str) -> str:
        """Of a request beside the load."""
        return f"{TEST_ID}{self.run}-{what}"


class Sender:
    """Sends one record a request, and reads the answer outside the clock."""

    def __init__(self, client: Client, ids: Ids, tails: list[bytes], classes: list[object]) -> None:
        self._client = client
        self._ids = ids
        self._tails = tails
        self._classes = classes
        self._begin = perf_counter()

    async def __call__(self, number: int, intended: float | None) -> Answer:
        """Request `number`, going round the sample where there are more requests than records."""
        record = number % len(self._tails)
        request_id = self._ids.load(number)
        body = body_of(request_id, self._tails[record])
        now = perf_counter()
        start = now if intended is None else min(now, intended)
        answer = Answer(request_id, record, start - self._begin, 0.0, late=now - start)
        try:
            reply = await self._client.infer(body)
        except Unanswered as error:
            answer.latency = perf_counter() - start
            answer.error, answer.detail = error.kind, str(error)
            return answer
        answer.latency = perf_counter() - start
        self._read(reply, answer)
        return answer

    def _read(self, reply: Reply, answer: Answer) -> None:
        answer.status = reply.status
        if not 200 <= reply.status < 300:
            answer.error = "reply" if reply.status < 400 else "5xx" if reply.status >= 500 else "4xx"
            answer.detail = error_text(reply.body) or reply.body[:200].decode(errors="replace")
            return
        try:
            answer.prediction = predictions(tensors(reply.body), 1, self._classes)[0]
        except (ValueError, TypeError, StopIteration) as error:
            answer.error, answer.detail = "reply", f"unusable reply: {error}"


def body_of(request_id: str, tail: bytes) -> bytes:
    """A whole request: the id, and the encoded rest."""
    return b'{"id":"' + request_id.encode() + b'",' + tail


async def warm_up(client: Client, ids: Ids, tails: list[bytes], connections: int) -> None:
    """Open the connections and answer twice on each, unmeasured. Raises Unanswered where nobody is there."""
    for turn in range(2):
        bodies = [
            body_of(ids.other(f"warm-{turn}-{number}"), tails[number % len(tails)])
            for number in range(connections)
        ]
        replies = await asyncio.gather(*map(client.infer, bodies), return_exceptions=True)
        errors = [reply for reply in replies if isinstance(reply, BaseException)]
        if len(errors) == len(replies):
            raise errors[0]


async def closed_loop(send: Send, count: int, concurrency: int, progress: Progress) -> list[Answer]:
    """Send `count` requests, `concurrency` under way at any time."""
    numbers = iter(range(count))
    answers: list[Answer] = []

    async def worker() -> None:
        for number in numbers:
            answers.append(await send(number, None))
            progress(len(answers), count)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(concurrency, count)):
            group.create_task(worker())
    return answers


async def open_loop(send: Send, count: int, rate: float, in_flight: int, progress: Progress) -> list[Answer]:
    """Start `count` requests at `rate` per second; `in_flight` bounds how many wait for an answer."""
    answers: list[Answer] = []
    room = asyncio.Semaphore(in_flight)

    async def one(number: int, intended: float) -> None:
        try:
            answers.append(await send(number, intended))
        finally:
            room.release()
        progress(len(answers), count)

    begin = perf_counter() + EARLY
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            intended = begin + number / rate
            ahead = intended - perf_counter()
            await asyncio.sleep(ahead - EARLY if ahead > EARLY else 0)
            await room.acquire()
            group.create_task(one(number, intended))
    return answers
