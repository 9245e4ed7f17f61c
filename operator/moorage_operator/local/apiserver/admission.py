"""What an API server does before it stores an object: refuse what is wrong, with kubectl's words, and default."""

import base64
import binascii
import re
from typing import Any

from moorage_api import API_VERSION
from moorage_api.crd import apply_defaults, unknown_fields, validate
from moorage_api.kinds import KINDS
from moorage_operator.local.apiserver.objects import CLUSTER_SCOPED, Object
from moorage_operator.local.apiserver.schedules import BadSchedule, check
from moorage_operator.local.apiserver.yaml import Document, ManifestError

CORE_KINDS = ("ConfigMap", "Namespace", "PersistentVolumeClaim", "Secret")
"""Kinds of Kubernetes itself that a person may apply here; local mode makes all others by itself."""
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def admit(document: Document, namespace: str | None = None) -> Object:
    """The object as it is to be stored, with namespace and defaults; ManifestError says why not.

    `namespace` is where an object goes that names none (None: `default`); one that names another is refused.
    """
    obj, where = document.object, _where(document)
    missing = [f"{field} not set" for field in ("apiVersion", "kind") if not isinstance(obj.get(field), str)]
    if missing:
        raise ManifestError(f"error validating {where}: error validating data: [{', '.join(missing)}]")
    meta = obj.get("metadata")
    if not isinstance(meta, dict) or not isinstance(meta.get("name"), str):
        raise ManifestError(f"error validating {where}: {obj['kind']}: metadata.name: a name is required")
    _known(obj, where)
    place = _placed(obj["kind"], meta.get("namespace"), namespace)
    obj = {**_without(obj, "status"), "metadata": {**meta, **place}}
    if obj["kind"] in CORE_KINDS:
        return _core(obj)
    if strangers := unknown_fields(obj):
        raise ManifestError(
            f"error validating {where}: " + ", ".join(f'unknown field "{field}"' for field in strangers)
        )
    _refuse(obj, [str(error) for error in validate(obj)])
    _refuse(
        obj, [*_unheard_of(obj["spec"], "spec"), *_unheard_of(obj["spec"].get("trigger"), "spec.trigger")]
    )
    return apply_defaults(obj)


def _unheard_of(holder: Object | None, path: str) -> list[str]:
    """What the API server would say of the CronJob: times that never come, zones that nobody keeps."""
    try:
        if holder and (schedule := holder.get("schedule")):
            check(schedule, holder.get("timeZone"))
    except BadSchedule as bad:
        return [f"{path}.{bad}"]
    return []


def _where(document: Document) -> str:
    name = f'"{document.source}"'
    return name if document.index == 1 else f"{name} (object {document.index})"


def _known(obj: Object, where: str) -> None:
    kind, version = obj["kind"], obj["apiVersion"]
    if (kind in KINDS and version == API_VERSION) or (kind in CORE_KINDS and version == "v1"):
        return
    raise ManifestError(
        f'resource mapping not found for name: "{obj["metadata"]["name"]}" from {where}: '
        f'no matches for kind "{kind}" in version "{version}"; on one machine there are '
        f"{', '.join(KINDS)} of {API_VERSION} and {', '.join(CORE_KINDS)} of v1"
    )


def _placed(kind: str, written: Any, asked: str | None) -> Object:
    if kind in CLUSTER_SCOPED:
        return {}
    if written and asked and written != asked:
        raise ManifestError(
            f'the namespace from the provided object "{written}" does not match the namespace "{asked}". '
            f"You must pass '--namespace={written}' to perform this operation."
        )
    return {"namespace": written or asked or "default"}


def _core(obj: Object) -> Object:
    name = obj["metadata"]["name"]
    errors = []
    if len(name) > 253 or not _SUBDOMAIN.fullmatch(name):
        errors.append(f"metadata.name: Invalid value: {name!r}: must be a lower case DNS subdomain")
    for field in ("data", "stringData", "binaryData"):
        values = obj.get(field)
        if values is None:
            continue
        if not isinstance(values, dict):
            errors.append(f"{field}: must be a map")
            continue
        errors += [
            f"{field}.{k}: must be a string: quote it" for k, v in values.items() if not isinstance(v, str)
        ]
        if not errors and (field == "binaryData" or (field == "data" and obj["kind"] == "Secret")):
            errors += [f"{field}.{key}: is not base64" for key, v in values.items() if not _is_base64(v)]
    _refuse(obj, errors)
    if obj["kind"] == "Secret" and "stringData" in obj:
        plain = obj["stringData"] or {}
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        return {**_without(obj, "stringData"), "data": {**(obj.get("data") or {}), **encoded}}
    return obj


def _refuse(obj: Object, errors: list[str]) -> None:
    if errors:
        listed = f" {errors[0]}" if len(errors) == 1 else "".join(f"\n* {error}" for error in errors)
        raise ManifestError(f'The {obj["kind"]} "{obj["metadata"]["name"]}" is invalid:{listed}')


def _without(obj: Object, field: str) -> Object:
    return {key: value for key, value in obj.items() if key != field}


def _is_base64(value: str) -> bool:
    try:
        base64.b64decode("".join(value.split()), validate=True)
    except binascii.Error:
        return False
    return True
