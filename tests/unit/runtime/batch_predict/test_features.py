"""From Arrow columns to the model's inputs: the same values, and the same refusals, as in a request."""

import decimal

import numpy as np
import pyarrow as pa
import pytest

from moorage_runtime.batch_predict.fault import BatchFault
from moorage_runtime.batch_predict.features import check_type, inputs_of
from moorage_runtime.batch_predict.predict import Predictor
from moorage_runtime.batch_predict.rows import Rows
from moorage_runtime.models.base import InputError, Signature, Tensor
from moorage_runtime.models.signature import arrange

F8, I8, F4, TEXT = np.dtype("f8"), np.dtype("i8"), np.dtype("f4"), np.dtype(object)


def rows_of(**columns):
    arrays = {
        name: values if isinstance(values, pa.Array) else pa.array(values) for name, values in columns.items()
    }
    return Rows(arrays, len(next(iter(arrays.values()))), {})


def signature(*tensors, matrix=F8):
    return Signature(tuple(Tensor(name, dtype, shape) for name, dtype, shape in tensors), (), matrix)


def inputs(rows, sign):
    return inputs_of(rows, sign, {feature.name: feature.name for feature in sign.features})


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, 2, None], pa.int64()),
        pa.array([2**60 + 1, 3, 4], pa.int64()),
        pa.array([0.1, None, float("inf")], pa.float64()),
        pa.array([0.1, 2, 3], pa.float32()),
        pa.array([True, False, True]),
        pa.array([None, None, None], pa.null()),
        pa.array([1, 2, 3], pa.uint8()).dictionary_encode(),
    ],
)
def test_a_column_is_what_a_request_with_its_values_is(values):
    sign = signature(("a", F8, ()), ("b", F8, ()))
    found, errors = inputs(rows_of(a=values, b=[1.0, 2.0, 3.0]), sign)
    wanted = arrange({"a": values.to_pylist(), "b": [1.0, 2.0, 3.0]}, sign)
    assert not errors
    assert found.flags["C_CONTIGUOUS"]
    assert found.tobytes() == wanted.tobytes()


def test_decimals_are_numbers():
    values = pa.array([decimal.Decimal("1.25"), None], pa.decimal128(10, 2))
    found, _ = inputs(rows_of(a=values), signature(("a", F8, ())))
    assert found[0, 0] == 1.25
    assert np.isnan(found[1, 0])


def test_single_values_that_do_not_fit_cost_their_row():
    sign = signature(("n", I8, ()), ("s", TEXT, ()), ("x", F4, ()), matrix=None)
    rows = rows_of(n=[1, None, 3, 4, 5], s=["a", "b", None, "d", "e"], x=[1.0, 2.0, 3.0, 1e300, np.inf])
    found, errors = inputs(rows, sign)
    assert errors == {
        1: "column 'n': null is not accepted (int64)",
        2: "column 's': a string is needed, not null",
        3: "column 'x': a number is too large for float32",
    }
    assert found["n"].tolist() == [1, 5]
    assert found["s"].tolist() == ["a", "e"]
    assert found["x"].tolist() == [1.0, np.inf]


def test_whole_floats_fit_integers_and_others_do_not():
    found, errors = inputs(rows_of(n=[1.0, 2.5, np.nan, 1e30]), signature(("n", I8, ()), matrix=I8))
    assert found.tolist() == [[1]]
    assert sorted(errors) == [1, 2, 3]


def test_lists_are_features_with_a_shape():
    sign = signature(("image", F4, (2,)), matrix=F4)
    found, errors = inputs(rows_of(image=[[1.0, 2.0], [3.0], None, [4.0, 5.0]]), sign)
    assert found.tolist() == [[1, 2], [4, 5]]
    assert sorted(errors) == [1, 2]
    assert errors[1].startswith("column 'image': ")


def test_a_column_of_the_wrong_type_is_named_with_its_file():
    with pytest.raises(BatchFault, match="f: column 'a' is string, feature 'x' needs float64"):
        check_type(pa.string(), Tensor("x", F8), "a", "f")
    with pytest.raises(BatchFault, match="column 'a' is int64, feature 'x' needs string"):
        check_type(pa.int64(), Tensor("x", TEXT), "a", "f")
    check_type(pa.dictionary(pa.int8(), pa.large_string()), Tensor("x", TEXT), "a", "f")


class Picky:
    """Refuses NaN in its first feature, infinity in all, and any negative number; counts its calls."""

    signature = signature(("a", F8, ()), ("b", F8, ()))
    default_outputs = ("predict",)

    def __init__(self):
        self.calls = 0

    def predict(self, given, outputs):
        self.calls += 1
        for row, values in enumerate(given):
            if np.isnan(values[0]) or np.isinf(values).any():
                raise InputError(f"row {row}, feature 'a': the model does not accept it")
            if (values < 0).any():
                raise InputError(f"row {row}, negative")
        return {"predict": given.sum(axis=1)}


def test_rows_that_the_model_refuses_are_found_and_the_others_predicted():
    a = np.arange(40.0)
    b = np.ones(40)
    a[[3, 9]], b[[5, 6]], b[20], a[33] = np.nan, np.nan, np.inf, -1
    model = Picky()
    predictor = Predictor(model, {"a": "a", "b": "b"})
    found = predictor.predict(rows_of(a=a, b=b))
    assert sorted(found.errors) == [3, 9, 20, 33]
    assert found.errors[3] == "feature 'a': the model does not accept it"
    assert found.errors[33] == "negative"
    assert found.places.tolist() == [row for row in range(40) if row not in found.errors]
    np.testing.assert_array_equal(found.outputs["predict"], (a + b)[found.places])
    before = model.calls
    nans = np.full(40, np.nan)
    assert len(predictor.predict(rows_of(a=nans, b=b)).errors) == 40
    assert model.calls == before + 1, "what the model refuses is remembered"


def test_a_model_that_breaks_ends_the_job():
    model = Picky()
    model.predict = lambda *_: 1 / 0
    with pytest.raises(BatchFault, match="the model fails: ZeroDivisionError"):
        Predictor(model, {"a": "a", "b": "b"}).predict(rows_of(a=[1.0], b=[1.0]))
    model.predict = lambda *_: {"predict": np.zeros(3)}
    with pytest.raises(BatchFault, match="3 values of 'predict' for 1 rows"):
        Predictor(model, {"a": "a", "b": "b"}).predict(rows_of(a=[1.0], b=[1.0]))
