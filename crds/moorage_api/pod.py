"""The restricted pod block: what a user may set of a pod.

A whole PodTemplateSpec would make the CRD too large to apply and would let a manifest escape the restricted
pod security that Moorage promises (host paths, privileges). Parts that Kubernetes itself checks are free-form.
"""

from typing import Annotated, Literal

from pydantic import Field

from moorage_api.base import ApiModel, ListMap, Rule
from moorage_api.shared import FreeForm, LocalRef, Name

Quantity = Annotated[
    Annotated[int, Field(ge=0)]
    | Annotated[
        str,
        Field(
            min_length=1,
            max_length=32,
            pattern=r"^[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?$",
        ),
    ],
    Field(),
]
"""An amount as Kubernetes writes it: 2, "500m", 1Gi."""
Quantities = Annotated[dict[str, Quantity], Field(max_length=16)]
VolumeName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
ShortText = Annotated[str, Field(max_length=253)]
OWN_PATHS = ("/etc/moorage", "/var/run/moorage", "/mnt/moorage", "/dev")
"""Folders of the pod that Moorage mounts or needs itself."""
OWN_LABELS = ("moorage.dev/", "app.kubernetes.io/managed-by", "app.kubernetes.io/name")
"""Labels by which Moorage finds its pods."""
SOURCES = ("config_map", "secret", "persistent_volume_claim", "empty_dir", "csi")


class Resources(ApiModel):
    """Compute resources of the container."""

    requests: Quantities | None = None
    """What a node must have free."""
    limits: Quantities | None = None
    """What the container may use at most."""


class Toleration(ApiModel):
    """A taint that the pod accepts."""

    key: ShortText | None = None
    """Key of the taint; all without it."""
    operator: Literal["Exists", "Equal"] | None = None
    """Exists or Equal."""
    value: ShortText | None = None
    """Value of the taint."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """NoSchedule, PreferNoSchedule or NoExecute; all without it."""
    toleration_seconds: Annotated[int, Field(ge=0)] | None = None
    """How long NoExecute is tolerated."""


class EnvVar(ApiModel):
    """One environment variable, from a value or a source."""

    rules = (
        Rule(
            "!(has(self.value) && has(self.valueFrom))",
            lambda env: env.value is None or env.value_from is None,
            "value and valueFrom exclude each other",
            "valueFrom",
        ),
    )

    name: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._A-Za-z][-._A-Za-z0-9]*$")]
    """Name of the variable."""
    value: Annotated[str, Field(max_length=32768)] | None = None
    """Its value; quote numbers and booleans."""
    value_from: FreeForm | None = None
    """secretKeyRef, configMapKeyRef, fieldRef or resourceFieldRef, as in a pod."""


class Volume(ApiModel):
    """A volume: a name and exactly one source. Host paths are not among the sources."""

    rules = (
        Rule(
            "[has(self.configMap), has(self.secret), has(self.persistentVolumeClaim), has(self.emptyDir),"
            " has(self.csi)].exists_one(x, x)",
            lambda volume: sum(getattr(volume, source) is not None for source in SOURCES) == 1,
            "exactly one of configMap, secret, persistentVolumeClaim, emptyDir and csi",
        ),
    )

    name: VolumeName
    """Name that volumeMounts use."""
    config_map: FreeForm | None = None
    """A ConfigMap, as in a pod."""
    secret: FreeForm | None = None
    """A Secret, as in a pod."""
    persistent_volume_claim: FreeForm | None = None
    """A claim, as in a pod."""
    empty_dir: FreeForm | None = None
    """A temporary folder, as in a pod."""
    csi: FreeForm | None = None
    """An inline CSI volume, as in a pod."""


class VolumeMount(ApiModel):
    """Where a volume appears in the container."""

    rules = (
        Rule(
            "!['/etc/moorage', '/var/run/moorage', '/mnt/moorage', '/dev']"
            ".exists(p, self.mountPath == p || self.mountPath.startsWith(p + '/'))",
            lambda mount: not any(f"{mount.mount_path}/".startswith(f"{own}/") for own in OWN_PATHS),
            "this folder belongs to Moorage",
            "mountPath",
        ),
    )

    name: VolumeName
    """Name of the volume."""
    mount_path: Annotated[str, Field(min_length=2, max_length=1024, pattern=r"^/[^:]+$")]
    """Folder of the container."""
    sub_path: Annotated[str, Field(max_length=1024)] | None = None
    """Folder or file of the volume; its root without it."""
    read_only: bool | None = None
    """Mount without write access."""


class Pod(ApiModel):
    """The part of a pod that a user may set."""

    rules = (
        Rule(
            "!has(self.labels) || self.labels.all(k, !k.startsWith('moorage.dev/')"
            " && !(k in ['app.kubernetes.io/managed-by', 'app.kubernetes.io/name']))",
            lambda pod: (
                not any(key.startswith(OWN_LABELS[0]) or key in OWN_LABELS for key in pod.labels or {})
            ),
            "moorage.dev/*, app.kubernetes.io/managed-by and app.kubernetes.io/name belong to Moorage",
            "labels",
        ),
        Rule(
            "!has(self.volumeMounts) || self.volumeMounts.all(m, has(self.volumes)"
            " && self.volumes.exists(v, v.name == m.name))",
            lambda pod: (
                {mount.name for mount in pod.volume_mounts or ()}
                <= {volume.name for volume in pod.volumes or ()}
            ),
            "every mount needs a volume of its name in volumes",
            "volumeMounts",
        ),
    )

    resources: Resources | None = None
    """Compute resources of the container."""
    node_selector: Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=32)] | None = (
        None
    )
    """Labels that the node must have."""
    tolerations: Annotated[list[Toleration], Field(max_length=32)] | None = None
    """Taints that the pod accepts."""
    affinity: FreeForm | None = None
    """Affinity, as in a pod."""
    topology_spread_constraints: Annotated[list[FreeForm], Field(max_length=16)] | None = None
    """How pods spread over zones and nodes, as in a pod."""
    priority_class_name: Name | None = None
    """A PriorityClass."""
    runtime_class_name: Name | None = None
    """A RuntimeClass, for GPUs or sandboxes."""
    service_account_name: Name | None = None
    """A ServiceAccount, for the cloud's workload identity; its token is not mounted."""
    image_pull_secrets: Annotated[list[LocalRef], Field(max_length=16), ListMap("name")] | None = None
    """Secrets to pull the image with."""
    labels: Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=64)] | None = None
    """Labels added to the pods."""
    annotations: Annotated[dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=64)] | None = (
        None
    )
    """Annotations added to the pods."""
    env: Annotated[list[EnvVar], Field(max_length=128), ListMap("name")] | None = None
    """Environment of the container."""
    volumes: Annotated[list[Volume], Field(max_length=32), ListMap("name")] | None = None
    """Volumes beside Moorage's own."""
    volume_mounts: Annotated[list[VolumeMount], Field(max_length=32), ListMap("mount_path")] | None = None
    """Where the volumes appear."""
    fs_group: Annotated[int, Field(ge=0, le=2147483647)] | None = None
    """Group that owns the volumes' files."""
