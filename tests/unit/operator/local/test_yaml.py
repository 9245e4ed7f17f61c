"""Manifests mean here what they mean to kubectl.

The expected values were printed by kubectl's own reader (apimachinery's YAMLOrJSONDecoder of Kubernetes 1.34).
"""

import json

import pytest

from moorage_operator.local.apiserver.yaml import (
    ManifestError,
    dump,
    read_file,
    read_paths,
    read_text,
    values_of,
)

SCALARS = [
    ("y", True),
    ("n", False),
    ("Yes", True),
    ("NO", False),
    ("on", True),
    ("oFF", "oFF"),
    ("off", False),
    ("TRUE", True),
    ("tRue", "tRue"),
    ("~", None),
    ("null", None),
    ("'y'", "y"),
    ('"1"', "1"),
    ("2024-01-01", "2024-01-01"),
    ("2024-01-01T10:00:00Z", "2024-01-01T10:00:00Z"),
    ("1:30", "1:30"),
    ("1:30:00", "1:30:00"),
    ("1e3", 1000),
    ("1E3", 1000),
    ("1.5e-3", 0.0015),
    ("1.0", 1),
    (".5", 0.5),
    ("-.5", -0.5),
    ("1.", 1),
    ("0x1F", 31),
    ("0o17", 15),
    ("0O17", 15),
    ("0b101", 5),
    ("-0b101", -5),
    ("0777", 511),
    ("08", 8),
    ("089", 89),
    ("1_000", 1000),
    ("1_000.5", 1000.5),
    ("_1", "_1"),
    ("1__0", 10),
    ("+12", 12),
    ("-7", -7),
    ("0", 0),
    ("00", 0),
    ("-0", 0),
    ("0.9", 0.9),
    ("1.7.2", "1.7.2"),
    ("1e400", "1e400"),
    ("9223372036854775808", 9223372036854775808),
    ("100000000000000000000", 100000000000000000000),
    ("1e21", 1e21),
    ("1e-7", 1e-07),
    ("0x", "0x"),
    ("0xG", "0xG"),
    ("12e", "12e"),
    ("+", "+"),
    (".", "."),
    ("..", ".."),
    ("1_", 1),
    ("0_7", 7),
    ("0x_1F", 31),
    ("!!str 123", "123"),
    ("!!int '123'", 123),
    ("!!float 1", 1),
    ("!!bool yes", True),
    ("!!binary aGk=", "hi"),
    ("!!timestamp 2024-01-01", "2024-01-01"),
    ("!foo 12", "12"),
    ("null # c", None),
    ("=", "="),
    ("0.1", 0.1),
    ("1e5_0", 1e50),
    ("0b", "0b"),
    ("0o8", "0o8"),
    ("-0x1F", -31),
    ("-0777", -511),
    ("+.5", 0.5),
    ("''", ""),
    ("1e+3", 1000),
    ("190:20:30", "190:20:30"),
    ("0.000001", 1e-06),
    ("123456789.123456789", 123456789.12345679),
    ("!!null ''", None),
    ("1.5_0", 1.5),
    (".5_0", 0.5),
    ("._5", "._5"),
    ("685_230.15", 685230.15),
    ("1e1000", "1e1000"),
    ("0xffffffffffffffffff", "0xffffffffffffffffff"),
    ("1e20", 100000000000000000000),
    ("12345678901234567890123", 1.2345678901234568e22),
    ("0b11_01", 13),
    ("!!set {x, z}", {"x": None, "z": None}),
    (".e3", ".e3"),
    ("1.e3", 1000),
    ("+0x1f", 31),
    ("0x1p4", "0x1p4"),
    ("0x1.8p1", "0x1.8p1"),
    (".5e1", 5),
    (".iNf", ".iNf"),
    (".1x", ".1x"),
    ("<<", "<<"),
]


def value_of(text):
    (value,) = values_of(text, "x.yaml")
    return value


