"""A graph answers what onnxruntime answers, under names that do not depend on the converter."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from moorage_runtime.models import InputError, LoadError
from moorage_runtime.models.signature import arrange


@pytest.fixture(scope="module")
def boosted(cancer):
    return replace(
        cancer, estimator=GradientBoostingClassifier(n_estimators=20, random_state=0).fit(cancer.x, cancer.y)
    )


def save(graph, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(graph.SerializeToString())
    return path


def graph_of(inputs, outputs, nodes):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs],
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in outputs],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("which", ["iris", "boosted"])
@pytest.mark.parametrize("zipmap", [False, True])
def test_a_converted_classifier_is_served_as_the_estimator_was(which, zipmap, request, tmp_path, loaded):
    trained = request.getfixturevalue(which)
    matrix = trained.x.to_numpy(np.float32)
    graph = to_onnx(trained.estimator, matrix[:1], options={"zipmap": zipmap})
    result = loaded(save(graph, tmp_path), "onnx")
    model = result.model

    answer = model.predict(arrange(trained.rows, model.signature), ("predict", "predict_proba"))

    session = onnxruntime.InferenceSession(graph.SerializeToString())
    label, probabilities = session.run(None, {"X": matrix})
    assert np.array_equal(answer["predict"], label)
    expected = pd.DataFrame(probabilities).to_numpy(np.float32) if zipmap else probabilities
    assert np.array_equal(answer["predict_proba"], expected)
    assert np.mean(answer["predict"] == trained.estimator.predict(trained.x)) > 0.99
    assert [o.name for o in model.signature.outputs] == ["predict", "predict_proba"]
    assert model.signature.outputs[1].shape == (probabilities.shape[1] if not zipmap else expected.shape[1],)
    assert model.default_outputs == ("predict",)
    assert len(model.signature.features) == trained.x.shape[1]
    assert (result.framework, model.predictor) == ("onnx", "onnxruntime")


def test_a_regressors_column_becomes_one_value_a_row_and_keeps_its_own_name(iris, tmp_path, loaded):
    estimator = LinearRegression().fit(iris.x.to_numpy(np.float32), iris.y)
    model = loaded(save(to_onnx(estimator, iris.x.to_numpy(np.float32)[:1]), tmp_path)).model
    answer = model.predict(arrange(iris.rows[:3], model.signature), ("predict", "variable"))
    assert answer["predict"].shape == (3,)
    assert answer["variable"].shape == (3, 1)
    assert model.default_outputs == ("predict",)


def test_several_inputs_are_columns(tmp_path, loaded):
    frame = pd.DataFrame(
        {"age": np.float32([20, 30, 40, 50] * 5), "town": ["ulm", "bonn", "ulm", "kiel"] * 5}
    )
    estimator = make_pipeline(
        make_column_transformer((StandardScaler(), ["age"]), (OneHotEncoder(), ["town"])),
        LogisticRegression(),
    ).fit(frame, [0, 1, 0, 1] * 5)
    types = [("age", FloatTensorType([None, 1])), ("town", StringTensorType([None, 1]))]
    model = loaded(save(to_onnx(estimator, initial_types=types), tmp_path)).model
    assert [(f.name, f.dtype, f.shape) for f in model.signature.features] == [
        ("age", np.float32, ()),
        ("town", object, ()),
    ]
    rows = [{"age": 20, "town": "ulm"}, {"age": 30, "town": "bonn"}]
    with pytest.raises(InputError, match="Unknown Category"):
        model.predict(arrange([{"age": 20, "town": "rome"}], model.signature), ("predict",))
    answer = model.predict(arrange(rows, model.signature), ("predict", "predict_proba"))
    assert answer["predict"].tolist() == [0, 1]
    assert np.allclose(answer["predict_proba"], estimator.predict_proba(frame[:2]), atol=1e-5)


def test_a_graph_of_its_own_names_is_answered_whole(tmp_path, loaded):
    graph = graph_of(
        [("image", TensorProto.FLOAT, ["n", 2, 2])],
        [("twice", TensorProto.FLOAT, ["n", 2, 2]), ("same", TensorProto.FLOAT, ["n", 2, 2])],
        [
            helper.make_node("Add", ["image", "image"], ["twice"]),
            helper.make_node("Identity", ["image"], ["same"]),
        ],
    )
    model = loaded(save(graph, tmp_path)).model
    assert model.default_outputs == ("predict", "same")
    assert [o.name for o in model.signature.outputs] == ["predict", "same", "twice"]
    assert [(f.name, f.shape) for f in model.signature.features] == [("image", (2, 2))]
    rows = [[[1, 2], [3, 4]]]
    answer = model.predict(arrange(rows, model.signature), ("same", "twice"))
    assert answer["same"].tolist() == rows
    assert answer["twice"].tolist() == [[[2, 4], [6, 8]]]


def test_a_graph_of_one_row_at_a_time_still_takes_many(tmp_path, loaded):
    graph = graph_of(
        [("x", TensorProto.FLOAT, [1, 2])],
        [("y", TensorProto.FLOAT, [1, 2])],
        [helper.make_node("Add", ["x", "x"], ["y"])],
    )
    model = loaded(save(graph, tmp_path)).model
    assert model.predict(arrange([[1, 2], [3, 4]], model.signature), ("predict",))["predict"].tolist() == [
        [2, 4],
        [6, 8],
    ]


def test_a_graph_of_a_fixed_batch_says_so(tmp_path, loaded):
    graph = graph_of(
        [("x", TensorProto.FLOAT, [2, 2])],
        [("y", TensorProto.FLOAT, [2, 2])],
        [helper.make_node("Add", ["x", "x"], ["y"])],
    )
    model = loaded(save(graph, tmp_path)).model
    with pytest.raises(InputError, match="3 rows given, the model takes 2 at a time"):
        model.predict(arrange([[1, 2]] * 3, model.signature), ("predict",))
    assert len(model.predict(arrange([[1, 2]] * 4, model.signature), ("predict",))["predict"]) == 4


def test_the_manifest_names_columns_and_outputs(iris, tmp_path, loaded):
    path = save(to_onnx(iris.estimator, iris.x.to_numpy(np.float32)[:1], options={"zipmap": False}), tmp_path)
    features = [{"name": name, "type": "float32"} for name in "abcd"]
    model = loaded(path, features=features, outputs=[{"name": "species", "type": "int64"}]).model
    row = dict(zip("dcba", reversed(iris.rows[0]), strict=True))
    assert model.predict(arrange([row], model.signature), ("species",))["species"] == [0]
    with pytest.raises(LoadError, match="lists 3 features, the artifact has 4"):
        loaded(path, features=features[:3])


def test_a_type_that_cannot_be_served_is_named(tmp_path, loaded):
    graph = graph_of(
        [("x", TensorProto.COMPLEX64, ["n", 2])],
        [("y", TensorProto.COMPLEX64, ["n", 2])],
        [helper.make_node("Identity", ["x"], ["y"])],
    )
    onnx.checker.check_model(graph)
    with pytest.raises(
        LoadError, match=r"input 'x' of the graph is a tensor\(complex64\)|cannot|is not an ONNX graph"
    ):
        loaded(save(graph, tmp_path))
