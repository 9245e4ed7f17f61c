"""From JSON to arrays, and errors that a client can act on."""

import numpy as np
import pytest

from moorage_runtime.config import TensorConfig
from moorage_runtime.models.base import InputError, Signature, Tensor
from moorage_runtime.models.signature import arrange, rows_of, synthetic, tensors
from moorage_runtime.models.types import api_name, dtype_of_api, dtype_of_oip, oip_name

F8, I8, I4, TEXT = np.dtype("f8"), np.dtype("i8"), np.dtype("i4"), np.dtype(object)
PAIR = Signature((Tensor("a", F8), Tensor("b", F8)), ())
WHOLE = Signature((Tensor("a", I4), Tensor("b", I4)), (), I4)
ONE = Signature((Tensor("a", F8),), ())
MIXED = Signature((Tensor("n", I8), Tensor("s", TEXT)), (), None)
IMAGE = Signature((Tensor("image", np.dtype("f4"), (2, 2)),), (), np.dtype("f4"))
NESTED = Signature((Tensor("v", F8, (-1,)), Tensor("n", I8)), (), None)
LOOSE = Signature((), ())
RAW = Signature((), (), None)


@pytest.mark.parametrize(
    "data",
    [
        [[1, 2.5], [3, 4]],
        [{"a": 1, "b": 2.5}, {"b": 4, "a": 3}],
        [{"a": [1, 3], "b": [2.5, 4]}],
        [{"a": [1], "b": [2.5]}, {"a": 3, "b": 4}],
        {"a": [1, 3], "b": [2.5, 4]},
        {"b": np.array([2.5, 4]), "a": np.array([[1], [3]])},
        np.array([[1, 2.5], [3, 4]], np.float32),
    ],
)
def test_every_form_of_rows_is_the_same_matrix(data):
    matrix = arrange(data, PAIR)
    assert matrix.dtype == np.float64
    assert matrix.tolist() == [[1, 2.5], [3, 4]]


def test_forms_of_a_single_row_and_a_single_feature():
    assert arrange({"a": 1, "b": 2}, PAIR).tolist() == [[1, 2]]
    assert arrange([1, 2, 3], ONE).tolist() == [[1], [2], [3]]
    assert arrange([[1], [2]], ONE).tolist() == [[1], [2]]
    assert arrange(np.array([1, 2]), ONE).tolist() == [[1], [2]]
    assert arrange([[[1, 2], [3, 4]]], IMAGE).shape == (1, 2, 2)


def test_columns_keep_their_own_types():
    columns = arrange([[1, "x"], [2, "y"]], MIXED)
    assert columns["n"].dtype == np.int64
    assert columns["s"].tolist() == ["x", "y"]
    assert rows_of(columns) == 2
    assert arrange({"n": np.array([[1]]), "s": np.array(["x"])}, MIXED)["s"].dtype == object
    nested = arrange([{"v": [1, 2], "n": 1}, {"v": [3, 4], "n": 2}], NESTED)
    assert nested["v"].tolist() == [[1, 2], [3, 4]]


def test_null_is_nan_where_the_type_has_one():
    assert np.isnan(arrange([[None, 1], [2, 3]], PAIR)[0, 0])
    assert np.isnan(arrange({"a": [None, 1.5], "b": [1, 2]}, PAIR)[0, 0])


def test_whole_numbers_may_come_as_floats():
    assert arrange([[1.0, 2]], WHOLE).dtype == np.int32
    assert arrange([[2**63, 1]], PAIR)[0, 0] == 2.0**63
    assert arrange([[2**70, 1]], PAIR)[0, 0] == 2.0**70


def test_without_a_signature_rows_are_passed_on():
    assert arrange([[1, 2], [3, 4]], LOOSE).shape == (2, 2)
    rows = [{"any": 1}, [2, [3]], "text"]
    assert arrange(rows, RAW).tolist() == rows
    assert arrange(rows, RAW).shape == (3,)
    assert arrange({"m": np.ones((2, 3))}, LOOSE).shape == (2, 3)
    assert list(arrange({"x": [1], "y": ["a"]}, RAW)) == ["x", "y"]


