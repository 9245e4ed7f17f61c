"""Checked conversion of values to a numpy type: no string is read as a number, nothing is cut off in silence."""

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from moorage_runtime.models.base import Array, InputError, Tensor
from moorage_runtime.models.types import api_name


def matrix_of(
    data: object, dtype: np.dtype[Any], shape: tuple[int, ...] | None, names: Sequence[str]
) -> Array:
    """Rows (lists or an array) as an array of shape (rows, *shape) and of `dtype`; InputError names the culprit.

    `shape` is that of one row, -1 for a variable dimension, None for any. `names` are those of the columns,
    for messages.
    """
    try:
        text = object if dtype.kind == "O" else None
        values = data if isinstance(data, np.ndarray) else np.array(data, dtype=text)
    except ValueError:
        _ragged(data, shape)
    if shape is None:
        if values.ndim < 2:
            raise InputError("a list of rows is needed, each a list of values")
    elif len(values.shape) != len(shape) + 1 or any(
        want not in (-1, got) for want, got in zip(shape, values.shape[1:], strict=True)
    ):
        _wrong_shape(data, values, shape)
    try:
        return cast(values, dtype)
    except InputError:
        _culprit(data, values, dtype, names)
        raise


def column(data: object, tensor: Tensor) -> Array:
    """One feature's values as an array of shape (rows, *tensor.shape); InputError names feature and row."""
    try:
        return matrix_of(data, tensor.dtype, tensor.shape, []) if tensor.shape else _flat(data, tensor.dtype)
    except InputError as fault:
        raise InputError(f"feature {tensor.name!r}: {fault}") from None


def cast(values: Array, dtype: np.dtype[Any]) -> Array:
    """An array as another type; InputError where a value has no place in it. Null is NaN in a float type."""
    if values.dtype == dtype and dtype.kind != "O":
        return values
    kind = values.dtype.kind
    if dtype.kind == "O":
        return _strings(values)
    if kind == "O":
        return _objects(values, dtype)
    if kind not in "biuf":
        raise InputError(f"a number ({api_name(dtype)}) is needed, not a string")
    if dtype.kind == "f":
        try:
            with np.errstate(over="raise"):
                return values.astype(dtype)
        except FloatingPointError:
            raise InputError(f"a number is too large for {api_name(dtype)}") from None
    with np.errstate(invalid="ignore"):
        whole = values.astype(dtype)
    if not np.array_equal(whole, values):
        raise InputError(f"a value does not fit {api_name(dtype)}")
    return whole


def _strings(values: Array) -> Array:
    if values.dtype.kind == "U":
        return values.astype(object)
    for value in values.flat:
        if not isinstance(value, str):
            raise InputError(f"a string is needed, not {_shown(value)}")
    return values


def _objects(values: Array, dtype: np.dtype[Any]) -> Array:
    """Nulls, whole numbers beyond 64 bits, or anything that is no number."""
    for value in values.flat:
        if value is None and dtype.kind != "f":
            raise InputError(f"null is not accepted ({api_name(dtype)})")
        if value is not None and not isinstance(value, int | float | np.number | np.bool_):
            raise InputError(f"a number ({api_name(dtype)}) is needed, not {_shown(value)}")
    try:
        with np.errstate(over="raise"):
            numbers = values.astype(dtype)
    except (OverflowError, FloatingPointError):
        raise InputError(f"a number is too large for {api_name(dtype)}") from None
    except ValueError:
        raise InputError(f"a value does not fit {api_name(dtype)}") from None
    if dtype.kind != "f" and not np.array_equal(numbers, values):
        raise InputError(f"a value does not fit {api_name(dtype)}")
    return numbers


def _flat(data: object, dtype: np.dtype[Any]) -> Array:
    """Scalars, one a row; a trailing dimension of 1 is dropped."""
    if isinstance(data, np.ndarray):
        values = data
    elif isinstance(data, list | tuple):
        mixed = any(type(value) is not type(data[0]) for value in data)
        try:
            values = np.array(data, dtype=object if mixed or dtype.kind == "O" else None)
        except ValueError:
            raise InputError("one value a row is needed") from None
    else:
        raise InputError("a list with one value a row is needed")
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise InputError(f"one value a row is needed, not shape {list(values.shape)}")
    try:
        return cast(values, dtype)
    except InputError:
        for row, value in enumerate(values):
            _check(value, dtype, f"row {row}")
        raise


def _check(value: object, dtype: np.dtype[Any], where: str) -> None:
    single = np.empty(1, dtype=object)
    single[0] = value.item() if isinstance(value, np.generic) else value
    try:
        plain = single[0]
        numeric = isinstance(plain, float) or (isinstance(plain, int) and abs(plain) < 2**63)
        cast(np.array([plain]) if numeric else single, dtype)
    except InputError as fault:
        raise InputError(f"{where}: {fault}") from None


def _culprit(data: object, values: Array, dtype: np.dtype[Any], names: Sequence[str]) -> None:
    """Raise for the first value that does not convert, by row and feature."""
    source = values if isinstance(data, np.ndarray) else np.array(data, dtype=object)
    for position in np.ndindex(source.shape):
        where = f"row {position[0]}"
        if len(position) == 2 and position[1] < len(names):
            where += f", feature {names[position[1]]!r}"
        elif len(position) > 1:
            where += f", position {list(position[1:])}"
        _check(source[position], dtype, where)


def _ragged(data: object, shape: tuple[int, ...] | None) -> NoReturn:
    """Rows of different lengths, or values among lists."""
    assert isinstance(data, list | tuple)
    want = shape[0] if shape and shape[0] >= 0 else None
    for number, row in enumerate(data):
        if not isinstance(row, list | tuple):
            raise InputError(f"row {number}: a list of values is needed, not {_shown(row)}")
        want = len(row) if want is None else want
        if len(row) != want:
            raise InputError(f"row {number}: {len(row)} values, the model takes {want}")
        if shape is None or len(shape) == 1:
            for place, value in enumerate(row):
                if isinstance(value, list | tuple | dict):
                    raise InputError(
                        f"row {number}, position {place}: one value is needed, not {_shown(value)}"
                    )
    raise InputError("rows differ in shape")


def _wrong_shape(data: object, values: Array, shape: tuple[int, ...]) -> NoReturn:
    if len(shape) == 1 and isinstance(data, list | tuple):
        for number, row in enumerate(data):
            if not isinstance(row, list | tuple):
                raise InputError(f"row {number}: a list of {shape[0]} values is needed, not {_shown(row)}")
            if len(row) != shape[0]:
                raise InputError(f"row {number}: {len(row)} values, the model takes {shape[0]}")
    wanted = ["rows", *("any" if size < 0 else size for size in shape)]
    raise InputError(f"shape {list(values.shape)} given, the model takes [{', '.join(map(str, wanted))}]")


def _shown(value: object) -> str:
    kinds = {dict: "an object", list: "a list", tuple: "a list", type(None): "null", str: "a string"}
    plain = value.item() if isinstance(value, np.generic) else value
    return kinds.get(type(plain)) or repr(plain)[:40]
