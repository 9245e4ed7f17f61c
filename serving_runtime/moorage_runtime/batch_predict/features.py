"""From Arrow columns to what a model takes, without a Python object per value where they are numbers.

The rules are those of a request (models.cells): null is NaN in a float feature and refused in others, no string is
read as a number, nothing is cut off. What a request is refused for costs a row here; a column that has the wrong
type altogether ends the job.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from moorage_runtime.batch_predict.fault import BatchFault
from moorage_runtime.batch_predict.rows import Rows
from moorage_runtime.models.base import Array, InputError, Inputs, Signature, Tensor
from moorage_runtime.models.cells import column as checked
from moorage_runtime.models.signature import arrange
from moorage_runtime.models.types import api_name


def inputs_of(
    rows: Rows, signature: Signature, columns: Mapping[str, str]
) -> tuple[Inputs | None, dict[int, str]]:
    """The model's inputs for the rows that have no error, None where there are none, and all errors.

    `columns` maps features to columns; without features, all columns of `rows` that it names are given in its
    order. Raises BatchFault.
    """
    errors = dict(rows.errors)
    if not signature.features:
        return _loose(rows, signature, columns, errors), errors
    matrix = signature.matrix
    plain = matrix is not None and not any(feature.shape for feature in signature.features)
    arrays: dict[str, Array] = {}
    for feature in signature.features:
        name = columns.get(feature.name, feature.name)
        wanted = feature if matrix is None else Tensor(feature.name, matrix, feature.shape)
        arrays[feature.name] = _column(rows.columns[name], wanted, name, errors)
    good = _good(rows.count, errors)
    if good is not None:
        if not len(good):
            return None, errors
        arrays = {name: values[good] for name, values in arrays.items()}
    if not plain:
        return arrange(arrays, signature), errors
    table = np.empty((len(next(iter(arrays.values()))), len(arrays)), dtype=matrix)
    for place, values in enumerate(arrays.values()):
        table[:, place] = values
    return arrange(table, signature), errors


def _good(count: int, errors: Mapping[int, str]) -> Any:
    """Places of the rows without error; None for all."""
    if not errors:
        return None
    mask = np.ones(count, dtype=bool)
    mask[list(errors)] = False
    return np.flatnonzero(mask)


def _loose(
    rows: Rows, signature: Signature, columns: Mapping[str, str], errors: dict[int, str]
) -> Inputs | None:
    """A model without features takes the columns as they come: a matrix, or a list of values per row."""
    if signature.matrix is not None:
        arrays = [
            _column(rows.columns[name], Tensor(name, signature.matrix), name, errors)
            for name in columns.values()
        ]
        good = _good(rows.count, errors)
        table = np.stack(arrays, axis=1) if good is None else np.stack(arrays, axis=1)[good]
        return arrange(table, signature) if len(table) else None
    good = _good(rows.count, errors)
    lists = zip(*(rows.columns[name].to_pylist() for name in columns.values()), strict=True)
    listed = [list(row) for row in lists]
    listed = listed if good is None else [listed[place] for place in good]
    return arrange(listed, signature) if listed else None


def _column(values: Any, feature: Tensor, name: str, errors: dict[int, str]) -> Array:
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if feature.shape:
        return _nested(values, feature, name, errors)
    if feature.dtype.kind == "O":
        return _texts(values, name, errors)
    return _numbers(values, feature, name, errors)


def usable(kind: Any, feature: Tensor) -> bool:
    """Whether a column of this Arrow type may hold values of the feature."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_null(kind):
        return True
    if feature.shape:
        return bool(
            pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
        )
    if feature.dtype.kind == "O":
        return _is_text(kind)
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_decimal(kind)
    )


def check_type(kind: Any, feature: Tensor, name: str, where: str) -> None:
    """BatchFault where the column cannot hold values of the feature."""
    if not usable(kind, feature):
        shape = f" of shape {list(feature.shape)}" if feature.shape else ""
        raise BatchFault(
            f"{where}: column {name!r} is {kind}, feature {feature.name!r} needs {api_name(feature.dtype)}{shape}"
        )


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _texts(values: Any, name: str, errors: dict[int, str]) -> Array:
    if values.null_count:
        _blame(values.is_null(), f"column {name!r}: a string is needed, not null", errors)
        values = pa.nulls(len(values), pa.string()) if pa.types.is_null(values.type) else values
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=object)


def _numbers(values: Any, feature: Tensor, name: str, errors: dict[int, str]) -> Array:
    dtype = feature.dtype
    kind = values.type
    if pa.types.is_decimal(kind) or pa.types.is_null(kind):
        values = values.cast(pa.float64())
    elif pa.types.is_boolean(kind):
        values = values.cast(pa.uint8())
    if values.null_count and dtype.kind != "f":
        _blame(values.is_null(), f"column {name!r}: null is not accepted ({api_name(dtype)})", errors)
        values = pc.fill_null(values, 0)
    if values.null_count and pa.types.is_integer(values.type):
        values = values.cast(pa.float64(), safe=False)
    numbers: Array = values.to_numpy(zero_copy_only=False)
    if numbers.dtype == dtype:
        return numbers
    with np.errstate(over="ignore", invalid="ignore"):
        cast = numbers.astype(dtype)
    if dtype.kind == "f":
        if dtype.itemsize < numbers.dtype.itemsize:
            lost = np.isinf(cast) & np.isfinite(numbers)
            if lost.any():
                _blame(lost, f"column {name!r}: a number is too large for {api_name(dtype)}", errors)
        return cast
    lost = cast != numbers
    if lost.any():
        _blame(lost, f"column {name!r}: a value does not fit {api_name(dtype)}", errors)
    return cast


def _nested(values: Any, feature: Tensor, name: str, errors: dict[int, str]) -> Array:
    """Lists of one shape a row; row by row only where something is wrong."""
    listed = values.to_pylist()
    try:
        return checked(listed, feature)
    except InputError:
        found = []
        for row, value in enumerate(listed):
            try:
                found.append(checked([value], feature)[0])
            except InputError as error:
                errors.setdefault(row, f"column {name!r}: {error}")
                found.append(None)
        shape = next((value.shape for value in found if value is not None), (0,))
        blank = np.zeros(shape, dtype=feature.dtype)
        return np.stack([blank if value is None else value for value in found])


def _blame(mask: Any, text: str, errors: dict[int, str]) -> None:
    for row in np.flatnonzero(np.asarray(mask)):
        errors.setdefault(int(row), text)
