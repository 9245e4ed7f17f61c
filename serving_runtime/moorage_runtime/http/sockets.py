"""Listening sockets, and who may share an address with whom.

A pod that becomes ready opens its traffic port with SO_REUSEPORT: on one machine, without a proxy, the processes of
a Service share its port and the kernel spreads connections over them. A revision that never becomes ready must not
get any of that traffic. Yet where all models are required and one failed, its siblings are to answer by name. Both
hold if such a pod opens the port only while nobody else has it: it binds without SO_REUSEPORT, which the kernel
refuses as soon as one other socket has the address, and sets the option afterwards, so that a later, ready revision
can still come in. Where the claim is refused the siblings answer on the management port alone.
"""

import contextlib
import errno
import resource
import socket

BACKLOG = 2048


class PortTakenError(Exception):
    """Somebody else listens at an address; the message names it."""


def shared(host: str, port: int) -> socket.socket:
    """A socket bound beside others that share the port. PortTakenError where its holder does not share."""
    return _bound(host, port, share=True)


def claimed(host: str, port: int) -> socket.socket:
    """A socket bound where nobody else has the address; others may share it from then on."""
    opened = _bound(host, port, share=False)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return opened


def _bound(host: str, port: int, *, share: bool) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise PortTakenError(f"cannot listen on {host}: {error.strerror}") from None
    opened = socket.socket(family, kind, protocol)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        opened.setblocking(False)
        opened.bind(address)
    except OSError as error:
        opened.close()
        why = "the port is in use" if error.errno == errno.EADDRINUSE else error.strerror
        raise PortTakenError(f"cannot listen on {host}:{port}: {why}") from None
    return opened


def raise_file_limit() -> None:
    """Allow as many open connections as the hard limit does."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def waiting(listener: socket.socket) -> list[socket.socket]:
    """Connections that the kernel has accepted for the listener and the program has not, until there is none left."""
    accepted = []
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            connection.setblocking(False)
            accepted.append(connection)
    return accepted
