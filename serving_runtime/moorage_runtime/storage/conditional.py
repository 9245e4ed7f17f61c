"""One document that several processes replace, each only the version that it has seen.

On S3 the server compares ETags (If-Match, If-None-Match). On a file system a lock beside the file, held for the
length of a write, does; the tag is then the content's SHA-256.
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from moorage_runtime.config import StorageConfig
from moorage_runtime.storage import objects
from moorage_runtime.storage.access import replace
from moorage_runtime.storage.objects import Changed
from moorage_runtime.storage.uri import Local, Remote, StorageError, resolve

_AGAIN_SECONDS = 0.05


def read_tagged(uri: str, storage: StorageConfig) -> tuple[bytes, str] | None:
    """Content and tag; None where there is nothing. Raises StorageError."""
    place = resolve(uri)
    if isinstance(place, Local):
        try:
            data = place.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"{uri}: {error.strerror or error}") from None
        return data, _tag(data)
    store, key = _object(place, storage, uri)
    with objects.errors(uri):
        before = None
        while (found := _get(store, key)) is not None and found != before and not _belong(*found):
            before = found
            time.sleep(_AGAIN_SECONDS)
        return found


def write_if(uri: str, data: bytes, tag: str | None, storage: StorageConfig) -> str:
    """Replace what still has `tag`, or with None write where nothing is; the new tag.

    The document is seen whole, old or new. Raises Changed where somebody else wrote first, StorageError
    otherwise; after a lost answer it can be one's own write that is found there.
    """
    place = resolve(uri)
    if isinstance(place, Local):
        try:
            return _replace(uri, place.path, data, tag)
        except OSError as error:
            raise StorageError(f"{uri}: {error.strerror or error}") from None
    store, key = _object(place, storage, uri)
    mode: Any = "create" if tag is None else {"e_tag": tag}
    with objects.errors(uri):
        return str(store.put(key, data, mode=mode, use_multipart=False)["e_tag"])


def _get(store: Any, key: str) -> tuple[bytes, str] | None:
    try:
        found = store.get(key)
    except FileNotFoundError:
        return None
    return bytes(found.bytes()), str(found.meta["e_tag"])


def _belong(data: bytes, tag: str) -> bool:
    """Whether the tag is that of the data, as far as can be told: that of a plain put is its MD5.

    Servers over a file system (versitygw with its sidecar folder) may, for an instant, answer the old content with
    the new tag; who then wrote by that tag would overwrite what he has not seen. A store that encrypts has tags of
    another kind, so that the same answer twice is taken, too.
    """
    return tag.strip('"') == hashlib.md5(data, usedforsecurity=False).hexdigest()


def _object(place: Remote, storage: StorageConfig, uri: str) -> tuple[Any, str]:
    if place.kind != "s3":
        raise StorageError(f"{uri}: a document that is replaced cannot lie behind http")
    return objects.store(place.address, storage, uri)


def _replace(uri: str, path: Path, data: bytes, tag: str | None) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        now = _tag(path.read_bytes()) if path.exists() else None
        if now != tag:
            raise Changed(f"{uri}: somebody else wrote it meanwhile")
        replace(path, data)
    return _tag(data)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Alone with the path, as long as everybody asks; the lock goes with its process."""
    handle = os.open(path.parent / f".{path.name[:64]}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _tag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
