"""Objects of S3 and of servers that speak it, through pyarrow's client.

Credentials come by the environment (AWS_ACCESS_KEY_ID …, or a service account's AWS_WEB_IDENTITY_TOKEN_FILE) or
from ~/.aws. Where there are none, requests are anonymous: public buckets work, and nothing waits for a cloud's
metadata address that is not there.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from moorage_runtime.config import StorageConfig
from moorage_runtime.storage.uri import StorageError

CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
_CHUNK = 1 << 20
CONNECT_SECONDS = 10
REQUEST_SECONDS = 60
_ATTEMPTS = 3


def filesystem(storage: StorageConfig) -> Any:
    """A pyarrow S3FileSystem; StorageError without pyarrow."""
    try:
        from pyarrow import fs
    except ImportError:
        raise StorageError("s3:// needs pyarrow: install moorage[s3]") from None
    options: dict[str, Any] = {}
    endpoint, region = endpoint_of(storage), region_of(storage)
    if endpoint:
        parts = urlsplit(endpoint)
        options = {"endpoint_override": parts.netloc, "scheme": parts.scheme}
    if region or endpoint:
        options["region"] = region or "us-east-1"
    return fs.S3FileSystem(
        anonymous=not have_credentials(),
        connect_timeout=CONNECT_SECONDS,
        request_timeout=REQUEST_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
        **options,
    )


def listing(filesystem: Any, address: str, uri: str) -> list[Any]:
    """The files at an address (pyarrow FileInfo): the object itself, or all under it as a folder, sorted."""
    from pyarrow import fs

    with errors(uri):
        info = filesystem.get_file_info(address)
        if info.type == fs.FileType.File:
            return [info]
        found = (
            filesystem.get_file_info(fs.FileSelector(address, recursive=True))
            if info.type == fs.FileType.Directory
            else []
        )
    found = sorted((i for i in found if i.type == fs.FileType.File), key=lambda i: i.path)
    if not found:
        raise StorageError(f"{uri}: there is no such object or folder")
    return found


def download(filesystem: Any, found: list[Any], address: str, into: Path, uri: str) -> None:
    """Copy what `listing` found to `into`, which becomes a file or a folder."""
    for info in found:
        target = into
        if info.path != address:
            relative = PurePosixPath(info.path.removeprefix(address + "/"))
            if relative.is_absolute() or ".." in relative.parts:
                raise StorageError(f"{uri}: key {info.path!r} would leave its folder")
            target = into / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        with errors(uri), filesystem.open_input_stream(info.path) as source, target.open("wb") as sink:
            while chunk := source.read(_CHUNK):
                sink.write(chunk)


def read(address: str, storage: StorageConfig, uri: str) -> bytes:
    """One object's bytes."""
    with errors(uri), filesystem(storage).open_input_stream(address) as stream:
        return bytes(stream.readall())


def write(address: str, data: bytes, storage: StorageConfig, uri: str) -> None:
    """One object; it appears whole or not at all."""
    with errors(uri), filesystem(storage).open_output_stream(address) as stream:
        stream.write(data)


@contextmanager
def errors(uri: str) -> Iterator[None]:
    """Turn the client's errors into StorageError: one line that names the URI."""
    try:
        yield
    except StorageError as error:
        if str(error).startswith(uri):
            raise
        raise StorageError(f"{uri}: {error}") from None
    except FileNotFoundError:
        raise StorageError(f"{uri}: there is no such object") from None
    except OSError as error:
        raise StorageError(f"{uri}: {_cause(str(error))}") from None


def _cause(text: str) -> str:
    """The cause in pyarrow's message, which repeats the call and the request around it."""
    line = text.splitlines()[0]
    for mark in ("No such file", "ACCESS_DENIED", "AWS Error "):
        if mark in line:
            return line[line.index(mark) :][:300]
    return line[:300]


def endpoint_of(storage: StorageConfig) -> str | None:
    """The server's URL by config or environment; None is AWS's own."""
    found = storage.endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return f"https://{found}" if found and "://" not in found else found or None


def region_of(storage: StorageConfig) -> str | None:
    """The region by config or environment."""
    return storage.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or None


def have_credentials() -> bool:
    """Whether there is anything to sign requests with."""
    if any(os.environ.get(name) for name in CREDENTIALS):
        return True
    file = os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials"
    return Path(file).expanduser().is_file()
