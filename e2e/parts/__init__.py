"""The real parts that the tests run against: how each is built, cached, started and stopped.

A part that this machine cannot have raises `Missing`, which says what is missing and why.
"""

from parts.base import Missing, Process, cached, free_port, wait_until

__all__ = ["Missing", "Process", "cached", "free_port", "wait_until"]
