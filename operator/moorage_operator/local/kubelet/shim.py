"""Runs in the child between fork and exec: the process shall end with the `moorage up` that started it.

A file of its own, run as `python -I -S shim.py PARENT COMMAND…`, since setting PR_SET_PDEATHSIG in a
preexec_fn is unsafe in a program with threads. The signal survives exec. Imports the standard library only.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Ask for SIGKILL at the death of PARENT, then become COMMAND."""
    parent, command = int(arguments[0]), arguments[1:]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # it died before we asked
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - the whole purpose


if __name__ == "__main__":
    main(sys.argv[1:])
