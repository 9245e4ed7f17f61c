"""From pydantic types to the structural OpenAPI v3 schemas that a CRD may have.

Pydantic writes JSON Schema with references, titles and `anyOf null`; an API server wants one closed tree
in which a field is optional by not being required. Only scalar defaults are kept: an object that the user
did not write stays unwritten.
"""

from typing import Any

from moorage_api.base import ApiModel

Schema = dict[str, Any]
_ORDER = (
    "description", "type", "enum", "default", "pattern", "format", "minLength", "maxLength", "minimum", "maximum",
    "minItems", "maxItems", "minProperties", "maxProperties", "required", "anyOf", "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
    "x-kubernetes-validations", "additionalProperties", "items", "properties",
)  # fmt: skip
"""What is taken over, in the order in which a person reads it."""


def structural(model: type[ApiModel]) -> Schema:
    """The schema of a kind's whole object; of metadata only the name is the CRD's business."""
    document = model.model_json_schema(by_alias=True, mode="validation")
    schema = _convert(document, document.get("$defs", {}))
    properties = schema["properties"]
    name = properties["metadata"]["properties"]["name"]
    return {
        "description": schema["description"],
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"description": "Version of this API.", "type": "string", "maxLength": 64},
            "kind": {"description": "Kind of this object.", "type": "string", "maxLength": 64},
            "metadata": {"type": "object", "properties": {"name": name}},
            **{part: properties[part] for part in ("spec", "status") if part in properties},
        },
    }


def _convert(node: Schema, definitions: dict[str, Schema]) -> Schema:
    node = _resolve(node, definitions)
    if "anyOf" in node:
        node = _union(node, definitions)
    schema = dict(node)
    if isinstance(schema.get("default"), dict | list) or schema.get("default", 0) is None:
        del schema["default"]
    if "const" in node:
        schema["enum"] = [node["const"]]
    if "properties" in node:
        schema["properties"] = {
            name: _convert(field, definitions) for name, field in node["properties"].items()
        }
    if "items" in node:
        schema["items"] = _convert(node["items"], definitions)
    extra = schema.pop("additionalProperties", None)
    if extra is True:
        schema["x-kubernetes-preserve-unknown-fields"] = True
    elif isinstance(extra, dict):
        schema["additionalProperties"] = _convert(extra, definitions)
    return {key: schema[key] for key in _ORDER if key in schema}


def _resolve(node: Schema, definitions: dict[str, Schema]) -> Schema:
    """The node itself in place of a reference; what stands beside the reference wins."""
    while "$ref" in node:
        beside = {key: value for key, value in node.items() if key != "$ref"}
        node = {**definitions[node["$ref"].rpartition("/")[2]], **beside}
    return node


def _union(node: Schema, definitions: dict[str, Schema]) -> Schema:
    """`X or null` is an optional X; `integer or string` is a quantity. There are no other unions."""
    beside = {key: value for key, value in node.items() if key != "anyOf"}
    options = [option for option in node["anyOf"] if option.get("type") != "null"]
    if len(options) == 1:
        return {**_resolve(options[0], definitions), **beside}
    if {option.get("type") for option in options} != {"integer", "string"}:
        raise TypeError(f"no structural schema for the union {node['anyOf']}")
    bounds = {key: value for option in options for key, value in option.items() if key != "type"}
    types = [{"type": "integer"}, {"type": "string"}]
    return {**bounds, **beside, "anyOf": types, "x-kubernetes-int-or-string": True}
