"""Fetching into a cache, reading and writing, whatever the scheme.

The cache may be shared by processes and outlive them: an entry's name is made of the URI and of the version that
the store reports, it is filled beside and renamed into place, so whoever sees it sees it whole.
"""

import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from moorage_runtime.config import StorageConfig
from moorage_runtime.storage import s3, web
from moorage_runtime.storage.digest import digest
from moorage_runtime.storage.uri import Local, Remote, StorageError, resolve


def fetch(uri: str, into: Path, storage: StorageConfig) -> Path:
    """The local path of a file or folder: in place where it is on this machine, otherwise below `into`.

    Raises StorageError, which names the URI.
    """
    place = resolve(uri)
    if isinstance(place, Local):
        if not place.path.exists():
            raise StorageError(f"{uri}: there is no such file or folder")
        return place.path
    try:
        into.mkdir(parents=True, exist_ok=True)
        return _fetch_s3(uri, place, into, storage) if place.kind == "s3" else _fetch_web(uri, place, into)
    except OSError as error:
        raise StorageError(f"{uri}: cannot be kept in {into}: {error.strerror or error}") from None


def read_bytes(uri: str, storage: StorageConfig) -> bytes:
    """A file's content; StorageError names the URI."""
    place = resolve(uri)
    if isinstance(place, Remote):
        if place.kind == "s3":
            return s3.read(place.address, storage, uri)
        sink = io.BytesIO()
        with web.opened(uri) as reply:
            web.copy(reply, sink, uri)
        return sink.getvalue()
    try:
        return place.path.read_bytes()
    except OSError as error:
        raise StorageError(f"{uri}: {error.strerror or error}") from None


def write_bytes(uri: str, data: bytes, storage: StorageConfig) -> None:
    """Write a file or object whole, folders are made as needed; StorageError names the URI."""
    place = resolve(uri)
    if isinstance(place, Remote):
        if place.kind != "s3":
            raise StorageError(f"{uri}: nothing can be written by http")
        s3.write(place.address, data, storage, uri)
        return
    try:
        replace(place.path, data)
    except OSError as error:
        raise StorageError(f"{uri}: {error.strerror or error}") from None


def replace(path: Path, data: bytes) -> None:
    """Put the data in place at once; folders are made as needed. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:64]}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), 0o644)
        Path(unfinished).replace(path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise


def _fetch_s3(uri: str, place: Remote, into: Path, storage: StorageConfig) -> Path:
    with s3.errors(uri):
        filesystem = s3.filesystem(storage)
    found = s3.listing(filesystem, place.address, uri)
    version = "".join(f"{info.path}\0{info.size}\0{info.mtime_ns}\n" for info in found)
    return _entry(
        into,
        (uri, storage.endpoint or "", version),
        place.name,
        lambda path: s3.download(filesystem, found, place.address, path, uri),
    )


def _fetch_web(uri: str, place: Remote, into: Path) -> Path:
    with web.opened(uri) as reply:

        def download(path: Path) -> None:
            with path.open("wb") as sink:
                web.copy(reply, sink, uri)

        version = web.fingerprint(reply)
        return _entry(into, None if version is None else (uri, version), place.name, download, uri)


def _entry(
    into: Path, key: tuple[str, ...] | None, name: str, download: Callable[[Path], None], uri: str = ""
) -> Path:
    """The cache's entry of a key; without a key the content decides, once it is here."""
    folder = into / _hash(key) if key else None
    if folder is not None and folder.is_dir():
        return folder / name
    unfinished = Path(tempfile.mkdtemp(dir=into, prefix=".unfinished-"))
    try:
        download(unfinished / name)
        folder = folder or into / _hash((uri, digest(unfinished / name)))
        try:
            unfinished.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
        return folder / name
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _hash(key: tuple[str, ...]) -> str:
    return hashlib.sha256("\0".join(key).encode()).hexdigest()[:32]
