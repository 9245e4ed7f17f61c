"""Whoever follows something for ever must notice that nobody reads any more."""

import errno
import select
import sys


def check_reader() -> None:
    """Raises BrokenPipeError where standard output is a pipe whose reader has gone away."""
    try:
        watched = select.poll()
        watched.register(sys.stdout.fileno(), 0)
    except (OSError, ValueError):  # no file at all, as in a test
        return
    if any(state & select.POLLERR for _, state in watched.poll(0)):
        raise BrokenPipeError(errno.EPIPE, "the reader has gone away")
