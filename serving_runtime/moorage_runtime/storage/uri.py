"""What a URI points at: a path of this machine, an object of S3, or an address to download."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from moorage_runtime import config

SCHEMES = ("file", "s3", "http", "https", "pvc")


class StorageError(Exception):
    """Something cannot be read or written; the message names the URI."""


@dataclass(frozen=True, slots=True)
class Local:
    """A file or folder of this machine."""

    path: Path


@dataclass(frozen=True, slots=True)
class Remote:
    """`address` is BUCKET/KEY for s3, the whole URL for http; `name` is the last part of the path."""

    kind: Literal["s3", "http"]
    address: str
    name: str


def resolve(uri: str) -> Local | Remote:
    """Split a URI; StorageError where it is of no supported scheme or leaves its root."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        if not uri:
            raise StorageError("an empty URI points at nothing")
        return Local(Path(uri))
    scheme = scheme.lower()
    if scheme == "file":
        return _file(uri, rest)
    if scheme == "pvc":
        claim, _, path = rest.partition("/")
        if claim in ("", ".", "..") or ".." in path.split("/"):
            raise StorageError(f"{uri}: pvc://CLAIM/PATH is needed, without ..")
        return Local(Path(config.VOLUMES_DIR) / claim / path)
    if scheme == "s3":
        bucket, _, key = rest.partition("/")
        if not bucket or not key.strip("/"):
            raise StorageError(f"{uri}: s3://BUCKET/KEY is needed")
        return Remote("s3", f"{bucket}/{key.strip('/')}", key.rstrip("/").rpartition("/")[2])
    if scheme in ("http", "https"):
        parts = urlsplit(uri)
        if not parts.hostname:
            raise StorageError(f"{uri}: a host is needed")
        return Remote("http", uri, file_name(unquote(parts.path)))
    raise StorageError(f"{uri}: scheme {scheme!r} is not supported; supported: {', '.join(SCHEMES)}")


def file_name(path: str) -> str:
    """The last part of a path as the name of a file."""
    name = path.rstrip("/").rpartition("/")[2].replace("\0", "")
    return name if name not in ("", ".", "..") else "artifact"


def _file(uri: str, rest: str) -> Local:
    host, slash, path = rest.partition("/")
    if host not in ("", "localhost") or not slash:
        raise StorageError(f"{uri}: file:///ABSOLUTE/PATH is needed")
    return Local(Path("/" + unquote(path)))
