"""Tensors of the Open Inference Protocol: heads, JSON data, and metadata from a model's signature."""

import math
from typing import Any

import numpy as np

from moorage_runtime.models.base import Array, InputError, Signature, Tensor
from moorage_runtime.models.cells import cast
from moorage_runtime.models.types import dtype_of_oip, oip_name

_RANK_MAX = 16
_MATRIX = "input-0"
"""Name of the one input of a model that knows nothing about its features."""


def kind_of(value: Any) -> str:
    """JSON's name of a value's type."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def checked_head(tensor: Any, where: str) -> tuple[str, tuple[int, ...], np.dtype[Any]]:
    """Name, shape and numpy type of a tensor object; InputError names what is wrong."""
    if not isinstance(tensor, dict):
        raise InputError(f"{where} must be a tensor object, not {kind_of(tensor)}")
    name, shape, datatype = tensor.get("name"), tensor.get("shape"), tensor.get("datatype")
    if not isinstance(name, str):
        raise InputError(f"{where}.name must be a string")
    if not isinstance(datatype, str):
        raise InputError(f"{where}.datatype must be a string")
    try:
        dtype = dtype_of_oip(datatype)
    except ValueError as error:
        raise InputError(f"{where}.datatype: {error}") from None
    if not isinstance(shape, list) or not 0 < len(shape) <= _RANK_MAX:
        raise InputError(f"{where}.shape must be a list of 1 to {_RANK_MAX} dimensions")
    for size in shape:
        if type(size) is not int or size < 0:
            raise InputError(f"{where}.shape must hold integers of at least 0")
    return name, tuple(shape), dtype


def from_json(data: Any, shape: tuple[int, ...], dtype: np.dtype[Any], where: str) -> Array:
    """The array of a tensor's `data`, nested or flat, row-major."""
    if not isinstance(data, list):
        raise InputError(f"{where}.data must be a list, not {kind_of(data)}")
    text = dtype.kind == "O"
    try:
        array = np.array(data, dtype=object if text else None)
    except (ValueError, OverflowError):
        raise InputError(f"{where}.data is ragged: its lists differ in length or depth") from None
    if array.dtype != dtype or text:
        try:
            array = cast(array, dtype)
        except InputError as error:
            raise InputError(f"{where}.data: {error}") from None
    if array.shape == shape:
        return array
    size = math.prod(shape)
    if array.size != size:
        raise InputError(f"{where}.data has {array.size} values, its shape {list(shape)} needs {size}")
    if array.ndim != 1:
        raise InputError(f"{where}.data is nested as {list(array.shape)}, its shape says {list(shape)}")
    return array.reshape(shape)


def metadata(signature: Signature) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Inputs and outputs as the metadata reply has them: a column each; -1 is the number of rows."""
    inputs = [_described(feature) for feature in signature.features]
    if not inputs and signature.matrix is not None:
        inputs = [{"name": _MATRIX, "datatype": oip_name(signature.matrix), "shape": [-1, -1]}]
    return inputs, [_described(output) for output in signature.outputs]


def _described(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": oip_name(tensor.dtype), "shape": [-1, *tensor.shape]}
