"""From a pod template to a process: command, environment and files. Pure: what it needs to read is passed in."""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ValidationError

from moorage_api.conditions import Reason
from moorage_operator.local.kubelet.addresses import (
    AddressError,
    Places,
    locate,
    locate_address,
    locate_path,
    stream_folders,
)
from moorage_operator.local.kubelet.probes import Probe
from moorage_operator.plan.types import Object
from moorage_runtime import config as runtime

CONFIG_ERROR = "CreateContainerConfigError"
"""Kubernetes' own reason for a pod whose ConfigMap, Secret or key is missing."""
_ROLES: dict[str, type[runtime.Config]] = {
    "serve": runtime.ServeConfig,
    "stream": runtime.StreamPredictConfig,
    "batch": runtime.BatchPredictConfig,
    "test": runtime.TestConfig,
    "drift": runtime.DriftConfig,
}
_VARIABLE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_DEFAULT_GRACE = 30

Lookup = Callable[[str, str], Object | None]
"""The ConfigMap or Secret of a kind and name in the pod's namespace."""


class CannotStart(Exception):  # noqa: N818 - an answer, not an error of the program
    """The pod cannot be started now; `reason` is a CamelCase word."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class Launch:
    """Everything that starting a pod's process needs."""

    command: tuple[str, ...]
    env: Mapping[str, str]
    files: Mapping[Path, bytes]
    folders: tuple[Path, ...]
    readiness: Probe | None = None
    liveness: Probe | None = None
    startup: Probe | None = None
    grace: float = _DEFAULT_GRACE
    managed: bool = False
    """Whether the process answers on its management port."""


@dataclass(slots=True)
class _Volumes:
    """Mounted paths, what is to be written into them, streams, and which secrets could not be found."""

    mounts: dict[str, Path] = field(default_factory=dict)
    scratch: dict[str, Path] = field(default_factory=dict)
    files: dict[Path, bytes] = field(default_factory=dict)
    streams: list[Path] = field(default_factory=list)
    missing: dict[str, tuple[Path, str]] = field(default_factory=dict)
    """By mount path: where it would be, and what lacks."""


def compose(
    template: Object,
    *,
    pod: str,
    folder: Path,
    places: Places,
    lookup: Lookup,
    images: Mapping[str, Sequence[str]],
    inherited: Mapping[str, str],
) -> Launch:
    """The process of a pod named `pod` whose files go under `folder`.

    `images` maps the beginning of an image's name to the command that it stands for here; `inherited` is
    what every process gets of this machine's environment. Raises CannotStart.
    """
    spec = template["spec"]
    container = _only_container(spec)
    command = _command(container, images)
    volumes = _volumes(spec, container, folder, places.state, lookup)
    places = replace(places, mounts=volumes.mounts, scratch=volumes.scratch)
    arguments = [str(argument) for argument in container.get("args") or ()]
    text = _place_config(arguments, volumes, places)
    for mount, (path, what) in volumes.missing.items():
        # a broker's or a store's secret is of no use where a folder takes its place
        if not text or not mount.startswith(runtime.SECRETS_DIR) or str(path) in text:
            raise CannotStart(CONFIG_ERROR, what)
    env = _environment(container, template, pod, places, lookup, needs_storage="s3://" in text)
    temporary = volumes.scratch.get("/tmp", folder / "tmp")  # noqa: S108 - a path of the pod
    termination_log = folder / "termination-log"
    return Launch(
        command=(
            *command,
            *(locate_path(_expand(word, env), places, scratch=True) for word in arguments),
        ),
        env={
            **inherited,
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(temporary),
            runtime.TERMINATION_LOG_ENV: str(termination_log),
            **env,
        },
        files=volumes.files,
        folders=(
            folder,
            temporary,
            *volumes.scratch.values(),
            *volumes.mounts.values(),
            *volumes.streams,
        ),
        readiness=Probe.of(container.get("readinessProbe")),
        liveness=Probe.of(container.get("livenessProbe")),
        startup=Probe.of(container.get("startupProbe")),
        grace=float(spec.get("terminationGracePeriodSeconds") or _DEFAULT_GRACE),
        managed=bool(text) and "management_port" in _ROLES[arguments[0]].model_fields,
    )


def _only_container(spec: Object) -> Object:
    containers = spec.get("containers") or []
    if len(containers) != 1 or spec.get("initContainers"):
        raise CannotStart(
            Reason.NOT_RUNNABLE_LOCALLY, "a pod of more than one container cannot run as a process"
        )
    container: Object = containers[0]
    return container


def _command(container: Object, images: Mapping[str, Sequence[str]]) -> Sequence[str]:
    image = str(container.get("image", ""))
    known = next((words for prefix, words in images.items() if image.startswith(prefix)), None)
    if known is None or container.get("command"):
        what = f"image {image}" if known is None else f"command {' '.join(container['command'])} of {image}"
        raise CannotStart(
            Reason.NOT_RUNNABLE_LOCALLY,
            f"{what} needs a container; without a cluster only the runtimes of the default catalogue run",
        )
    return known