@pytest.mark.parametrize(
    ("data", "signature", "message"),
    [
        ([], PAIR, "no rows"),
        ({"a": [], "b": []}, PAIR, "no rows"),
        (np.empty((0, 2)), PAIR, "no rows"),
        (np.array(1.0), PAIR, "no rows"),
        ("text", PAIR, "a list of rows is needed, not a string"),
        (None, PAIR, "a list of rows is needed, not null"),
        ([[1, 2], [3]], PAIR, "row 1: 1 values, the model takes 2"),
        ([[1, 2, 3]], PAIR, "row 0: 3 values, the model takes 2"),
        ([1, 2], PAIR, "row 0: a list of 2 values is needed, not 1"),
        ([[1, 2], None], PAIR, "row 1: a list of values is needed, not null"),
        ([[1, [2]]], PAIR, "row 0, position 1: one value is needed, not a list"),
        ([[1, {}]], PAIR, "row 0, feature 'b': a number (float64) is needed, not an object"),
        ([[1, "2"]], PAIR, "row 0, feature 'b': a number (float64) is needed, not a string"),
        ([["1", "2"]], PAIR, "row 0, feature 'a': a number (float64) is needed, not a string"),
        ([[1, 10**400]], PAIR, "row 0, feature 'b': a number is too large for float64"),
        ([[1, 2], [1.5, 2]], WHOLE, "row 1, feature 'a': a value does not fit int32"),
        ([[1, 2**40]], WHOLE, "row 0, feature 'b': a value does not fit int32"),
        ([[float("nan"), 1]], WHOLE, "row 0, feature 'a': a value does not fit int32"),
        ([[None, 1]], WHOLE, "row 0, feature 'a': null is not accepted (int32)"),
        ([{"a": 1}], PAIR, "row 0: missing feature 'b'"),
        ([{"a": 1, "b": 2, "c": 3}], PAIR, "row 0: unknown feature 'c'"),
        ([{"a": 1, "b": 2}, [1, 2]], PAIR, "row 1: an object like the rows before is needed, not a list"),
        ([{"a": [1, 2], "b": [1]}], PAIR, "row 0: its lists must all have the same length"),
        ([{"a": [1, 2], "b": 1}], PAIR, "row 0: its lists must all have the same length"),
        ([{"a": 1}], LOOSE, "does not know its features' names; send each row as a list"),
        ({"a": [1], "b": [1]}, LOOSE, "send one matrix"),
        ([1, 2], LOOSE, "a list of rows is needed, each a list of values"),
        ({"a": [1, 2], "b": [1]}, PAIR, "feature 'b' has 1 rows, 'a' has 2"),
        (
            {"a": [1, "x"], "b": [1, 2]},
            PAIR,
            "feature 'a': row 1: a number (float64) is needed, not a string",
        ),
        ({"a": 1, "b": [1]}, PAIR, "feature 'a': a list with one value a row is needed"),
        ({"a": [[1, 2]], "b": [1]}, PAIR, "feature 'a': one value a row is needed"),
        ({"A": [1]}, PAIR, "missing feature 'a', 'b'; unknown feature 'A'"),
        ([[1, 2]], MIXED, "feature 's': row 0: a string is needed, not 2"),
        ([["1", "x"]], MIXED, "feature 'n': row 0: a number (int64) is needed, not a string"),
        ([[1, None]], MIXED, "feature 's': row 0: a string is needed, not null"),
        ({"n": [1, 1.5], "s": ["x", "y"]}, MIXED, "feature 'n': row 1: a value does not fit int64"),
        ({"n": [1, float("nan")], "s": ["x", "y"]}, MIXED, "feature 'n': row 1: a value does not fit int64"),
        ([[1]], MIXED, "row 0: 1 values, the model takes 2"),
        ([1], MIXED, "row 0: a list of 2 values is needed, not a number"),
        (np.ones((1, 3)), MIXED, "shape [1, 3] given, the model takes [rows, 2]"),
        (np.ones((1, 3)), PAIR, "shape [1, 3] given, the model takes [rows, 2]"),
        (np.ones((1, 2, 1)), PAIR, "shape [1, 2, 1] given, the model takes [rows, 2]"),
        ([[[1, 2]]], IMAGE, "shape [1, 1, 2] given, the model takes [rows, 2, 2]"),
        ([{"v": [1, 2], "n": 1}, {"v": [3], "n": 2}], NESTED, "feature 'v': "),
    ],
)
def test_what_is_wrong_is_named(data, signature, message):
    with pytest.raises(InputError) as error:
        arrange(data, signature)
    assert message in str(error.value)


def test_a_row_of_zeros_fits_its_signature():
    for signature in (PAIR, WHOLE, ONE, MIXED, IMAGE, NESTED):
        row = synthetic(signature)
        assert rows_of(row) == 1
        arrange(row, signature)
    assert synthetic(RAW) is None


@pytest.mark.parametrize(
    ("api", "oip"),
    [
        ("bool", "BOOL"),
        ("int8", "INT8"),
        ("uint64", "UINT64"),
        ("float16", "FP16"),
        ("float64", "FP64"),
        ("string", "BYTES"),
    ],
)
def test_names_of_types(api, oip):
    assert dtype_of_api(api) == dtype_of_oip(oip)
    assert api_name(dtype_of_api(api)) == api
    assert oip_name(dtype_of_api(api)) == oip


def test_text_of_any_length_is_a_string_and_byte_order_does_not_matter():
    assert api_name(np.dtype("U7")) == "string"
    assert oip_name(np.dtype(">f4")) == "FP32"
    with pytest.raises(ValueError, match="unknown type 'float'; known: bool"):
        dtype_of_api("float")
    assert tensors([TensorConfig(name="v", type="float32", shape=[-1])]) == (
        Tensor("v", np.dtype("f4"), (-1,)),
    )
