"""A server's ports from the first connection to the last: listening, and the drain that fails no accepted request."""

import asyncio
import contextlib
import socket
from dataclasses import dataclass

from moorage_runtime.http import sockets
from moorage_runtime.http.exchange import Gate
from moorage_runtime.http.limits import Limits, Sweeper
from moorage_runtime.http.protocol import Connection, Dispatcher

QUIET_SECONDS = 1.0
"""How long a draining server waits for requests that are on their way on idle connections."""
_POLL_SECONDS = 0.01


@dataclass(slots=True)
class _Listener:
    opened: socket.socket
    server: asyncio.Server
    dispatcher: Dispatcher


class Ports:
    """The listening sockets of one server and the connections that came by them."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, gate: Gate, limits: Limits, sweeper: Sweeper[Connection]
    ) -> None:
        self._loop = loop
        self._gate = gate
        self._limits = limits
        self._sweeper = sweeper
        self._listeners: list[_Listener] = []

    async def listen(self, opened: socket.socket, dispatcher: Dispatcher) -> int:
        """Accept connections of a bound socket; its port."""
        server = await self._loop.create_server(
            lambda: self._connection(dispatcher), sock=opened, backlog=sockets.BACKLOG
        )
        self._listeners.append(_Listener(opened, server, dispatcher))
        return int(opened.getsockname()[1])

    def _connection(self, dispatcher: Dispatcher) -> Connection:
        return Connection(dispatcher, self._gate, self._limits, self._sweeper)

    async def drain(self, seconds: float, keep: Dispatcher) -> None:
        """Take what clients have sent already, answer it, and close; within `seconds` whatever happens.

        Connections that the kernel holds for us are accepted before the listening socket is closed. An idle
        connection is given a moment before it is closed: its client may just be sending. The port of the
        dispatcher `keep` stays open to the end, so that probes are answered.
        """
        now = self._loop.time()
        deadline, quiet = now + seconds, now + min(QUIET_SECONDS, seconds)
        self._gate.draining = True
        for listener in self._listeners:
            if listener.dispatcher is not keep:
                await self._stop_accepting(listener)
        connections = self._sweeper.connections
        while connections and self._loop.time() < deadline:
            if self._loop.time() >= quiet and all(each.quiet for each in connections):
                break
            await asyncio.sleep(_POLL_SECONDS)
        for listener in self._listeners:
            listener.server.close()
        for connection in list(connections):
            connection.close()
        await asyncio.sleep(0)

    async def _stop_accepting(self, listener: _Listener) -> None:
        for accepted in sockets.waiting(listener.opened):
            with contextlib.suppress(OSError):  # gone already
                await self._loop.connect_accepted_socket(
                    lambda: self._connection(listener.dispatcher), accepted
                )
        listener.server.close()
