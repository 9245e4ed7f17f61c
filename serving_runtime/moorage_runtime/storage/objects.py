"""Objects of S3 through obstore's client, where pyarrow's has no way: conditional puts, tags, uploads given up.

Endpoint, region and credentials are found as in s3.py.
"""

import configparser
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from moorage_runtime.config import StorageConfig
from moorage_runtime.storage import s3
from moorage_runtime.storage.uri import StorageError

_RETRIES = 3
_RETRY_SECONDS = 60
_CODE = re.compile(r"<Code>(.*?)</Code>(?:\s*<Message>(.*?)</Message>)?")
_URL = re.compile(r"\bhttps?://\S+ ")


class Changed(StorageError):  # noqa: N818 - it is an outcome as much as a fault
    """Somebody else wrote there first."""


def store(address: str, storage: StorageConfig, uri: str) -> tuple[Any, str]:
    """A client for the bucket of BUCKET/KEY, and the key; StorageError without obstore."""
    try:
        import obstore  # noqa: F401
    except ImportError:
        raise StorageError(f"{uri}: s3:// needs obstore: install moorage[s3]") from None
    bucket, _, key = address.partition("/")
    with errors(uri):
        return _store(bucket, s3.endpoint_of(storage), s3.region_of(storage), _credentials()), key


@contextmanager
def errors(uri: str) -> Iterator[None]:
    """Turn the client's errors into StorageError: one line that names the URI."""
    from obstore import exceptions

    try:
        yield
    except FileNotFoundError as error:
        what = "bucket" if "NoSuchBucket" in str(error) else "object"
        raise StorageError(f"{uri}: there is no such {what}") from None
    except (exceptions.AlreadyExistsError, exceptions.PreconditionError):
        raise Changed(f"{uri}: somebody else wrote it meanwhile") from None
    except (exceptions.BaseError, OSError, ValueError) as error:
        raise StorageError(f"{uri}: {_cause(str(error))}") from None


def _cause(text: str) -> str:
    """The server's code and message, or the client's first line without the address."""
    if found := _CODE.search(text):
        return ": ".join(part for part in found.groups() if part)[:300]
    return _URL.sub("", text.splitlines()[0])[:300]


def _credentials() -> tuple[tuple[str, str], ...] | None:
    """What the client is told of credentials: nothing where the environment has them; None: ask anonymously."""
    if not s3.have_credentials():
        return None
    telling = (*s3.CREDENTIALS, "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    environment = tuple((name, os.environ[name]) for name in telling if name in os.environ)
    if environment and "AWS_PROFILE" not in os.environ:
        return environment  # only tells one client from another: obstore reads these by itself
    shared = configparser.RawConfigParser()
    shared.read(Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").expanduser())
    profile = os.environ.get("AWS_PROFILE", "default")
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    section = shared[profile] if shared.has_section(profile) else {}
    return tuple((name, section[name]) for name in names if name in section)


@lru_cache(maxsize=16)
def _store(
    bucket: str, endpoint: str | None, region: str | None, credentials: tuple[tuple[str, str], ...] | None
) -> Any:
    from obstore.store import S3Store

    options: dict[str, Any] = {}
    if endpoint:
        options["endpoint"] = options["aws_endpoint_url_s3"] = endpoint  # the second would win by environment
    if region or endpoint:
        options["region"] = region or "us-east-1"
    if credentials is None:
        options["skip_signature"] = True
    options |= {name: value for name, value in credentials or () if name.startswith("aws_")}
    return S3Store(
        bucket,
        **options,
        client_options={
            "allow_http": True,
            "connect_timeout": timedelta(seconds=s3.CONNECT_SECONDS),
            "timeout": timedelta(seconds=s3.REQUEST_SECONDS),
        },
        retry_config={"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_RETRY_SECONDS)},
    )
