"""What must hold of every CustomResourceDefinition: structural, bounded, described, small, equal to its file."""

import re

import pytest
import yaml

from moorage_api import crd
from moorage_api.kinds import KINDS
from support.manifests import ROOT

YAML_1_1_BOOLEANS = {"on", "off", "yes", "no", "y", "n", "true", "false", "null"}
CRDS = {kind: crd.definition(KINDS[kind]) for kind in KINDS}
FREE_FORM = "x-kubernetes-preserve-unknown-fields"


def schema(kind):
    return CRDS[kind]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def nodes(node, path=""):
    """Every schema of a tree, with its path."""
    yield path, node
    for name, field in node.get("properties", {}).items():
        yield from nodes(field, f"{path}.{name}")
    for part in ("items", "additionalProperties"):
        if part in node:
            yield from nodes(node[part], f"{path}[]")


ALL = [pytest.param(node, id=f"{kind}{path}") for kind in CRDS for path, node in nodes(schema(kind))]


def test_the_files_are_what_the_types_say():
    written = {file.name: file.read_text() for file in (ROOT / "crds").glob("*.yaml")}
    assert written == crd.generate()


@pytest.mark.parametrize(("name", "text"), crd.generate().items())
def test_a_file_is_small_and_plain(name, text):
    assert len(text.encode()) < 64 * 1024
    assert "$ref" not in text
    assert not re.search(r"[&*]id\d", text)
    definition = yaml.safe_load(text)
    assert name == "{}_{}.yaml".format(*reversed(definition["metadata"]["name"].split(".", 1)))


@pytest.mark.parametrize("node", ALL)
def test_every_schema_is_structural_and_bounded(node):
    if node.get("x-kubernetes-int-or-string"):
        assert {"minimum", "maxLength", "pattern"} <= node.keys()
        return
    kind = node["type"]
    assert kind in {"object", "array", "string", "integer", "boolean"}
    assert "anyOf" not in node
    if kind == "string":
        assert "maxLength" in node or "enum" in node
    elif kind == "array":
        assert "maxItems" in node
        assert "items" in node
    elif kind == "object":
        assert sum(part in node for part in ("properties", "additionalProperties", FREE_FORM)) == 1
        assert "maxProperties" in node or "additionalProperties" not in node


@pytest.mark.parametrize("node", ALL)
def test_a_list_of_objects_is_a_map_by_its_key(node):
    items = node.get("items", {})
    if node.get("x-kubernetes-list-type") == "map":
        (key,) = node["x-kubernetes-list-map-keys"]
        assert key in items["required"]
    elif "name" in items.get("properties", {}):
        assert node["maxItems"] == 10, "a history is the only list of named objects that is no map"


@pytest.mark.parametrize("node", ALL)
def test_every_field_is_described_and_named_safely(node):
    for name, field in node.get("properties", {}).items():
        assert name.lower() not in YAML_1_1_BOOLEANS
        assert re.fullmatch(r"[a-z][A-Za-z0-9]*", name)
        if name != "metadata":
            assert 5 < len(field["description"]) < 200


@pytest.mark.parametrize("node", ALL)
def test_only_scalars_have_defaults(node):
    assert not isinstance(node.get("default"), dict | list)


def test_no_rule_lies_below_the_features():
    features = schema("ModelServing")["properties"]["spec"]["properties"]["models"]["items"]["properties"][
        "schema"
    ]
    assert not [path for path, node in nodes(features) if "x-kubernetes-validations" in node]


@pytest.mark.parametrize("node", ALL)
def test_every_rule_says_what_is_wrong(node):
    for rule in node.get("x-kubernetes-validations", []):
        assert rule["message"]
        field = node
        for name in rule.get("fieldPath", "").split(".")[1:]:
            field = field["properties"][name]


@pytest.mark.parametrize("kind", CRDS)
def test_the_answer_comes_first_and_every_column_leads_to_a_field(kind):
    columns = CRDS[kind]["spec"]["versions"][0]["additionalPrinterColumns"]
    priorities = [column.get("priority", 0) for column in columns]
    assert priorities == sorted(priorities)
    for column in columns:
        assert column["type"] == (
            "date" if column["name"] == "Age" else _type(schema(kind), column["jsonPath"])
        )


def _type(node, json_path):
    """Follows a JSONPath through the schema, on its own."""
    for step in re.sub(r'\[\?\(@\.type=="[A-Z][A-Za-z]+"\)\]', ".[]", json_path).split(".")[1:]:
        node = node["items"] if step == "[]" else node["properties"][step]
    return "string" if node["type"] == "array" else node["type"]


def test_conditions_in_columns_are_of_the_documented_types():
    from moorage_api.conditions import ConditionType

    text = "".join(crd.generate().values())
    assert set(re.findall(r'@\.type=="(\w+)"', text)) <= {str(condition) for condition in ConditionType}


def test_names():
    names = {kind: CRDS[kind]["spec"]["names"] for kind in CRDS}
    assert {kind: name["shortNames"] for kind, name in names.items()} == {
        "ModelServing": ["mserve"],
        "ModelTest": ["mtest"],
        "DriftMonitor": ["drift"],
        "BatchPrediction": ["bpred"],
        "ModelRuntime": ["mruntime"],
        "ClusterModelRuntime": ["cmruntime"],
    }
    assert {name["categories"][0] for name in names.values()} == {"moorage"}
    assert {kind: CRDS[kind]["spec"]["scope"] for kind in CRDS} == {
        "ModelServing": "Namespaced",
        "ModelTest": "Namespaced",
        "DriftMonitor": "Namespaced",
        "BatchPrediction": "Namespaced",
        "ModelRuntime": "Namespaced",
        "ClusterModelRuntime": "Cluster",
    }
