"""Records in the names and types that the model's metadata asks for."""

import json

import pytest

from moorage_runtime.live_test.answers import predictions, tensors
from moorage_runtime.live_test.dataset import Sample
from moorage_runtime.live_test.fault import TestFault
from moorage_runtime.live_test.tensors import Served, inputs, served, tails

SAMPLE = Sample(
    columns={"age": [30, 41.0, None], "income": [1.5, 2.5, 3.5]},
    labels=[0, 1, 0],
    rows=[4, 9, 2],
    classes=[0, 1],
)


def model(*specs):
    return served(
        {"inputs": [{"name": name, "datatype": kind, "shape": shape} for name, kind, shape in specs]}
    )


def test_named_inputs_take_their_columns_in_their_types():
    got = inputs(SAMPLE, model(("income", "FP32", [-1]), ("age", "INT64", [-1, 1])), [0, 1])
    assert got == [
        {"name": "income", "datatype": "FP32", "shape": [2], "data": [1.5, 2.5]},
        {"name": "age", "datatype": "INT64", "shape": [2, 1], "data": [30, 41]},
    ]


@pytest.mark.parametrize("shape", [[-1, 2], [-1, -1]])
def test_one_input_of_another_name_is_a_matrix_in_column_order(shape):
    got = inputs(SAMPLE, model(("input-0", "FP64", shape)), [1])
    assert got == [{"name": "input-0", "datatype": "FP64", "shape": [1, 2], "data": [41.0, 2.5]}]


def test_without_metadata_numbers_are_a_matrix_and_text_makes_columns():
    assert inputs(SAMPLE, Served(), [0])[0]["shape"] == [1, 2]
    mixed = Sample({"a": [1], "b": ["x"]}, [0], [0], [0])
    assert [(one["name"], one["datatype"]) for one in inputs(mixed, Served(), [0])] == [
        ("a", "FP64"),
        ("b", "BYTES"),
    ]


def test_a_missing_value_is_null_in_the_encoded_request():
    (tail,) = tails(Sample({"a": [float("nan")], "b": [1.0]}, [0], [0], [0]), Served())
    assert json.loads(b"{" + tail)["inputs"][0]["data"] == [None, 1.0]


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ([("age", "FP64", [-1]), ("height", "FP64", [-1])], "features height are no columns"),
        ([("input-0", "FP64", [-1, 4])], "takes 4 features, the data set has 2 columns"),
        ([("income", "INT64", [-1])], r"column 'income', row 4: 1.5 is not INT64"),
    ],
)
def test_a_data_set_that_does_not_fit_is_named(specs, message):
    with pytest.raises(TestFault, match=message):
        inputs(SAMPLE, model(*specs), [0])


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ([{"name": "predict", "shape": [2], "data": [1, 0]}], [1, 0]),
        ([{"name": "output-0", "shape": [2, 1], "data": [[1], [0]]}], [1, 0]),
        (
            [
                {"name": "predict_proba", "shape": [2, 2], "data": [0.1, 0.9, 0.7, 0.3]},
                {"name": "predict", "data": ["b", "a"]},
            ],
            ["b", "a"],
        ),
        ([{"name": "scores", "shape": [2, 2], "data": [[0.1, 0.9], [0.7, 0.3]]}], ["yes", "no"]),
    ],
)
def test_replies_of_different_servers_are_read(outputs, expected):
    body = json.dumps({"model_name": "m", "outputs": outputs}).encode()
    assert predictions(tensors(body), 2, ["no", "yes"]) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"ok",
        b"[]",
        b'{"outputs": []}',
        b'{"outputs": [{"name": "predict"}]}',
        b'{"outputs": [{"name": "predict", "data": [null, 1]}]}',
        b'{"outputs": [{"name": "predict", "data": [1, 2, 3]}]}',
        b'{"outputs": [{"name": "predict", "data": [1, 2, 3, 4, 5, 6]}]}',
    ],
)
def test_a_reply_without_predictions_is_refused(body):
    with pytest.raises(ValueError):
        predictions(tensors(body), 2, ["no", "yes"])
