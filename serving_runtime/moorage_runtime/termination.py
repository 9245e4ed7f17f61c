"""The last words of a process: a document where the kubelet, or `moorage up`, reads it."""

import os
import tempfile
from pathlib import Path

from moorage_runtime.config import TERMINATION_LOG, TERMINATION_LOG_ENV


def write(document: bytes) -> None:
    """Write the document; a machine without a termination log (a run by hand) gets none. Raises OSError."""
    named = os.environ.get(TERMINATION_LOG_ENV)
    path = Path(named or TERMINATION_LOG)
    if named or path.exists():
        replace(path, document)


def replace(path: Path, data: bytes) -> None:
    """Put the data in place at once. A mounted file cannot be replaced and is written by a single call instead."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            os.write(handle, data)
        finally:
            os.close(handle)
        try:
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink()
            raise
    except OSError:
        path.write_bytes(data)
