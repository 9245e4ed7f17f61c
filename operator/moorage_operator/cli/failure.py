"""What a person sees when a command fails: one message in kubectl's words, never a traceback."""

import errno
import os
from typing import IO, Any

import click

from moorage_operator.local.apiserver.store import StoreError
from moorage_operator.local.apiserver.yaml import ManifestError

DEBUG = "MOORAGE_DEBUG"
"""Set to anything, it shows the traceback of an unexpected error."""


class Failure(click.ClickException):
    """Ends the command with exit code 1 and its message as it is."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message to stderr."""
        click.echo(self.message, file=file, err=file is None)


class NotFound(Failure):
    """An object that is not there."""

    def __init__(self, resource: str, name: str) -> None:
        super().__init__(f'Error from server (NotFound): {resource} "{name}" not found')


def as_failure(error: Exception) -> Exception:
    """What the command should end with; click's own ways of ending stay what they are."""
    if isinstance(error, click.ClickException | click.exceptions.Exit | click.Abort):
        return error
    if isinstance(error, OSError) and error.errno == errno.EPIPE:
        return error
    if isinstance(error, ManifestError | StoreError):
        return Failure(f"error: {error}")
    if isinstance(error, OSError) and error.strerror:
        return Failure(f"error: {error.filename or 'input or output'}: {error.strerror}")
    if os.environ.get(DEBUG):
        return error
    return Failure(f"error: unexpected {type(error).__name__}: {error} (set {DEBUG}=1 to see where)")
