"""Listing, opening and removing files, whatever the scheme; for those that read and write in parts."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from moorage_runtime.config import StorageConfig
from moorage_runtime.storage import objects, s3
from moorage_runtime.storage.uri import Local, Remote, StorageError, resolve

_UPLOAD_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file as a listing shows it; `tag` changes when the file does (ETag; time and size in a folder)."""

    uri: str
    size: int
    tag: str


def list_files(uri: str, storage: StorageConfig) -> list[FileInfo]:
    """A file, the files of a folder and of the folders in it, or those that match `*` in the last part.

    Sorted by URI; hidden files (a dot before the name) and those still being written are not there; empty where
    nothing is. Raises StorageError.
    """
    place = resolve(uri)
    parent, _, last = uri.rpartition("/")
    pattern = None
    if "*" in last:
        base = f"{parent}/" if parent.endswith("/") else parent
        pattern = re.compile(".*".join(map(re.escape, last.split("*"))), re.DOTALL)
    else:
        base = uri.rstrip("/") or uri
    if isinstance(place, Local):
        folder = place.path.parent if pattern else place.path
        found = _files(uri, folder, recursive=pattern is None)
        join = quote if uri.lower().startswith("file:") else str
        if not parent and pattern:
            base = "."
    else:
        address = place.address.rpartition("/")[0] if pattern else place.address
        found = _objects(uri, place, address, storage)
        join = str
    return sorted(
        (
            FileInfo(f"{base.rstrip('/')}/{join(name)}" if name else base, size, tag)
            for name, size, tag in found
            if not any(part.startswith(".") for part in PurePosixPath(name).parts)
            and (pattern is None or ("/" not in name and pattern.fullmatch(name)))
        ),
        key=lambda info: info.uri,
    )


def remove(uri: str, storage: StorageConfig) -> None:
    """Remove a file; nothing happens where there is none. Raises StorageError."""
    place = resolve(uri)
    if isinstance(place, Local):
        try:
            place.path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"{uri}: {error.strerror or error}") from None
        return
    store, key = _store(place, storage, uri)
    with objects.errors(uri), suppress(FileNotFoundError):
        store.delete(key)


def open_input(uri: str, storage: StorageConfig) -> Any:
    """A pyarrow file to read from any position, to be closed; StorageError where it cannot be opened."""
    place = resolve(uri)
    if isinstance(place, Remote):
        _needs_s3(place, uri)
        with s3.errors(uri):
            return s3.filesystem(storage).open_input_file(place.address)
    pa = _pyarrow(uri)
    try:
        return pa.OSFile(str(place.path))
    except OSError as error:
        raise StorageError(f"{uri}: {os.strerror(error.errno) if error.errno else error}") from None


@contextmanager
def open_output(uri: str, storage: StorageConfig) -> Iterator[Any]:
    """A pyarrow file to write to; it appears whole when the block ends, and not at all where the block raises.

    Folders are made as needed. Raises StorageError.
    """
    place = resolve(uri)
    pa = _pyarrow(uri)
    if isinstance(place, Local):
        with _unfinished(uri, place.path) as path, pa.OSFile(str(path), "wb") as sink:
            yield sink
        return
    store, key = _store(place, storage, uri)
    import obstore

    with objects.errors(uri):
        upload = _Upload(obstore.open_writer(store, key, buffer_size=_UPLOAD_BYTES), uri)
    sink = pa.PythonFile(upload, mode="w")
    yield sink
    sink.flush()
    upload.commit()


class _Upload:
    """The client's writer as pyarrow wants a file; only `commit` makes the object appear."""

    def __init__(self, writer: Any, uri: str) -> None:
        self._writer = writer
        self._uri = uri
        self.closed = False

    def write(self, data: Any) -> int:
        with objects.errors(self._uri):
            return int(self._writer.write(memoryview(data).cast("B")))

    def flush(self) -> None:
        """The client sends a part when it is full."""

    def close(self) -> None:
        self.closed = True

    def commit(self) -> None:
        with objects.errors(self._uri):
            self._writer.close()


@contextmanager
def _unfinished(uri: str, path: Path) -> Iterator[Path]:
    """A path beside `path`, which takes its place at the end of the block, or goes."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:64]}.")
        os.fchmod(handle, 0o644)
        os.close(handle)
    except OSError as error:
        raise StorageError(f"{uri}: {error.strerror or error}") from None
    try:
        yield Path(name)
        Path(name).replace(path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise StorageError(f"{uri}: {error.strerror or error}") from None
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _files(uri: str, folder: Path, *, recursive: bool) -> Iterator[tuple[str, int, str]]:
    try:
        if not folder.is_dir():
            if folder.exists() and recursive:
                yield "", *_version(folder)
            return
        for root, folders, names in os.walk(folder):
            if not recursive:
                folders.clear()
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                path = Path(root, name)
                if name.startswith(".") or not path.is_file():
                    continue
                with suppress(FileNotFoundError):  # removed while we look
                    yield path.relative_to(folder).as_posix(), *_version(path)
    except OSError as error:
        raise StorageError(f"{uri}: {error.strerror or error}") from None


def _version(path: Path) -> tuple[int, str]:
    found = path.stat()
    return found.st_size, f"{found.st_mtime_ns:x}-{found.st_size:x}"


def _objects(uri: str, place: Remote, address: str, storage: StorageConfig) -> Iterator[tuple[str, int, str]]:
    store, key = _store(place, storage, uri)
    key = address.partition("/")[2]
    with objects.errors(uri):
        if key and key == place.address.partition("/")[2]:
            with suppress(FileNotFoundError):
                info = store.head(key)
                yield "", info["size"], _etag(info)
                return
        prefix = f"{key}/" if key else ""
        for page in store.list(prefix or None):
            for info in page:
                if not info["path"].endswith("/"):
                    yield info["path"].removeprefix(prefix), info["size"], _etag(info)


def _etag(info: Any) -> str:
    return str(info["e_tag"] or f"{info['last_modified']}-{info['size']}")


def _store(place: Remote, storage: StorageConfig, uri: str) -> tuple[Any, str]:
    _needs_s3(place, uri)
    return objects.store(place.address, storage, uri)


def _needs_s3(place: Remote, uri: str) -> None:
    if place.kind != "s3":
        raise StorageError(f"{uri}: http addresses can only be read whole")


def _pyarrow(uri: str) -> Any:
    try:
        import pyarrow as pa
    except ImportError:
        raise StorageError(f"{uri}: needs pyarrow: install moorage[s3]") from None
    return pa
