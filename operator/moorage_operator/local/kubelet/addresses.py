"""Addresses of a pod's config, as they are on this machine.

A manifest says the same on a laptop as on a cluster; this one function says where the things it names lie
here. It replaces addresses only: bucket, key, topic and path within a claim stay what they were.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel

from moorage_runtime.config import ServeConfig, StorageConfig, StreamConfig

LOOPBACK = "127.0.0.1"
_DEFAULT_PORTS = {"http": 80, "https": 443}

C = TypeVar("C", bound=BaseModel)


class AddressError(ValueError):
    """An address that has no place on this machine; the message names it."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where things lie on this machine, for one pod.

    `services` maps (namespace, name) to {port of the Service: port of loopback}; `mounts` maps absolute
    paths in the pod to paths here, and `scratch` its empty folders, which only the pod's own folders (…_dir)
    are looked up in, so that file:///tmp/… stays this machine's. `kafka` (HOST:PORT) and `object_store` (http(s) endpoint, folder or
    file:/// URI) take the place of the folders in `state`.
    """

    state: Path
    namespace: str = "default"
    services: Mapping[tuple[str, str], Mapping[int, int]] = field(default_factory=dict)
    mounts: Mapping[str, Path] = field(default_factory=dict)
    scratch: Mapping[str, Path] = field(default_factory=dict)
    kafka: str | None = None
    object_store: str | None = None
    http_port: int | None = None
    management_port: int | None = None


def locate(config: C, places: Places) -> C:
    """The config with every address as it is here: all fields named uri, url, …_uri, …_url and …_dir.

    Raises AddressError where an address would leave the folder that it belongs to.
    """
    changes: dict[str, Any] = {}
    for name in type(config).model_fields:
        value = getattr(config, name)
        if isinstance(value, BaseModel):
            changes[name] = locate(value, places)
        elif isinstance(value, list):
            changes[name] = [locate(item, places) if isinstance(item, BaseModel) else item for item in value]
        elif isinstance(value, str) and name.rpartition("_")[2] in {"uri", "url"}:
            changes[name] = locate_address(value, places)
        elif isinstance(value, str) and name.endswith("_dir"):
            changes[name] = locate_path(value, places, scratch=True)
    moved = config.model_copy(update=changes)
    if isinstance(moved, StreamConfig) and not moved.uri.startswith("kafka://"):
        return moved.model_copy(update={"tls": False, "ca_dir": None, "auth_dir": None})
    if isinstance(moved, StorageConfig):
        endpoint = places.object_store if _is_http(places.object_store) else None
        return moved.model_copy(update={"endpoint": endpoint})
    return _listening(moved, places)


def _listening(config: C, places: Places) -> C:
    """A server's config with the ports that are its own here."""
    fields, changes = type(config).model_fields, dict[str, Any]()
    if "management_port" in fields and places.management_port is not None:
        changes["management_port"] = places.management_port
    if "management_port" in fields and "host" in fields:
        changes["host"] = LOOPBACK
    if isinstance(config, ServeConfig):
        listen = {"host": LOOPBACK, "port": places.http_port or config.http.port}
        changes["http"] = config.http.model_copy(update=listen)
    return config.model_copy(update=changes) if changes else config


def stream_folders(config: BaseModel) -> list[Path]:
    """The directory streams that a located config names: they take the place of topics that exist already."""
    if isinstance(config, StreamConfig):
        return [] if "://" in config.uri else [Path(config.uri)]
    found: list[Path] = []
    for name in type(config).model_fields:
        value = getattr(config, name)
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, BaseModel):
                found += stream_folders(part)
    return found


def locate_address(address: str, places: Places) -> str:
    """One address: a URI of any scheme or an absolute path; what means the same here is returned as it is."""
    scheme, separator, rest = address.partition("://")
    if not separator:
        return locate_path(address, places) if address.startswith("/") else address
    match scheme:
        case "s3":
            return _object(address, rest, places)
        case "kafka":
            return _stream(address, rest, places)
        case "pvc":
            return _within(places.state / "volumes", rest, address)
        case "file":
            return f"file://{locate_path(rest, places)}"
        case "http" | "https":
            return _service(address, places)
    return address


def locate_path(path: str, places: Places, *, scratch: bool = False) -> str:
    """A path in the pod; the longest mount decides, and without one the machine's own file system."""
    mounts = {**places.mounts, **(places.scratch if scratch else {})}
    for mount in sorted(mounts, key=len, reverse=True):
        inside = mount.rstrip("/")
        if path == inside or path.startswith(f"{inside}/"):
            return f"{mounts[mount]}{path[len(inside) :]}"
    return path


def _object(uri: str, key: str, places: Places) -> str:
    if places.object_store is None:
        return _within(places.state / "objects", key, uri)
    if _is_http(places.object_store):
        return uri
    return _within(Path(places.object_store.removeprefix("file://")).absolute(), key, uri)


def _stream(uri: str, rest: str, places: Places) -> str:
    topic = rest.rpartition("/")[2]
    if places.kafka is not None:
        return f"kafka://{places.kafka}/{topic}"
    return _within(places.state / "streams", topic, uri)


def _service(url: str, places: Places) -> str:
    parts = urlsplit(url)
    labels = (parts.hostname or "").rstrip(".").removesuffix(".cluster.local").removesuffix(".svc").split(".")
    if len(labels) > 2:
        return url
    key = (labels[1] if len(labels) == 2 else places.namespace, labels[0])
    port = places.services.get(key, {}).get(parts.port or _DEFAULT_PORTS[parts.scheme])
    if port is None:
        return url
    return urlunsplit(parts._replace(netloc=f"{LOOPBACK}:{port}"))


def _within(root: Path, rest: str, address: str) -> str:
    if ".." in rest.split("/"):
        raise AddressError(f"{address} has '..' in its path, which a folder on this machine cannot hold")
    return f"{root.absolute()}/{rest}"


def _is_http(store: str | None) -> bool:
    return store is not None and store.startswith(("http://", "https://"))