def _volumes(spec: Object, container: Object, folder: Path, state: Path, lookup: Lookup) -> _Volumes:
    declared = {volume["name"]: volume for volume in spec.get("volumes") or ()}
    found = _Volumes()
    for mount in container.get("volumeMounts") or ():
        volume = declared[mount["name"]]
        here = folder / "volumes" / mount["name"]
        if claim := volume.get("persistentVolumeClaim"):
            here = state.absolute() / "volumes" / claim["claimName"]
        elif "emptyDir" in volume:
            found.scratch[mount["mountPath"]] = here / mount.get("subPath", "")
            continue
        elif "configMap" in volume:
            _files(found, mount, here, "ConfigMap", volume["configMap"], lookup)
        elif "secret" in volume:
            _files(found, mount, here, "Secret", volume["secret"], lookup)
        else:
            raise CannotStart(
                Reason.NOT_RUNNABLE_LOCALLY, f"volume {mount['name']} is of a type that needs a cluster"
            )
        found.mounts[mount["mountPath"]] = here / mount.get("subPath", "")
    return found


def _files(found: _Volumes, mount: Object, here: Path, kind: str, source: Object, lookup: Lookup) -> None:
    name = source["secretName"] if kind == "Secret" else source["name"]
    held = lookup(kind, name)
    if held is None:
        if not source.get("optional"):
            found.missing[mount["mountPath"]] = (here, f"{kind} {name} not found")
        return
    content = contents(held)
    items = source.get("items") or [{"key": key, "path": key} for key in content]
    for item in items:
        if item["key"] in content:
            found.files[here / item["path"]] = content[item["key"]]
        elif not source.get("optional"):
            found.missing[mount["mountPath"]] = (here, f"{kind} {name} has no key {item['key']}")


def contents(held: Object) -> dict[str, bytes]:
    """The keys of a ConfigMap or Secret, decoded."""
    if held["kind"] == "Secret":
        return {key: base64.b64decode(value) for key, value in (held.get("data") or {}).items()}
    plain = {key: str(value).encode() for key, value in (held.get("data") or {}).items()}
    binary = {key: base64.b64decode(value) for key, value in (held.get("binaryData") or {}).items()}
    return {**plain, **binary}


def _place_config(arguments: Sequence[str], volumes: _Volumes, places: Places) -> str:
    """Replace the config among the files by one with this machine's addresses; its text."""
    if len(arguments) < 3 or arguments[1] != "--config" or arguments[0] not in _ROLES:
        return ""
    path = Path(locate_path(arguments[2], places))
    if path not in volumes.files:
        missing = "; ".join(what for _, what in volumes.missing.values())
        raise CannotStart(CONFIG_ERROR, missing or f"nothing is mounted at {arguments[2]}")
    try:
        config = _ROLES[arguments[0]].model_validate_json(volumes.files[path])
        located = locate(config, places)
    except (ValidationError, AddressError) as error:
        raise CannotStart(CONFIG_ERROR, str(error)) from error
    volumes.streams = stream_folders(located)
    text = located.model_dump_json(by_alias=True, exclude_none=True, indent=2)
    volumes.files[path] = text.encode()
    return text


def _environment(
    container: Object, template: Object, pod: str, places: Places, lookup: Lookup, *, needs_storage: bool
) -> dict[str, str]:
    env: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        kind, reference = (
            ("Secret", source["secretRef"])
            if "secretRef" in source
            else ("ConfigMap", source["configMapRef"])
        )
        held = lookup(kind, reference["name"])
        if held is not None:
            prefix = source.get("prefix", "")
            env |= {prefix + key: value.decode() for key, value in contents(held).items()}
        elif not reference.get("optional") and (kind == "ConfigMap" or needs_storage):
            raise CannotStart(CONFIG_ERROR, f"{kind} {reference['name']} not found")
    for entry in container.get("env") or ():
        if "valueFrom" not in entry:
            env[entry["name"]] = locate_address(_expand(str(entry.get("value", "")), env), places)
            continue
        value = _value_from(entry, template, pod, places.namespace, lookup)
        if value is not None:
            env[entry["name"]] = value
    return env


def _value_from(entry: Object, template: Object, pod: str, namespace: str, lookup: Lookup) -> str | None:
    source = entry["valueFrom"]
    for field_name, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
        if reference := source.get(field_name):
            held = lookup(kind, reference["name"])
            value = contents(held).get(reference["key"]) if held else None
            if value is None and not reference.get("optional"):
                lacks = f"has no key {reference['key']}" if held else "not found"
                raise CannotStart(CONFIG_ERROR, f"{kind} {reference['name']} {lacks}")
            return None if value is None else value.decode()
    path = (source.get("fieldRef") or {}).get("fieldPath", "")
    fields = {"metadata.name": pod, "metadata.namespace": namespace, "status.podIP": "127.0.0.1"}
    for part in ("labels", "annotations"):
        words = template.get("metadata", {}).get(part) or {}
        fields |= {f"metadata.{part}['{key}']": value for key, value in words.items()}
    if path not in fields:
        raise CannotStart(
            Reason.NOT_RUNNABLE_LOCALLY, f"env {entry['name']} takes its value from what only a cluster has"
        )
    return fields[path]


def _expand(text: str, env: Mapping[str, str]) -> str:
    """$(NAME) as Kubernetes expands it: an unknown name stays as written, $$ is a dollar."""

    def value(match: re.Match[str]) -> str:
        return "$" if match[1] is None else env.get(match[1], match[0])

    return _VARIABLE.sub(value, text)
