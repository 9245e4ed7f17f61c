"""The pods of workers that only the management port leads to: a DriftMonitor's, a stream's."""

from collections.abc import Sequence

from moorage_api.model_runtime import Role
from moorage_api.pod import Pod
from moorage_api.shared import Storage
from moorage_operator.plan import config, labels, pods, workloads
from moorage_operator.plan.catalogue import Runtime
from moorage_operator.plan.types import Object
from moorage_runtime import config as runtime

_GRACE_SECONDS = 60
"""To finish what is in hand, deliver it, and write down where the worker is."""


def template(
    role: Role,
    chosen: Runtime,
    *,
    pod: Pod | None,
    storage: Storage | None,
    attachments: Sequence[pods.Attachment],
    fixed: dict[str, str],
    revision: str,
) -> Object:
    """The pod template of a worker; `attachments` begin with the revision's config, `fixed` are its labels."""
    return pods.template(
        container=pods.Container(
            image=chosen.spec.image,
            command=chosen.spec.command,
            args=[role.value, "--config", runtime.CONFIG_FILE],
            env=chosen.spec.env or (),
            env_from_secrets=config.storage_secrets(storage),
            attachments=attachments,
            settings={"ports": [workloads.MANAGEMENT], **workloads.probes()},
        ),
        pod=pod,
        pod_labels={**fixed, labels.REVISION: revision},
        settings={"terminationGracePeriodSeconds": _GRACE_SECONDS},
    )
