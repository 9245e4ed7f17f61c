"""Parsing joined records, arranging and predicting them, and the bytes that come out."""

import json

import numpy as np
import pytest

from moorage_runtime.models.base import InputError, Signature, Tensor
from moorage_runtime.models.signature import arrange
from moorage_runtime.stream_predict.decode import parse
from moorage_runtime.stream_predict.delivery import Letters
from moorage_runtime.stream_predict.encode import orjson_texts, rows_of_json
from moorage_runtime.stream_predict.predict import predict
from moorage_runtime.stream_predict.records import Batch, Failure, Outgoing, Predicted

FLOAT = np.dtype(np.float64)
NAMES = ("a", "b")


class Sums:
    """Adds a row up; refuses 13, falls over 666."""

    predictor = "sums"
    stackable = True
    default_outputs = ("predict",)
    operations = {}

    def __init__(self, dtype=FLOAT):
        self.signature = Signature(
            tuple(Tensor(name, np.dtype(dtype)) for name in NAMES),
            (Tensor("predict", FLOAT),),
            np.dtype(dtype),
        )
        self.calls = []

    def predict(self, inputs, outputs):
        self.calls.append(len(inputs))
        if (inputs == 13).any():
            raise InputError("13 is refused")
        if (inputs == 666).any():
            raise SystemExit(1)
        return {"predict": inputs.sum(axis=1)}


def run(model, values):
    answers, failures = predict(values, range(len(values)), model, "m", frozenset(NAMES))
    found = {}
    for answer in answers:
        for place, index in enumerate(answer.indices):
            rows = slice(answer.bounds[place], answer.bounds[place + 1])
            found[index] = answer.outputs["predict"][rows].tolist()
    return found, failures


@pytest.mark.parametrize(
    "values",
    [
        [b"1,2", b"[3", b"4]"],
        [b"[1]", b"[2],[3]", b""],
        [b"[1", b"2]"],
        [b"[1],[2", b"3]"],
        [b'{"a":1', b"[2]", b"}"],
        [b"[1]", None],
        [b'"', b'"'],
        [b"1]", b"[2"],
    ],
)
def test_a_record_never_passes_for_two_nor_eats_its_neighbour(values):
    def alone(value):
        try:
            return json.loads(value or b"")
        except ValueError:
            return Failure

    found = [Failure if isinstance(one, Failure) else one for one in parse(values)]
    assert found == [alone(value) for value in values]


def test_good_records_are_parsed_as_they_are():
    values = [b"[1, 2.5]", b' {"a": null}\n', b"3", b'"x"', b"true"]
    assert parse(values) == [[1, 2.5], {"a": None}, 3, "x", True]


def test_a_batch_of_one_form_is_one_call():
    model = Sums()
    found, failures = run(model, [[1, 2.0], [3, 4]])
    assert (found, failures, model.calls) == ({0: [3.0], 1: [7.0]}, {}, [2])


def test_forms_may_be_mixed_and_are_still_one_call():
    model = Sums()
    found, failures = run(model, [[1, 2], {"b": 3, "a": 4}, [[1, 1], [2, 2]], {"instances": [[5, 5]]}])
    assert (found, failures, model.calls) == ({0: [3.0], 1: [7.0], 2: [2.0, 4.0], 3: [10.0]}, {}, [5])


def test_the_record_at_fault_is_found_by_halving_and_the_others_are_predicted():
    values = [[float(number), 0.0] for number in range(1000, 2024)]
    values[17], values[900] = [13.0, 0.0], [666.0, 0.0]
    model = Sums()
    found, failures = run(model, values)
    assert len(found) == 1022
    assert {index: failure.reason for index, failure in failures.items()} == {
        17: "BadInput",
        900: "ModelFailed",
    }
    assert len(model.calls) < 50


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_joining_rows_changes_no_number(dtype):
    rows = [
        [2**53 + 1, 1],
        [1.0, 2.0],
        [True, 0],
        [2**60 + 1, 3],
        [-0.0, 1e-300 if dtype == np.float64 else 0],
    ]
    model = Sums(dtype)
    together, failures = run(model, rows)
    for index, row in enumerate(rows):
        if index not in failures:
            assert together[index] == [arrange([row], model.signature)[0].sum()]


def test_an_object_of_lists_never_borrows_a_row_from_its_neighbour():
    found, failures = run(Sums(), [{"a": [1, 2], "b": [3, 4]}, {"a": [], "b": []}])
    assert found == {0: [4.0, 6.0]}
    assert failures[1].reason == "BadInput"


def test_outputs_of_every_type_are_json_by_row():
    assert rows_of_json(np.array([1, 2])) == [b"1", b"2"]
    assert rows_of_json(np.array([0.1, np.nan], np.float32)) == [b"0.1", b"null"]
    assert rows_of_json(np.array([[1.5, 2], [3, 4]])) == [b"[1.5,2.0]", b"[3.0,4.0]"]
    assert rows_of_json(np.array(["a,b", 'c"'], dtype=object)) == [b'"a,b"', b'"c\\""']
    assert rows_of_json(np.array([True])) == [b"true"]
    assert rows_of_json(np.zeros((1, 2, 2))) == [b"[[0.0,0.0],[0.0,0.0]]"]


@pytest.mark.parametrize(
    "texts", [["a", "b"], ['a"', "b"], ["a\n", "b"], ["a\\n", "b"], ["\u00e9", "b\\"], ["x"]]
)
def test_ids_are_written_as_json_whatever_is_in_them(texts):
    assert [json.loads(text) for text in orjson_texts(texts)] == texts


def batch(count):
    return Batch(
        "in",
        [b"[%d]" % n for n in range(count)],
        [None] * count,
        [None] * count,
        [0] * count,
        [n % 2 for n in range(count)],
        list(range(count)),
    )


def test_a_batch_without_some_partitions_keeps_its_failures_in_place():
    predicted = Predicted(batch(4), [b"a", b"b", b"c", b""], [()] * 4, {3: Failure("NotJson", "no")})
    rest = predicted.without([0])
    assert (rest.values, rest.batch.offsets, list(rest.failures)) == ([b"b", b""], [1, 3], [1])
    assert rest.batch.ends() == {1: 3}


def test_what_no_topic_takes_is_a_dead_letter_and_at_last_one_without_its_value():
    letters = Letters("out", "dead", dead_lines=False)
    predicted = Predicted(batch(2), [b"a", b"b"], [(), ()], {})
    assert letters.amend(predicted, [(Outgoing("out", b"b"), "too large", True)]) == [1]
    assert [one.value for one in letters.outputs(predicted)] == [b"a"]
    (letter,) = letters.dead(predicted)
    assert (letter.value, dict(letter.headers)["moorage-reason"]) == (b"[1]", b"OutputRefused")
    assert letters.amend(predicted, [(letter, "too large", True)]) == [1]
    (letter,) = letters.dead(predicted)
    assert (letter.value, dict(letter.headers)["moorage-value-bytes"]) == (None, b"3")
