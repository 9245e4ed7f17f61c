"""The Python side of the types: names, enums, quantities, rules."""

import pytest
from pydantic import BaseModel, ValidationError

from moorage_api import crd
from moorage_api.kinds import KINDS
from moorage_api.model_serving import ModelServing, ReadyWhen
from moorage_api.model_test import ModelTest, TriggerType
from moorage_api.pod import Pod
from moorage_api.schema import structural
from support.manifests import full, minimal


def test_python_names_and_yaml_names_meet():
    serving = ModelServing.model_validate(full("ModelServing")[0])
    assert serving.spec.http.ready_when is ReadyWhen.ANY_MODEL
    assert serving.spec.models[0].schema_.features[0].name == "sepal length (cm)"
    assert serving.spec.model_dump(by_alias=True, exclude_none=True)["http"]["timeoutSeconds"] == 5


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_out_can_be_read_again(kind):
    model = KINDS[kind].model
    for manifest in full(kind):
        parsed = model.model_validate(manifest)
        written = parsed.model_dump(by_alias=True, exclude_none=True, mode="json")
        assert model.model_validate(written) == parsed


def test_a_pod_block_keeps_what_kubernetes_itself_checks():
    pod = Pod.model_validate(full("ModelServing")[0]["spec"]["pod"])
    written = pod.model_dump(by_alias=True, exclude_none=True, mode="json")
    assert written == full("ModelServing")[0]["spec"]["pod"]


def test_defaults_of_the_types_need_no_schema():
    test = ModelTest.model_validate(minimal("ModelTest"))
    assert test.spec.trigger.type is TriggerType.ONCE
    assert test.spec.probes.offline_skew is None


@pytest.mark.parametrize("name", ["v1", "v2", "metrics", "repository"])
def test_reserved_model_names(name):
    manifest = minimal("ModelServing")
    manifest["spec"]["models"][0]["name"] = name
    with pytest.raises(ValidationError) as caught:
        ModelServing.model_validate(manifest)
    assert [error.path for error in crd.field_errors(caught.value)] == ["spec.models[0].name"]


def test_a_type_that_no_crd_can_express_is_refused_by_the_generator():
    class Part(BaseModel):
        name: int | list[str]

    class Whole(BaseModel):
        metadata: Part
        spec: Part

    with pytest.raises(TypeError, match="union"):
        structural(Whole)