@pytest.mark.parametrize(("written", "meant"), SCALARS)
def test_a_scalar_means_what_it_means_to_kubectl(written, meant):
    value = value_of(f"a: {written}")["a"]
    assert (type(value), value) == (type(meant), meant)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("a:", {"a": None}),
        ("1: a", {"1": "a"}),
        ("1.5: a", {"1.5": "a"}),
        ("true: a", {"true": "a"}),
        ("y: a", {"true": "a"}),
        ("2024-01-01: a", {"2024-01-01": "a"}),
        ("0x10: a", {"16": "a"}),
        ("1e3: a", {"1000": "a"}),
        ("-1: a", {"-1": "a"}),
        ("? a\n: b", {"a": "b"}),
        ("a: |\n  x\n  y\nb: >-\n  p\n  q\n", {"a": "x\ny\n", "b": "p q"}),
        ("b: &x {p: 1, q: 2}\nc:\n  <<: *x\n  q: 3", {"b": {"p": 1, "q": 2}, "c": {"p": 1, "q": 3}}),
        ("b: &x {p: 1, q: 2}\nc:\n  q: 3\n  <<: *x", {"b": {"p": 1, "q": 2}, "c": {"p": 1, "q": 2}}),
        (
            "b: &x {p: 1}\nd: &z {p: 2, r: 3}\nc:\n  <<: [*x, *z]",
            {"b": {"p": 1}, "d": {"p": 2, "r": 3}, "c": {"p": 1, "r": 3}},
        ),
        ("a: !!set {x, z}", {"a": {"x": None, "z": None}}),
        ("{a: 1, b: [x, y]}", {"a": 1, "b": ["x", True]}),
        ('{"a": 1.5, "b": "y"}', {"a": 1.5, "b": "y"}),
        ('\t{\n\t"a": 1}', {"a": 1}),
    ],
)
def test_a_document_means_what_it_means_to_kubectl(text, meant):
    assert value_of(text) == meant


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("a: 1\n---\nb: 2", 2),
        ("---\n---\n# only a comment\n---\na: 1\n...\n", 1),
        ("a: 1\n--- # second\nb: 2", 2),
        ('{"a": 1}\n{"b": 2}\n', 2),
        ("", 0),
        ("# nothing\n", 0),
    ],
)
def test_empty_documents_do_not_count(text, count):
    assert len(list(values_of(text, "x.yaml"))) == count


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3", 'line 3: key "a" already set in map'),
        ('{"a": 1, "a": 2}', 'key "a" already set in map'),
        ("x: 1\na: b: c", "line 2: mapping values are not allowed here"),
        ("a: [1, 2", "line 1: expected ',' or ']'"),
        ("\ta: 1", "cannot start any token"),
        ("a: .nan", "`.nan` is no JSON value"),
        ("~: a", "a null cannot be a key"),
        ("[1]: a", "a list cannot be a key"),
        ("a: !!int 1.5", "cannot decode `1.5` as a !!int"),
        ("a: !!bool 1", "cannot decode `1` as a !!bool"),
        ("a: !!binary '*'", "invalid base64"),
        ("a: &r [*r]", "anchor value contains itself"),
        ("a: *nowhere", "undefined alias"),
        ("a: {<<: 1}", "map merge requires"),
        ("a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{c}: &{c} [{','.join(['*' + p] * 9)}]\n" for p, c in zip("abcdefg", "bcdefgh", strict=True)), "excessive aliasing"),
        ("[" * 5000, "nested too deeply"),
        ("a: \x00", "special characters"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named_with_its_file_and_line(text, words):
    with pytest.raises(ManifestError) as error:
        list(values_of(text, "x.yaml"))
    assert words in str(error.value)
    assert str(error.value).startswith("error parsing x.yaml: ")


def test_lists_are_taken_apart_and_items_of_a_typed_list_inherit_its_kind():
    text = """
kind: List
apiVersion: v1
items:
- {apiVersion: v1, kind: Secret, metadata: {name: a}}
- kind: ModelServingList
  apiVersion: moorage.dev/v1alpha1
  items: [{metadata: {name: b}}]
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}
"""
    found = [(d.index, d.object["apiVersion"], d.object["kind"]) for d in read_text(text, "x.yaml")]
    assert found == [
        (1, "v1", "Secret"),
        (2, "moorage.dev/v1alpha1", "ModelServing"),
        (3, "v1", "ConfigMap"),
    ]


def test_a_document_that_is_no_object_is_refused():
    with pytest.raises(ManifestError, match=r"document 2 is a list, not an object"):
        read_text("a: 1\n---\n- x\n", "x.yaml")


def test_a_folder_is_its_manifests_by_name(tmp_path):
    for name in ("b.yml", "a.yaml", "c.json", "notes.txt"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "d.yaml").write_text("{}")
    assert [path.name for path in read_paths(tmp_path)] == ["a.yaml", "b.yml", "c.json"]
    assert len(read_paths(tmp_path, recursive=True)) == 4
    with pytest.raises(ManifestError, match="does not exist"):
        read_paths(tmp_path / "absent")


def test_a_file_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "model.yaml"
    path.write_bytes(b"\xff\xfe\x80")
    with pytest.raises(ManifestError, match=r"model\.yaml: not UTF-8"):
        read_file(path)
    path.write_bytes(b"\xef\xbb\xbfkind: X")
    assert read_file(path)[0].object == {"kind": "X"}


def test_what_is_dumped_reads_back_as_the_same():
    tricky = [text for text, _ in SCALARS] + [
        "a\nb\n",
        " x ",
        "",
        "é",
        "#",
        "a: b",
        "- a",
        "x" * 300,
        "\ttab",
        "1\n2",
    ]
    value = {"texts": tricky, "numbers": [1, 1.5, -0.001, 1e30], "y": True, "on": None, "1e3": {}, "l": [[]]}
    assert value_of(dump(value)) == value
    assert value_of(json.dumps(value)) == value
    assert dump({"b": "y", "a": "x"}) == 'a: x\nb: "y"\n'
