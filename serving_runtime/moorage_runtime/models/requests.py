"""What request bodies of the dialects have in common, wherever they come from: an HTTP request or a stream's record."""

from collections.abc import Callable
from typing import Any

import numpy as np

from moorage_runtime.models.base import Array, InputError, Inputs, Signature
from moorage_runtime.models.signature import arrange
from moorage_runtime.models.tensors import checked_head, from_json

_TENSOR_KEYS = ("name", "shape", "datatype")
TensorData = Callable[[dict[str, Any], tuple[int, ...], "np.dtype[Any]", str], Array]
"""The array of a tensor object, given its shape, its type, and the words for where it stands."""


def is_oip(body: dict[str, Any]) -> bool:
    """The rule between the two V2 dialects: the first input is a tensor object, or there is none to judge by."""
    if "data_url" in body:
        return False
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        return True
    first = inputs[0]
    return isinstance(first, dict) and all(key in first for key in _TENSOR_KEYS)


def json_data(tensor: dict[str, Any], shape: tuple[int, ...], dtype: np.dtype[Any], where: str) -> Array:
    """A tensor whose data is JSON."""
    return from_json(tensor.get("data"), shape, dtype, where)


def arrays_of(tensors: Any, data: TensorData = json_data) -> dict[str, Array]:
    """The arrays of an Open Inference Protocol request's inputs, by name. Raises InputError."""
    if not isinstance(tensors, list) or not tensors:
        raise InputError("inputs must be a list of at least one tensor")
    arrays: dict[str, Array] = {}
    for number, tensor in enumerate(tensors):
        where = f"inputs[{number}]"
        name, shape, dtype = checked_head(tensor, where)
        if name in arrays:
            raise InputError(f"{where}.name {name[:100]!r} is given twice")
        arrays[name] = data(tensor, shape, dtype, where)
    return arrays


def arrange_tensors(arrays: dict[str, Array], signature: Signature) -> Inputs:
    """Named arrays as the model's inputs: one is the matrix, several are columns. Raises InputError."""
    features = signature.features
    if len(arrays) == 1 and (len(features) != 1 or next(iter(arrays)) != features[0].name):
        (array,) = arrays.values()
        if _fits(array, signature):
            return array
        if array.ndim > 1 or len(features) <= 1:
            return arrange(array, signature)
    return arrange(arrays, signature)


def _fits(array: Array, signature: Signature) -> bool:
    """Whether an array is the model's matrix as it stands, the common case."""
    return (
        array.dtype == signature.matrix
        and array.ndim == 2
        and len(array) > 0
        and array.shape[1] == len(signature.features) > 1
    )


def one_row_or_many(rows: Any, features: int) -> Any:
    """MLRun's short form of one row, a flat list of its values, as a list of one row."""
    if isinstance(rows, list) and rows and not isinstance(rows[0], list | dict) and features != 1:
        return [rows]
    return rows


def wanted(names: list[str], signature: Signature, model: str) -> tuple[str, ...]:
    """Requested outputs that exist, once each."""
    known = [output.name for output in signature.outputs]
    for name in names:
        if known and name not in known:
            raise InputError(f"model {model} has no output {name[:100]!r}; it has {', '.join(known)}")
    return tuple(dict.fromkeys(names))
