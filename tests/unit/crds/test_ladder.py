"""The pydantic step of the ladder refuses what an API server refuses, with the path as in the YAML."""

import copy

import pytest
import yaml

from moorage_api import crd
from moorage_api.kinds import KINDS
from support.manifests import Bad, bad_manifests, examples, full, minimal, put

BAD = bad_manifests()


def complaints(manifest):
    unknown = [crd.FieldError(path, "unknown field") for path in crd.unknown_fields(manifest)]
    return [*crd.validate(manifest), *unknown]


def test_the_table_is_large_enough():
    assert len([bad for bad in BAD if bad.only is None]) >= 60
    assert len({bad.name for bad in BAD}) == len(BAD)


@pytest.mark.parametrize("bad", [bad for bad in BAD if bad.only != "server"], ids=lambda bad: bad.name)
def test_a_bad_manifest_is_refused_at_its_field(bad: Bad):
    found = {error.path: error.message for error in complaints(bad.manifest)}
    assert bad.field in found
    assert bad.says in found[bad.field]


def test_every_rule_across_fields_has_a_bad_manifest():
    rules = {message for kind in KINDS for message in _rules(crd.SCHEMAS[kind])}
    broken = {error.message for bad in BAD for error in crd.validate(bad.manifest)}
    assert len(rules) > 10
    assert rules - broken == set()


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_manifest_passes(kind):
    for manifest in [minimal(kind), *full(kind)]:
        assert [str(error) for error in complaints(manifest)] == []


@pytest.mark.parametrize(
    ("file", "text"), examples(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_example_passes(file, text):
    assert [str(error) for error in complaints(yaml.safe_load(text))] == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_full_manifests_use_every_field_of_the_spec(kind):
    shared = () if kind == "ModelServing" else ("spec.pod.", "spec.storage.", "spec.model.")
    fields = set(_fields(crd.SCHEMAS[kind]["properties"]["spec"], "spec"))
    written = {field for manifest in full(kind) for field in _written(manifest["spec"], "spec")}
    assert {field for field in fields - written if not field.startswith(shared)} == set()


def test_every_error_is_reported_at_once():
    manifest = minimal("ModelServing")
    put(manifest, "spec.replicas", -1)
    put(manifest, "spec.models[0].uri", "nowhere")
    assert {error.path for error in crd.validate(manifest)} == {"spec.replicas", "spec.models[0].uri"}


def test_an_error_prints_as_path_and_message():
    manifest = minimal("ModelTest")
    put(manifest, "spec.expect", [{"name": "accuracy", "min": 0.9}])
    assert str(crd.validate(manifest)[0]) == 'spec.expect[0].min: must be a string: quote it, "0.9"'


@pytest.mark.parametrize(
    "document", [{}, {"kind": 3}, {"kind": "ModelTest", "spec": []}, {"kind": "ModelTest", "metadata": "x"}]
)
def test_what_is_no_manifest_at_all_is_refused_too(document):
    assert crd.validate(document)
    assert isinstance(crd.unknown_fields(document), list)


def test_defaults_appear_where_the_parent_is_written_and_nowhere_else():
    manifest = minimal("ModelServing")
    put(manifest, "spec.http", {"timeoutSeconds": 3, "readyWhen": None})
    before = copy.deepcopy(manifest)
    spec = crd.apply_defaults(manifest)["spec"]
    assert spec["http"] == {
        "timeoutSeconds": 3,
        "maxBodyBytes": 16777216,
        "maxInFlight": 1024,
        "readyWhen": "AllModels",
    }
    assert "capture" not in spec
    assert "replicas" not in spec
    assert manifest == before


def test_defaults_leave_free_form_parts_alone():
    manifest = full("ModelServing")[0]
    manifest["spec"]["models"][0]["parameters"]["nothing"] = None
    assert (
        crd.apply_defaults(manifest)["spec"]["models"][0]["parameters"]
        == manifest["spec"]["models"][0]["parameters"]
    )


def test_a_field_of_a_newer_api_is_ignored_by_the_types():
    manifest = minimal("ModelServing")
    put(manifest, "spec.http.turbo", 1)
    manifest["spec"]["models"][0]["flavour"] = {"a": []}
    assert crd.validate(manifest) == []
    assert crd.unknown_fields(manifest) == ["spec.models[0].flavour", "spec.http.turbo"]


def test_unknown_metadata_is_named():
    manifest = minimal("ModelTest")
    manifest["metadata"] |= {"label": {"a": "b"}, "labels": {"anything": "goes"}}
    assert crd.unknown_fields(manifest) == ["metadata.label"]


def _fields(schema, path):
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}"
        yield from _fields(field.get("items", field), f"{path}.{name}")


def _written(value, path):
    if isinstance(value, list):
        for item in value:
            yield from _written(item, path)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield f"{path}.{name}"
            yield from _written(item, f"{path}.{name}")


def _rules(node):
    if isinstance(node, dict):
        yield from (rule["message"] for rule in node.get("x-kubernetes-validations", []))
        for below in node.values():
            yield from _rules(below)
