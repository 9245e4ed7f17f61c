"""The CustomResourceDefinitions of Moorage, and what an API server does with them: refuse, default, prune."""

import re
from typing import Any

import yaml

from moorage_api import GROUP, VERSION
from moorage_api.kinds import CATEGORY, KINDS, Column, Kind
from moorage_api.ladder import SCHEMAS, FieldError, apply_defaults, field_errors, unknown_fields, validate
from moorage_api.schema import Schema

__all__ = [
    "SCHEMAS",
    "FieldError",
    "apply_defaults",
    "definition",
    "field_errors",
    "generate",
    "unknown_fields",
    "validate",
]


class _PlainDumper(yaml.SafeDumper):
    """YAML without anchors, which some readers of CRDs do not know."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class' signature
        return True


_HEADER = "# Written by `moorage crds generate` from the types in crds/moorage_api; edit those.\n"


def generate() -> dict[str, str]:
    """File name to YAML, one CustomResourceDefinition each."""
    return {f"{GROUP}_{kind.plural}.yaml": _HEADER + _yaml(definition(kind)) for kind in KINDS.values()}


def _yaml(document: dict[str, Any]) -> str:
    return yaml.dump(document, Dumper=_PlainDumper, sort_keys=False, width=110, allow_unicode=True)


def definition(kind: Kind) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind."""
    schema = SCHEMAS[kind.kind]
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [_column(column, schema) for column in kind.columns],
        "schema": {"openAPIV3Schema": schema},
    }
    if subresources := _subresources(kind, schema):
        version["subresources"] = subresources
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.singular,
                "shortNames": list(kind.short_names),
                "categories": [CATEGORY],
            },
            "versions": [version],
        },
    }


def _subresources(kind: Kind, schema: Schema) -> dict[str, Any]:
    subresources: dict[str, Any] = {}
    if "status" in schema["properties"]:
        subresources["status"] = {}
    if kind.scalable:
        subresources["scale"] = {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        }
    return subresources


def _column(column: Column, schema: Schema) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": column.name,
        "type": _column_type(column.json_path, schema),
        "jsonPath": column.json_path,
    }
    return {**described, "priority": column.priority} if column.priority else described


def _column_type(json_path: str, schema: Schema) -> str:
    """The printer's type of what the path leads to; KeyError where the schema has no such field."""
    if json_path == ".metadata.creationTimestamp":
        return "date"
    node = schema
    for name, index in re.findall(r"\.([A-Za-z]+)((?:\[[^]]*\])?)", re.sub(r"@\.", "@", json_path)):
        node = node["properties"][name]
        if index:
            node = node["items"]
    return "string" if node["type"] == "array" else str(node["type"])
