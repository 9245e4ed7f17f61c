"""What was set for MLRun's serving functions means the same here."""

import pytest

from moorage_runtime.models.cpu import cpu_limit
from moorage_runtime.models.environment import capture_from_environment, models_from_environment


def test_models_by_variables(iris, dumped, loaded):
    path = dumped(iris.estimator)
    env = {
        "SERVING_MODEL_iris_dataset_v1": str(path),
        "SERVING_MODEL_b": "s3://models/b.onnx",
        "MODEL_CLASS": "ClassifierModel",
        "SERVING_PARAMS": '{"a": 1}',
        "HOME": "/",
    }
    models = models_from_environment(env)
    assert [(m.name, m.uri, m.parameters) for m in models] == [
        ("b", "s3://models/b.onnx", {"a": 1}),
        ("iris_dataset_v1", str(path), {"a": 1}),
    ]
    result = loaded(**models[1].model_dump(include={"framework", "python_class"}), path=path)
    assert (result.framework, result.class_name) == ("sklearn", "Pipeline")


@pytest.mark.parametrize("named", ["pkg.models:Iris", "pkg.models.Iris"])
def test_a_class_with_its_module_is_user_code(named):
    (model,) = models_from_environment({"SERVING_MODEL_m": "/m", "MODEL_CLASS": named})
    assert (model.framework, model.python_class) == ("python", named)


def test_nothing_set_is_no_model_and_no_capture():
    assert models_from_environment({}) == []
    assert capture_from_environment({}) is None


def test_consumers_of_mlrun_events_keep_their_format():
    chosen = {"INFERENCE_STREAM": "users/admin/tststream", "INFERENCE_STREAM_FORMAT": "mlrun-v1"}
    assert capture_from_environment(chosen).format == "mlrun-v1"
    assert capture_from_environment({"INFERENCE_STREAM": "users/admin/tststream"}).format == "native"


def test_one_in_n_is_captured():
    whole = capture_from_environment({"INFERENCE_STREAM": "users/admin/tststream"})
    assert (whole.stream.uri, whole.sample_ratio) == ("users/admin/tststream", 1.0)
    some = capture_from_environment({"INFERENCE_STREAM": "kafka://h:9092/t", "INFERENCE_STREAM_SAMPLE": "4"})
    assert some.sample_ratio == 0.25


@pytest.mark.parametrize(
    ("env", "variable"),
    [
        ({"SERVING_MODEL_": "/m"}, "SERVING_MODEL_"),
        ({"SERVING_MODEL_m": ""}, "SERVING_MODEL_m"),
        ({"SERVING_PARAMS": "{"}, "SERVING_PARAMS is not JSON"),
        ({"SERVING_PARAMS": "[]"}, "SERVING_PARAMS must be a JSON object"),
        ({"INFERENCE_STREAM": "s", "INFERENCE_STREAM_SAMPLE": "0"}, "INFERENCE_STREAM_SAMPLE is '0'"),
        ({"INFERENCE_STREAM": "s", "INFERENCE_STREAM_SAMPLE": "often"}, "INFERENCE_STREAM_SAMPLE is 'often'"),
        ({"INFERENCE_STREAM": "s", "INFERENCE_STREAM_FORMAT": "avro"}, "INFERENCE_STREAM_FORMAT is 'avro'"),
    ],
)
def test_a_wrong_variable_is_named(env, variable):
    read = capture_from_environment if "INFERENCE_STREAM" in env else models_from_environment
    with pytest.raises(ValueError, match=variable):
        read(env)


@pytest.mark.parametrize(
    ("text", "processors"), [("50000 100000", 1), ("max 100000", None), ("100000 100000", 1)]
)
def test_a_containers_limit_counts(text, processors, tmp_path):
    unlimited = cpu_limit(tmp_path)
    (tmp_path / "cpu.max").write_text(text + "\n")
    assert cpu_limit(tmp_path) == (processors or unlimited)


def test_an_older_kernels_limit_counts(tmp_path):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("20000\n")
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000\n")
    assert cpu_limit(tmp_path) == 1
