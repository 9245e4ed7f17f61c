"""Pod templates under the `restricted` pod security standard, with the user's `pod:` block merged in.

The file system is read-only but for /tmp and the model cache, the pod has no service-account token, and
secrets are only mounted or referenced: no value of one passes through the operator.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from moorage_api.base import ApiModel
from moorage_api.pod import EnvVar, Pod
from moorage_operator.plan import labels, names
from moorage_operator.plan.refusal import invalid
from moorage_operator.plan.types import Object
from moorage_runtime import config as runtime

CONTAINER = "runtime"
CONFIG_KEY = runtime.CONFIG_FILE.removeprefix(runtime.CONFIG_DIR + "/")
"""The key of a revision's ConfigMap that becomes the config file."""
TMP_DIR = "/tmp"  # noqa: S108 - an emptyDir of the pod
CACHE_DIR = "/var/cache/moorage"
"""Where fetched models are kept; gone with the pod."""
_OURS = "moorage-"
"""Prefix of our volumes; a user's volume may not have it."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A volume and where it is mounted."""

    name: str
    source: Object
    path: str
    read_only: bool = True

    @property
    def volume(self) -> Object:
        """The entry of `volumes`."""
        return {"name": self.name, **self.source}

    @property
    def mount(self) -> Object:
        """The entry of `volumeMounts`."""
        mount: Object = {"name": self.name, "mountPath": self.path}
        return {**mount, "readOnly": True} if self.read_only else mount


def config(name: str) -> Attachment:
    """Our own ConfigMap of a revision, where the runtime reads it."""
    return Attachment("moorage-config", {"configMap": {"name": name}}, runtime.CONFIG_DIR)


def code(name: str, path: str) -> Attachment:
    """The keys of a user's ConfigMap as files."""
    return Attachment(names.child("moorage-code", name), {"configMap": {"name": name}}, path)


def secret(name: str) -> Attachment:
    """A Secret where the runtime's config expects it."""
    path = f"{runtime.SECRETS_DIR}/{name}"
    return Attachment(names.child("moorage-secret", name), {"secret": {"secretName": name}}, path)


def claim(name: str, *, read_only: bool) -> Attachment:
    """A persistent volume claim where pvc:// URIs are looked up."""
    source = {"persistentVolumeClaim": {"claimName": name, "readOnly": read_only}}
    return Attachment(
        names.child("moorage-claim", name), source, f"{runtime.VOLUMES_DIR}/{name}", read_only=read_only
    )


def scratch(name: str, path: str) -> Attachment:
    """An empty folder that lives as long as the pod."""
    return Attachment(_OURS + name, {"emptyDir": {}}, path, read_only=False)


@dataclass(frozen=True, slots=True)
class Container:
    """What a role wants of its one container."""

    image: str
    args: Sequence[str]
    command: Sequence[str] | None = None
    env: Sequence[EnvVar] = ()
    env_from_secrets: Sequence[str] = ()
    attachments: Sequence[Attachment] = ()
    settings: Object = field(default_factory=dict)
    """Further fields of the container: ports, probes, lifecycle."""


def template(
    *, container: Container, pod: Pod | None, pod_labels: dict[str, str], settings: Object | None = None
) -> Object:
    """A pod template.

    `settings` are further fields of the pod's spec (restartPolicy, terminationGracePeriodSeconds). Labels of
    `pod_labels` win over the user's, the user's environment wins over the runtime's, and what the user mounts
    at /tmp or at the cache takes their place. Raises `Refused` where a volume's name is ours.
    """
    pod = pod or Pod()
    _check_names(pod)
    mounted = {mount.mount_path.rstrip("/") for mount in pod.volume_mounts or ()}
    scratches = [scratch("tmp", TMP_DIR), scratch("cache", CACHE_DIR)]
    attachments = _without_twins(
        [*container.attachments, *(each for each in scratches if each.path not in mounted)]
    )
    made: Object = {
        "name": CONTAINER,
        "image": container.image,
        "command": list(container.command or ()),
        "args": list(container.args),
        "env": _written(_merged(container.env, pod.env or ())),
        "envFrom": [{"secretRef": {"name": name}} for name in container.env_from_secrets],
        "resources": _plain(pod.resources) if pod.resources else None,
        "volumeMounts": [each.mount for each in attachments] + _written(pod.volume_mounts),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
        },
        **container.settings,
    }
    volumes = {each.name: each.volume for each in attachments}
    spec: Object = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": _present(
            {
                "fsGroup": pod.fs_group,
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            }
        ),
        "containers": [_present(made)],
        "volumes": [*volumes.values(), *_written(pod.volumes)],
        "nodeSelector": pod.node_selector,
        "tolerations": _written(pod.tolerations),
        "affinity": pod.affinity,
        "topologySpreadConstraints": pod.topology_spread_constraints,
        "priorityClassName": pod.priority_class_name,
        "runtimeClassName": pod.runtime_class_name,
        "serviceAccountName": pod.service_account_name,
        "imagePullSecrets": _written(pod.image_pull_secrets),
        **(settings or {}),
    }
    metadata = {"labels": {**(pod.labels or {}), **pod_labels}, "annotations": pod.annotations}
    return {"metadata": _present(metadata), "spec": _present(spec)}


def revision_of(workload: Object | None) -> str | None:
    """The revision that a Deployment's (or Job's) template has."""
    spec = (workload or {}).get("spec") or {}
    found = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    revision = found.get(labels.REVISION)
    return revision if isinstance(revision, str) else None


def _present(fields: Object) -> Object:
    """Without what was not said: an absent field belongs to nobody, an empty one would be ours."""
    return {key: value for key, value in fields.items() if value is not None and value not in ({}, [])}


def _plain(part: ApiModel) -> Object:
    return part.model_dump(mode="json", by_alias=True, exclude_none=True)


def _written(parts: Sequence[ApiModel] | None) -> list[Object]:
    return [_plain(part) for part in parts or ()]


def _merged(*layers: Iterable[EnvVar]) -> list[EnvVar]:
    """A later layer's variable replaces an earlier one of the same name."""
    return list({variable.name: variable for layer in layers for variable in layer}.values())


def _without_twins(attachments: Iterable[Attachment]) -> list[Attachment]:
    """Each path once; a claim that one URI reads and another writes is mounted to be written."""
    by_path: dict[str, Attachment] = {}
    for each in attachments:
        if each.path not in by_path or by_path[each.path].read_only:
            by_path[each.path] = each
    return list(by_path.values())


def _check_names(pod: Pod) -> None:
    for index, volume in enumerate(pod.volumes or ()):
        if volume.name.startswith(_OURS):
            raise invalid(f"spec.pod.volumes[{index}].name", f"names that begin with {_OURS!r} are taken")
