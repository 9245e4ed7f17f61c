"""Which runtime is chosen, and what is said where none is."""

import pytest

from moorage_api.model_runtime import Role
from moorage_api.model_serving import Framework
from moorage_operator.plan.catalogue import Catalogue
from moorage_operator.plan.refusal import Refused


def runtime(name, frameworks=None, namespace=None, **spec):
    kind = "ModelRuntime" if namespace else "ClusterModelRuntime"
    listed = [{"name": framework, "versions": versions} for framework, versions in (frameworks or {}).items()]
    return {
        "kind": kind,
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
        "spec": {"image": f"{name}:1", "frameworks": listed, **spec},
    }


def pick(objects, *frameworks, name=None, namespace="ml", role=Role.SERVE):
    wanted = [
        Framework(name=each.split()[0], version=each.split()[1] if " " in each else None)
        for each in frameworks
    ]
    return Catalogue.of(objects).pick(namespace, role, wanted, name).name


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ("sklearn 1", "one"),
        ("sklearn 1.7", "one-seven"),
        ("sklearn 1.7.2", "one-seven"),
        ("sklearn 1.6", "one"),
        ("sklearn 2", "two-three"),
        ("sklearn", "any"),
    ],
)
def test_the_longest_version_wins_and_the_exact_one_first(wanted, chosen):
    objects = [
        runtime("any", {"sklearn": []}),
        runtime("one", {"sklearn": ["1"]}),
        runtime("one-seven", {"sklearn": ["1.7"]}),
        runtime("two-three", {"sklearn": ["2.3"]}),
    ]
    assert pick(objects, wanted) == chosen
    assert pick(list(reversed(objects)), wanted) == chosen


def test_versions_are_compared_part_by_part():
    with pytest.raises(Refused):
        pick([runtime("one", {"sklearn": ["1"]})], "sklearn 11")
    with pytest.raises(Refused):
        pick([runtime("a", {"sklearn": ["1.7"]})], "sklearn 1.70")


def test_the_namespace_wins_then_the_version_then_the_priority_then_the_name():
    cluster = runtime("exact", {"sklearn": ["1.7"]})
    own = runtime("own", {"sklearn": ["1"]}, namespace="ml")
    assert pick([cluster, own], "sklearn 1.7") == "own"
    assert pick([cluster, own], "sklearn 1.7", namespace="other") == "exact"
    low, high = runtime("a", {"onnx": ["1"]}), runtime("b", {"onnx": ["1"]}, priority=5)
    assert pick([low, high], "onnx 1") == "b"
    assert pick([runtime("z", {"onnx": ["1"]}), low], "onnx 1") == "a"


def test_all_models_have_to_fit_one_runtime():
    sklearn, onnx = runtime("sk", {"sklearn": ["1"]}), runtime("ox", {"onnx": ["1"]})
    both = runtime("both", {"sklearn": [], "onnx": []})
    assert pick([sklearn, onnx, both], "sklearn 1", "onnx 1") == "both"
    with pytest.raises(Refused) as refused:
        pick([sklearn, onnx], "sklearn 1", "onnx 1")
    assert refused.value.reason == "NoSupportingRuntime"
    assert refused.value.message == (
        "no runtime with role serve supports onnx 1, sklearn 1; the catalogue has ox (onnx 1), sk (sklearn 1)"
    )


def test_what_is_not_offered_is_only_taken_by_name():
    hidden = runtime("hidden", {"sklearn": ["1"]}, autoSelect=False)
    with pytest.raises(Refused):
        pick([hidden], "sklearn 1")
    assert pick([hidden], "sklearn 1", name="hidden") == "hidden"


def test_a_name_is_looked_up_in_the_namespace_first():
    objects = [runtime("r", {"sklearn": ["1"]}), runtime("r", {"sklearn": ["2"]}, namespace="ml")]
    found = Catalogue.of(objects).pick("ml", Role.SERVE, [Framework(name="sklearn", version="2")], "r")
    assert found.namespace == "ml"


def test_a_named_runtime_that_lists_no_framework_takes_any():
    assert pick([runtime("own-server")], "torch 2", name="own-server") == "own-server"
    with pytest.raises(Refused):
        pick([runtime("own-server")], "torch 2")


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        ("gone", "RuntimeNotFound", "'gone'; the catalogue has sk (sklearn 1)"),
        ("sk", "NoSupportingRuntime", "sk (sklearn 1) does not support onnx 1"),
        ("tester", "NoSupportingRuntime", "tester does not have the role serve"),
        ("theirs", "RuntimeNotFound", "'theirs'"),
    ],
)
def test_a_name_that_cannot_be_taken_is_refused(name, reason, words):
    objects = [
        runtime("sk", {"sklearn": ["1"]}),
        runtime("tester", roles=["test"]),
        runtime("theirs", {"onnx": ["1"]}, namespace="elsewhere"),
    ]
    with pytest.raises(Refused) as refused:
        pick(objects, "onnx 1", name=name)
    assert refused.value.reason == reason
    assert words in refused.value.message


def test_an_image_of_tests_takes_every_model_unless_it_lists_what_it_loads():
    anything = runtime("tester", roles=["test"])
    boosted = runtime("boosted", {"xgboost": ["3"]}, roles=["test"])
    assert pick([anything, boosted], role=Role.TEST) == "boosted", "by name, as nothing is to be loaded"
    assert pick([anything, boosted], "sklearn 1", role=Role.TEST) == "tester"
    assert pick([anything, boosted], "xgboost 3", role=Role.TEST) == "boosted"


def test_an_unreadable_runtime_harms_nobody_and_is_named_in_refusals():
    objects = [runtime("broken", roles=["fly"]), runtime("sk", {"sklearn": ["1"]}), {"kind": "Pod"}]
    assert pick(objects, "sklearn 1") == "sk"
    with pytest.raises(Refused, match="unreadable: broken"):
        pick(objects, "onnx 1")
    with pytest.raises(Refused, match="the catalogue has none"):
        pick([], "onnx 1")
