"""Whatever JSON a client sends, it is either rows of the model's shape and type or the client's fault."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage_runtime.models.base import InputError, Signature, Tensor
from moorage_runtime.models.signature import arrange, rows_of

SIGNATURES = [
    Signature((Tensor("a", np.dtype("f8")), Tensor("b", np.dtype("f8"))), ()),
    Signature((Tensor("a", np.dtype("i4")), Tensor("b", np.dtype("i4"))), (), np.dtype("i4")),
    Signature((Tensor("a", np.dtype("f4")),), (), np.dtype("f4")),
    Signature((Tensor("a", np.dtype("i8")), Tensor("b", np.dtype(object))), (), None),
    Signature((Tensor("a", np.dtype("?")), Tensor("b", np.dtype("u1"), (-1,))), (), None),
    Signature((Tensor("a", np.dtype("f4"), (2, 2)),), (), np.dtype("f4")),
    Signature((Tensor("a", np.dtype(object)), Tensor("b", np.dtype(object))), (), np.dtype(object)),
    Signature((), ()),
]
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from([10**400, 1e300, "a", "b", ""])
)
names = st.sampled_from(["a", "b", "c"])
json = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=3),
    max_leaves=16,
)
values = (
    scalars
    | st.lists(scalars, max_size=2)
    | st.lists(st.lists(scalars, min_size=2, max_size=2), min_size=2, max_size=2)
)
close = (
    st.lists(st.lists(values, min_size=1, max_size=2), max_size=3)
    | st.lists(st.fixed_dictionaries({"a": values, "b": values}), max_size=3)
    | st.fixed_dictionaries({"a": st.lists(values, max_size=2), "b": st.lists(values, max_size=2)})
)


@settings(max_examples=1000, deadline=None)
@given(json | close, st.sampled_from(SIGNATURES))
def test_rows_of_the_signature_or_an_input_error(data, signature):
    try:
        inputs = arrange(data, signature)
    except InputError:
        return
    rows = rows_of(inputs)
    assert rows > 0
    if isinstance(inputs, dict):
        assert {n: v.dtype for n, v in inputs.items()} == {f.name: f.dtype for f in signature.features}
        assert all(len(values) == rows for values in inputs.values())
    else:
        assert inputs.dtype == signature.matrix
        if signature.features:
            shape = signature.features[0].shape or (len(signature.features),)
            assert inputs.shape == (rows, *shape)


numbers = st.floats(allow_infinity=False) | st.integers(-(2**53), 2**53)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5))
def test_all_forms_of_the_same_rows_are_the_same_matrix(rows):
    signature = SIGNATURES[0]
    matrix = arrange([list(row) for row in rows], signature)
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            assert matrix[i, j] == value or (math.isnan(value) and math.isnan(matrix[i, j]))
    objects = arrange([{"b": b, "a": a} for a, b in rows], signature)
    columns = arrange({"a": [a for a, _ in rows], "b": [b for _, b in rows]}, signature)
    assert np.array_equal(matrix, objects, equal_nan=True)
    assert np.array_equal(matrix, columns, equal_nan=True)
